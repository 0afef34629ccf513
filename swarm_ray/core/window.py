"""How many attempts run at once: additive increase, multiplicative decrease below a cap.

Decides the concurrency of a swarm from what its attempts report. Only rate limits shrink it;
other failures say nothing about load. Method: AIMD congestion control (Chiu and Jain 1989).
"""

from dataclasses import dataclass

from swarm_ray.core.plan import FULL_PPM

SHRINK_PPM = 800_000
COOLDOWN_US = 1_000_000


@dataclass(slots=True)
class Window:
    """Current limit in parts per million of one attempt, between 1 and `cap` attempts."""

    cap: int
    adaptive: bool
    limit_ppm: int = 0
    shrunk_us: int = -COOLDOWN_US

    def __post_init__(self) -> None:
        self.limit_ppm = self.cap * FULL_PPM

    @property
    def limit(self) -> int:
        """Attempts that may run at once, at least 1."""
        return max(1, self.limit_ppm // FULL_PPM)

    def success(self) -> None:
        """Grow by one attempt per window of successes."""
        if self.limit_ppm < self.cap * FULL_PPM:
            grown = self.limit_ppm + FULL_PPM * FULL_PPM // self.limit_ppm
            self.limit_ppm = min(self.cap * FULL_PPM, grown)

    def rate_limited(self, now_us: int) -> None:
        """Shrink by a fifth, once per cooldown: the answers of one burst are one signal."""
        if self.adaptive and now_us - self.shrunk_us >= COOLDOWN_US:
            self.limit_ppm = max(FULL_PPM, self.limit_ppm * SHRINK_PPM // FULL_PPM)
            self.shrunk_us = now_us
