"""What every ledger promises: the one on disk and the one of the simulated world."""

import pytest

from swarm_ray.errors import IntegrityError, SwarmError, UsageError
from swarm_ray.ledger.rules import read_checkpoint
from swarm_ray.ports.log import Append, Body, Snapshot
from swarm_ray.values import merkle
from swarm_ray.values.codec import MAX_ENTRY_BYTES
from swarm_ray.values.commitments import opens

RUN = "018bcfe5680074309e0bb61cb08f4760"
OTHER = "018bcfe5680074309e0bb61cb08f4761"
ENTRIES = [b'{"n":%d}' % n for n in range(7)]


def refusal(call, *arguments, **options):
    with pytest.raises(SwarmError) as caught:
        call(*arguments, **options)
    return caught.value


def with_run(log, entries=ENTRIES, **options):
    epoch = log.acquire_epoch("coordinator-1")
    log.commit([Append(RUN, epoch, 0, entries, **options)])
    return epoch


def test_entries_come_back_in_order(log):
    with_run(log)
    assert list(log.entries(RUN)) == ENTRIES
    assert list(log.entries(RUN, 2, 5)) == ENTRIES[2:5]
    assert list(log.entries(RUN, 7)) == []


def test_the_root_is_that_of_the_entries(log):
    epoch = with_run(log, ENTRIES[:3])
    (head,) = log.commit([Append(RUN, epoch, 3, ENTRIES[3:])])
    expected = merkle.root([merkle.leaf_hash(entry) for entry in ENTRIES])
    assert (head.size, head.root) == (7, expected.hex())
    assert log.head(RUN) == log.check(RUN) == head


def test_one_commit_covers_many_runs_and_one_run_twice(log):
    epoch = log.acquire_epoch("coordinator-1")
    heads = log.commit(
        [
            Append(RUN, epoch, 0, ENTRIES[:1]),
            Append(OTHER, epoch, 0, ENTRIES[:2]),
            Append(RUN, epoch, 1, ENTRIES[1:3]),
        ]
    )
    assert [head.size for head in heads] == [1, 2, 3]
    assert [head.log_id for head in log.logs("run")] == [RUN, OTHER]
    assert list(log.entries(RUN)) == ENTRIES[:3]


def test_a_writer_with_an_old_epoch_is_refused(log):
    old = with_run(log)
    new = log.acquire_epoch("coordinator-2")
    assert new == old + 1 == log.epoch()
    error = refusal(log.commit, [Append(RUN, old, 7, ENTRIES)])
    assert (error.code, error.fields["epoch"]) == ("ledger.stale_epoch", new)
    log.commit([Append(RUN, new, 7, ENTRIES)])


def test_of_two_that_take_over_at_once_one_is_refused(log):
    assert log.acquire_epoch("a", expected=0) == 1
    assert refusal(log.acquire_epoch, "b", expected=0).code == "ledger.stale_epoch"


def test_the_supervisor_has_an_epoch_of_its_own(log):
    log.acquire_epoch("coordinator-1")
    epoch = log.acquire_epoch("coordinator-2")
    grants = log.acquire_epoch("supervisor-1", role="supervisor")
    assert (epoch, grants) == (2, 1)
    log.commit([Append("effects", grants, 0, ENTRIES[:1], kind="effects")])
    error = refusal(log.commit, [Append("effects", epoch, 1, ENTRIES[:1], kind="effects")])
    assert error.code == "ledger.stale_epoch"


def test_a_writer_with_an_old_size_is_refused_and_nothing_of_its_batch_stays(log):
    epoch = with_run(log)
    body = Body.seal("run.output", bytes(32), b"result", "output", OTHER)
    batch = [Append(OTHER, epoch, 0, ENTRIES, [body]), Append(RUN, epoch, 6, ENTRIES)]
    error = refusal(log.commit, batch)
    assert (error.code, error.fields["size"]) == ("ledger.size_conflict", 7)
    assert refusal(log.head, OTHER).code == "ledger.unknown_log"
    assert refusal(log.get_body, body.commitment).code == "ledger.body_unknown"
    assert log.check(RUN).size == 7


def test_a_closed_run_takes_no_entry_until_it_is_reopened(log):
    epoch = with_run(log, closes=True)
    assert log.head(RUN).state == "closed"
    assert refusal(log.commit, [Append(RUN, epoch, 7, ENTRIES)]).code == "ledger.log_closed"
    (head,) = log.commit([Append(RUN, epoch, 7, ENTRIES, reopens=True)])
    assert head.state == "open"


