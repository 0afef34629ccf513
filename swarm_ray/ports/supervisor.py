"""What the engine asks the supervisor: let this effect happen, at most once."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol


@dataclass(frozen=True, slots=True)
class Proposal:
    """An effect that a step declares. `key` is the idempotency key that the runtime minted;
    `arguments` are complete. `declared` says that a step of the linked process declares the
    effect and that its target does not depend on what workers said."""

    key: str
    run: str
    step: str
    tool: str
    arguments: Mapping[str, Any]
    declared: bool = True


@dataclass(frozen=True, slots=True)
class SettledEffect:
    """What became of a proposal; `outcome` is what the tool said, None if it did not act."""

    status: Literal["done", "refused", "failed", "unknown"]
    outcome: Any = None
    code: str = ""


class Supervisor(Protocol):
    """Grants declared effects and has them executed by the broker."""

    async def settle(self, proposal: Proposal) -> SettledEffect:
        """Answer a proposal. The same key gives the same answer; an effect whose outcome is not
        known is reported as `unknown` and never started again. Waits until it is settled."""
