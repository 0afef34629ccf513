"""Policies that warm pools are compared with: keep-alive, and reactive scaling with its tunings."""

import math
from collections import deque
from dataclasses import dataclass, field

HOLT_TREND_GAIN = 0.05


@dataclass(slots=True)
class _Peak:
    """The highest of the samples in a sliding window, in amortised constant time."""

    window_s: float
    falling: deque[tuple[float, float]] = field(default_factory=deque)

    def add(self, now_s: float, value: float) -> None:
        while self.falling and self.falling[-1][1] <= value:
            self.falling.pop()
        self.falling.append((now_s, value))

    def at(self, now_s: float) -> float:
        while self.falling and self.falling[0][0] < now_s - self.window_s:
            self.falling.popleft()
        return self.falling[0][1] if self.falling else 0.0


class KeepAlive:
    """A slot is held for a fixed time after its last use: the platforms' default.

    The last used is used first, so that the slots held are the most that were busy at once within
    that time.
    """

    def __init__(self, keep_s: float) -> None:
        self._peak = _Peak(keep_s)
        self._busy = 0

    def observe(self, now_s: float, busy: int) -> None:
        """Learn how many slots are busy from now on."""
        self._peak.add(now_s, self._busy)  # in use until now
        self._busy = busy

    def decide(self, now_s: float) -> int:
        """Return how many slots to hold now."""
        self._peak.add(now_s, self._busy)
        return round(self._peak.at(now_s))


class Reactive:
    """Scaling by concurrency over a target, with a stabilisation window against flapping.

    Every `poll_s` the number in use is read, as its mean since `mean_s` ago; `desired` is that over
    `target`; the largest `desired` of the last `stable_s` is held. The form of KEDA on an
    HPA (polling 30 s, stabilisation 300 s) and of Knative's autoscaler (mean over 60 s, target 0.7).
    """

    def __init__(self, target: float, poll_s: float, stable_s: float, mean_s: float = 0.0) -> None:
        self._target = target
        self._poll_s = poll_s
        self._mean_s = mean_s
        self._peak = _Peak(stable_s)
        self._next_s = 0.0
        self._busy = 0
        self._smooth = 0.0
        self._at_s = 0.0

    def observe(self, now_s: float, busy: int) -> None:
        """Learn how many slots are busy from now on."""
        self._blend(now_s)
        self._busy = busy

    def decide(self, now_s: float) -> int:
        """Return how many slots to hold now."""
        self._blend(now_s)
        if now_s >= self._next_s:
            self._next_s = now_s + self._poll_s
            self._peak.add(now_s, math.ceil(self._smooth / self._target - 1e-9))
        return round(self._peak.at(now_s))

    def _blend(self, now_s: float) -> None:
        passed = now_s - self._at_s
        weight = 1.0 - math.exp(-passed / self._mean_s) if self._mean_s > 0 else 1.0
        self._smooth += weight * (self._busy - self._smooth)
        self._at_s = now_s


class HoltHeadroom:
    """Holt's linear smoothing of the peak in use per tick, looked ahead by `lead_s`, plus
    `deviations` standard deviations of its own error. Source: Holt (1957)."""

    def __init__(self, lead_s: float, deviations: float, gain: float = 0.3) -> None:
        self._lead_s = lead_s
        self._deviations = deviations
        self._gain = gain
        self._level = self._trend_per_s = self._variance = self._at_s = 0.0
        self._busy = self._peak = 0

    def observe(self, now_s: float, busy: int) -> None:
        """Learn how many slots are busy from now on."""
        del now_s
        self._busy = busy
        self._peak = max(self._peak, busy)

    def decide(self, now_s: float) -> int:
        """Return how many slots to hold now."""
        passed_s = now_s - self._at_s
        if passed_s > 0:
            error = self._peak - (self._level + self._trend_per_s * passed_s)
            self._variance += HOLT_TREND_GAIN * (error**2 - self._variance)
            step = self._trend_per_s * passed_s + self._gain * error
            self._level += step
            self._trend_per_s += HOLT_TREND_GAIN * (step / passed_s - self._trend_per_s)
            self._peak, self._at_s = self._busy, now_s
        ahead = self._level + self._trend_per_s * self._lead_s
        return max(0, math.ceil(ahead + self._deviations * math.sqrt(self._variance) - 1e-6))
