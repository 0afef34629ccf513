"""What a failed attempt means for its item: try again, and when, or give it up.

Decides from the failure class alone; the pause grows exponentially and its jitter is drawn
from the ids, so that a replay pauses exactly as the run did.
"""

from typing import Literal
from zlib import crc32

from swarm_ray.core.events import Row, Status
from swarm_ray.core.plan import FULL_PPM, Retry

RETRYABLE = frozenset({"transient", "rate_limited", "lost"})

Verdict = Literal["again", "give_up", "abort"]


def judge(status: Status, rule: Retry, tried: int, identical: int) -> Verdict:
    """Decide about an item after a failure: `tried` attempts so far, `identical` of them in a
    row with the same error code."""
    if status == "structural":
        return "abort"
    if status not in RETRYABLE:
        return "give_up"
    if tried >= rule.max_attempts or identical >= rule.max_identical:
        return "give_up"
    return "again"


def pause_us(row: Row, rule: Retry, tried: int, seed: str) -> int:
    """Microseconds to wait before the next attempt; a host's retry-after is a lower bound."""
    interval = rule.initial_interval_us
    for _ in range(tried - 1):
        interval = min(interval * rule.backoff_ppm // FULL_PPM, rule.max_interval_us)
    interval = min(interval, rule.max_interval_us)
    draw = crc32(f"{seed}/{row.item}/{row.attempt}".encode()) % FULL_PPM
    jitter = interval * rule.jitter_ppm // FULL_PPM * draw // FULL_PPM
    return max(interval + jitter, row.retry_after_us)
