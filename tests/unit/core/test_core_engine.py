"""Stories of the engine: append before deciding, and a log that replays or is refused."""

from collections.abc import Iterable

import pytest
from core_story import SECOND, ZERO, kinds, plan_of, swarm_plan

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.plan import Plan, Step
from swarm_ray.engine.history import read_entry, replay
from swarm_ray.engine.loop import Engine, Happening
from swarm_ray.errors import IntegrityError, SwarmError, UsageError
from swarm_ray.ports.log import Body
from swarm_ray.testing.memory_log import MemoryLog, SimulatedCrash
from swarm_ray.values.codec import decode, encode

PLAN = swarm_plan()
OPENED = ev.RunOpened("run", "tenant", "process", ZERO, ZERO, ZERO)
SWARM = ev.SwarmOpened("s1", "fan_out", 0, 1, 2, ZERO, ZERO)
PLACED = ev.Placed("s1", ZERO, ((2, ""),))
SENT = ev.Dispatched("s1", 1, "ada", 2, (0, 1), (1, 1))
SETTLED = ev.Settled("s1", 1, "ada", (ev.Row(0, 1, "ok", "a"), ev.Row(1, 1, "ok", "b")))
CONVERGED = ev.Converged("s1", "result", ZERO)
CLOSED = ev.RunClosed("done", "result")
ALL = (OPENED, SWARM, PLACED, SENT, SETTLED, CONVERGED, CLOSED)


def log_of() -> MemoryLog:
    return MemoryLog(lambda size: bytes(size))


def engine_of(log: MemoryLog, plan: Plan = PLAN) -> Engine:
    return Engine(log, log.acquire_epoch("office"), lambda _: plan)


def tell(
    engine: Engine, *events: ev.Event, run: str = "run", now: int = SECOND
) -> list[cmd.Command]:
    pairs = engine.step([Happening(run, event) for event in events], now)
    return [command for _, command in pairs]


def played(*batches: Iterable[ev.Event]) -> tuple[MemoryLog, Engine]:
    log = log_of()
    engine = engine_of(log)
    for batch in batches:
        tell(engine, *batch)
    return log, engine


def test_events_are_durable_before_anything_follows() -> None:
    log = log_of()
    engine = engine_of(log)
    assert tell(engine, OPENED) == [cmd.Prepare(0, 1, "fan_out")]
    assert log.reopen().head("run").size == 1


def test_one_step_is_one_commit_over_all_runs() -> None:
    log = log_of()
    engine = engine_of(log)
    syncs = log.disk.syncs
    pairs = engine.step([Happening("a", OPENED), Happening("b", OPENED), Happening("a", SWARM)], 0)
    assert log.disk.syncs == syncs + 1
    assert [(run, *kinds([command])) for run, command in pairs] == [
        ("a", "Prepare"),
        ("a", "Place"),
        ("b", "Prepare"),
    ]
    assert engine.step([], 0) == []
    assert log.disk.syncs == syncs + 1


def test_a_failed_commit_moves_nothing_and_can_be_repeated() -> None:
    log, engine = played([OPENED])
    log.arm("write_error")
    with pytest.raises(SwarmError) as error:
        tell(engine, SWARM, now=9 * SECOND)
    assert error.value.code == "ledger.write_failed"
    thread = engine.threads["run"]
    assert (thread.size, thread.handled, thread.time_us) == (1, 1, SECOND)
    assert thread.run.swarms == {}
    assert tell(engine, SWARM) == [cmd.Place("s1", 2)]


def test_a_run_that_could_not_be_opened_is_not_there() -> None:
    log = log_of()
    engine = engine_of(log)
    log.arm("write_error")
    with pytest.raises(SwarmError):
        tell(engine, OPENED)
    assert engine.threads == {}
    assert kinds(tell(engine, OPENED)) == ["Prepare"]


def test_a_flaw_in_one_event_moves_no_run() -> None:
    log, engine = played([OPENED])
    with pytest.raises(UsageError) as error:
        engine.step([Happening("new", OPENED), Happening("nobody", SWARM)], 0)
    assert error.value.code == "engine.unknown_run"
    with pytest.raises(UsageError):
        engine.step([Happening("new", OPENED), Happening("run", ev.TimerFired("x" * 40_000))], 0)
    assert list(engine.threads) == ["run"]
    assert log.head("run").size == 1


def test_bodies_are_durable_with_their_entry() -> None:
    log, engine = played([OPENED])
    body = Body.seal("error", bytes(32), b"why", "error", "run")
    refused = ev.StepRefused(0, 1, "input.bad", body.commitment)
    engine.step([Happening("run", refused, (body,))], SECOND)
    assert log.reopen().get_body(body.commitment) == b"why"


def test_log_time_never_runs_backwards() -> None:
    log, engine = played([OPENED])
    tell(engine, SWARM, now=5)
    times = [read_entry(data)[1]["time_us"] for data in log.entries("run")]
    assert times == [SECOND, SECOND]


def test_an_older_coordinator_cannot_append() -> None:
    log, engine = played([OPENED])
    engine_of(log).recover(["run"])
    with pytest.raises(IntegrityError) as error:
        tell(engine, SWARM)
    assert error.value.code == "ledger.stale_epoch"
    assert engine.threads["run"].size == 1


def test_what_comes_after_the_end_is_not_appended() -> None:
    log, engine = played([OPENED], [SWARM], [PLACED], [SENT], [SETTLED], [CONVERGED])
    assert tell(engine, CLOSED, ev.HostLost("ada"), CLOSED) == []
    assert log.head("run").state == "closed"
    assert log.head("run").size == len(ALL)
    assert tell(engine, ev.TimerFired("run:deadline")) == []
    assert log.head("run").size == len(ALL)


