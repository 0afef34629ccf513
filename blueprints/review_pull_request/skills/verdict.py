"""Ranking and verdict: decides which findings come first and what the review says in one word.

The rules are few and stated in every report. It never looks at code.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from format import SEVERITIES

RULES = (
    "request_changes: at least one blocker (a secret, a conflict marker, code or data that does "
    "not parse, a removed public name that code still uses)",
    "comment: no blocker, but a major finding, or a changed file that could not be reviewed",
    "approve: neither",
)
_FIRST = (
    "secret.", "merge.", "source.syntax", "data.invalid", "api.removed", "api.module_removed",
    "api.relocated", "api.", "bandit.", "ruff.S", "ruff.F", "ruff.", "complexity.", "vbd.",
    "licence.", "tests.",
)  # fmt: skip
_WHY = (
    ("secret.", "anyone who can read the repository can use it from now on"),
    ("merge.", "the file was committed in the middle of a merge"),
    ("source.syntax", "importing the module fails"),
    ("data.invalid", "whatever reads the file fails"),
    ("api.removed", "importers of this name fail after the upgrade"),
    ("api.module_removed", "every import of the module fails"),
    ("api.relocated", "imports by the old path fail"),
    ("api.moved", "imports by the old module path fail, those through the package still work"),
    ("api.parameter", "existing calls fail or mean something else"),
    ("api.async", "existing calls get a coroutine where they expect a value, or the reverse"),
    ("api.flavour", "existing callers use parentheses where there are none, or the reverse"),
    ("api.", "callers may notice"),
    ("complexity.", "more branches than a reader can hold, each in need of a test"),
    ("licence.", "the terms of the file are no longer stated in it"),
    ("tests.", "nothing shows that the new behaviour is meant"),
    ("vbd.", "two reasons for change now travel together"),
    ("bandit.", "a known way to a hole"),
    ("ruff.S", "a known way to a hole"),
    ("ruff.", "a known way to a defect"),
)


def why(rule: str) -> str:
    """Return in a few words why a rule matters."""
    return next((text for start, text in _WHY if rule.startswith(start)), "worth a look")


def rank(findings: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return findings in order of importance; each gets its `rank` from 1."""
    ordered = sorted(findings, key=_key)
    return [{**row, "rank": at} for at, row in enumerate(ordered, 1)]


def _key(row: Mapping[str, Any]) -> tuple[int, int, int, int, str, int, str]:
    rule = str(row["rule"])
    place = next((at for at, start in enumerate(_FIRST) if rule.startswith(start)), len(_FIRST))
    uses = -int(row.get("uses", 0))
    weight = int(row.get("weight", 0))
    return (
        SEVERITIES.index(row["severity"]), place, uses, weight, str(row["file"]), row["line"], rule
    )  # fmt: skip


def decide(findings: Iterable[Mapping[str, Any]], unreviewed: int) -> str:
    """Return `approve`, `comment` or `request_changes` by `RULES`."""
    severities = {row["severity"] for row in findings}
    if "blocker" in severities:
        return "request_changes"
    return "comment" if "major" in severities or unreviewed else "approve"


def gathered(ranked: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return one row per (rule, file, severity), in rank order, with how many it stands for."""
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for row in ranked:
        key = (row["rule"], row["file"], row["severity"])
        if key in rows:
            rows[key]["count"] += 1
            rows[key]["others"].append(row["evidence"] or row["message"])
        else:
            rows[key] = {**row, "count": 1, "others": []}
    return list(rows.values())


def top(ranked: Iterable[Mapping[str, Any]], count: int) -> list[dict[str, Any]]:
    """Return the most important rows; a rule comes a second time only when no other is as grave."""
    rows = gathered(ranked)
    chosen: list[dict[str, Any]] = []
    while rows and len(chosen) < count:
        gravest = [row for row in rows if row["severity"] == rows[0]["severity"]]
        told = {row["rule"].partition(".")[0] for row in chosen}
        fresh = [row for row in gravest if row["rule"].partition(".")[0] not in told]
        pick = (fresh or gravest)[0]
        chosen.append(pick)
        rows.remove(pick)
    return chosen
