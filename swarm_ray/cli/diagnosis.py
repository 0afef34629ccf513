"""What a run needs on this machine, found out by trying.

Decides which findings a run cannot do without. Sandbox drivers are probed by the sandbox itself;
here are the interpreter, Ray, the disk and the folder of state.
"""

import os
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from swarm_ray.config import Settings
from swarm_ray.values.digests import sha256

if TYPE_CHECKING:
    from swarm_ray.sandbox.probe import ProbeResult

OLDEST: Final = (3, 11)
FREE_BYTES: Final = 1 << 30


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was tried.

    `needed` says that no run works without it, `remedy` what helps when it is not well, `better`
    what would improve it when it is. `description` is that of a sandbox, whose digest attestations
    name, as JSON.
    """

    name: str
    ok: bool
    found: str
    remedy: str = ""
    needed: bool = False
    better: str = ""
    description: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {"event": "check", **asdict(self)}


def diagnose(settings: Settings) -> list[Check]:
    """Try everything; the most basic first."""
    return [
        _python(),
        _ray(),
        _home(settings),
        _disk(settings),
        _shared_memory(),
        *_sandboxes(settings),
        _model(settings),
    ]


def _python() -> Check:
    found = ".".join(map(str, sys.version_info[:3]))
    return Check(
        "python",
        sys.version_info >= OLDEST,
        f"{found} at {sys.executable}",
        "use Python 3.11 or newer",
        needed=True,
    )


def _ray() -> Check:
    try:
        found = metadata.version("ray")
    except metadata.PackageNotFoundError:
        return Check("ray", ok=False, found="not installed", remedy="pip install ray", needed=True)
    address = os.environ.get("RAY_ADDRESS", "")
    where = f"joins {address}" if address else "starts a private cluster when none is there"
    return Check("ray", ok=True, found=f"{found}; {where}", needed=True)


def _home(settings: Settings) -> Check:
    place = _existing(settings.folder)
    try:
        with tempfile.NamedTemporaryFile(dir=place) as file:
            file.write(b"x")
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        return Check(
            "home",
            ok=False,
            found=f"{settings.folder} cannot be written: {error.strerror} ({place})",
            remedy="set SWARM_RAY_HOME to a folder that you may write",
            needed=True,
        )
    return Check("home", ok=True, found=f"{settings.folder} can be written", needed=True)


def _existing(path: Path) -> Path:
    """Return the folder itself or its nearest parent that is there; nothing is made."""
    return next(one for one in (path, *path.parents) if one.exists())


def _disk(settings: Settings) -> Check:
    free = shutil.disk_usage(_existing(settings.folder)).free
    return Check(
        "disk",
        free >= FREE_BYTES,
        f"{free / 2**30:.1f} GiB free",
        "free at least 1 GiB, or run `swarm-ray gc`",
    )


def _shared_memory() -> Check:
    place = Path("/dev/shm")  # noqa: S108  # Ray's object store lives there
    if not place.is_dir():
        return Check("shared memory", ok=True, found="not a separate disk here")
    free = shutil.disk_usage(place).free
    return Check(
        "shared memory",
        free >= FREE_BYTES // 4,
        f"{free / 2**30:.1f} GiB free in /dev/shm",
        "give the container a larger /dev/shm (docker run --shm-size=2g)",
    )


def _sandbox(found: "ProbeResult") -> Check:
    from swarm_ray.sandbox.description import described

    description = described(found.isolation) if found.works and found.isolation else ""
    digest = f"; digest {sha256(description.encode())}" if description else ""
    return Check(
        f"sandbox {found.name}",
        found.works,
        found.detail + digest,
        found.improvement,
        better=found.improvement,
        description=description,
    )


def _sandboxes(settings: Settings) -> list[Check]:
    from swarm_ray.sandbox.probe import probe

    found = [_sandbox(one) for one in probe()]
    usable = [check.name.removeprefix("sandbox ") for check in found if check.ok]
    chosen = settings.isolation
    allowed = chosen == "none" or (bool(usable) if chosen == "auto" else chosen in usable)
    return [
        *found,
        Check(
            "isolation",
            allowed,
            f"{chosen}; usable here: {', '.join(usable) or 'none'}",
            "see the remedies above, or say --isolation none knowing that workers are not"
            " contained then",
            needed=True,
        ),
    ]


def _model(settings: Settings) -> Check:
    if settings.model_url and settings.model_name:
        return Check("model", ok=True, found=f"{settings.model_name} at {settings.model_url}")
    return Check(
        "model",
        ok=False,
        found="none configured; skills and bindings work without one",
        remedy="set SWARM_RAY_MODEL_URL and SWARM_RAY_MODEL_NAME for sentences without a binding",
    )
