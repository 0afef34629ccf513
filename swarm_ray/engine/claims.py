"""What a host may say in a row, in form: what is no claim of one is refused before it can do harm.

Decides the bounds of every field, so that a lying host can neither make an entry that the log does
not take nor write a field that is the coordinator's to write. Whether a claim is true is decided
elsewhere.
"""

from dataclasses import fields
from typing import Final, get_args

from swarm_ray.core.events import Row, Status
from swarm_ray.engine.verdicts import CODE_CHARS, LABEL_CHARS
from swarm_ray.values.digests import is_digest

MOST: Final = 1 << 52
_NUMBERS: Final = tuple(one.name for one in fields(Row) if one.type is int)
_BODIES: Final = ("output", "error", "extras")
_TEXTS: Final = {"label": LABEL_CHARS, "code": CODE_CHARS}


def flaw(row: Row) -> str:
    """Return the first field of a row that no honest host fills so, empty when there is none."""
    for name in _NUMBERS:
        value = getattr(row, name)
        if type(value) is not int or not 0 <= value < MOST:
            return name
    for name, most in _TEXTS.items():
        value = getattr(row, name)
        if not isinstance(value, str) or len(value) > most:
            return name
    for name in _BODIES:
        value = getattr(row, name)
        if value != "" and not (isinstance(value, str) and is_digest(value)):
            return name
    if row.status not in get_args(Status) or row.status == "lost":
        return "status"
    return "alike" if row.alike else "rule" if row.rule else ""
