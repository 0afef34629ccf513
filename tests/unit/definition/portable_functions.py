"""Functions as a user would write them, some of which cannot travel to a worker."""

import json as codec
import re
import sys
from collections import Counter
from dataclasses import dataclass
from typing import Optional

import definition_samples
import numpy as np

LIMIT = {"words": 3}
WORD = re.compile(r"\w+", re.ASCII)
LOG = sys.stderr


@dataclass
class Count:
    """A class that travels with the function that uses it."""

    words: int
    best: Optional[str] = None  # noqa: UP045  # a name that only `typing` exports


def counted(text: str) -> Count:
    """Count words."""
    words = WORD.findall(text)
    return Count(len(words), Counter(words).most_common(1)[0][0])


def review(item, ctx=None):
    """Use a constant, a pattern, a class, a helper and two imports."""
    found = counted(item)
    return codec.dumps([found.words, found.best, LIMIT["words"]])


def told(item, ctx):
    """Take the context."""
    return (item, ctx.correlation)


def even(item):
    """Call each other in a circle."""
    return True if item == 0 else odd(item - 1)


def odd(item):
    """Call each other in a circle."""
    return False if item == 0 else even(item - 1)


def summed(item):
    """Use an installed library."""
    return float(np.sum(item))


def joined(results, ctx):
    """Merge."""
    return [result["output"] for result in results]


def logging(item):
    """Name an open file."""
    LOG.write(item)


def neighbour(item):
    """Name a module of the user's."""
    return definition_samples.PROCESS + item


def outer(bonus):
    """Return a function that remembers a value."""

    def inner(item):
        return item + bonus

    return inner


async def waiting(item):
    """Be async."""
    return item


def three(item, ctx, more):
    """Take too much."""
    return item
