"""Numbers of many classes as arrays; written for 100,000 of them at once.

Attributes are spelt out: packing a whole class by plain attribute access takes half the time of
reading attribute by attribute through `attrgetter`.
"""

from collections.abc import Sequence
from struct import Struct

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import ItemClass

Floats = NDArray[np.float64]
NUMBERS = (
    "items", "copies", "work_s", "sigma", "data_bytes", "input_tokens", "output_tokens",
)  # fmt: skip
"""What every class has; `deadline_s` and `budget_usd` may be None."""
_PACK = Struct(f"{len(NUMBERS)}d").pack


def numbers(classes: Sequence[ItemClass]) -> Floats:
    """Return the attributes `NUMBERS`, attributes x classes."""
    packed = [
        _PACK(
            one.items, one.copies, one.work_s, one.sigma, one.data_bytes, one.input_tokens,
            one.output_tokens,
        )
        for one in classes
    ]  # fmt: skip
    return np.ascontiguousarray(np.frombuffer(b"".join(packed)).reshape(-1, len(NUMBERS)).T)


def deadlines(classes: Sequence[ItemClass]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return `deadline_s`, NaN where it is None, and where it is not None."""
    return _optional([one.deadline_s for one in classes])


def budgets(classes: Sequence[ItemClass]) -> tuple[Floats, NDArray[np.bool_]]:
    """Return `budget_usd`, NaN where it is None, and where it is not None."""
    return _optional([one.budget_usd for one in classes])


def _optional(held: list[float | None]) -> tuple[Floats, NDArray[np.bool_]]:
    missing = held.count(None)
    if missing == len(held):
        return np.full(len(held), np.nan), np.zeros(len(held), dtype=bool)
    given = np.ones(len(held), dtype=bool)
    if missing:
        given[:] = [one is not None for one in held]
    return np.array(held, np.float64), given
