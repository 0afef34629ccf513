"""Run logs of the past replay to the state they had, whatever the code has become."""

from dataclasses import replace
from pathlib import Path

import pytest

from swarm_ray.core.events import KINDS, SEMANTICS
from swarm_ray.engine.history import read_entry
from swarm_ray.errors import IntegrityError
from swarm_ray.testing.histories import golden, read, state_digest, write
from swarm_ray.values.codec import decode, encode

FOLDER = Path(__file__).parents[1] / "histories"
NAMES = sorted(path.stem for path in FOLDER.glob("*.jsonl"))


@pytest.mark.parametrize("name", NAMES)
def test_a_history_replays_to_its_state(name: str) -> None:
    history = read(FOLDER, name)
    thread = history.replayed()
    assert thread.digest == history.digest
    assert state_digest(thread.run) == history.state


def test_there_is_a_history_for_every_event_and_many_end_in_the_middle() -> None:
    cut = {name.removeprefix("until-").replace("-", ".") for name in NAMES if "until" in name}
    assert cut == set(KINDS)
    half = [name for name in NAMES if read(FOLDER, name).replayed().run.closed is None]
    assert len(half) >= len(KINDS) - 1


@pytest.mark.parametrize("name", NAMES)
def test_a_history_was_made_under_the_present_semantics(name: str) -> None:
    opened, record = read_entry(read(FOLDER, name).entries[0])
    assert record["kind"] == "run.opened"
    assert opened.semantics == SEMANTICS  # type: ignore[union-attr]


@pytest.mark.parametrize("name", NAMES)
def test_a_history_of_other_semantics_is_refused(name: str) -> None:
    history = read(FOLDER, name)
    record = decode(history.entries[0])
    record["event"]["semantics"] = SEMANTICS + 1
    changed = replace(history, entries=(encode(record), *history.entries[1:]))
    with pytest.raises(IntegrityError) as error:
        changed.replayed()
    assert error.value.code == "replay.unknown_semantics"


@pytest.mark.parametrize("name", [name for name in NAMES if name.startswith("scene")])
def test_a_history_without_its_second_entry_is_refused(name: str) -> None:
    history = read(FOLDER, name)
    shorter = replace(history, entries=history.entries[:1] + history.entries[2:])
    with pytest.raises(IntegrityError) as error:
        shorter.replayed()
    assert error.value.code == "replay.diverged"


def test_the_seeds_give_the_same_histories_every_time(tmp_path: Path) -> None:
    names = write(tmp_path)
    again = {history.name: history for history in golden()}
    assert sorted(again) == sorted(names)
    for name in names:
        assert read(tmp_path, name) == again[name]
