"""The ledger on disk: damage is found, failures leave nothing, processes exclude each other."""

import multiprocessing
import os
import resource
import sqlite3
from pathlib import Path

import pytest

from swarm_ray.errors import IntegrityError, SwarmError, UsageError
from swarm_ray.ledger.body_files import BodyFiles
from swarm_ray.ledger.database import open_database
from swarm_ray.ledger.reader import Reader
from swarm_ray.ledger.store import STAGED_LIMIT, Store
from swarm_ray.ports.log import Append, Body, Snapshot

RUN = "018bcfe5680074309e0bb61cb08f4760"
FUTURE_US = 2**52
ENTRIES = [b'{"n":%d}' % n for n in range(600)]


def written(folder: Path) -> None:
    with Store.open(folder) as store:
        epoch = store.acquire_epoch("coordinator-1")
        store.commit([Append(RUN, epoch, 0, ENTRIES)])
        store.put_body("a.b", b"small", "error", RUN)
        store.commit(())


def change(folder: Path, sql: str, *values: object) -> None:
    connection = sqlite3.connect(folder / "ledger.sqlite3")
    connection.execute(sql, values)
    connection.commit()
    connection.close()


def damage(folder: Path) -> SwarmError:
    with Store.open(folder) as store, pytest.raises(IntegrityError) as caught:
        store.check(RUN)
    return caught.value


def sweep(store: Store) -> int:
    """Delete every body that no run can need; return how many there were."""
    found = store.unclaimed_bodies(FUTURE_US)
    store.remove_bodies(found)
    return len(found)


def test_what_was_committed_is_there_after_reopening(tmp_path):
    written(tmp_path)
    with Store.open(tmp_path, create=False) as store:
        assert list(store.entries(RUN)) == ENTRIES
        assert store.check(RUN).size == len(ENTRIES)
        epoch = store.acquire_epoch("coordinator-2")
        assert store.commit([Append(RUN, epoch, 600, ENTRIES[:1])])[0].size == 601


def test_a_staged_body_that_no_commit_followed_is_gone_and_its_file_is_swept(tmp_path):
    with Store.open(tmp_path) as store:
        kept = store.put_body("a.b", b"x" * 5000, "output", RUN)
        store.commit([Append(RUN, store.acquire_epoch("coordinator-1"), 0, ENTRIES[:1])])
        lost = store.put_body("a.b", b"y" * 5000, "output", RUN)
    with Store.open(tmp_path) as store:
        assert store.get_body(kept) == b"x" * 5000
        with pytest.raises(UsageError):
            store.get_body(lost)
        (tmp_path / "bodies" / "ab").mkdir(exist_ok=True)
        (tmp_path / "bodies" / "ab" / ("c" * 62 + ".partial")).write_bytes(b"torn")
        assert sweep(store) == 2
        assert sweep(store) == 0
        assert store.get_body(kept) == b"x" * 5000


def test_a_body_whose_run_never_came_to_be_is_unclaimed_once_it_is_old(tmp_path):
    written(tmp_path)
    with Store.open(tmp_path) as store:
        small = store.put_body("a.b", b"orphan", "input", RUN[::-1])
        large = store.put_body("a.b", b"orphan" * 1000, "input", RUN[::-1])
        kept = store.put_body("a.b", b"kept" * 2000, "input", RUN)
        of_nobody = store.put_body("a.b", b"an effect of no run", "reason", "")
        store.commit(())
        assert store.unclaimed_bodies(0) == []
        assert sorted(store.unclaimed_bodies(FUTURE_US)) == sorted([small, large])
        assert sweep(store) == 2
        assert holders(tmp_path, b"orphan") == []
        assert store.get_body(kept) == b"kept" * 2000
        assert store.get_body(of_nobody)


def test_many_staged_bodies_do_not_pile_up(store, tmp_path):
    commitments = [store.put_body("a.b", b"x", "error", "") for _ in range(STAGED_LIMIT + 1)]
    with Reader.open_readonly(tmp_path / "ledger") as reader:
        assert reader.get_body(commitments[0]) == b"x"


@pytest.mark.parametrize("seq", [0, 255, 256, 599])
def test_the_first_changed_entry_is_named(tmp_path, seq):
    written(tmp_path)
    change(tmp_path, "UPDATE entries SET data = ? WHERE seq >= ?", b"{}", seq)
    error = damage(tmp_path)
    assert (error.code, error.fields["seq"]) == ("ledger.corrupt_entry", seq)
    with Store.open(tmp_path) as store, pytest.raises(IntegrityError) as caught:
        list(store.entries(RUN))
    assert caught.value.fields["seq"] == seq


