"""The pages about events, states and the schema of entries say what the code says."""

import json
import re
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import jsonschema
import pytest

from swarm_ray.core.events import KINDS, Row, Status
from swarm_ray.testing.published import SCHEMA_FILE, entry_schema, pages
from swarm_ray.values.codec import decode

ROOT = Path(__file__).parents[3]
DOCS = ROOT / "docs"
HISTORIES = ROOT / "tests" / "histories"
WORDS = {str: "text", int: "integer", bool: "boolean", Row: "row"}


def tables() -> dict[str, list[list[str]]]:
    """Heading → rows of all tables below it."""
    found: dict[str, list[list[str]]] = {}
    heading = ""
    for line in (DOCS / "formats" / "events.md").read_text(encoding="utf-8").splitlines():
        if match := re.match(r"#{2,3} (\S+)$", line):
            heading = match[1]
        elif line.startswith("| `"):
            cells = re.split(r"(?<!\\)\|", line.strip("|"))
            found.setdefault(heading, []).append([cell.strip() for cell in cells])
    return found


def type_word(hint: Any) -> str:
    if get_origin(hint) is Literal:
        return r" \| ".join(f"`{word}`" for word in get_args(hint))
    if get_origin(hint) is tuple:
        parts = get_args(hint)
        if parts[-1] is Ellipsis:
            return f"list of {type_word(parts[0])}"
        return f"[{', '.join(map(type_word, parts))}]"
    return WORDS[hint]


def default_word(default: Any) -> str:
    if default is MISSING:
        return ""
    return f"`{json.dumps(default)}`"


@pytest.mark.parametrize(("name", "kind"), [*KINDS.items(), ("row", Row)])
def test_the_page_lists_every_field(name: str, kind: type) -> None:
    rows = [row for row in tables()[name] if len(row) == 4]
    hints = get_type_hints(kind)
    assert [row[:3] for row in rows] == [
        [f"`{field.name}`", type_word(hints[field.name]), default_word(field.default)]
        for field in fields(kind)
    ]
    assert all(len(row[3]) > 2 for row in rows)


def test_the_page_explains_every_status_and_no_other_event() -> None:
    found = tables()
    assert {row[0].strip("`") for row in found["row"] if len(row) == 3} == set(get_args(Status))
    assert set(found) == {"", "row", *KINDS}


@pytest.mark.parametrize("file", pages())
def test_a_page_made_from_the_code_is_up_to_date(file: str) -> None:
    assert (DOCS / file).read_text(encoding="utf-8") == pages()[file]


def validator() -> jsonschema.Draft202012Validator:
    published = json.loads((DOCS / SCHEMA_FILE).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(published)
    return jsonschema.Draft202012Validator(published)


def test_golden_entries_are_valid() -> None:
    check = validator()
    seen = set()
    for path in sorted(HISTORIES.glob("until-*.jsonl")):
        for line in path.read_bytes().splitlines():
            record = decode(line)
            seen.add(record["kind"])
            check.validate(record)
    assert seen == set(KINDS)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "timers"},
        {"extra": 1},
        {"event": {}},
        {"event": {"key": 1}},
        {"event": {"key": "a", "more": 1}},
        {"time_us": 1.5},
        {"epoch": 0},
        {"acted": [1]},
    ],
)
def test_the_schema_refuses_what_a_reader_refuses(change: dict[str, Any]) -> None:
    entry = {"kind": "timer", "event": {"key": "run:deadline"}, "time_us": 1, "epoch": 1}
    check = jsonschema.Draft202012Validator(entry_schema())
    assert check.is_valid(entry)
    assert not check.is_valid(entry | change)
