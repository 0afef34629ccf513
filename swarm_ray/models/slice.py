"""The durable budget slice of one attempt, as the host keeps it.

Decides whether a model call may be made: its upper bound is reserved before the request leaves,
so that an attempt can never spend more than was dispatched with it.
"""

import threading

from swarm_ray.errors import WorkerError


class Slice:
    """Tokens and micro-USD that one attempt may spend. No tokens means no model call at all; no
    money means that only the tokens are limited."""

    def __init__(self, tokens: int, microusd: int) -> None:
        self._lock = threading.Lock()
        self._tokens = tokens
        self._microusd = microusd
        self.used_tokens = 0
        self.used_microusd = 0

    def reserve(self, tokens: int, microusd: int) -> None:
        """Take an upper bound out of the slice.

        Raises:
            WorkerError: `budget.slice` when it does not fit; nothing was taken.
        """
        with self._lock:
            if (
                self.used_tokens + tokens > self._tokens
                or 0 < self._microusd < self.used_microusd + microusd
            ):
                raise WorkerError(
                    "budget.slice",
                    f"a call of up to {tokens} tokens does not fit into what is left of "
                    f"{self._tokens}",
                    hint="declare a larger `tokens:` for the step",
                )
            self.used_tokens += tokens
            self.used_microusd += microusd

    def settle(self, reserved: tuple[int, int], used: tuple[int, int]) -> None:
        """Give back what a finished call did not use (tokens, micro-USD)."""
        with self._lock:
            self.used_tokens += used[0] - reserved[0]
            self.used_microusd += used[1] - reserved[1]
