"""The first supervisor: which proposed effects are granted, and what became of each.

Decides that only declared effects are granted, each key once, and that an effect whose outcome
nobody knows is never started again. Its events are the entries of the effects log.
"""

from dataclasses import dataclass, field
from typing import Literal

EffectStatus = Literal["proposed", "granted", "started", "done", "refused", "failed", "unknown"]


@dataclass(frozen=True, slots=True)
class Proposed:
    """Somebody wants `tool` with these arguments (a commitment) under an idempotency key."""

    key: str
    run: str
    step: str
    tool: str
    arguments: str


@dataclass(frozen=True, slots=True)
class Granted:
    """The supervisor allowed the effect."""

    key: str
    lease: int


@dataclass(frozen=True, slots=True)
class Refused:
    """The supervisor did not allow the effect; `code` says why."""

    key: str
    code: str


@dataclass(frozen=True, slots=True)
class Started:
    """The broker is about to touch the world."""

    key: str
    lease: int


@dataclass(frozen=True, slots=True)
class Ended:
    """What became of it: `done`, `failed` (nothing changed), or `unknown`."""

    key: str
    status: Literal["done", "failed", "unknown"]
    outcome: str = ""
    code: str = ""


EffectEvent = Proposed | Granted | Refused | Started | Ended

EFFECT_KINDS: dict[str, type[EffectEvent]] = {
    "effect.proposed": Proposed,
    "effect.granted": Granted,
    "effect.refused": Refused,
    "effect.started": Started,
    "effect.ended": Ended,
}


@dataclass(slots=True)
class Supervisor:
    """Folds the effects log. Whoever calls `judge` says whether the effect is declared."""

    status: dict[str, EffectStatus] = field(default_factory=dict)
    outcome: dict[str, Ended | Refused] = field(default_factory=dict)
    grants: dict[str, Granted] = field(default_factory=dict)
    leases: int = 0

    def handle(self, event: EffectEvent) -> None:
        """Apply one durable entry of the effects log."""
        match event:
            case Proposed():
                self.status.setdefault(event.key, "proposed")
            case Granted():
                self.leases = max(self.leases, event.lease)
                self.status[event.key] = "granted"
                self.grants[event.key] = event
            case Refused():
                self.status[event.key] = "refused"
                self.outcome[event.key] = event
            case Started():
                self.status[event.key] = "started"
            case Ended():
                self.status[event.key] = event.status
                self.outcome[event.key] = event

    def judge(self, proposed: Proposed, *, declared: bool) -> Granted | Refused | None:
        """Answer a proposal; None when this key was acted upon or refused before.

        A grant that was never used, because a crash came between, is given again.
        """
        match self.status.get(proposed.key):
            case None | "proposed":
                if not declared:
                    return Refused(proposed.key, "effect.undeclared")
                return Granted(proposed.key, self.leases + 1)
            case "granted":
                return self.grants[proposed.key]
            case _:
                return None

    def interrupted(self) -> list[Ended]:
        """After a restart: effects that were started and never ended are unknown for ever."""
        return [
            Ended(key, "unknown", code="effect.interrupted")
            for key, status in sorted(self.status.items())
            if status == "started"
        ]
