"""Items of a recorded trace on generated sites.

A trace is a CSV file with one line per task that was executed somewhere: how long it took, or when it
began and ended, and perhaps how much it read. Traces of real clusters (Google, Alibaba, Microsoft's
Philly, and others) can be had so; none travels with this package. What they lack is invented as by
`generate`: sites, prices, residency, where the data lies, and deadlines of 1, 2, 4, ... minutes, at
least 3 durations away.
"""

import csv
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from swarm_placement.errors import UsageError
from swarm_placement.generate import Recipe, on_sites
from swarm_placement.model import Instance, ItemClass

SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6}
MEANINGS = tuple(f"{what}_{unit}" for what in ("work", "start", "end") for unit in SECONDS)
SHOWN = 20
"""Columns that a message names."""
MOST_S = 1e7
"""Four months: what took longer is no task of a swarm, and skipped."""
SIGMA = 0.4
"""How far a duration may be from its mean, as in generated instances: a trace tells one of each."""


@dataclass(frozen=True, slots=True)
class Trace:
    """What was read: seconds of work and bytes of input by item, and the lines that are none."""

    work_s: tuple[float, ...]
    data_bytes: tuple[float, ...]
    skipped: int
    """Lines whose task did not end, took no time or over four months, or has no number where one
    should be."""


def columns_from(words: str) -> dict[str, str]:
    """Return meanings with their columns of `work_s=duration,data_bytes=7`: a name in the first
    line of the file, or a number from 0 for a file without such a line.

    Raises:
        UsageError: `trace.columns`.
    """
    pairs = [word.partition("=")[::2] for word in words.split(",")]
    found = {meaning.strip(): column.strip() for meaning, column in pairs}
    known = {*MEANINGS, "data_bytes"}
    kinds = {meaning.partition("_")[0] for meaning in found}
    whole = len(found) == len(pairs) and all(found.values()) and found.keys() <= known
    whole = whole and len(kinds) == len(found)
    if not whole or not ("work" in kinds) ^ ({"start", "end"} <= kinds):
        raise UsageError(
            "trace.columns",
            "columns",
            f"{words!r} does not say where the durations are.",
            f"Write e.g. work_s=duration or start_us=5,end_us=6; known: {', '.join(sorted(known))}.",
        )
    return found


def read_trace(lines: Iterable[str], columns: Mapping[str, str]) -> Trace:
    """Return the items of a trace.

    Args:
        lines: of the CSV file.
        columns: as `columns_from` returns.

    Raises:
        UsageError: `trace.column` when the file has no such column, `trace.empty`.
    """
    rows = _rows(lines)
    named = [column for column in columns.values() if not column.isdecimal()]
    head = next(rows, []) if named else []
    for column in named:
        if column not in head:
            raise UsageError(
                "trace.column",
                "columns",
                f"There is no column {column!r}.",
                f"There are: {', '.join(head[:SHOWN])}{', …' if len(head) > SHOWN else ''}.",
            )
    at = {
        meaning: int(column) if column.isdecimal() else head.index(column)
        for meaning, column in columns.items()
    }
    work, data, skipped = [], [], 0
    for found in (_item(row, at) for row in rows):
        if found is None:
            skipped += 1
            continue
        work.append(found[0])
        data.append(found[1])
    if not work:
        raise UsageError(
            "trace.empty", "trace", f"None of {skipped} lines is a task.", "Check the columns."
        )
    return Trace(tuple(work), tuple(data), skipped)


def instance_of(trace: Trace, recipe: Recipe) -> Instance:
    """Return items of the trace, drawn without repetition as far as there are enough, on the sites
    of a recipe; its family, classes and types do not matter.

    Raises:
        UsageError: as `generate`.
    """
    rng = np.random.default_rng([recipe.seed, len(trace.work_s)])
    count = len(trace.work_s)
    chosen = rng.choice(count, recipe.items, replace=recipe.items > count)
    classes = tuple(_classes(trace, chosen.tolist(), rng, recipe.sites))
    return on_sites(classes, replace(recipe, family="product"))


def _classes(
    trace: Trace, chosen: Sequence[int], rng: np.random.Generator, sites: int
) -> Iterator[ItemClass]:
    homes = rng.integers(sites, size=len(chosen)).tolist()
    for number, (at, home) in enumerate(zip(chosen, homes, strict=True)):
        minutes = max(1.0, 3 * trace.work_s[at] / 60)
        yield ItemClass(
            name=f"item-{number:06d}",
            items=1,
            work_s=trace.work_s[at],
            sigma=SIGMA,
            deadline_s=60 * 2 ** math.ceil(math.log2(minutes)),
            data_site=f"site-{home:03d}",
            data_bytes=trace.data_bytes[at],
        )


def _rows(lines: Iterable[str]) -> Iterator[list[str]]:
    """Yield the fields of each line; a first line may begin with a byte order mark."""
    try:
        for number, row in enumerate(csv.reader(lines, strict=True)):
            yield [row[0].removeprefix("\ufeff"), *row[1:]] if row and not number else row
    except csv.Error as error:
        raise UsageError(
            "trace.csv", "trace", f"It is not CSV: {error}.", "Mend or leave out that line."
        ) from error


def _item(row: Sequence[str], at: Mapping[str, int]) -> tuple[float, float] | None:
    """Return seconds and bytes of a line; None when it is no task that ended."""
    try:
        values = {meaning: float(row[column]) for meaning, column in at.items()}
    except (ValueError, IndexError):
        return None
    data = values.pop("data_bytes", 0.0)
    seconds = {meaning.partition("_")[0]: value * SECONDS[meaning.partition("_")[2]]
               for meaning, value in values.items()}  # fmt: skip
    work = seconds["work"] if "work" in seconds else seconds["end"] - seconds["start"]
    good = 0 < work <= MOST_S and math.isfinite(data) and data >= 0
    return (work, data) if good else None
