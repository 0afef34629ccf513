"""Pages that are made from the code: schemas of run entries, sites and instances, and the state
diagrams.

Decides their form. `python -m swarm_ray.testing.published DIR` writes them below a `docs` folder;
a test compares the files with what this module yields.
"""

import json
import sys
from collections.abc import Mapping
from enum import Enum, IntEnum, StrEnum
from pathlib import Path
from typing import Any

from swarm_placement.forms.files import schemas
from swarm_ray.core.events import KINDS
from swarm_ray.core.tables import TABLES
from swarm_ray.values.profile import MAX_INTEGER
from swarm_ray.values.record_schema import schema_of

State = IntEnum | StrEnum
SCHEMA_FILE = "formats/schemas/entry.schema.json"
STATES_FILE = "states.md"
PLACEMENT_FILE = "formats/schemas/{}.schema.json"
INTRODUCTION = """# States

Every state and every move of the machines, made from `swarm_ray/core/tables.py` by
`python -m swarm_ray.testing.published docs`. A label is the cause of a move, not the event that
brought it: several events may cause the same move.
"""


def entry_schema() -> dict[str, Any]:
    """Return the JSON Schema of one entry of a run log."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "swarm-ray/log/entry/1",
        "title": "Entry of a run log",
        "type": "object",
        "properties": {
            "kind": {"enum": list(KINDS)},
            "event": {"type": "object"},
            "time_us": {"type": "integer", "minimum": 0, "maximum": MAX_INTEGER},
            "epoch": {"type": "integer", "minimum": 1, "maximum": MAX_INTEGER},
            "acted": {
                "type": "array",
                "prefixItems": [
                    {"type": "integer", "minimum": 1},
                    {"type": "string", "pattern": "^[0-9a-f]{16}$"},
                ],
                "minItems": 2,
                "maxItems": 2,
            },
        },
        "required": ["kind", "event", "time_us", "epoch"],
        "additionalProperties": False,
        "oneOf": [
            {"properties": {"kind": {"const": name}, "event": schema_of(kind)}}
            for name, kind in KINDS.items()
        ],
    }


def diagram(table: Mapping[tuple[State, str], State]) -> str:
    """Return a transition table as a Mermaid state diagram; its first state is the initial one."""
    states: list[State] = list(type(next(iter(table))[0]))
    moves: dict[tuple[State, State], list[str]] = {}
    for (before, trigger), after in table.items():
        moves.setdefault((before, after), []).append(trigger)
    left = {before for before, _ in moves}
    lines = ["stateDiagram-v2", f"    [*] --> {_name(states[0])}"]
    lines += [
        f"    {_name(before)} --> {_name(after)}: {', '.join(triggers)}"
        for (before, after), triggers in moves.items()
    ]
    lines += [f"    {_name(state)} --> [*]" for state in states if state not in left]
    return "\n".join(lines)


def states_page() -> str:
    """Return the page of all diagrams."""
    parts = [INTRODUCTION]
    for name, table in TABLES.items():
        about = " ".join((type(next(iter(table))[0]).__doc__ or "").split())
        parts.append(f"## {name.capitalize()}\n\n{about}\n\n```mermaid\n{diagram(table)}\n```\n")
    return "\n".join(parts)


def pages() -> dict[str, str]:
    """Return file below `docs` → text of every page that is made from the code."""
    return {
        SCHEMA_FILE: _text(entry_schema()),
        STATES_FILE: states_page(),
        **{PLACEMENT_FILE.format(name): _text(one) for name, one in schemas().items()},
    }


def _text(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, sort_keys=True) + "\n"


def _name(state: Enum) -> str:
    return state.name.lower()


if __name__ == "__main__":
    for file, text in pages().items():
        (Path(sys.argv[1]) / file).write_text(text, encoding="utf-8")