@pytest.mark.parametrize(
    ("entry", "code"),
    [(b"", "ledger.entry_empty"), (b"x" * (MAX_ENTRY_BYTES + 1), "ledger.entry_too_large")],
)
def test_an_entry_has_a_size(log, entry, code):
    epoch = with_run(log)
    assert refusal(log.commit, [Append(RUN, epoch, 7, [entry])]).code == code
    log.commit([Append(RUN, epoch, 7, [b"x" * MAX_ENTRY_BYTES])])


def test_a_log_keeps_its_kind(log):
    epoch = with_run(log)
    error = refusal(log.commit, [Append(RUN, epoch, 7, ENTRIES, kind="admin")])
    assert error.code == "ledger.wrong_kind"


def test_what_does_not_exist_is_named(log):
    assert refusal(log.head, RUN).code == "ledger.unknown_log"
    with_run(log)
    assert refusal(lambda: list(log.entries(RUN, 0, 8))).code == "ledger.out_of_range"
    assert refusal(log.get_body, "0" * 64).code == "ledger.body_unknown"
    assert refusal(log.get_body, "text").code == "ledger.body_unknown"


def test_inclusion_and_growth_are_proven_at_any_size(log):
    with_run(log)
    for size in range(1, 8):
        for seq in range(size):
            proof = log.inclusion(RUN, seq, size)
            merkle.verify_inclusion(proof.leaf, seq, size, proof.path, proof.root)
            assert proof.leaf == merkle.leaf_hash(ENTRIES[seq])
        growth = log.consistency(RUN, size)
        merkle.verify_consistency(size, 7, growth.root1, growth.root2, growth.path)
        assert growth.root2.hex() == log.head(RUN).root


@pytest.mark.parametrize("size", [0, 4096, 4097, 100_000])
def test_a_body_comes_back_by_its_commitment(log, size):
    epoch = with_run(log)
    commitment = log.put_body("run.output", b"x" * size, "output", RUN)
    assert log.get_body(commitment) == b"x" * size
    log.commit([Append(RUN, epoch, 7, ENTRIES[:1])])
    assert log.get_body(commitment) == b"x" * size
    body = log.open_body(commitment)
    assert opens(commitment, "run.output", body.salt, body.data)
    assert (body.retention, body.run) == ("output", RUN)


def test_equal_bodies_have_different_commitments(log):
    assert log.put_body("a.b", b"yes", "reason", "") != log.put_body("a.b", b"yes", "reason", "")


def test_a_body_that_its_commitment_does_not_name_is_refused(log):
    epoch = with_run(log)
    false = Body(
        Body.seal("a.b", bytes(32), b"x", "output", RUN).commitment,
        "a.b",
        bytes(32),
        b"y",
        "output",
        RUN,
    )
    error = refusal(log.commit, [Append(RUN, epoch, 7, ENTRIES, [false])])
    assert error.code == "ledger.body_mismatch"


@pytest.mark.parametrize("retention", ["input", "context", "output", "artifact"])
@pytest.mark.parametrize("size", [10, 5000])
def test_what_resume_needs_stays_until_the_run_is_closed(log, retention, size):
    epoch = with_run(log)
    commitment = log.put_body("a.b", b"x" * size, retention, RUN)
    log.commit([Append(RUN, epoch, 7, ENTRIES[:1])])
    assert refusal(log.delete_body, commitment).code == "ledger.body_needed"
    log.commit([Append(RUN, epoch, 8, ENTRIES[:1], closes=True)])
    log.delete_body(commitment)
    assert refusal(log.get_body, commitment).code == "ledger.body_deleted"
    assert refusal(log.delete_body, commitment).code == "ledger.body_deleted"


def test_a_body_of_a_run_that_is_not_open_yet_is_needed_too(log):
    commitment = log.put_body("a.b", b"x", "input", RUN)
    assert refusal(log.delete_body, commitment).code == "ledger.body_needed"


@pytest.mark.parametrize("retention", ["error", "reason", "key"])
def test_other_bodies_can_go_at_once(log, retention):
    with_run(log)
    commitment = log.put_body("a.b", b"x", retention, RUN)
    log.delete_body(commitment)
    assert refusal(log.get_body, commitment).code == "ledger.body_deleted"


