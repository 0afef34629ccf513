"""A coordinator goes away and comes back: the log says what is left to do, nothing is done twice."""

import sqlite3
import time
from pathlib import Path

import pytest
from engine_story import Town, letters

from swarm_ray.errors import IntegrityError, SwarmError, UsageError
from swarm_ray.ledger.store import Store
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.merkle import Frontier, leaf_hash

SLOW = """\
import time
def sort(inputs, ctx):
    time.sleep(0.03)
    return inputs["letter"] * 10
"""


def test_a_run_goes_on_after_a_stop_in_mid_swarm_without_repeating_a_settled_attempt(town: Town):
    run = town.open(letters(SLOW), letters=list(range(60)))
    town.until(lambda: len(town.attempts(run)) >= 12, "some results")
    town.stop()
    store = Store.open(town.settings.folder, create=False)
    [head] = store.logs("run")
    store.close()
    assert head.state == "open"
    town.start()
    settled_before = set(town.attempts(run))
    result = town.end(run)
    assert result.output == [n * 10 for n in range(60)]
    sent_again = {
        pair
        for parcel in town.hosts.parcels
        for pair in zip(parcel.order.items, parcel.order.attempts, strict=True)
    }
    assert not settled_before & sent_again
    done = [item for item, _ in town.attempts(run)]
    assert sorted(done) == list(range(60)), "an item was settled twice"


def test_many_stops_lose_nothing(town: Town):
    run = town.open(
        letters(
            SLOW, "min_success_ratio: 1.0", {"max_attempts: 2": "max_attempts: 9, max_identical: 9"}
        ),
        letters=list(range(40)),
    )
    for _ in range(3):
        time.sleep(0.1)
        town.restart()
    assert town.end(run).output == [n * 10 for n in range(40)]


def test_a_second_coordinator_is_refused_while_the_first_lives(town: Town):
    with pytest.raises(SwarmError) as refused:
        town.start(patience_s=0.1)
    assert refused.value.code == "runtime.ledger_in_use"


def test_a_coordinator_that_was_superseded_writes_nothing_more(town: Town):
    run = town.open(letters(SLOW), letters=list(range(200)))
    rival = Store.open(town.settings.folder, create=False)
    rival.acquire_epoch("rival")
    with pytest.raises(IntegrityError) as refused:
        town.handle(run).result(timeout=60)
    assert refused.value.code == "ledger.stale_epoch"
    size = rival.head(run).size
    time.sleep(0.1)
    assert rival.head(run).size == size
    rival.close()


def test_a_host_serves_the_highest_epoch_it_has_heard_of(town: Town):
    [shell] = town.hosts.shells.values()
    town.run(letters(SLOW), letters=[1])
    epoch = town.service.ready()["epoch"]
    with pytest.raises(IntegrityError) as refused:
        shell.collect(epoch - 1, (), 0, again=False)
    assert refused.value.code == "host.stale_epoch"


def test_an_unknown_run_is_refused_at_once(town: Town):
    before = time.monotonic()
    for ask in (
        lambda: town.service.entries("0" * 32, 0, 30),
        lambda: town.service.plan("0" * 32),
        lambda: town.service.resume("0" * 32, "me", failed=True),
    ):
        with pytest.raises(UsageError) as refused:
            ask()
        assert refused.value.code == "run.unknown"
    assert time.monotonic() - before < 5


def test_a_damaged_log_is_refused_and_the_first_bad_entry_named(town: Town):
    run = interrupted(town)
    with ledger(town) as connection:
        connection.execute(
            "UPDATE entries SET data = CAST(data || ' ' AS BLOB) WHERE seq >= 3"
            " AND log = (SELECT log FROM logs WHERE log_id = ?)",
            (run,),
        )
    town.start()
    with pytest.raises(IntegrityError) as refused:
        town.service.entries(run, 0, 0)
    assert refused.value.code == "ledger.corrupt_entry"
    assert "entry 3" in refused.value.message
    assert run in refused.value.message


def test_a_log_of_another_semantics_is_refused(town: Town):
    run = interrupted(town)
    rewrite(town, run, lambda record: record["event"].update(semantics=99))
    town.start()
    with pytest.raises(IntegrityError) as refused:
        town.service.cancel(run, "somebody", "", -1)
    assert refused.value.code == "replay.unknown_semantics"


