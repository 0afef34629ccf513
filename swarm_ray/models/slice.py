"""The durable budget slice of one attempt, as the host keeps it.

Decides whether a model call may be made: its upper bound is reserved before the request leaves,
so that an attempt can never spend more than was dispatched with it. Which models were asked is
noted at the same moment.
"""

import threading

from swarm_ray.errors import UsageError, WorkerError
from swarm_ray.models.naming import joined

MAX_MODELS = 64
"""Different models that one attempt may ask: a worker chooses their names, and all are kept."""


class Slice:
    """Tokens and micro-USD that one attempt may spend. No tokens means no model call at all; no
    money means that only the tokens are limited."""

    def __init__(self, tokens: int, microusd: int) -> None:
        self._lock = threading.Lock()
        self._tokens = tokens
        self._microusd = microusd
        self.used_tokens = 0
        self.used_microusd = 0
        self._models: dict[str, None] = {}
        self._closed = False

    def close(self) -> tuple[int, int, str]:
        """End the attempt's spending: a call that has not left yet never will. Return tokens and
        micro-USD, with the upper bounds of calls that are under way, and the different models that
        were asked, in the order of their first use, as in a row."""
        with self._lock:
            self._closed = True
            return self.used_tokens, self.used_microusd, joined(self._models)

    def asks(self, model: str) -> None:
        """Note a model that is about to be asked and costs nothing.

        Raises:
            UsageError: `model.too_many`.
            WorkerError: `attempt.over`.
        """
        with self._lock:
            self._note(model)

    def reserve(self, tokens: int, microusd: int, model: str) -> None:
        """Take an upper bound out of the slice and note the model that is about to be asked.

        Raises:
            UsageError: `model.too_many`; nothing was taken.
            WorkerError: `budget.slice` when it does not fit, `attempt.over`; nothing was taken.
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
            self._note(model)
            self.used_tokens += tokens
            self.used_microusd += microusd

    def settle(self, reserved: tuple[int, int], used: tuple[int, int]) -> None:
        """Give back what a finished call did not use (tokens, micro-USD)."""
        with self._lock:
            self.used_tokens += used[0] - reserved[0]
            self.used_microusd += used[1] - reserved[1]

    def _note(self, model: str) -> None:
        if self._closed:
            raise WorkerError("attempt.over", "the attempt has ended; it asks nobody any more")
        if model not in self._models and len(self._models) == MAX_MODELS:
            raise UsageError(
                "model.too_many",
                f"an attempt may ask {MAX_MODELS} different models",
                hint="ask fewer",
            )
        self._models[model] = None