@pytest.mark.parametrize("seq", [0, 300, 599])
def test_a_missing_entry_is_named(tmp_path, seq):
    written(tmp_path)
    change(tmp_path, "DELETE FROM entries WHERE seq = ?", seq)
    error = damage(tmp_path)
    assert (error.code, error.fields["seq"]) == ("ledger.corrupt_entry", seq)


def test_an_entry_behind_the_counted_end_is_named(tmp_path):
    written(tmp_path)
    change(tmp_path, "INSERT INTO entries SELECT log, 600, leaf, data FROM entries WHERE seq = 0")
    error = damage(tmp_path)
    assert (error.code, error.fields["seq"]) == ("ledger.corrupt_entry", 600)


def test_an_entry_changed_together_with_its_hash_breaks_the_root(tmp_path):
    written(tmp_path)
    change(
        tmp_path,
        "UPDATE entries SET data = (SELECT data FROM entries WHERE seq = 1),"
        " leaf = (SELECT leaf FROM entries WHERE seq = 1) WHERE seq = 2",
    )
    assert damage(tmp_path).code == "ledger.root_mismatch"


@pytest.mark.parametrize("column", ["root", "frontier"])
def test_a_changed_root_or_frontier_is_noticed_and_nothing_is_appended_to_it(tmp_path, column):
    written(tmp_path)
    with Store.open(tmp_path) as store:
        whole = store.head(RUN)
    frontier_of_one = (1).to_bytes(8, "big") + bytes(32)
    value = bytes(32) if column == "root" else frontier_of_one
    change(tmp_path, f"UPDATE logs SET {column} = ?", value)
    assert damage(tmp_path).code == "ledger.root_mismatch"
    with Store.open(tmp_path) as store:
        epoch = store.acquire_epoch("coordinator-2")
        with pytest.raises(IntegrityError) as caught:
            store.commit([Append(RUN, epoch, whole.size, ENTRIES[:1])])
    assert caught.value.code == "ledger.root_mismatch"


@pytest.mark.parametrize(
    ("table", "column", "value", "code"),
    [
        ("entries", "data", "text", "ledger.corrupt_entry"),
        ("entries", "data", 7, "ledger.corrupt_entry"),
        ("entries", "leaf", "text", "ledger.corrupt_entry"),
        ("logs", "root", "text", "ledger.root_mismatch"),
        ("logs", "frontier", "text", "ledger.root_mismatch"),
        ("logs", "size", "many", "ledger.corrupt_head"),
        ("logs", "epoch", "first", "ledger.corrupt_head"),
        ("logs", "state", "ajar", "ledger.corrupt_head"),
    ],
)
def test_a_value_of_another_type_is_damage_like_any_other(tmp_path, table, column, value, code):
    written(tmp_path)
    where = " WHERE seq = 3" if table == "entries" else ""
    change(tmp_path, f"UPDATE {table} SET {column} = ?{where}", value)
    error = damage(tmp_path)
    assert error.code == code
    assert error.hint
    if table == "entries":
        assert error.fields["seq"] == 3


def test_text_that_is_no_text_is_damage_as_well(tmp_path):
    written(tmp_path)
    change(tmp_path, "UPDATE logs SET state = CAST(x'ff80' AS TEXT)")
    assert damage(tmp_path).code == "ledger.corrupt_file"


@pytest.mark.parametrize("column", ["salt", "data", "tag"])
def test_a_body_whose_row_is_damaged_is_not_what_was_committed(tmp_path, column):
    with Store.open(tmp_path) as store:
        body = store.put_body("a.b", b"small", "error", RUN)
        store.commit(())
    change(tmp_path, f"UPDATE bodies SET {column} = ?", "Ä")
    with Store.open(tmp_path) as store, pytest.raises(IntegrityError) as caught:
        store.get_body(body)
    assert caught.value.code == "ledger.body_mismatch"


def test_an_epoch_that_is_no_number_is_damage(tmp_path):
    written(tmp_path)
    change(tmp_path, "UPDATE epochs SET epoch = 'first'")
    with Store.open(tmp_path) as store, pytest.raises(IntegrityError) as caught:
        store.acquire_epoch("coordinator-2")
    assert caught.value.code == "ledger.corrupt_epoch"


