"""A host that signs its lies properly loses its place, and nothing else is lost."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from engine_story import Town, letters

from swarm_ray.attestation.batch import sign_batch
from swarm_ray.client.results import RunResult
from swarm_ray.core import events as ev
from swarm_ray.core.events import Row
from swarm_ray.core.host import Outcome
from swarm_ray.engine.desk import Answers
from swarm_ray.engine.history import settled_of
from swarm_ray.engine.orders import result_header, result_statements
from swarm_ray.engine.sandboxes import named_sandboxes
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ports.hosts import Delivery
from swarm_ray.ports.log import Body

SKILL = "def sort(inputs, ctx):\n    return inputs['letter']\n"
SLOW = "import time\ndef sort(inputs, ctx):\n    time.sleep(0.2)\n    return inputs['letter']\n"
PLACE = "      concurrency: 4\n"
COPIES = f"{PLACE}      verification: {{redundancy: {{copies: 2, across: node, agree: exact}}}}\n"
RULE = (
    f"{PLACE}      verification:\n"
    "        {validate: {rules: [{cel: 'output >= 0', consequence: exclude}]}}\n"
)
SCHEMA = f"{PLACE}      verification: {{validate: schema}}\n"
TYPED = "output_schema: {type: integer}\n"
Change = Callable[[Delivery], Delivery]


@dataclass
class Liar:
    """The first host of a town; what it changes it signs with its own key."""

    town: Town
    change: Change
    name: str = ""
    told: list[Delivery] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.name, self.shell = next(iter(self.town.hosts.shells.items()))
        self.town.hosts.spoil = self.spoil

    def spoil(self, delivery: Delivery) -> Delivery:
        outcome = delivery.outcome
        mine = [
            parcel
            for parcel in self.town.hosts.parcels
            if (parcel.order.batch, parcel.order.swarm) == (outcome.batch, outcome.swarm)
            and parcel.host == self.name
        ]
        if not mine:
            return delivery
        new, parcel = self.change(delivery), mine[0]
        header = result_header(parcel, new.outcome, parcel.order.epoch)
        statements = result_statements(
            parcel,
            new.outcome.rows,
            self.shell.info,
            new.isolation,
            named_sandboxes(new.sandboxes),
        )
        key = self.shell._deliveries._key
        self.told.append(replace(new, envelope=sign_batch(key, header, statements)))
        return self.told[-1]


def rows(delivery: Delivery, **fields: Any) -> Delivery:
    changed = tuple(replace(row, **fields) for row in delivery.outcome.rows)
    return replace(delivery, outcome=replace(delivery.outcome, rows=changed))


def brings(data: bytes) -> Change:
    """Say for every item that this came out."""

    def change(delivery: Delivery) -> Delivery:
        outcome, bodies, told = delivery.outcome, [], []
        for row in outcome.rows:
            bodies.append(Body.seal("output", os.urandom(32), data, "output", outcome.run))
            told.append(replace(row, output=bodies[-1].commitment, extras=""))
        return replace(delivery, outcome=replace(outcome, rows=tuple(told)), bodies=tuple(bodies))

    return change


def remembers(data: bytes) -> Change:
    def change(delivery: Delivery) -> Delivery:
        outcome, bodies, told = delivery.outcome, list(delivery.bodies), []
        for row in outcome.rows:
            bodies.append(Body.seal("extras", os.urandom(32), data, "artifact", outcome.run))
            told.append(replace(row, extras=bodies[-1].commitment))
        return replace(delivery, outcome=replace(outcome, rows=tuple(told)), bodies=tuple(bodies))

    return change


def doubled(delivery: Delivery) -> Delivery:
    outcome = delivery.outcome
    return replace(delivery, outcome=replace(outcome, rows=outcome.rows * 2))


def waits(delivery: Delivery) -> Delivery:
    changed = rows(delivery, status="transient", output="", code="a.b", retry_after_us=2**51)
    return replace(changed, bodies=())


def without_output(delivery: Delivery) -> Delivery:
    return replace(rows(delivery, output=""), bodies=())


def caught(town: Town, files: dict[str, str], change: Change) -> tuple[str, RunResult]:
    """Have a run with a liar and an honest host; why the liar lost its place, and the result."""
    town.hosts.add()
    liar = Liar(town, change)
    run = town.open(files, letters=list(range(6)))
    lost = town.until(
        lambda: [one for one in town.events(run) if isinstance(one, ev.HostLost)], "the refusal"
    )
    assert [one.host for one in lost] == [liar.name]
    return lost[0].reason, town.end(run)


@pytest.mark.parametrize(
    ("change", "code", "place"),
    [
        (doubled, "desk.bad_row", ""),
        (waits, "desk.bad_row", ""),
        (without_output, "desk.bad_row", COPIES),
        (brings(b"not json"), "desk.bad_output", ""),
        (brings(b"[" * 900 + b"]" * 900), "desk.bad_output", COPIES),
        (brings(b"not json"), "desk.bad_output", RULE),
        (remembers(b'{"artifacts":{"a":1},"memory":7}'), "desk.bad_extras", ""),
        (brings(b'{"q":1}'), "desk.schema", SCHEMA),
        (brings(b'"' + b"x" * 2_000_000 + b'"'), "desk.schema", SCHEMA),
    ],
    ids=["doubled", "waits", "empty", "no json", "deep", "rule", "extras", "schema", "large"],
)
def test_a_lie_that_is_signed_costs_the_host_its_place_and_nobody_else_anything(
    town: Town, change: Change, code: str, place: str
):
    files = letters(SKILL, swaps={PLACE: place} if place else None)
    if place == SCHEMA:
        files["sort_letter.yaml"] += TYPED
    reason, result = caught(town, files, change)
    assert reason == code
    assert (result.status, result.output) == ("done", list(range(6)))


def test_what_the_schema_does_not_admit_counts_where_nobody_asked_for_validation(town: Town):
    files = letters(SKILL)
    files["sort_letter.yaml"] += TYPED
    liar = Liar(town, brings(b'{"q":1}'))
    result = town.run(files, letters=[1])
    assert liar.told
    assert result.output == [{"q": 1}]


def test_a_number_that_was_used_is_not_used_again(town: Town):
    """Two deliveries of one batch under one number would make the log unprovable for ever."""

    def same(delivery: Delivery) -> Delivery:
        return replace(delivery, outcome=replace(delivery.outcome, sequence=5))

    liar = Liar(town, same)
    run = town.open(letters(SLOW), letters=list(range(12)))
    lost = town.until(
        lambda: [one for one in town.events(run) if isinstance(one, ev.HostLost)], "the refusal"
    )
    assert (lost[0].host, lost[0].reason) == (liar.name, "desk.repeated")
    result = town.end(run)
    assert result.output == list(range(12))
    places = [
        (one.batch, one.sequence)
        for one in town.events(run)
        if isinstance(one, ev.Settled) and one.host == liar.name
    ]
    assert places, "nothing of the liar counted"
    assert len(places) == len(set(places))


@pytest.mark.parametrize(
    ("sequence", "items"), [(7, (1,)), (8, (0, 1)), (8, (0,))], ids=["number", "both", "row"]
)
def test_neither_a_number_nor_a_row_of_a_batch_comes_twice(sequence: int, items: tuple[int, ...]):
    left = Answers({1, 2}, 2, {7})  # as after a restart: item 0 is in the log
    told = tuple(Row(item, 1, "cancelled") for item in items)
    with pytest.raises(IntegrityError, match="answered again"):
        left.take(Outcome(sequence, "r", "s", 1, told))
    left.take(Outcome(8, "r", "s", 1, (Row(1, 1, "cancelled"),)))
    assert (left.items, left.sequences) == ({2}, {7, 8})


def test_what_came_of_open_batches_is_found_again_in_the_log(town: Town):
    run = town.open(letters(SKILL), letters=list(range(60)))
    town.end(run)
    settled = [one for one in town.events(run) if isinstance(one, ev.Settled)]
    batches = {one.batch for one in settled}
    assert len(batches) > 1
    wanted = {max(batches)}
    entries = town.service.entries(run, 0, 0).entries
    assert list(settled_of(entries, wanted)) == [one for one in settled if one.batch in wanted]
    assert list(settled_of(entries, set())) == []


@pytest.mark.parametrize("handed", [None, 7, [None], [7]])
def test_a_host_that_hands_over_nonsense_ends_nothing_but_itself(town: Town, handed: Any):
    town.hosts.add()
    liar, collect = next(iter(town.hosts.shells)), town.hosts.collect

    async def nonsense(host: str, *args: Any, **named: Any) -> Any:
        return handed if host == liar else await collect(host, *args, **named)

    town.hosts.collect = nonsense  # type: ignore[method-assign]
    town.until(lambda: liar not in town.hosts.shells, "the loss")
    assert town.run(letters(SKILL), letters=[1]).output == [1]


@pytest.mark.parametrize(
    "error",
    [
        ValueError("\ud800"),
        UsageError("\ud800" * 50_000, "no"),
        IntegrityError("host.stale_epoch", "another coordinator took over"),
    ],
    ids=["any", "code", "epoch"],
)
@pytest.mark.parametrize("method", ["submit", "collect"])
def test_a_host_that_raises_whatever_it_likes_ends_nothing_but_itself(
    town: Town, error: Exception, method: str
):
    town.hosts.add()
    liar, real = next(iter(town.hosts.shells)), getattr(town.hosts, method)

    async def raising(host: str, *args: Any, **named: Any) -> Any:
        if host == liar:
            raise error
        return await real(host, *args, **named)

    setattr(town.hosts, method, raising)
    run = town.open(letters(SKILL), letters=list(range(4)))
    if method == "submit" and not isinstance(error, UsageError):
        town.hosts.lose(liar)  # it takes nothing, and that is no crime
    assert town.end(run).output == list(range(4))


def test_a_host_that_answers_for_another_run_is_overdue_where_items_have_a_deadline(
    town: Town, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("swarm_ray.core.patience.GRACE_S", 0.3)
    town.hosts.add()
    liar = Liar(town, lambda one: replace(one, outcome=replace(one.outcome, run="f" * 32)))
    files = letters(SKILL, swaps={PLACE: f"{PLACE}      item_deadline: 1s\n"})
    run = town.open(files, letters=list(range(6)))
    assert town.end(run).output == list(range(6))
    lost = [one for one in town.events(run) if isinstance(one, ev.HostLost)]
    assert [(one.host, one.reason) for one in lost] == [(liar.name, "overdue")]
