"""Knowledge as numbers: decides which thresholds and component kinds a review uses.

They come from the TOML block of the knowledge files that the blueprint declares; a missing block or
value is an error, because a review by unknown rules is worth nothing. It holds no defaults.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

STYLE_GUIDE = "coding/python/style-guide"
TAXONOMY = "architecture/patterns/vbd-component-taxonomy"
_BLOCK = re.compile(r"^```toml\n(.*?)^```", re.M | re.S)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of component: name endings that show it, kinds that it may import."""

    name: str
    endings: tuple[str, ...]
    may_import: frozenset[str]


@dataclass(frozen=True, slots=True)
class Guide:
    """All numbers and rules of one review."""

    complexity_limit: int
    complexity_growth: int
    function_lines: int
    parameters: int
    file_lines: int
    added_lines: int
    public_docstrings: bool
    lint_rules: tuple[str, ...]
    lint_ignore: tuple[str, ...]
    line_length: int
    bandit_severity: str
    entropy_bits: float
    secret_length: int
    tests_required: bool
    kinds: tuple[Kind, ...]


def read_guide(knowledge: Mapping[str, str]) -> Guide:
    """Return the guide that the knowledge files spell out.

    Raises:
        ValueError: a file, its TOML block or a value is missing or of the wrong type.
    """
    style, taxonomy = _block(knowledge, STYLE_GUIDE), _block(knowledge, TAXONOMY)
    try:
        return Guide(
            complexity_limit=int(style["complexity"]["limit"]),
            complexity_growth=int(style["complexity"]["growth"]),
            function_lines=int(style["size"]["function_lines"]),
            parameters=int(style["size"]["parameters"]),
            file_lines=int(style["size"]["file_lines"]),
            added_lines=int(style["size"]["added_lines"]),
            public_docstrings=bool(style["documentation"]["public_docstrings"]),
            lint_rules=tuple(map(str, style["lint"]["rules"])),
            lint_ignore=tuple(map(str, style["lint"]["ignore"])),
            line_length=int(style["lint"]["line_length"]),
            bandit_severity=str(style["lint"]["bandit_severity"]),
            entropy_bits=float(style["secrets"]["entropy_bits"]),
            secret_length=int(style["secrets"]["minimum_length"]),
            tests_required=bool(style["tests"]["required"]),
            kinds=tuple(_kind(name, row) for name, row in taxonomy["kinds"].items()),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as flaw:
        raise ValueError(f"a value in the knowledge files is missing or wrong: {flaw!r}") from flaw


def _kind(name: str, row: dict[str, Any]) -> Kind:
    return Kind(name, tuple(map(str, row["endings"])), frozenset(map(str, row["may_import"])))


def _block(knowledge: Mapping[str, str], name: str) -> dict[str, Any]:
    if name not in knowledge:
        raise ValueError(f"the knowledge file {name} is not part of the context")
    match = _BLOCK.search(knowledge[name])
    if match is None:
        raise ValueError(f"the knowledge file {name} has no TOML block")
    try:
        return tomllib.loads(match[1])
    except tomllib.TOMLDecodeError as flaw:
        raise ValueError(f"the TOML block of {name} does not parse: {flaw}") from flaw
