"""Time and chance as the engine gets them from outside."""

import os
import time
from typing import Protocol


class Clock(Protocol):
    """Where time, waiting and random bytes come from."""

    def now_us(self) -> int:
        """Return Unix time in microseconds."""

    def random(self, count: int) -> bytes:
        """Return `count` bytes that nobody can guess."""


class SystemClock:
    """The clock and the randomness of the operating system."""

    def now_us(self) -> int:
        """Return Unix time in microseconds."""
        return time.time_ns() // 1000

    def random(self, count: int) -> bytes:
        """Return `count` bytes from the system's generator."""
        return os.urandom(count)
