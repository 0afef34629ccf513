"""One swarm: a fixed input set, worked off under limits until it can converge or must abort.

Decides which attempts are wanted, what a result means for its item, when the swarm is finished
and with which verdict. It knows hosts only by name, bodies only by commitment, and time only
from the entries it is given. A step without fan-out is a swarm of one.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from swarm_ray.core.commands import Command, SetTimer
from swarm_ray.core.events import Row, Settled, Stranded
from swarm_ray.core.limits import enough
from swarm_ray.core.settling import UNVERIFIED, Settling
from swarm_ray.core.stranding import Stranding
from swarm_ray.core.tables import SWARM, SwarmState, advance
from swarm_ray.core.window import Window

DRAIN_GRACE_US = 5_000_000
TOO_FEW_DOMAINS = "copies.too_few_domains"
NO_OWN_HOST = "validation.no_own_host"


@dataclass(slots=True)
class Swarm(Settling):
    """State of one swarm."""

    drained_us: int = 0
    stranding: Stranding = field(default_factory=Stranding)

    # -- what the run asks ------------------------------------------------------------------

    @property
    def succeeded(self) -> int:
        """Number of items with an accepted result."""
        return len(self.outputs)

    @property
    def finished(self) -> bool:
        """True when no item is open and no attempt is out."""
        return self.backlog.open == 0 and not self.flights

    @property
    def stalled(self) -> bool:
        """True when nothing but a person can move an item."""
        busy = self.flights or self.wanted or self.backlog.pauses
        return bool(self.reviews) and not busy

    def accepted(self) -> tuple[int, ...]:
        """Ordinals with an accepted result, in input order."""
        return tuple(sorted(self.outputs))

    def enough(self) -> bool:
        """Say whether the results suffice for convergence."""
        return enough(self.spec.convergence, self.succeeded, self.opened.items)

    def shortfall(self) -> str:
        """Say with a code why the results do not suffice; a swarm of one fails as its item did."""
        alone = self.opened.kind != "fan_out" and 0 in self.failures
        return self.code or (self.failures[0][0] if alone else "") or "swarm.min_success"

    # -- work -------------------------------------------------------------------------------

    def place(self, now_us: int) -> list[Command]:
        """Placement is known: start working."""
        self.state = advance(SWARM, self.state, "place")
        return [*self._timers(), *self.fill(now_us)]

    def fill(self, now_us: int) -> list[Command]:
        """Want as many attempts as there is room for, or end when the budget allows none."""
        if self.state is not SwarmState.WORKING:
            return []
        wants = self.wants()
        if self._starved():
            return self.drain("budget", "budget.exhausted", now_us)
        return wants

    def _starved(self) -> bool:
        busy = self.flights or self.wanted or self.backlog.pauses
        return self.backlog.waiting and not busy and self.backlog.open > len(self.reviews)

    def settled(self, event: Settled, now_us: int) -> list[Command]:
        """Results arrived; rows of attempts that are not out are stale and change nothing."""
        find, settle = self.find, self.settle
        for row in event.rows:
            key = find(row.item, row.attempt)
            if key >= 0:
                settle(key, row, now_us)
        return self.after(now_us)

    def after(self, now_us: int) -> list[Command]:
        """What follows when something ended: abort, quorum, more work, timers."""
        if self.state is not SwarmState.WORKING:
            return []
        if self.ending:
            return self.drain(self.ending, self.code, now_us)
        commands = self.tidy()
        quorum = self.spec.convergence.quorum
        met = quorum and self.succeeded >= quorum and not self.finished
        if met and not self.audited():
            return self.drain("quorum", "", now_us)
        commands += self.fill(now_us)
        alarm_us = self.backlog.alarm()
        if alarm_us:
            commands.append(SetTimer(f"{self.id}:backoff", alarm_us))
        return commands

    def recheck(self, now_us: int) -> list[Command]:
        """Before convergence: do again what rests on words that are not believed any more; when
        there is no time or budget left for that, such items have no result."""
        if self.panel is None or not self.finished:
            return []
        doubts = self.audited()
        if self.state is SwarmState.WORKING:
            return self.after(now_us) if doubts else []
        for item in doubts:
            self.failures[item] = (UNVERIFIED, 1)
            self.backlog.close(item, "cancel")
        return []

    # -- time, loss, people -----------------------------------------------------------------

    def timer(self, what: str, now_us: int) -> list[Command]:
        """A timer of this swarm came due: `backoff`, `deadline`, `stranded` or `drained`.

        A timer that was set before its time was put off is set anew.
        """
        if what == "backoff":
            self.backlog.wake(now_us)
            return self.after(now_us)
        if what == "deadline" and self.state is SwarmState.WORKING:
            if now_us < self.work_until_us:
                return self._timers()
            return self.drain("deadline", "swarm.deadline", now_us)
        if what == "stranded" and self.stranding.items:
            return self._stranded(now_us)
        if what == "drained" and self.state is SwarmState.DRAINING and now_us >= self.drained_us:
            self._lose(list(self.flights), "host.silent", now_us)
        return []

    def strand(self, event: Stranded, now_us: int) -> list[Command]:
        """Items wait for a host that may take them, or do no longer."""
        if self.state is not SwarmState.WORKING:
            return []
        waited = self.stranding.items
        self.stranding.report(event, now_us)
        return self._await_hosts() if not waited else []

    def _stranded(self, now_us: int) -> list[Command]:
        """End what nothing moves any more when no host that may take the items has come."""
        if not self.wanted:
            self.stranding.clear()
            return []
        if self.flights or self.backlog.pauses or self.reviews:
            self.stranding.renew(now_us)
        if now_us < self.stranding.due_us:
            return self._await_hosts()
        copied = self.panel is not None
        return self.drain("stranded", TOO_FEW_DOMAINS if copied else NO_OWN_HOST, now_us)

    def host_lost(self, host: str, now_us: int) -> list[Command]:
        """A host is gone: its attempts are lost and charged their whole slice."""
        if host not in self.held:
            return []
        lost = [key for key, flight in self.flights.items() if flight.host == host]
        self._lose(lost, "host.lost", now_us)
        return self.after(now_us)

    def _lose(self, keys: Iterable[int], code: str, now_us: int) -> None:
        tokens, microusd = self.slice
        for key in keys:
            item, attempt = self.item_of(key), self.flights[key].attempt
            row = Row(item, attempt, "lost", code=code, tokens=tokens, microusd=microusd)
            self.settle(key, row, now_us)

    def cancel_item(self, item: int, now_us: int) -> list[Command]:
        """Somebody cancels one item; a running attempt is withdrawn and is its last."""
        if item not in self.backlog or self.backlog.settled(item):
            return []
        out = self.out(item)
        if out:
            self.unwant(item)
            self.cancelling[item] = None
            return self.withdraw(out)
        self._forget(item)
        return self.after(now_us)

    def reviewed(self, item: int, choice: str, now_us: int) -> list[Command]:
        """A person decided about a failed item: try it again, skip it, abort the swarm, or take
        the answer of one of its copies."""
        if item not in self.reviews:
            return []
        self.reviews.discard(item)
        vote = self.panel.named(item, choice) if self.panel is not None else None
        if vote is not None:
            self._accept(item, vote.output, vote.label, vote.weight_ppm)
            return self.after(now_us)
        if choice == "retry":
            self.failures.pop(item, None)
            if self.panel is not None:
                self.panel.clear(item)
            self.backlog.again(item)
            return self.after(now_us)
        self.backlog.close(item, "skip")
        return self.drain("abort", "swarm.review", now_us) if choice == "abort" else []

    # -- ending -----------------------------------------------------------------------------

    def drain(self, ending: str, code: str, now_us: int) -> list[Command]:
        """Stop: nothing new starts, what runs is withdrawn and may still end well."""
        if self.state is not SwarmState.WORKING:
            return []
        self.state = advance(SWARM, self.state, "drain")
        self.ending, self.code, self.drained_us = ending, code, now_us + DRAIN_GRACE_US
        self.stranding.clear()
        self.surplus.clear()
        for item in self.backlog.unsettled():
            if self.out(item):
                self.unwant(item)
            else:
                self._forget(item)
        return self._withdraw_all() if self.flights else []

    def _withdraw_all(self) -> list[Command]:
        return [
            *self.withdraw(self.flights),
            SetTimer(f"{self.id}:drained", self.drained_us),
        ]

    def converge(self, trigger: str = "converge") -> None:
        """The results suffice, or a person or clause goes on with what there is."""
        self.state = advance(SWARM, self.state, trigger)

    def merged(self) -> None:
        """Convergence is done."""
        self.state = advance(SWARM, self.state, "converged")

    def abort(self, code: str) -> None:
        """The swarm failed; its results stay for the error clauses and for `resume`."""
        self.state = advance(SWARM, self.state, "abort")
        self.code = code

    def again(self, concurrency: int, now_us: int, deadline_us: int) -> list[Command]:
        """Work once more on what has no result, at most `concurrency` at once."""
        self.state = advance(SWARM, self.state, "again")
        self.ending = self.code = ""
        self.opened_us, self.deadline_us = now_us, deadline_us
        self.window = Window(concurrency, self.spec.adaptive)
        self.failures.clear()
        self.forget_votes()
        self.backlog.reopen()
        return [*self._timers(), *self.fill(now_us)]

    def outstanding(self) -> list[Command]:
        """Derive anew what the shell must be doing for this swarm after a restart."""
        commands: list[Command] = []
        if self.state is SwarmState.WORKING:
            commands += [*self._timers(), *self._await_hosts()]
        commands += self.in_hand()
        if self.backlog.alarm_us:
            commands.append(SetTimer(f"{self.id}:backoff", self.backlog.alarm_us))
        if self.state is SwarmState.DRAINING:
            return commands + self._withdraw_all()
        return commands + self.withdraw(self.unneeded())

    # -- small moves ------------------------------------------------------------------------

    def _timers(self) -> list[Command]:
        until = self.work_until_us
        return [SetTimer(f"{self.id}:deadline", until)] if until else []

    def _await_hosts(self) -> list[Command]:
        due_us = self.stranding.due_us
        return [SetTimer(f"{self.id}:stranded", due_us)] if due_us else []

    def _forget(self, item: int) -> None:
        self.unwant(item)
        if item in self.reviews:
            self.reviews.discard(item)
            self.review_changes.append(item)
        self.backlog.close(item, "cancel")
