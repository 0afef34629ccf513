"""Copies of items: which trust domain a host is in, and which outputs are equal.

Decides nothing about a vote. Outputs are bodies, which the core never sees: here they are compared
byte by byte, and the label that a host signed is checked against the output that it brought.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from operator import eq
from typing import Any

from swarm_ray.core.commands import Prepare
from swarm_ray.core.events import Row, Settled
from swarm_ray.core.plan import Across, Redundancy
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.engine.outputs import Output
from swarm_ray.engine.verdicts import project
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ports.hosts import HostInfo, Parcel
from swarm_ray.ports.log import Bodies

REMEMBERED_ITEMS = 10_000
"""Beyond so many items those that are settled are forgotten; their outputs are read again when a
further copy comes."""


def domain_of(host: HostInfo, across: Across) -> str:
    """Return the trust domain of a host, of the kind that copies must be distinct in."""
    match across:
        case "organisation":
            return host.organisation
        case "region":
            return host.region or host.site
        case "site":
            return host.site
        case "node":
            return host.node or host.name


def domains_of(seats: Mapping[str, HostInfo], swarm: Swarm) -> dict[str, str]:
    """Return the trust domain of every host as a swarm counts them; itself where it does not."""
    rule = swarm.spec.redundancy
    if rule is None:
        return {name: name for name in seats}
    return {name: domain_of(seat, rule.across) for name, seat in seats.items()}


def rule_of(command: Prepare, run: Run) -> Redundancy | None:
    """Return the rule of the copies of a swarm that is to be prepared, None if it has none."""
    step = run.plan.steps[command.step]
    copied = command.kind == "fan_out" and step.fan_out is not None
    return step.fan_out.redundancy if copied and step.fan_out is not None else None


def count_domains(seats: Mapping[str, HostInfo], rule: Redundancy | None) -> int:
    """Return how many trust domains hosts are in; 0 where none are asked for."""
    if rule is None:
        return 0
    return len({domain_of(seat, rule.across) for seat in seats.values()})


def least_domains(rule: Redundancy) -> int:
    """Return how many trust domains a swarm cannot do without."""
    return 2 if rule.target_ppm else rule.copies


def lacks_domains(rule: Redundancy | None, seats: Mapping[str, HostInfo]) -> bool:
    """Say whether the hosts are in too few trust domains for copies to be apart."""
    return rule is not None and count_domains(seats, rule) < least_domains(rule)


def require_domains(rule: Redundancy | None, seats: Mapping[str, HostInfo]) -> int:
    """Return in how many trust domains the hosts are, 0 where none are asked for.

    Raises:
        UsageError: `copies.too_few_domains`.
    """
    if rule is not None and lacks_domains(rule, seats):
        raise UsageError(
            "copies.too_few_domains",
            f"copies of an item must be in {least_domains(rule)} different {rule.across}s,"
            f" and the hosts are in {count_domains(seats, rule)}",
            hint=f"connect hosts of more {rule.across}s, or ask for fewer copies",
        )
    return count_domains(seats, rule)


def own_hosts(seats: Mapping[str, HostInfo], organisation: str) -> list[str]:
    """Return the hosts that belong to the coordinator's own organisation."""
    return [name for name, seat in seats.items() if seat.organisation == organisation]


def compares_by_function(swarm: Swarm) -> bool:
    """Say whether a function of the definition compares the outputs of a swarm's copies."""
    rule = swarm.spec.redundancy
    return rule is not None and rule.agree.rule == "custom"


Alike = Callable[[bytes, bytes], bool]
"""Says whether two outputs, as JSON bytes, are equal."""


@dataclass(slots=True)
class Comparing:
    """Outputs of items with copies: the first of each class of equal ones, by attempt. Where bytes
    are compared a digest stands for an output."""

    bodies: Bodies
    known: dict[tuple[str, int], dict[int, bytes]] = field(default_factory=dict)
    most: int = REMEMBERED_ITEMS

    def recall(self, swarm: Swarm, event: Settled) -> None:
        """Have at hand what the outputs of an event are compared with."""
        rule = swarm.spec.redundancy
        if rule is not None and rule.agree.rule in ("exact", "custom"):
            for row in event.rows:
                self._firsts(swarm, row.item, digests=rule.agree.rule == "exact")

    def compared(
        self,
        swarm: Swarm,
        parcel: Parcel,
        event: Settled,
        outputs: Mapping[str, Output],
        alike: Alike,
    ) -> Settled:
        """Return an event whose rows say which outputs are equal; an output is of the first class
        whose first output it is equal to.

        Args:
            swarm: the machine of the swarm.
            parcel: what the host was given.
            event: what it answered.
            outputs: what it brought, by commitment.
            alike: compares outputs where a function of the definition does.

        Raises:
            IntegrityError: `copies.wrong_label` when a host's label is not that of its output.
        """
        rule = swarm.spec.redundancy
        if rule is None:
            return event
        rows: list[Row] = []
        for row in event.rows:
            if row.status == "ok":
                output = outputs[row.output]
                _check_label(parcel, row, output.value)
                if rule.agree.rule in ("exact", "custom"):
                    own = rule.agree.rule == "custom"
                    data = output.data if own else _digest(output.data)
                    row = replace(row, alike=self._first(swarm, row, data, alike if own else eq))
            rows.append(row)
        return replace(event, rows=tuple(rows))

    def _first(self, swarm: Swarm, row: Row, data: bytes, alike: Alike) -> int:
        firsts = self._firsts(swarm, row.item, digests=alike is eq)
        for attempt, first in firsts.items():
            if alike(first, data):
                return attempt
        firsts[row.attempt] = data
        return row.attempt

    def _firsts(self, swarm: Swarm, item: int, *, digests: bool) -> dict[int, bytes]:
        key = swarm.id, item
        firsts = self.known.get(key)
        if firsts is None:
            self._tidy(swarm)
            firsts = self.known[key] = {}
            panel = swarm.panel
            for vote in panel.votes.get(item, ()) if panel is not None else ():
                if vote.output and int(vote.answer) == vote.attempt:
                    data = self.bodies.get_body(vote.output)
                    firsts[vote.attempt] = _digest(data) if digests else data
        return firsts

    def _tidy(self, swarm: Swarm) -> None:
        if len(self.known) < self.most:
            return
        settled = swarm.backlog.settled
        for name, item in [key for key in self.known if key[0] == swarm.id and settled(key[1])]:
            del self.known[name, item]
        self.most = max(REMEMBERED_ITEMS, 2 * len(self.known))

    def forget(self, swarm: str) -> None:
        """A swarm ended."""
        for key in [key for key in self.known if key[0] == swarm]:
            del self.known[key]


def _digest(data: bytes) -> bytes:
    return sha256(data).digest()


def _check_label(parcel: Parcel, row: Row, output: Any) -> None:
    if project(output, parcel.projection) != (row.label, row.confidence_ppm):
        raise IntegrityError(
            "copies.wrong_label",
            f"{parcel.host} says that its output for item {row.item} is {row.label!r}",
            hint="the output is another; the host is not given anything more",
        )
