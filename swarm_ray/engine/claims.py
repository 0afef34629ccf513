"""What a host may say in a delivery, in form: what no honest host says is refused before it can harm.

Decides types, bounds and how the parts of a delivery belong together, before anything else looks at
it: a lying host can make nobody stumble over a value, write no entry that the log does not take or
give back, and fill no field that is the coordinator's to fill. Whether a claim is true is decided
elsewhere.
"""

from collections.abc import Sequence
from dataclasses import fields
from typing import Final, get_args

from swarm_ray.core.events import Row, Status
from swarm_ray.core.host import OUTCOME_ROWS, Outcome, fit_entry
from swarm_ray.core.plan import FULL_PPM
from swarm_ray.engine.sandboxes import are_descriptions
from swarm_ray.engine.verdicts import (
    CODE_CHARS,
    DETAIL_BYTES,
    LABEL_CHARS,
    MAX_RETRY_AFTER_MS,
)
from swarm_ray.errors import IntegrityError
from swarm_ray.models.naming import is_models
from swarm_ray.ports.hosts import Delivery, HostInfo
from swarm_ray.ports.log import Body
from swarm_ray.values.commitments import SALT_BYTES, opens
from swarm_ray.values.digests import is_digest

MOST: Final = 1 << 52
ENVELOPE_BYTES: Final = 1 << 16
"""Of the signature and what it is about; it holds no rows, and an honest one has less than 2 KiB."""
_TYPES: Final = {int: int, str: str, Status: str}
_ROW: Final = tuple((one.name, _TYPES[one.type]) for one in fields(Row))
_NUMBERS: Final = {one.name: MOST for one in fields(Row) if one.type is int} | {
    "confidence_ppm": FULL_PPM + 1,
    "retry_after_us": MAX_RETRY_AFTER_MS * 1000 + 1,
    "alike": 1,  # these two are the coordinator's
    "rule": 1,
}
_SEALED: Final = {
    "output": ("output", "output"),
    "error": ("error", "error"),
    "extras": ("extras", "artifact"),
}
"""Tag and retention of the body that a field names. A body that bears another retention would be
kept, or deleted, against what was declared."""
_STATUSES: Final = frozenset(get_args(Status)) - {"lost"}


def check_form(delivery: object, host: HostInfo) -> Delivery:
    """Return a delivery that is one in form; nobody may look at it before.

    Args:
        delivery: anything that a host has handed over.
        host: who handed it over.

    Raises:
        IntegrityError: `desk.bad_delivery`, `desk.bad_row`, `desk.bad_model`, `desk.bad_sandbox`,
            `desk.wrong_body`.
    """
    if type(delivery) is not Delivery:
        raise IntegrityError("desk.bad_delivery", f"{host.name} delivers what is no delivery")
    if field := _flaw(delivery, host) or _outcome_flaw(delivery.outcome):
        raise IntegrityError(
            "desk.bad_delivery", f"{host.name} fills {field} as no host may", field=field
        )
    rows = delivery.outcome.rows
    for row in rows:
        if field := _row_flaw(row):
            raise IntegrityError(
                "desk.bad_row", f"{host.name} fills {field} of a row as no host may", field=field
            )
    if not all(is_models(row.model) for row in rows):
        raise IntegrityError(
            "desk.bad_model", f"{host.name} names a model in a form that has no place"
        )
    _check_together(rows, host.name)
    if not are_descriptions(delivery.sandboxes):
        raise IntegrityError("desk.bad_sandbox", f"{host.name} describes no sandbox, or too many")
    _check_bodies(rows, delivery.bodies)
    return delivery


def _row_flaw(row: Row) -> str:
    """Return the first field of a row that no honest host fills so, empty when there is none."""
    for name, kind in _ROW:
        if type(getattr(row, name)) is not kind:
            return name
    for name, end in _NUMBERS.items():
        if not 0 <= getattr(row, name) < end:
            return name
    for name in _SEALED:
        value = getattr(row, name)
        if value and not is_digest(value):
            return name
    if row.status not in _STATUSES:
        return "status"
    return _text_flaw(row) or _sense_flaw(row)


def _flaw(delivery: Delivery, host: HostInfo) -> str:
    envelope, isolation = delivery.envelope, delivery.isolation
    if type(envelope) is not bytes or len(envelope) > ENVELOPE_BYTES:
        return "envelope"
    if type(isolation) is not str or isolation != host.isolation:
        return "isolation"  # a host has one label, under which it came
    if not _all(delivery.sandboxes, str):
        return "sandboxes"
    return "" if _all(delivery.bodies, Body) else "bodies"


def _outcome_flaw(outcome: Outcome) -> str:
    if type(outcome) is not Outcome:
        return "outcome"
    for name in ("sequence", "batch"):
        value = getattr(outcome, name)
        if type(value) is not int or not 0 <= value < MOST:
            return name
    for name in ("run", "swarm"):
        if type(getattr(outcome, name)) is not str:
            return name
    rows = outcome.rows
    if not _all(rows, Row) or not 1 <= len(rows) <= OUTCOME_ROWS:
        return "rows"
    return ""


def _all(values: object, kind: type) -> bool:
    return type(values) is tuple and all(type(one) is kind for one in values)


def _text_flaw(row: Row) -> str:
    if len(row.label) > LABEL_CHARS or not _is_unicode(row.label):
        return "label"
    if len(row.code) > CODE_CHARS or not (row.code.isascii() and row.code.isprintable()):
        return "code"
    return ""


def _sense_flaw(row: Row) -> str:
    """Return the field that does not go with the status of a row."""
    if row.status == "ok":
        return "output" if not row.output else "error" if row.error else ""
    return "output" if row.output else "label" if row.label else "extras" if row.extras else ""


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False  # a lone surrogate, which neither a statement nor the log can hold
    return True


def _check_together(rows: Sequence[Row], host: str) -> None:
    """Refuse an attempt that is answered twice, and rows that no entry of the log has room for."""
    if len({row.item for row in rows}) < len(rows):
        raise IntegrityError("desk.bad_row", f"{host} answers twice for one item", field="item")
    if not fit_entry(rows):
        raise IntegrityError("desk.bad_row", f"{host} writes more rows than an entry holds")


def _check_bodies(rows: Sequence[Row], bodies: Sequence[Body]) -> None:
    """Check that every body that is named was brought, once, and no other."""
    named = sorted(
        (getattr(row, name), *sealed)
        for row in rows
        for name, sealed in _SEALED.items()
        if getattr(row, name)
    )
    if (
        not all(map(_is_body, bodies))
        or sorted((body.commitment, body.tag, body.retention) for body in bodies) != named
        or not all(opens(body.commitment, body.tag, body.salt, body.data) for body in bodies)
    ):
        raise IntegrityError("desk.wrong_body", "a delivered body is not the one that is named")


def _is_body(body: Body) -> bool:
    texts = (body.commitment, body.tag, body.retention)
    return (
        all(type(text) is str for text in texts)
        and type(body.salt) is bytes
        and len(body.salt) == SALT_BYTES
        and type(body.data) is bytes
        and (body.tag != "error" or len(body.data) <= DETAIL_BYTES)
    )
