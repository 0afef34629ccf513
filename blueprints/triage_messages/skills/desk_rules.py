"""Knowledge of the desk as values: decides which words, queues and replies the triage uses.

Read from the TOML blocks of the knowledge files; there are no defaults in code.
"""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

TRIAGE_RULES = "desk/triage-rules"
TEMPLATES = "desk/reply-templates"
_BLOCK = re.compile(r"^```toml\n(.*?)^```", re.M | re.S)


@dataclass(frozen=True, slots=True)
class DeskRules:
    """Word weights per category, queues, suspicious patterns, urgency and decision limits."""

    words: dict[str, list[tuple[re.Pattern[str], float]]]
    queues: dict[str, str]
    suspicious: tuple[re.Pattern[str], ...]
    high: tuple[re.Pattern[str], ...]
    low_words: tuple[re.Pattern[str], ...]
    low_categories: frozenset[str]
    least_score: float
    least_lead: float
    subject_factor: float
    least_letters: int


def read_rules(knowledge: Mapping[str, str]) -> DeskRules:
    """Return the desk's rules.

    Raises:
        ValueError: the knowledge file, its block, or a value in it is missing or wrong.
    """
    block = read_block(knowledge, TRIAGE_RULES)
    try:
        return DeskRules(
            words={name: _weights(rows) for name, rows in block["words"].items()},
            queues={str(k): str(v) for k, v in block["queues"].items()},
            suspicious=_patterns(block["suspicious"]["patterns"]),
            high=_patterns(block["urgency"]["high"]),
            low_words=_patterns(block["urgency"]["low_words"]),
            low_categories=frozenset(map(str, block["urgency"]["low_categories"])),
            least_score=float(block["decide"]["least_score"]),
            least_lead=float(block["decide"]["least_lead"]),
            subject_factor=float(block["decide"]["subject_factor"]),
            least_letters=int(block["urgency"]["least_letters"]),
        )
    except (KeyError, TypeError, AttributeError, re.error) as flaw:
        raise ValueError(f"{TRIAGE_RULES}: a value is missing or wrong: {flaw!r}") from flaw


def read_block(knowledge: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return the TOML block of one knowledge file.

    Raises:
        ValueError: the file or its block is missing, or does not parse.
    """
    match = _BLOCK.search(knowledge.get(name, ""))
    if match is None:
        raise ValueError(f"the knowledge file {name} is missing or has no TOML block")
    try:
        return tomllib.loads(match[1])
    except tomllib.TOMLDecodeError as flaw:
        raise ValueError(f"the TOML block of {name} does not parse: {flaw}") from flaw


def _weights(rows: Mapping[str, Any]) -> list[tuple[re.Pattern[str], float]]:
    return [
        (re.compile(rf"(?<!\w)(?:{words})", re.I), float(weight)) for words, weight in rows.items()
    ]


def _patterns(texts: list[str]) -> tuple[re.Pattern[str], ...]:
    return tuple(re.compile(text, re.I | re.M) for text in texts)
