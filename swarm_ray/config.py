"""Settings: one frozen object, read once at the entry point and passed down.

Decides names, defaults and meaning of every `SWARM_RAY_*` variable. Nothing else in swarm_ray
reads the environment.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path

from typing_extensions import override

from swarm_ray.errors import UsageError

PREFIX = "SWARM_RAY_"
ISOLATIONS = ("auto", "landlock", "bwrap", "none")
MAX_NUMBER = 100_000
_SECRET = ("model_key", "ledger")


@dataclass(frozen=True, slots=True)
class Settings:
    """What an installation can set.

    Attributes:
        home: folder of ledgers, bundles and keys.
        tenant: owner of runs; every tenant has a coordinator, hosts and a ledger of its own.
        site: name of the site that hosts started here belong to.
        organisation: who runs this site; a trust domain.
        region: where this site is, a trust domain as well; empty for a region of its own.
        address: Ray address to join; empty for the running cluster, else a private local one.
        isolation: sandbox driver, `auto`, `landlock`, `bwrap` or `none`.
        slots: attempts at once per host; 0 for eight per core, at least 16.
        zygotes: zygotes per bundle and host; 0 for one per core.
        ledger: where the logs are: empty for the home folder, or `postgresql://user@host/database`,
            from where a coordinator can go on elsewhere; never logged.
        bodies: where large bodies and bundles are: empty for the home folder, or
            `s3://bucket/prefix`; belongs to a ledger on a server.
        anchor: where checkpoints are kept that nobody can delete: empty for nowhere, or
            `s3://bucket/prefix` in a bucket with Object Lock.
        anchor_days: for how many days nobody can delete them.
        witness: URL of a witness that cosigns checkpoints; empty for none.
        witness_key: its key, as its keeper gives it: `name+id+key`.
        lease_s: how long a host works without hearing from its coordinator, seconds.
        model_url: base URL of an OpenAI-compatible endpoint; empty for none, `embedded` for the
            in-process model of the extra `model`.
        model_name: model to ask there.
        model_key: its key; never logged, never given to a worker.
        model_price_input: micro-USD per million input tokens.
        model_price_output: micro-USD per million output tokens.
    """

    home: Path
    tenant: str = "default"
    site: str = "local"
    organisation: str = "local"
    region: str = ""
    address: str = ""
    isolation: str = "auto"
    slots: int = 0
    zygotes: int = 0
    ledger: str = ""
    bodies: str = ""
    anchor: str = ""
    anchor_days: int = 365
    witness: str = ""
    witness_key: str = ""
    lease_s: int = 30
    model_url: str = ""
    model_name: str = ""
    model_key: str = ""
    model_price_input: int = 0
    model_price_output: int = 0

    def __post_init__(self) -> None:
        _check_ranges(self)

    @override
    def __repr__(self) -> str:
        shown = ((one.name, getattr(self, one.name)) for one in fields(self))
        body = ", ".join(f"{k}={v!r}" for k, v in shown if k not in _SECRET)
        return f"Settings({body})"

    @property
    def folder(self) -> Path:
        """State of the tenant: ledger, bodies, bundles, keys."""
        return self.home / "tenants" / self.tenant

    @property
    def movable(self) -> bool:
        """True when a coordinator can go on on any node: its ledger is on none of them."""
        return bool(self.ledger and self.bodies)

    @property
    def host_slots(self) -> int:
        """Attempts at once on a host here."""
        return self.slots or max(16, 8 * (os.cpu_count() or 1))

    @property
    def host_zygotes(self) -> int:
        """Zygotes per bundle on a host here."""
        return self.zygotes or (os.cpu_count() or 1)


def read_settings(environment: Mapping[str, str]) -> Settings:
    """Read the settings from `SWARM_RAY_*` variables; `SWARM_RAY_HOME` defaults to the
    platform's data folder.

    Raises:
        UsageError: `config.unknown_setting`, `config.bad_number`, `config.bad_name`.
    """
    names = {f"{PREFIX}{one.name.upper()}": one for one in fields(Settings)}
    given = {key: value for key, value in environment.items() if key.startswith(PREFIX)}
    values: dict[str, str | int | Path] = {"home": _default_home(environment)}
    for key, text in given.items():
        if key not in names:
            if key == f"{PREFIX}NO_SKIPS":
                continue
            raise UsageError(
                "config.unknown_setting",
                f"{key} is not a setting",
                hint=f"known: {', '.join(sorted(names))}",
            )
        values[names[key].name] = _value(key, text, names[key].type)
    settings = Settings(**values)  # type: ignore[arg-type]  # typed by _value
    for name in (settings.tenant, settings.site, settings.organisation, settings.region or "none"):
        if not name or not name.replace("-", "").replace("_", "").isalnum():
            raise UsageError(
                "config.bad_name", f"{name!r} is no name", hint="use letters, digits, - and _"
            )
    return settings


def _check_ranges(settings: Settings) -> None:
    if settings.isolation not in ISOLATIONS:
        raise UsageError(
            "config.unknown_isolation",
            f"{PREFIX}ISOLATION={settings.isolation!r} is no sandbox driver",
            hint=f"choose one of: {', '.join(ISOLATIONS)}",
        )
    for name, low in (("slots", 0), ("zygotes", 0), ("lease_s", 1), ("anchor_days", 1)):
        if not low <= getattr(settings, name) <= MAX_NUMBER:
            raise UsageError(
                "config.bad_number",
                f"{PREFIX}{name.upper()} must be from {low} to {MAX_NUMBER}",
                hint="leave it unset for the default",
            )
    if bool(settings.witness) != bool(settings.witness_key):
        raise UsageError(
            "config.half_a_witness",
            f"{PREFIX}WITNESS and {PREFIX}WITNESS_KEY belong together",
            hint="set both: the key comes from the keeper of the witness, not from its address",
        )
    if settings.home.exists() and not settings.home.is_dir():
        raise UsageError(
            "config.bad_home",
            f"{settings.home} is no folder",
            hint=f"set {PREFIX}HOME to a folder that can be written",
        )


def _value(key: str, text: str, kind: object) -> str | int | Path:
    if kind is Path:
        return Path(text).expanduser().absolute()
    if kind is int:
        try:
            return int(text)
        except ValueError:
            raise UsageError(
                "config.bad_number",
                f"{key}={text!r} is not a whole number",
                hint=f"set {key} to digits only, or unset it",
            ) from None
    return text


def _default_home(environment: Mapping[str, str]) -> Path:
    data = environment.get("XDG_DATA_HOME") or str(Path.home() / ".local" / "share")
    return Path(data) / "swarm_ray"