def test_a_changed_body_is_noticed_and_can_still_be_deleted(tmp_path):
    with Store.open(tmp_path) as store:
        small = store.put_body("a.b", b"small", "error", RUN)
        large = store.put_body("a.b", b"x" * 5000, "error", RUN)
        gone = store.put_body("a.b", b"y" * 5000, "error", RUN)
        store.commit(())
    change(tmp_path, "UPDATE bodies SET data = ? WHERE place = 'row'", b"other")
    (tmp_path / "bodies" / large[:2] / large[2:]).write_bytes(b"other")
    (tmp_path / "bodies" / gone[:2] / gone[2:]).unlink()
    with Store.open(tmp_path) as store:
        codes = []
        for commitment in (small, large, gone):
            with pytest.raises(IntegrityError) as caught:
                store.get_body(commitment)
            codes.append(caught.value.code)
            store.delete_body(commitment)
    assert codes == ["ledger.body_mismatch", "ledger.body_mismatch", "ledger.body_missing"]


def holders(folder: Path, secret: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret in path.read_bytes()]


@pytest.mark.parametrize("size", [1, 10, 100, 200, 1000])
def test_the_bytes_of_a_deleted_body_are_nowhere_in_the_folder(tmp_path, size):
    secret = b"name of a person, "
    with Store.open(tmp_path) as store:
        others = [store.put_body("a.b", b"neighbour" * 20, "error", RUN) for _ in range(30)]
        body = store.put_body("a.b", secret * size, "error", RUN)
        others += [store.put_body("a.b", b"neighbour" * 20, "error", RUN) for _ in range(30)]
        store.commit(())
        assert holders(tmp_path, secret)
        store.delete_body(body)
        assert holders(tmp_path, secret) == []
        assert store.get_body(others[-1]) == b"neighbour" * 20


def test_a_late_copy_of_a_deleted_body_leaves_no_file(tmp_path):
    secret = b"name of a person, "
    body = Body.seal("a.b", bytes(32), secret * 1000, "error", RUN)
    with Store.open(tmp_path) as store:
        epoch = store.acquire_epoch("coordinator-1")
        store.commit([Append(RUN, epoch, 0, ENTRIES[:1], [body])])
        store.delete_body(body.commitment)
        with pytest.raises(IntegrityError):
            store.commit([Append(RUN, epoch, 1, ENTRIES[:1], [body])])
        assert holders(tmp_path, secret) == []


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("state", b"other"),
        ("state", "text"),
        ("digest", "text"),
        ("root", bytes(32)),
        ("size", 10_000),
        ("size", "many"),
        ("semantics", "one"),
    ],
)
def test_a_damaged_snapshot_is_refused(tmp_path, column, value):
    written(tmp_path)
    with Store.open(tmp_path) as store:
        head = store.head(RUN)
        store.put_snapshot(Snapshot(RUN, head.size, head.root, 1, b"state"))
    change(tmp_path, f"UPDATE snapshots SET {column} = ?", value)
    with Store.open(tmp_path) as store, pytest.raises(IntegrityError) as caught:
        store.get_snapshot(RUN)
    assert caught.value.code == "ledger.snapshot_mismatch"


def test_a_reader_sees_what_the_writer_commits_and_writes_nothing(tmp_path):
    with Store.open(tmp_path) as store:
        epoch = store.acquire_epoch("coordinator-1")
        store.commit([Append(RUN, epoch, 0, ENTRIES[:300])])
        with Reader.open_readonly(tmp_path) as reader:
            entries = reader.entries(RUN)
            assert next(entries) == ENTRIES[0]
            store.commit([Append(RUN, epoch, 300, ENTRIES[300:])])
            assert list(entries) == ENTRIES[1:300]
            assert reader.check(RUN) == store.head(RUN)
    with Reader.open_readonly(tmp_path) as reader:
        assert reader.check(RUN).size == 600


def test_a_reader_of_a_run_that_is_being_dropped_is_told_so(tmp_path):
    with Store.open(tmp_path) as store:
        epoch = store.acquire_epoch("coordinator-1")
        store.commit([Append(RUN, epoch, 0, ENTRIES, closes=True)])
        store.index_checkpoint(epoch, [RUN], 1)
        with Reader.open_readonly(tmp_path) as reader:
            entries = reader.entries(RUN)
            next(entries)
            store.drop_run(RUN, epoch)
            with pytest.raises(UsageError) as caught:
                list(entries)
    assert caught.value.code == "ledger.log_dropped"


def test_a_missing_or_foreign_ledger_is_named(tmp_path):
    for open_it in (Reader.open_readonly, lambda folder: Store.open(folder, create=False)):
        with pytest.raises(UsageError) as caught:
            open_it(tmp_path)
        assert caught.value.code == "ledger.not_found"
    written(tmp_path)
    change(tmp_path, "UPDATE meta SET value = '99'")
    with pytest.raises(UsageError) as caught:
        Store.open(tmp_path)
    assert caught.value.code == "ledger.unknown_version"
    (tmp_path / "ledger.sqlite3").write_bytes(b"this is not a database at all" * 100)
    with pytest.raises(IntegrityError) as caught:
        Store.open(tmp_path)
    assert caught.value.code == "ledger.corrupt_file"