def test_one_refused_run_does_not_stop_the_others(town: Town):
    run = interrupted(town)
    rewrite(town, run, lambda record: record["event"].update(semantics=99))
    town.start()
    assert town.run(letters(SLOW), letters=["a"]).status == "done"
    town.stop()
    rewrite(town, run, lambda record: record["event"].update(semantics=1))
    town.start()
    assert town.end(run).status == "done"


def test_a_failed_run_is_resumed_and_only_what_failed_is_tried_again(town: Town, tmp_path: Path):
    gate = tmp_path / "open"
    files = letters(
        "from pathlib import Path\n"
        "def sort(inputs, ctx):\n"
        "    if inputs['letter'] == 1 and 'open' not in Path(ctx.reads['desk']).joinpath('gate').read_text():\n"
        "        raise ctx.InputError('shut')\n"
        "    return inputs['letter']\n",
        swaps={
            "  letters: list": "  letters: list\n  desk: path",
            "    uses: sorting:sort": "    uses: sorting:sort\n    reads: [desk]",
            "input: {letter: any}": "input: {letter: any, desk: path}",
        },
    )
    gate.mkdir()
    (gate / "gate").write_text("shut")
    items = [{"letter": n, "desk": str(gate)} for n in range(4)]
    run = town.open(files, letters=items, desk=str(gate))
    assert town.end(run).status == "failed"
    (gate / "gate").write_text("open")
    town.service.resume(run, "me", failed=True)
    result = town.end(run)
    assert result.output == [0, 1, 2, 3]
    assert sorted(town.attempts(run)) == [(0, 1), (1, 1), (1, 2), (2, 1), (3, 1)]


def test_a_run_that_ended_well_is_not_resumed(town: Town):
    run = town.open(letters(SLOW), letters=[1])
    town.end(run)
    with pytest.raises(UsageError) as refused:
        town.service.resume(run, "me", failed=True)
    assert refused.value.code == "resume.ended_well"


def test_a_full_disk_ends_with_a_clear_error_and_costs_nothing_that_was_settled(town: Town):
    town.stop()
    town.start(pages=200)
    skill = "def sort(inputs, ctx):\n    return inputs['letter'] * 400\n"
    run = town.open(letters(skill), letters=["ab"] * 1000)
    with pytest.raises(SwarmError) as refused:
        town.handle(run).result(timeout=60)
    assert refused.value.code == "ledger.write_failed"
    town.restart()
    settled = town.attempts(run)
    result = town.end(run)
    assert result.output == ["ab" * 400] * 1000
    assert set(settled) <= set(town.attempts(run))
    assert len(town.attempts(run)) == len(set(town.attempts(run)))


def interrupted(town: Town) -> str:
    """A run that was stopped in the middle."""
    run = town.open(letters(SLOW), letters=list(range(30)))
    town.until(lambda: town.attempts(run), "a result")
    town.stop()
    return run


def ledger(town: Town) -> sqlite3.Connection:
    return sqlite3.connect(town.settings.folder / "ledger.sqlite3")


def rewrite(town: Town, run: str, change) -> None:
    """Rewrite the first entry of a run with all hashes right, as another version would have."""
    connection = ledger(town)
    (log,) = connection.execute("SELECT log FROM logs WHERE log_id = ?", (run,)).fetchone()
    rows = connection.execute(
        "SELECT seq, data FROM entries WHERE log = ? ORDER BY seq", (log,)
    ).fetchall()
    frontier = Frontier()
    for seq, data in rows:
        if seq == 0:
            record = decode(data)
            change(record)
            data = encode(record)
        leaf = leaf_hash(data)
        frontier.append(leaf)
        connection.execute(
            "UPDATE entries SET data = ?, leaf = ? WHERE log = ? AND seq = ?",
            (data, leaf, log, seq),
        )
    connection.execute(
        "UPDATE logs SET root = ?, frontier = ? WHERE log = ?",
        (frontier.root(), frontier.to_bytes(), log),
    )
    connection.commit()
    connection.close()
