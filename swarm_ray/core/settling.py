"""What an attempt that ended means for its item: taken, tried again, given up, asked about.

Decides from the row alone, or for redundant items with the panel that judges their copies. When a
swarm starts, stops and converges is decided by `core.swarm`.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from swarm_ray.core.agreement import Vote
from swarm_ray.core.commands import Command
from swarm_ray.core.events import Row, Status
from swarm_ray.core.flights import Flight
from swarm_ray.core.panel import BROKEN, MORE, Decision, Panel
from swarm_ray.core.plan import Question
from swarm_ray.core.reactions import REVIEW
from swarm_ray.core.retry import Verdict, judge, pause_us
from swarm_ray.core.tables import ItemState, SwarmState
from swarm_ray.core.traffic import Traffic

Fate = Verdict | Literal["exclude", "escalate"]
DISAGREEMENT = "redundancy.disagreement"
UNVERIFIED = "redundancy.unverified"


@dataclass(slots=True)
class Settling(Traffic):
    """What is known of the items of one swarm. `surplus` are the keys of copies that nobody needs
    any more, until they are withdrawn; `trusted_only` are items that only hosts of our own
    organisation may try again."""

    state: SwarmState = SwarmState.PLACING
    ending: str = ""
    code: str = ""
    failures: dict[int, tuple[str, int]] = field(default_factory=dict)
    outputs: dict[int, str] = field(default_factory=dict)
    labels: dict[int, tuple[str, int]] = field(default_factory=dict)
    reviews: set[int] = field(default_factory=set)
    review_changes: list[int] = field(default_factory=list)
    surplus: list[int] = field(default_factory=list)
    trusted_only: dict[int, None] = field(default_factory=dict)

    @property
    def items(self) -> bytearray:
        """State of every item, a byte each."""
        return self.backlog.states

    def settle(self, key: int, row: Row, now_us: int) -> None:
        """An attempt ended: its slice is settled, and what it means for its item is decided."""
        flight = self.land(key)
        used = self.slice if row.status == "lost" else (row.tokens, row.microusd)
        self.purse.settle(self.slice, used)
        self.usage.add(row)
        if row.status == "ok":
            self.window.success()
        if row.rule and row.status == "ok":
            row = broken(row)
        if self.panel is not None:
            self._voted(self.panel, row, flight, now_us)
            return
        unwanted = self.state is SwarmState.DRAINING or row.item in self.cancelling
        self.cancelling.pop(row.item, None)
        if row.status == "ok":
            self._accept(row.item, row.output, row.label, row.confidence_ppm)
        elif row.status == "cancelled" or unwanted:
            self.backlog.close(row.item, "cancel")
        else:
            self._failed(row, now_us)

    def _accept(self, item: int, output: str, label: str = "", confidence_ppm: int = 0) -> None:
        self.failures.pop(item, None)
        self.outputs[item] = output
        if label:
            self.labels[item] = (label, confidence_ppm)
        self.backlog.close(item, "accept")

    def _failed(self, row: Row, now_us: int) -> None:
        if row.status == "rate_limited":
            self.window.rate_limited(now_us)
        code, count = self.failures.get(row.item, ("", 0))
        count = count + 1 if code == row.code else 1
        self.failures[row.item] = (row.code, count)
        tried = self._tried(row)
        fate = self._judged(row, tried, count)
        if fate != "again":
            self._fail(row, fate)
        elif not self._others(row.item):  # otherwise copies of the item go on
            pause = pause_us(row, self.spec.retry, tried, self.id)
            self.backlog.pause(row.item, now_us + pause)

    def _fail(self, row: Row, fate: Fate) -> None:
        """An item is not tried again by itself."""
        self._let_go(row.item)
        match fate:
            case "abort":
                self.backlog.close(row.item, "fail")
                self.ending, self.code = "abort", row.code or "swarm.structural"
            case "exclude":
                self.backlog.close(row.item, "skip")
            case "escalate":
                self._review(row.item)
            case _:
                self._give_up(row.item, row.code)

    def _judged(self, row: Row, tried: int, count: int) -> Fate:
        """Say what a failure means for its item; a broken rule has a consequence of its own."""
        if not row.rule:
            return judge(row.status, self.spec.retry, tried, count)
        match self.spec.rules[row.rule - 1].consequence:
            case "exclude" | "escalate" as consequence:
                return consequence
            case _ if self.panel is None and tried < self.spec.retry.max_attempts:
                self.trusted_only[row.item] = None
                return "again"
            case _:
                return "give_up"

    def _tried(self, row: Row) -> int:
        if self.panel is not None:
            return self.panel.missed(row.item)
        return self.backlog.tried(row.item, row.attempt)

    def _give_up(self, item: int, code: str) -> None:
        match self.spec.convergence.failure_action:
            case "retry":
                self.backlog.close(item, "fail")
            case "skip":
                self.backlog.close(item, "skip")
            case "abort":
                self.backlog.close(item, "fail")
                self.ending, self.code = "abort", code or "swarm.item_failed"
            case "review":
                self._review(item)

    def _review(self, item: int) -> None:
        self.backlog.move(item, "review")
        self.reviews.add(item)
        self.review_changes.append(item)

    # -- copies -----------------------------------------------------------------------------

    def _others(self, item: int) -> bool:
        """Say whether further copies of an item are out or wanted."""
        if self.panel is None:
            return False
        return any(key in self.flights or key in self.wanted for key in self.keys(item))

    def _voted(self, panel: Panel, row: Row, flight: Flight, now_us: int) -> None:
        """A copy ended. One that is late still tells something about its host."""
        item = row.item
        answered = panel.vote(row, flight.host, flight.domain)
        decision = panel.decide(item) if answered else MORE
        if self.items[item] != ItemState.RUNNING:
            return
        unwanted = self.state is SwarmState.DRAINING or item in self.cancelling
        if decision.kind in ("accept", "default") or (decision.kind != "more" and not unwanted):
            self._conclude(item, decision)
        elif unwanted:
            if not self.out(item):
                self.cancelling.pop(item, None)
                self.backlog.close(item, "cancel")
        elif answered or row.status == "cancelled":
            if not self._others(item):
                self.backlog.once_more(item)
        else:
            self._failed(row, now_us)

    def _conclude(self, item: int, decision: Decision) -> None:
        """What the copies of an item say is certain: take it."""
        self._let_go(item)
        self.cancelling.pop(item, None)
        vote = decision.vote
        match decision.kind:
            case "accept" if vote is not None:
                self._accept(item, vote.output, vote.label, vote.weight_ppm)
            case "default":
                self._accept(item, self.opened.default)
            case "ask":
                self._review(item)
            case "failed" if vote is not None:
                self._agreed_failure(item, vote)
            case _:
                self.failures[item] = (DISAGREEMENT, 1)
                self._give_up(item, DISAGREEMENT)

    def _agreed_failure(self, item: int, vote: Vote) -> None:
        """The copies agree that an item fails, or that what it yields breaks a rule."""
        rule = int(vote.answer.rpartition("_")[2]) if vote.failed == BROKEN else 0
        status: Status = "structural" if vote.failed == "structural" else "input"
        row = Row(item, vote.attempt, status, code=vote.answer, rule=rule)
        self.failures[item] = (row.code, 1)
        self._fail(row, self._judged(row, 1, 1))

    def _let_go(self, item: int) -> None:
        """Further copies of an item are not needed."""
        if self.panel is not None:
            self.unwant(item)
            self.surplus += self.out(item)

    def tidy(self) -> list[Command]:
        """Withdraw copies that are not needed any more, and reopen items that are doubted."""
        if self.panel is None:
            return []
        surplus = [key for key in self.surplus if key in self.flights]
        self.surplus.clear()
        self._reopen(self.panel.take_doubts())
        return self.withdraw(surplus)

    def _reopen(self, doubts: list[int]) -> list[int]:
        found = [item for item in doubts if self.items[item] == ItemState.DONE]
        for item in found:
            self.backlog.doubt(item)
            del self.outputs[item]
            self.labels.pop(item, None)
        return found

    def audited(self) -> list[int]:
        """Reopen what is not certain enough to converge; returns it."""
        return self._reopen(self.panel.audit()) if self.panel is not None else []

    def forget_votes(self) -> None:
        """Let copies vote anew on items that were given up, or about which all have voted."""
        if self.panel is None:
            return
        for item, state in enumerate(self.items):
            cancelled = state == ItemState.CANCELLED and self.panel.spent(item)
            if cancelled or state in (ItemState.FAILED, ItemState.SKIPPED):
                self.panel.clear(item)

    def question(self, item: int) -> Question:
        """Return what a person is asked about an item under review."""
        asked = self.panel.question(item) if self.panel is not None else None
        return REVIEW if asked is None else asked


def broken(row: Row) -> Row:
    """Return the failure that a result is which does not satisfy a rule."""
    return replace(row, status="input", output="", label="", code=f"validation.rule_{row.rule}")
