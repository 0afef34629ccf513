"""Which numbers a field may hold, and which ones look as if they were meant in another unit.

`RANGES` is the one description of both the check (`validation`) and the JSON Schema (`schema`).
`HABITS` holds what is usual: a number outside of it is accepted with a warning. The thresholds are
chosen beyond what one meets, so that a warning is worth reading.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from swarm_placement.model import (
    Durations,
    ItemClass,
    Link,
    Model,
    Needs,
    Occupancy,
    Offer,
    Site,
    Spot,
    Swarm,
)

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Range:
    """The finite numbers from `least` to `most`; an open end is not part of it."""

    least: float = 0.0
    most: float = math.inf
    open_least: bool = False
    open_most: bool = False
    whole: bool = False

    def outside(self, values: Floats) -> NDArray[np.bool_]:
        """Say which values are not in the range; NaN and infinity never are."""
        above = values > self.least if self.open_least else values >= self.least
        below = values < self.most if self.open_most else values <= self.most
        good = above & below & np.isfinite(values)
        return ~(good & (values == np.floor(values))) if self.whole else ~good

    @override
    def __str__(self) -> str:
        kind = "a whole number" if self.whole else "a finite number"
        words = f"{kind} {'above' if self.open_least else 'of at least'} {self.least:g}"
        if self.most < math.inf:
            words += f" and {'below' if self.open_most else 'at most'} {self.most:g}"
        return words

    def schema(self) -> dict[str, float]:
        """Return the range in the words of JSON Schema."""
        found = {"exclusiveMinimum" if self.open_least else "minimum": self.least}
        if self.most < math.inf:
            found["exclusiveMaximum" if self.open_most else "maximum"] = self.most
        return found


COUNT = Range(least=1, whole=True)
ITEMS, SLOTS, COPIES = 10_000_000, 100_000, 1_000
"""The largest class (and the largest swarm, in copies), site and redundancy that are planned."""
SHORTEST_S, LONGEST_S, DEAREST_USD, MOST, WIDEST = 1e-9, 1e10, 1e9, 1e15, 10.0
"""Seconds, dollars, other amounts and sigmas beyond which arithmetic says nothing any more."""
NOT_NEGATIVE = Range(most=MOST)
POSITIVE = Range(most=MOST, open_least=True)
SHARE = Range(most=1.0)
POSITIVE_SHARE = Range(most=1.0, open_least=True)
PROBABILITY = Range(most=1.0, open_least=True, open_most=True)
_WAY = {
    "latency_s": NOT_NEGATIVE,
    "bandwidth_bytes_per_s": POSITIVE,
    "egress_usd_per_gb": NOT_NEGATIVE,
}

RANGES: Mapping[type, Mapping[str, Range]] = {
    Swarm: {
        "deadline_s": POSITIVE,
        "reserve_s": NOT_NEGATIVE,
        "min_success_ratio": POSITIVE_SHARE,
        "target_probability": PROBABILITY,
        "item_probability": PROBABILITY,
        "budget_usd": NOT_NEGATIVE,
        "max_site_share": POSITIVE_SHARE,
        "moves_share": SHARE,
    },
    ItemClass: {
        "items": Range(least=1, most=ITEMS, whole=True),
        "work_s": Range(least=SHORTEST_S, most=LONGEST_S),
        "sigma": Range(most=WIDEST),
        "copies": Range(least=1, most=COPIES, whole=True),
        "deadline_s": POSITIVE,
        "budget_usd": NOT_NEGATIVE,
        "data_bytes": NOT_NEGATIVE,
        "input_tokens": NOT_NEGATIVE,
        "output_tokens": NOT_NEGATIVE,
    },
    Needs: {"capabilities": NOT_NEGATIVE, "hardware": NOT_NEGATIVE},
    Model: {"capabilities": NOT_NEGATIVE},
    Offer: {
        "speed": POSITIVE,
        "usd_per_mtok_in": NOT_NEGATIVE,
        "usd_per_mtok_out": NOT_NEGATIVE,
        "cold_start_s": NOT_NEGATIVE,
    },
    Spot: {"usd_per_slot_s": NOT_NEGATIVE, "preemptions_per_hour": NOT_NEGATIVE},
    Site: {
        "slots": Range(least=1, most=SLOTS, whole=True),
        "usd_per_slot_s": NOT_NEGATIVE,
        "hardware": NOT_NEGATIVE,
        "nodes": COUNT,
        "speed": POSITIVE,
        "boot_s": NOT_NEGATIVE,
        "margin": Range(most=1.0, open_most=True),
        **_WAY,
    },
    Link: _WAY,
    Occupancy: {"remaining_s": NOT_NEGATIVE},
    Durations: {"level": Range(least=0.5, most=1.0, open_least=True, open_most=True)},
}
"""The values of a mapping and the members of a tuple each keep the range of their field."""


@dataclass(frozen=True, slots=True)
class Habit:
    """Numbers below `least` (but for 0) or above `most` are unusual; `looks` says like what."""

    looks: str
    hint: str
    least: float = 0.0
    most: float = math.inf

    def broken(self, values: Floats) -> NDArray[np.bool_]:
        """Say which values are unusual."""
        return ((values > 0) & (values < self.least)) | (values > self.most)


HOUR_S = 3_600.0
_MILLISECONDS = "milliseconds"
_DIVIDE = "Give seconds: divide by 1,000."
_RENT = Habit("a price per hour", "Give dollars per slot-second: divide by 3,600.", most=0.005)
_TOKENS = Habit(
    "a price per token or per thousand tokens", "Give dollars per million tokens.", least=0.005
)
_COMPUTE = Habit(_MILLISECONDS, _DIVIDE, most=10_000.0)
_START = Habit(_MILLISECONDS, _DIVIDE, most=HOUR_S)
_DUE = Habit(
    "milliseconds or a point in time",
    "Give the seconds from now: divide by 1,000, or subtract the current time.",
    most=1e7,
)
_SPEED = Habit(
    "megahertz or per cent",
    "Give how often faster than usual, 1 for usual.",
    least=0.01,
    most=100.0,
)
_HABITS_OF_WAY = {
    "latency_s": Habit(_MILLISECONDS, _DIVIDE, most=5.0),
    "bandwidth_bytes_per_s": Habit(
        "megabits or megabytes per second",
        "Give bytes per second: a megabit is 125,000 bytes.",
        least=1e5,
    ),
    "egress_usd_per_gb": Habit(
        "a price per terabyte", "Give dollars per 10^9 bytes: divide by 1,000.", most=5.0
    ),
}

HABITS: Mapping[type, Mapping[str, Habit]] = {
    Swarm: {"deadline_s": _DUE, "reserve_s": _DUE},
    ItemClass: {
        "work_s": _COMPUTE,
        "deadline_s": _DUE,
        "sigma": Habit("per cent", "Give the spread of the logarithm: 0.25 for 25 %.", most=5.0),
        "data_bytes": Habit(
            "megabytes or gigabytes", "Give bytes: a megabyte is 1,000,000.", least=16.0
        ),
    },
    Offer: {
        "speed": _SPEED,
        "usd_per_mtok_in": _TOKENS,
        "usd_per_mtok_out": _TOKENS,
        "cold_start_s": _START,
    },
    Spot: {"usd_per_slot_s": _RENT},
    Site: {
        "usd_per_slot_s": _RENT,
        "boot_s": _START,
        "speed": _SPEED,
        "margin": Habit(
            "the share that may be used", "Give the share that is kept free.", most=0.9
        ),
        **_HABITS_OF_WAY,
    },
    Link: _HABITS_OF_WAY,
    Occupancy: {"remaining_s": _COMPUTE},
    Durations: {"mean_s": _COMPUTE},
}