def take_over_and_append(folder: Path, barrier, answers) -> None:
    with Store.open(folder) as store:
        seen = store.epoch()
        barrier.wait()
        try:
            epoch = store.acquire_epoch("rival", expected=seen)
            store.commit([Append(RUN, epoch, 0, ENTRIES[:1])])
            answers.put("won")
        except IntegrityError as error:
            answers.put(error.code)


def test_of_two_coordinators_in_two_processes_exactly_one_acts(tmp_path):
    Store.open(tmp_path).close()
    context = multiprocessing.get_context("spawn")
    barrier, answers = context.Barrier(2), context.Queue()
    rivals = [
        context.Process(target=take_over_and_append, args=(tmp_path, barrier, answers))
        for _ in range(2)
    ]
    for rival in rivals:
        rival.start()
    found = sorted(answers.get(timeout=30) for _ in rivals)
    for rival in rivals:
        rival.join(timeout=30)
    assert found == ["ledger.stale_epoch", "won"]
    with Store.open(tmp_path) as store:
        assert store.head(RUN).size == 1


def test_the_old_coordinator_is_refused_after_another_process_took_over(tmp_path):
    with Store.open(tmp_path) as old:
        epoch = old.acquire_epoch("old")
        old.commit([Append(RUN, epoch, 0, ENTRIES[:1])])
        with Store.open(tmp_path) as new:
            later = new.acquire_epoch("new")
            new.commit([Append(RUN, later, 1, ENTRIES[:1])])
        with pytest.raises(IntegrityError) as caught:
            old.commit([Append(RUN, epoch, 1, ENTRIES[:1])])
        assert caught.value.code == "ledger.stale_epoch"
        assert old.head(RUN).size == 2


def test_a_full_disk_stores_nothing_of_the_batch_and_room_heals_it(tmp_path):
    database = open_database(tmp_path, create=True, readonly=False)
    store = Store(database, BodyFiles(tmp_path))
    epoch = store.acquire_epoch("coordinator-1")
    before = store.commit([Append(RUN, epoch, 0, ENTRIES[:10])])[0]
    database.limit_pages(40)
    with pytest.raises(SwarmError) as caught:
        store.commit([Append(RUN, epoch, 10, [b"x" * 30_000] * 20)])
    assert caught.value.code == "ledger.write_failed"
    assert store.check(RUN) == before
    database.limit_pages(100_000)
    assert store.commit([Append(RUN, epoch, 10, ENTRIES[:1])])[0].size == 11
    store.close()


def write_under_a_file_limit(folder: Path, answers) -> None:
    store = Store.open(folder)
    epoch = store.acquire_epoch("coordinator-1")
    store.commit([Append(RUN, epoch, 0, ENTRIES[:10])])
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
    codes = []
    for write in (
        lambda: store.put_body("a.b", b"x" * 300_000, "output", RUN),
        lambda: store.commit([Append(RUN, epoch, 10, [b"x" * 30_000] * 20)]),
    ):
        try:
            write()
            codes.append("written")
        except SwarmError as error:
            codes.append(error.code)
    answers.put(codes)


def test_a_write_error_of_the_system_leaves_the_ledger_whole(tmp_path):
    context = multiprocessing.get_context("spawn")
    answers = context.Queue()
    writer = context.Process(target=write_under_a_file_limit, args=(tmp_path, answers))
    writer.start()
    assert answers.get(timeout=30) == ["ledger.write_failed", "ledger.write_failed"]
    writer.join(timeout=30)
    with Store.open(tmp_path) as store:
        assert store.check(RUN).size == 10
        assert list(store.entries(RUN)) == ENTRIES[:10]
        assert sweep(store) == 0


def die_in_the_middle(folder: Path) -> None:
    store = Store.open(folder)
    epoch = store.acquire_epoch("coordinator-1")
    store.commit([Append(RUN, epoch, 0, ENTRIES[:5])])
    store.put_body("a.b", b"x" * 5000, "output", RUN)
    os._exit(9)


def test_a_process_that_dies_leaves_what_it_had_committed(tmp_path):
    context = multiprocessing.get_context("spawn")
    writer = context.Process(target=die_in_the_middle, args=(tmp_path,))
    writer.start()
    writer.join(timeout=30)
    assert writer.exitcode == 9
    with Store.open(tmp_path) as store:
        assert store.check(RUN).size == 5
        assert sweep(store) == 1