def test_a_closed_run_is_reopened_in_its_log() -> None:
    log, engine = played(*[[event] for event in ALL])
    [close] = tell(engine, ev.RunResumed("ann"))
    assert log.head("run").state == "open"
    assert close == cmd.Close("done", "result")
    tell(engine, CLOSED)
    assert log.head("run").state == "closed"


def test_a_dropped_run_is_unknown_and_comes_back_from_its_log() -> None:
    _, engine = played([OPENED], [SWARM])
    engine.drop("run")
    with pytest.raises(UsageError):
        tell(engine, PLACED)
    assert engine.recover(["run"]) == [("run", cmd.Place("s1", 2))]
    assert kinds(tell(engine, PLACED)) == ["Want"]


@pytest.mark.parametrize("length", range(1, len(ALL) + 1))
def test_a_run_is_the_same_after_a_crash_behind_any_entry(length: int) -> None:
    log, engine = played(*[[event] for event in ALL[:length]])
    again = engine_of(log.reopen())
    commands = again.recover(["run"])
    assert again.threads["run"].run == engine.threads["run"].run
    assert again.threads["run"].digest == engine.threads["run"].digest
    assert [command for _, command in commands] == engine.threads["run"].run.outstanding()


def test_a_crash_before_the_sync_loses_the_event_and_nothing_else() -> None:
    log, engine = played([OPENED], [SWARM])
    log.arm("crash_before_sync")
    with pytest.raises(SimulatedCrash):
        tell(engine, PLACED)
    again = engine_of(log.reopen())
    assert again.recover(["run"]) == [("run", cmd.Place("s1", 2))]


# -- what is refused -----------------------------------------------------------------------


def entries_of() -> list[bytes]:
    log, _ = played([OPENED], [SWARM], [PLACED], [SENT, SETTLED], [CONVERGED])
    return list(log.entries("run"))


def changed(entry: bytes, **fields: object) -> bytes:
    return encode(decode(entry) | fields)


def refusal(entries: list[bytes], plan: Plan = PLAN) -> str:
    with pytest.raises(IntegrityError) as error:
        replay(entries, lambda _: plan)
    return error.value.code


def test_the_log_replays() -> None:
    assert replay(entries_of(), lambda _: PLAN).handled == len(ALL) - 1


def test_a_changed_entry_is_found_at_the_next_commit() -> None:
    entries = entries_of()
    record = decode(entries[1])
    record["event"]["items"] = 3
    entries[1] = encode(record)
    assert refusal(entries) == "replay.diverged"


@pytest.mark.parametrize("gone", range(1, 5))
def test_a_missing_entry_is_found(gone: int) -> None:
    entries = entries_of()
    del entries[gone]
    assert refusal(entries) == "replay.diverged"


def test_another_plan_is_found() -> None:
    assert refusal(entries_of(), plan_of(Step("other", task="x"))) == "replay.diverged"


def test_a_wrong_digest_or_count_of_commands_is_found() -> None:
    for acted in ([1, "0" * 16], [77, decode(entries_of()[1])["acted"][1]]):
        entries = entries_of()
        entries[1] = changed(entries[1], acted=acted)
        assert refusal(entries) == "replay.diverged"


def test_time_that_runs_backwards_is_found() -> None:
    entries = entries_of()
    entries[2] = changed(entries[2], time_us=1)
    assert refusal(entries) == "replay.diverged"


def test_unknown_semantics_are_refused() -> None:
    entries = entries_of()
    record = decode(entries[0])
    record["event"]["semantics"] = 99
    entries[0] = encode(record)
    assert refusal(entries) == "replay.unknown_semantics"


def test_an_unknown_event_is_refused() -> None:
    entries = entries_of()
    entries[2] = changed(entries[2], kind="swarm.dreamt")
    assert refusal(entries) == "event.unknown_kind"


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"surprise": 1}, "record.unknown_field"),
        ({"key": 3}, "record.wrong_type"),
        ({}, "record.missing_field"),
        ([], "record.wrong_type"),
    ],
)
def test_an_event_with_other_fields_is_refused(event: object, code: str) -> None:
    entry = encode({"kind": "timer", "event": event, "time_us": SECOND, "epoch": 1})
    with pytest.raises(IntegrityError) as error:
        read_entry(entry)
    assert error.value.code == code


@pytest.mark.parametrize(
    "fields",
    [{"kind": ["timer"]}, {"time_us": "now"}, {"epoch": None}, {"extra": 1}, {"acted": [1]}],
)
def test_an_entry_with_another_frame_is_refused(fields: dict[str, object]) -> None:
    with pytest.raises(IntegrityError) as error:
        read_entry(changed(entries_of()[0], **fields))
    assert error.value.code == "replay.bad_frame"


def test_a_log_must_begin_with_the_opening_of_a_run() -> None:
    assert refusal([]) == "replay.not_opened"
    assert refusal(entries_of()[1:]) == "replay.not_opened"


def test_a_corrupt_log_is_not_recovered() -> None:
    log, _ = played([OPENED], [SWARM])
    log.disk.entries["run"][1] = log.disk.entries["run"][0]
    with pytest.raises(IntegrityError) as error:
        engine_of(log.reopen()).recover(["run"])
    assert error.value.code == "ledger.root_mismatch"


def test_the_log_of_another_run_is_not_recovered() -> None:
    log = log_of()
    tell(engine_of(log), OPENED, run="stranger")
    with pytest.raises(IntegrityError) as error:
        engine_of(log.reopen()).recover(["stranger"])
    assert error.value.code == "replay.other_run"
