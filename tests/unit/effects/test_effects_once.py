"""What the supervisor grants happens once; what nobody knows is called unknown and not repeated."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from swarm_ray.effects.supervising import EFFECTS_LOG, LoggedSupervisor, read_effect
from swarm_ray.ledger.store import Store
from swarm_ray.ports.clock import SystemClock
from swarm_ray.ports.supervisor import Proposal


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    found = Store.open(tmp_path / "ledger")
    yield found
    found.close()


def publish(folder: Path, text: object = "hello", key: str = "run/step/0") -> Proposal:
    arguments = {"folder": str(folder), "files": {"letter.md": text}}
    return Proposal(key, "run", "step", "files.publish", arguments)


def story(store: Store) -> list[str]:
    return [type(read_effect(data)).__name__ for data in store.entries(EFFECTS_LOG)]


def test_a_declared_effect_is_done_and_every_word_of_it_is_in_the_log(store: Store, tmp_path: Path):
    settled = LoggedSupervisor(store, SystemClock()).settle(publish(tmp_path / "out"))
    assert settled.status == "done"
    assert settled.outcome == {"folder": str(tmp_path / "out"), "files": ["letter.md"]}
    assert (tmp_path / "out" / "letter.md").read_text() == "hello"
    assert story(store) == ["Proposed", "Granted", "Started", "Ended"]


def test_asking_again_gives_the_same_answer_and_touches_nothing(store: Store, tmp_path: Path):
    supervisor = LoggedSupervisor(store, SystemClock())
    first = supervisor.settle(publish(tmp_path / "out"))
    (tmp_path / "out" / "letter.md").unlink()
    again = supervisor.settle(publish(tmp_path / "out"))
    reopened = LoggedSupervisor(store, SystemClock()).settle(publish(tmp_path / "out"))
    assert first == again == reopened
    assert not (tmp_path / "out" / "letter.md").exists()
    assert story(store) == ["Proposed", "Granted", "Started", "Ended"]


def test_an_undeclared_effect_is_refused_for_good(store: Store, tmp_path: Path):
    supervisor = LoggedSupervisor(store, SystemClock())
    proposal = Proposal("k", "run", "step", "mail.send", {"to": "everybody"})
    for _ in range(2):
        assert supervisor.settle(proposal).code == "effect.undeclared"
    assert story(store) == ["Proposed", "Refused"]


@pytest.mark.parametrize(
    ("files", "code"),
    [({"../up.md": "x"}, "effect.bad_arguments"), ("no mapping", "effect.bad_arguments")],
)
def test_a_refusing_tool_has_changed_nothing(store: Store, tmp_path: Path, files, code: str):
    proposal = Proposal("k", "run", "s", "files.publish", {"folder": str(tmp_path), "files": files})
    before = sorted(tmp_path.iterdir())
    settled = LoggedSupervisor(store, SystemClock()).settle(proposal)
    assert (settled.status, settled.code) == ("failed", code)
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    "arguments", [{}, {"folder": "out"}, {"folder": "out", "files": {}, "x": 1}]
)
def test_a_tool_takes_the_arguments_that_it_declares(store: Store, arguments: dict[str, object]):
    proposal = Proposal("k", "run", "s", "files.publish", arguments)
    settled = LoggedSupervisor(store, SystemClock()).settle(proposal)
    assert (settled.status, settled.code) == ("failed", "effect.bad_arguments")


def test_a_folder_that_cannot_be_made_fails(store: Store, tmp_path: Path):
    (tmp_path / "file").write_text("")
    settled = LoggedSupervisor(store, SystemClock()).settle(publish(tmp_path / "file" / "below"))
    assert (settled.status, settled.code) == ("failed", "effect.not_writable")


def test_an_effect_whose_broker_was_killed_is_unknown_and_not_tried_again(
    store: Store, tmp_path: Path
):
    fifo = tmp_path / "out" / ".letter.md.part"
    fifo.parent.mkdir()
    os.mkfifo(fifo)  # the broker waits here for a reader that never comes
    killed: list[int] = []
    watcher = threading.Thread(target=_kill_broker, args=(killed,))
    watcher.start()
    supervisor = LoggedSupervisor(store, SystemClock())
    settled = supervisor.settle(publish(tmp_path / "out"))
    watcher.join()
    assert (settled.status, settled.code) == ("unknown", "effect.broker_died")
    assert len(killed) == 1
    fifo.unlink()
    assert supervisor.settle(publish(tmp_path / "out")).status == "unknown"
    assert not (tmp_path / "out" / "letter.md").exists()
    assert story(store) == ["Proposed", "Granted", "Started", "Ended"]


def _kill_broker(killed: list[int]) -> None:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        for child in _children_named("swarm_ray.effects.broker"):
            time.sleep(0.3)  # let it begin
            os.kill(child, signal.SIGKILL)
            killed.append(child)
            return
        time.sleep(0.01)


def _children_named(name: str) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
            if parent == os.getpid() and name in (path / "cmdline").read_text():
                found.append(int(path.name))
        except OSError:
            continue
    return found


def test_an_effect_that_was_started_before_a_crash_is_unknown_after_it(
    store: Store, tmp_path: Path
):
    supervisor = LoggedSupervisor(store, SystemClock())
    supervisor.settle(publish(tmp_path / "first"))
    # The log as a crash between Started and Ended leaves it.
    data = list(store.entries(EFFECTS_LOG))
    other = Store.open(tmp_path / "crashed")
    epoch = other.acquire_epoch("supervisor", role="supervisor")
    from swarm_ray.ports.log import Append

    other.commit([Append(EFFECTS_LOG, epoch, 0, data[:3], kind="effects")])
    settled = LoggedSupervisor(other, SystemClock()).settle(publish(tmp_path / "first"))
    assert (settled.status, settled.code) == ("unknown", "effect.interrupted")
    other.close()


def test_a_grant_that_was_never_used_is_used_after_a_crash(store: Store, tmp_path: Path):
    supervisor = LoggedSupervisor(store, SystemClock())
    supervisor.settle(publish(tmp_path / "elsewhere"))
    data = list(store.entries(EFFECTS_LOG))
    other = Store.open(tmp_path / "crashed")
    epoch = other.acquire_epoch("supervisor", role="supervisor")
    from swarm_ray.ports.log import Append

    other.commit([Append(EFFECTS_LOG, epoch, 0, data[:2], kind="effects")])
    assert LoggedSupervisor(other, SystemClock()).settle(publish(tmp_path / "now")).status == "done"
    assert (tmp_path / "now" / "letter.md").exists()
    other.close()
