"""What a check found, in sentences for anybody.

Decides the words; "unchanged" is never said as if it were "true".
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from swarm_ray.evidence.checking import Findings
from swarm_ray.evidence.receipts import Proven
from swarm_ray.values.visible import visible

_GONE: Final = {
    "inputs": "input of the run",
    "manifest": "set of items",
    "context": "context package",
    "output": "output",
    "error": "error text",
    "extras": "set of artifacts",
    "reason": "reason of a person",
    "arguments": "set of arguments of an effect",
}


def sentences(found: Findings) -> Iterator[str]:
    """Yield what was found, line by line; words of the copy cannot begin a line of their own."""
    yield from map(visible, _sentences(found))


def receipt_sentences(proven: Proven, *, trusted: bool) -> Iterator[str]:
    """Yield what a receipt proves, line by line."""
    told = datetime.fromtimestamp(proven.time_us // 1_000_000, UTC)
    sealed = datetime.fromtimestamp(proven.sealed_us // 1_000_000, UTC)
    lines = [
        f"Unchanged: item {proven.item} of run {proven.run}, attempt {proven.attempt}, ended "
        f"{proven.status}; {proven.host} of {proven.organisation} signed it.",
        f"It is entry {proven.seq} of the run's log, of {told:%Y-%m-%d %H:%M:%S} UTC, sealed on "
        f"{sealed:%Y-%m-%d %H:%M:%S} UTC.",
        "All signatures lead to a root key that you gave."
        if trusted
        else f"All signatures lead to the root key {proven.root_key}; compare it with what its "
        "owner told you.",
        "Not shown: whether a key was withdrawn or anything was added after that; an export shows "
        "more. Unchanged does not mean true.",
    ]
    yield from map(visible, lines)


def _sentences(found: Findings) -> Iterator[str]:
    sealed = datetime.fromtimestamp(found.sealed_us // 1_000_000, UTC)
    yield f"Unchanged: run {found.run} is as it was sealed on {sealed:%Y-%m-%d %H:%M:%S} UTC."
    yield (
        f"Process {found.process}, {found.status}: {found.entries} entries; {found.rows} results in "
        f"{found.batches} batches, each signed by its host."
    )
    if found.trusted:
        yield "All signatures lead to a root key that you gave."
    else:
        yield f"All signatures lead to the root key {found.root_key}."
        yield "It came with what was checked: compare it with what its owner told you."
    for fate, count in found.effects.items():
        what = ", begun without a known outcome" if fate == "unknown" else ""
        yield f"Effects outside: {count} {fate}{what}."
    if found.unsigned:
        yield f"Not shown: who computed {found.unsigned} results that nobody signed."
    if found.unknown_inputs:
        yield f"Not shown: who computed {found.unknown_inputs} results whose items are gone."
    for field, count in found.gone.items():
        yield f"Gone or left out: {count} x {_GONE.get(field, field)}; what it said cannot be shown."
    if found.silences:
        yield f"{found.silences} times the coordinator gave no sign of life in time."
    yield "Unchanged does not mean true: a signature shows who said something, not that it is so."
