"""Checks that need no language: decides on merge markers, broken data, licences, open ends, size.

It looks at added lines and whole texts and never reads files.
"""

import json
import re
import tomllib
from typing import Any

from apidiff import finding
from guide import Guide
from wholediff import Change

YAML_LIMIT_CHARS = 256_000  # the pure parser needs seconds beyond this
_MARKER = re.compile(r"^(<{7}|>{7}|\|{7}) \S")
_MIDDLE = re.compile(r"^={7}$")
_LICENCE = re.compile(r"(?i)\b(copyright|licen[cs]ed? under|SPDX-License-Identifier)\b")
_OPEN_END = re.compile(r"\b(TODO|FIXME|XXX|HACK)\b")
OPEN_END_LIMIT = 10


def text_findings(change: Change, guide: Guide) -> tuple[list[dict[str, Any]], list[str]]:
    """Return findings and notes that hold for any text file."""
    found = _markers(change) + _open_ends(change) + _licence(change)
    if len(change.added) > guide.added_lines:
        text = f"{len(change.added)} lines added in one file (limit {guide.added_lines})"
        found.append(finding("size.change", "note", 1, text, ""))
    if not change.path.endswith((".json", ".toml", ".yaml", ".yml")) or change.new is None:
        return found, []
    broken, notes = _data_file(change.path, change.new)
    if broken and change.old is not None and _data_file(change.old_path, change.old)[0]:
        notes.append("not valid data before either (a template, or a dialect): not told as broken")
        broken = []
    return found + broken, notes


def _markers(change: Change) -> list[dict[str, Any]]:
    marks = [(line, text) for line, text in change.added if _MARKER.match(text.rstrip("\r"))]
    if not marks:
        return []
    middle = any(_MIDDLE.match(text.rstrip("\r")) for _, text in change.added)
    severity = "blocker" if middle or len(marks) > 1 else "minor"
    return [
        finding("merge.marker", severity, line, "merge conflict marker left in the file", text[:40])
        for line, text in marks
    ]


def _open_ends(change: Change) -> list[dict[str, Any]]:
    hits = [(line, text) for line, text in change.added if _OPEN_END.search(text[:2000])]
    found = [
        finding("todo.added", "note", line, "open end added", text.strip()[:120])
        for line, text in hits[:OPEN_END_LIMIT]
    ]
    if len(hits) > OPEN_END_LIMIT:
        text = f"{len(hits) - OPEN_END_LIMIT} more open ends added"
        found.append(finding("todo.added", "note", hits[OPEN_END_LIMIT][0], text, ""))
    return found


def _licence(change: Change) -> list[dict[str, Any]]:
    if change.old is None or change.new is None:
        return []
    before, after = (_LICENCE.search(_top(text)) for text in (change.old, change.new))
    if before is None or after is not None:
        return []
    text = "the licence header was removed"
    return [finding("licence.removed", "major", 1, text, before[0])]


def _top(text: str) -> str:
    return "\n".join(text.split("\n", 31)[:30])[:4000]


def _data_file(path: str, text: str) -> tuple[list[dict[str, Any]], list[str]]:
    try:
        if path.endswith(".json"):
            json.loads(text)
        elif path.endswith(".toml"):
            tomllib.loads(text)
        else:
            return _yaml(path, text)
    except json.JSONDecodeError as flaw:
        text = f"invalid JSON: {flaw.msg}"
        return [finding("data.invalid", "blocker", flaw.lineno, text, "")], []
    except tomllib.TOMLDecodeError as flaw:
        place = re.search(r"line (\d+)", str(flaw))
        line = int(place[1]) if place else max(text.rstrip().count("\n") + 1, 1)
        return [finding("data.invalid", "blocker", line, f"invalid TOML: {flaw}", "")], []
    except RecursionError:
        return [finding("data.too_deep", "minor", 1, "nested too deeply to be checked", "")], []
    return [], []


def _yaml(path: str, text: str) -> tuple[list[dict[str, Any]], list[str]]:
    if len(text) > YAML_LIMIT_CHARS:
        return [], [f"{path}: YAML above {YAML_LIMIT_CHARS} characters was not parsed"]
    try:
        import yaml
    except ImportError:
        return [], [f"{path}: YAML was not checked because PyYAML is not available"]
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        for _ in yaml.parse(text, Loader=loader):
            pass
    except yaml.YAMLError as flaw:
        mark = getattr(flaw, "problem_mark", None)
        line = mark.line + 1 if mark else 1
        said = str(getattr(flaw, "problem", flaw))[:160]
        return [finding("data.invalid", "blocker", line, f"invalid YAML: {said}", "")], []
    return [], []
