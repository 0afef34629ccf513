"""Superclasses that should use many options, divided until each part has few.

An item has a fixed number of candidates. Where the linear program spreads a superclass over more
options than that, its items are cut into parts of equal number, and the options are dealt to the
parts in turn, as far as each part's share of the slot-seconds reaches (the north-west corner rule
of the transportation problem).
"""

from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from swarm_placement.distinct.superclasses import Extents

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
MOST_OPTIONS = 3
"""Options of a part, more or less: a part may end within one."""


def divided(begin: Ints, extent: Extents, wanted_s: Floats) -> tuple[Ints, Extents, Floats]:
    """Return where parts begin among the items, with the end; their extents; and what they should
    take (parts x options), in sum what the superclasses should."""
    number = np.diff(begin)
    parts = np.clip(-(-(wanted_s > 0).sum(axis=1) // MOST_OPTIONS), 1, number)
    owner = np.repeat(np.arange(parts.size), parts)
    rank = np.arange(owner.size) - np.repeat(np.cumsum(parts) - parts, parts)
    cuts = begin[owner] + rank * number[owner] // parts[owner]
    total = wanted_s.sum(axis=1, keepdims=True)
    reach = np.cumsum(wanted_s, axis=1)[owner]
    each = (total / parts[:, None])[owner]
    low, high = rank[:, None] * each, (rank[:, None] + 1) * each
    dealt = np.minimum(reach, high) - np.maximum(reach - wanted_s[owner], low)
    dealt = np.where(parts[owner][:, None] > 1, np.maximum(dealt, 0.0), wanted_s[owner])
    finer = Extents(*(getattr(extent, one.name)[owner] for one in fields(Extents)))
    return np.append(cuts, begin[-1]), finer, dealt