@pytest.mark.parametrize("size", [10, 5000])
def test_a_deleted_body_is_not_revived_by_a_late_copy(log, size):
    epoch = with_run(log)
    body = Body.seal("a.b", bytes(32), b"x" * size, "error", RUN)
    log.commit([Append(RUN, epoch, 7, ENTRIES[:1], [body])])
    log.commit([Append(RUN, epoch, 8, ENTRIES[:1], [body])])
    log.delete_body(body.commitment)
    error = refusal(log.commit, [Append(RUN, epoch, 9, ENTRIES[:1], [body])])
    assert error.code == "ledger.body_deleted"
    assert log.head(RUN).size == 9


def test_a_dropped_run_keeps_its_leaf_in_the_index(log):
    epoch = with_run(log)
    commitment = log.put_body("a.b", b"x" * 5000, "output", RUN)
    assert refusal(log.drop_run, RUN, epoch).code == "ledger.run_open"
    log.commit([Append(RUN, epoch, 7, ENTRIES[:1], closes=True)])
    assert refusal(log.drop_run, RUN, epoch).code == "ledger.not_indexed"
    before = log.head(RUN)
    index = log.index_checkpoint(epoch, [RUN], 99)
    assert refusal(log.drop_run, RUN, epoch - 1).code == "ledger.stale_epoch"
    log.drop_run(RUN, epoch)

    assert (log.head(RUN).state, log.head(RUN).root) == ("dropped", before.root)
    for call in (log.check, log.inclusion, lambda run, _=0: list(log.entries(run))):
        arguments = (RUN, 0) if call == log.inclusion else (RUN,)
        assert refusal(call, *arguments).code == "ledger.log_dropped"
    assert refusal(log.get_body, commitment).code == "ledger.body_unknown"
    error = refusal(log.commit, [Append(RUN, epoch, 8, ENTRIES, reopens=True)])
    assert error.code == "ledger.log_dropped"

    assert log.check("index") == index
    fields = read_checkpoint(next(log.entries("index")))
    assert (fields["log_id"], fields["size"], fields["root"]) == (RUN, 8, before.root)
    assert (fields["state"], fields["time_us"]) == ("closed", 99)


def test_the_index_covers_every_named_log_and_knows_how_far(log):
    epoch = with_run(log)
    log.commit([Append("admin", epoch, 0, ENTRIES[:2], kind="admin")])
    assert log.index_checkpoint(epoch, [RUN, "admin"], 1).size == 2
    log.commit([Append(RUN, epoch, 7, ENTRIES[:1])])
    assert (log.head(RUN).indexed_size, log.head("admin").indexed_size) == (7, 2)
    assert log.index_checkpoint(epoch, [RUN], 2).size == 3
    assert refusal(log.index_checkpoint, epoch, [OTHER], 3).code == "ledger.unknown_log"
    assert refusal(log.index_checkpoint, epoch - 1, [RUN], 3).code == "ledger.stale_epoch"
    assert refusal(log.drop_run, "admin", epoch).code == "ledger.wrong_kind"


def test_an_entry_that_is_no_checkpoint_is_refused():
    with pytest.raises(IntegrityError) as caught:
        read_checkpoint(b'{"kind":"timer"}')
    assert caught.value.code == "ledger.not_a_checkpoint"


def test_a_snapshot_is_kept_only_under_the_root_of_the_log(log):
    epoch = with_run(log, ENTRIES[:4])
    early = log.head(RUN)
    log.commit([Append(RUN, epoch, 4, ENTRIES[4:])])
    assert log.get_snapshot(RUN) is None
    snapshot = Snapshot(RUN, 4, early.root, 1, b"state after four")
    log.put_snapshot(snapshot)
    assert log.get_snapshot(RUN) == snapshot
    for size, root in ((4, log.head(RUN).root), (8, early.root), (-1, early.root)):
        error = refusal(log.put_snapshot, Snapshot(RUN, size, root, 1, b"false"))
        assert error.code == "ledger.snapshot_mismatch"
    latest = Snapshot(RUN, 7, log.head(RUN).root, 1, b"state after seven")
    log.put_snapshot(latest)
    assert log.get_snapshot(RUN) == latest
    log.drop_snapshot(RUN)
    assert log.get_snapshot(RUN) is None


def test_usage_errors_carry_a_remedy(log):
    error = refusal(log.head, RUN)
    assert isinstance(error, UsageError)
    assert error.hint
