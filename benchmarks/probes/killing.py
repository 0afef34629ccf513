"""Kills a worker of many items when half of them are done, lets it come back, reads what it repeated."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import swarms
from benchmarks.children import ProbeFailed, end, kill, measure, start
from benchmarks.probes.deployment import home_settings, new_run
from swarm_ray.core.events import Dispatched
from swarm_ray.errors import SwarmError
from swarm_ray.ledger.reader import Reader
from swarm_ray.ledger.store import Store

LOOK_S = 0.05
PATIENCE_S = 1_800.0
UNFINISHED, RECOVERY = "benchmarks.probes.unfinished", "benchmarks.probes.recovery"


def killed_swarm(count: int, *, traced: bool = False, snapshot: bool = True) -> dict[str, float]:
    """Kill a coordinator half way; return what its successor did.

    `first_dispatch_s` counts from just before the successor's process is started, `recover_s` is
    what of it rebuilds the run, `entries` are those it replays, `repeated` are items dispatched
    again although their success was durable, `redone` items whose function ran to its end twice.
    With `snapshot` the same is measured on a copy of the folder without it, under `bare_`.
    """
    with tempfile.TemporaryDirectory(prefix="swarm-benchmark-") as home:
        run, folder, trace = new_run(), home_settings(home, "none").folder, Path(home) / "trace"
        first: dict[str, Any] = {"home": home, "run": run, "count": count, "traced": traced}
        _kill_at(UNFINISHED, home, first, lambda: _settled(folder, run) >= count // 2)
        finished = _lines(trace)
        trace.unlink(missing_ok=True)
        told: dict[str, float] = {}
        if snapshot:
            with tempfile.TemporaryDirectory(prefix="swarm-benchmark-") as other:
                shutil.copytree(home, other, dirs_exist_ok=True)
                _drop_snapshot(other, run)
                bare = _resumed(other, run)
            told = {f"bare_{name}": value for name, value in bare.items()}
        told |= _resumed(home, run)
        return {**told, "redone": sum(line in finished for line in _lines(trace))}


def _drop_snapshot(home: str, run: str) -> None:
    with Store.open(home_settings(home, "none").folder, create=False) as store:
        store.drop_snapshot(run)


def _resumed(home: str, run: str) -> dict[str, float]:
    """Let a successor finish the run; return what it did first, and what it did again."""
    folder = home_settings(home, "none").folder
    done = swarms.settled_ok(folder, run)
    with Reader.open_readonly(folder) as reader:
        size = reader.head(run).size
        snapshot = reader.get_snapshot(run)
    recovery = measure(RECOVERY, home=home, run=run, only_recover=True)
    began_s = time.time()
    measure(RECOVERY, home=home, run=run)
    after = list(swarms.entries_of(folder, run))[size:]
    sent = [(event, record) for event, record, _ in after if isinstance(event, Dispatched)]
    return {
        "first_dispatch_s": sent[0][1]["time_us"] / 1e6 - began_s,
        "recover_s": recovery["recover_s"],
        "entries": size - (snapshot.size if snapshot is not None else 0),
        "repeated": sum((event.swarm, item) in done for event, _ in sent for item in event.items),
    }


def killed_peer(python: str, module: str, count: int) -> float:
    """Kill a peer half way and resume it; return how many items it did twice."""
    with tempfile.TemporaryDirectory(prefix="swarm-benchmark-") as home:
        trace = Path(home) / "trace"
        arguments: dict[str, Any] = {"folder": home, "count": count}
        first = {**arguments, "resume": False}
        _kill_at(module, home, first, lambda: len(_lines(trace)) >= count // 2, python)
        finished = _lines(trace)
        trace.unlink()
        measure(module, python=python, resume=True, **arguments)
        return float(sum(line in finished for line in _lines(trace)))


def _kill_at(
    module: str, home: str, arguments: dict[str, Any], due: Callable[[], bool], *python: str
) -> None:
    named: dict[str, Any] = {"python": python[0]} if python else {}
    first = start(module, Path(home), arguments, **named)
    until_s = time.monotonic() + PATIENCE_S
    try:
        while not due():
            if first.poll() is not None:
                told = first.communicate()[1].decode()[-1_000:]
                raise ProbeFailed(f"{module} ended before it was killed: {told}")
            if time.monotonic() > until_s:
                raise ProbeFailed(f"{module}: not half done within {PATIENCE_S:.0f} s")
            time.sleep(LOOK_S)
        kill(first.pid)
    finally:
        end(first)


def _settled(folder: Path, run: str) -> int:
    try:
        return len(swarms.settled_ok(folder, run))
    except SwarmError:
        return 0  # there is no ledger yet, or no run in it


def _lines(trace: Path) -> list[str]:
    return trace.read_text().split() if trace.exists() else []
