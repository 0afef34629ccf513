"""What a host delivers counts only if it is what was ordered, signed by that very host."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from engine_story import Town, letters

from swarm_ray.attestation.batch import sign_batch
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.core import events as ev
from swarm_ray.engine.orders import result_header, result_statements
from swarm_ray.ports.hosts import Delivery
from swarm_ray.values.codec import encode_standard

SKILL = "def sort(inputs, ctx):\n    return inputs['letter']\n"
Spoil = Callable[[Delivery, list[Delivery]], Delivery]


def rows_changed(delivery: Delivery, **fields: object) -> Delivery:
    outcome = delivery.outcome
    rows = tuple(replace(row, **fields) for row in outcome.rows)
    return replace(delivery, outcome=replace(outcome, rows=rows))


def forged_label(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, label="gold")


def forged_cost(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, tokens=1)


def forged_isolation(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, isolation="vm-kvm")


def forged_model(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, model="gpt@https://api.example.org/v1")


def forged_sandbox(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, sandboxes=('{"driver":"vm"}',))


def no_sandbox(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, sandboxes=())


def long_model(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, model="m" * 257)


def invisible_model(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, model="gpt\u200b@here")


def untidy_sandbox(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, sandboxes=('{"driver": "vm"}',))


def large_sandbox(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, sandboxes=('{"driver":"' + "x" * 8_192 + '"}',))


def many_sandboxes(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, sandboxes=tuple(f'{{"driver":"{n}"}}' for n in range(9)))


def not_ordered(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, attempt=7)


def too_many_sub_agents(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, sub_agents=1)


def endless_label(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, label="g" * 40_000)


def label_of_another_type(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, label=1.5)


def endless_code(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, code="a." + "b" * 40_000)


def negative_tokens(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, tokens=-1)


def written_by_the_coordinator(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, rule=1)


def no_commitment(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return rows_changed(delivery, extras="x" * 64)


def other_body(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(
        delivery, bodies=tuple(replace(body, data=b'"forged"') for body in delivery.bodies)
    )


def no_body(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, bodies=())


def other_envelope(delivery: Delivery, earlier: list[Delivery]) -> Delivery:
    return replace(delivery, envelope=earlier[0].envelope)


def other_sequence(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, outcome=replace(delivery.outcome, sequence=9))


def garbage(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, envelope=b"{}")


def truncated(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, envelope=delivery.envelope[:-7])


def written_anew(delivery: Delivery, _: list[Delivery]) -> Delivery:
    return replace(delivery, envelope=json.dumps(json.loads(delivery.envelope)).encode())


def forged_signature(delivery: Delivery, earlier: list[Delivery]) -> Delivery:
    fields = json.loads(delivery.envelope)
    fields["signatures"] = json.loads(earlier[0].envelope)["signatures"]
    return replace(delivery, envelope=encode_standard(fields))


def outputs_swapped(delivery: Delivery, _: list[Delivery]) -> Delivery:
    """A worker's result stands at its sibling's item; the bodies are those that the rows name."""
    first, second, *others = delivery.outcome.rows
    swapped = (
        replace(first, output=second.output),
        replace(second, output=first.output),
        *others,
    )
    return replace(delivery, outcome=replace(delivery.outcome, rows=swapped))


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (forged_label, "attestation.root_mismatch"),
        (forged_cost, "attestation.root_mismatch"),
        (forged_isolation, "desk.bad_delivery"),
        (outputs_swapped, "attestation.root_mismatch"),
        (other_sequence, "attestation.replayed"),
        (other_envelope, "attestation.replayed"),
        (forged_signature, "attestation.bad_signature"),
        (truncated, "attestation.truncated"),
        (written_anew, "attestation.not_canonical"),
        (forged_model, "attestation.root_mismatch"),
        (forged_sandbox, "attestation.root_mismatch"),
        (no_sandbox, "attestation.root_mismatch"),
        (long_model, "desk.bad_model"),
        (invisible_model, "desk.bad_model"),
        (untidy_sandbox, "desk.bad_sandbox"),
        (large_sandbox, "desk.bad_sandbox"),
        (many_sandboxes, "desk.bad_sandbox"),
        (not_ordered, "desk.unordered_row"),
        (too_many_sub_agents, "desk.over_delegates"),
        (endless_label, "desk.bad_row"),
        (label_of_another_type, "desk.bad_row"),
        (endless_code, "desk.bad_row"),
        (negative_tokens, "desk.bad_row"),
        (written_by_the_coordinator, "desk.bad_row"),
        (no_commitment, "desk.bad_row"),
        (other_body, "desk.wrong_body"),
        (no_body, "desk.wrong_body"),
        (garbage, "attestation.malformed"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_host_whose_delivery_is_not_true_is_given_up_and_its_work_done_elsewhere(
    town: Town, spoil: Spoil, code: str
):
    honest = town.run(letters(SKILL), letters=["first"])
    assert honest.status == "done"
    kept: list[Delivery] = []
    liar = next(iter(town.hosts.shells))

    def spoiled(delivery: Delivery) -> Delivery:
        if kept and delivery.envelope != kept[0].envelope and delivery.outcome.run == run:
            return spoil(delivery, kept)
        return delivery

    town.hosts.spoil = lambda delivery: kept.append(delivery) or delivery
    town.run(letters(SKILL), letters=["second"])
    run = ""
    town.hosts.spoil = spoiled
    run = town.open(letters(SKILL), letters=["a", "b"])
    lost = town.until(
        lambda: [one for one in town.events(run) if isinstance(one, ev.HostLost)], "the refusal"
    )
    assert (lost[0].host, lost[0].reason) == (liar, code)
    town.hosts.spoil = lambda delivery: delivery
    result = town.end(run)
    assert result.output == ["a", "b"]
    assert liar not in {item.host for item in result}


def test_a_delivery_signed_by_another_key_is_refused(town: Town):
    stranger = SigningKey.generate()

    def signed_by_a_stranger(delivery: Delivery) -> Delivery:
        parcel = next(p for p in town.hosts.parcels if p.order.batch == delivery.outcome.batch)
        info = town.hosts.seats()[0]
        statements = result_statements(parcel, delivery.outcome.rows, info, delivery.isolation)
        header = result_header(parcel, delivery.outcome, parcel.order.epoch)
        return replace(delivery, envelope=sign_batch(stranger, header, statements))

    town.hosts.spoil = signed_by_a_stranger
    run = town.open(letters(SKILL), letters=["a"])
    [lost] = town.until(
        lambda: [one for one in town.events(run) if isinstance(one, ev.HostLost)], "the refusal"
    )
    assert lost.reason == "attestation.unknown_key"


def test_a_delivery_signed_in_the_name_of_another_site_is_refused(town: Town):
    def elsewhere(delivery: Delivery) -> Delivery:
        parcel = next(p for p in town.hosts.parcels if p.order.batch == delivery.outcome.batch)
        shell = town.hosts.shells[parcel.host]
        header = result_header(parcel, delivery.outcome, parcel.order.epoch)
        rows, isolation = delivery.outcome.rows, delivery.isolation
        statements = result_statements(parcel, rows, shell.info, isolation)
        moved = replace(header, host=f"elsewhere/{header.host}")
        return replace(delivery, envelope=sign_batch(shell._deliveries._key, moved, statements))

    town.hosts.spoil = elsewhere
    run = town.open(letters(SKILL), letters=["a"])
    [lost] = town.until(
        lambda: [one for one in town.events(run) if isinstance(one, ev.HostLost)], "the refusal"
    )
    assert lost.reason == "attestation.wrong_site"


def test_a_delivery_that_comes_twice_counts_once(town: Town):
    town.hosts.copies = 2
    result = town.run(letters(SKILL), letters=list(range(12)))
    assert result.output == list(range(12))
    assert (result.usage.attempts, [item.attempts for item in result]) == (12, [1] * 12)


def test_a_host_that_dies_in_mid_batch_loses_its_attempts_to_another(town: Town):
    skill = (
        "import time\ndef sort(inputs, ctx):\n    time.sleep(0.3)\n    return inputs['letter']\n"
    )
    first = next(iter(town.hosts.shells))
    run = town.open(letters(skill), letters=list(range(24)))
    town.until(lambda: town.attempts(run), "a result")
    town.hosts.add()
    town.hosts.lose(first)
    result = town.end(run)
    assert result.output == list(range(24))
    lost = [one for one in result if one.attempts > 1]
    assert lost, "the dead host held nothing"
    settled = town.attempts(run)
    assert len(settled) == len(set(settled)) == 24


def test_an_order_that_was_tampered_with_is_not_executed(town: Town):
    town.run(letters(SKILL), letters=["a"])
    [shell] = town.hosts.shells.values()
    parcel = town.hosts.parcels[-1]
    for changed in (
        replace(parcel, payloads=(b'{"letter":"b"}',), inputs=("0" * 64,)),
        replace(parcel, nonce="f" * 32),
        replace(parcel, slice_tokens=10**9),
        replace(parcel, host="another"),
        replace(parcel, context="0" * 64),
    ):
        with pytest.raises(Exception, match=r"\[attestation\."):
            shell.submit(town.service.ready()["epoch"], changed)


def test_a_sandbox_is_described_once_and_first_also_by_a_coordinator_that_comes_back(town: Town):
    skill = (
        "import time\ndef sort(inputs, ctx):\n    time.sleep(0.3)\n    return inputs['letter']\n"
    )
    run = town.open(letters(skill), letters=list(range(12)))
    town.until(lambda: town.attempts(run), "a result")
    before = len(town.attempts(run))
    town.restart()
    assert town.end(run).output == list(range(12))
    events = [one for one in town.events(run) if isinstance(one, ev.Settled | ev.SandboxSeen)]
    assert len(town.attempts(run)) > before, "nothing was left to the second coordinator"
    assert [type(one) for one in events].count(ev.SandboxSeen) == 1
    seen, *settled = events
    assert isinstance(seen, ev.SandboxSeen)
    assert {one.sandbox for one in settled} == {seen.digest}
