"""Whoever joins late is told what happens from then on, as those who were there all along."""

from pathlib import Path

import pytest
from engine_story import Town, letters

from swarm_ray.engine.lifecycle import Lifecycle
from swarm_ray.engine.viewer import Viewer
from swarm_ray.errors import UsageError
from swarm_ray.testing.histories import read

FOLDER = Path(__file__).parents[2] / "histories"
NAMES = sorted(path.stem for path in FOLDER.glob("scene-*.jsonl"))


@pytest.mark.parametrize("name", NAMES)
def test_what_was_skipped_changes_nothing_of_what_follows(name: str) -> None:
    history = read(FOLDER, name)
    for size in range(1, len(history.entries), 3):
        told = []
        for late in (False, True):
            viewer = Viewer(history.plan)
            lifecycle = Lifecycle(viewer)
            for data in history.entries[:size]:
                event = viewer.take(data)
                if not late:
                    lifecycle.after(event)
            if late:
                lifecycle.skip()
            told.append([lifecycle.after(viewer.take(data)) for data in history.entries[size:]])
        assert told[0] == told[1], f"joined behind entry {size}"


@pytest.mark.parametrize("name", [name for name in NAMES if "copies" in name])
def test_an_item_with_copies_has_one_result_at_a_time_and_in_the_end_the_accepted_one(name: str):
    history = read(FOLDER, name)
    viewer = Viewer(history.plan)
    lifecycle = Lifecycle(viewer)
    told = [one for data in history.entries for one in lifecycle.after(viewer.take(data))]
    copied = [one.id for one in viewer.run.swarms.values() if one.panel is not None]
    of_items = [one for one in told if one["swarm"] in copied and "item" in one]
    results: dict[tuple[str, int], str] = {}
    seen: dict[str, int] = {}
    for one in of_items:
        key, event = (one["swarm"], one["item"]), one["event"]
        seen[event] = seen.get(event, 0) + 1
        if event == "worker.completed":
            assert key not in results
            results[key] = one["output"]
        elif event == "worker.retried":
            results.pop(key, None)
        elif event == "worker.started":
            assert one["attempt"] >= 1
    started = [(one["swarm"], one["item"]) for one in of_items if one["event"] == "worker.started"]
    assert len(set(started)) == len(started)
    assert seen["copy.started"] == seen["copy.ended"] > seen["worker.completed"] > 0
    outputs = {
        (swarm, item): output
        for swarm in copied
        for item, output in viewer.run.swarms[swarm].outputs.items()
    }
    assert results == outputs


NOTING = """\
def sort(inputs, ctx):
    if inputs["letter"] != "plain":
        ctx.artifact("note.txt", "text/plain", inputs["letter"].encode())
        ctx.artifact("twice.txt", "text/plain", inputs["letter"].encode() * 2)
    ctx.remember("notes", inputs["letter"])
    return 1
"""


def noted(town: Town):
    """A run whose workers make files, and whose swarms are published under two topics."""
    files = letters(NOTING)
    files["process.yaml"] += "behavior: {event_topics: [letters.life]}\n"
    files["sort_letter.yaml"] += "behavior: {event_topics: [notes]}\n"
    run = town.open(files, letters=["one", "plain"])
    return town.handle(run), town.end(run)


def test_files_of_workers_have_names_and_their_bytes_can_be_fetched(town: Town):
    handle, result = noted(town)
    assert [[one.name for one in item.artifacts] for item in result] == [
        ["note.txt", "twice.txt"],
        [],
    ]
    note, twice = result.items[0].artifacts
    assert (handle.artifact(note.reference), handle.artifact(twice.reference)) == (
        b"one",
        b"oneone",
    )
    assert note.media_type == "text/plain"
    made = [one for one in handle.stream() if one.event == "artifact.produced"]
    assert [(one.item, one.name, one.reference) for one in made] == [
        (0, "note.txt", note.reference),
        (0, "twice.txt", twice.reference),
    ]
    assert made[0].to_dict()["reference"] == note.reference


@pytest.mark.parametrize("reference", ["", "nonsense", "/0", "{note}7", "{note}x"])
def test_a_reference_to_no_artifact_is_refused(town: Town, reference: str):
    handle, result = noted(town)
    note = result.items[0].artifacts[0].reference.removesuffix("0")
    with pytest.raises(UsageError) as refused:
        handle.artifact(reference.format(note=note))
    assert refused.value.code == "artifact.unknown"
    assert refused.value.hint


def test_events_carry_the_declared_topics_and_can_be_chosen_by_them(town: Town):
    handle, _ = noted(town)
    every = list(handle.stream())
    assert {one.topics for one in every} == {("letters.life", "notes")}
    assert list(handle.stream(topic="notes")) == every
    assert every[0].to_dict()["topics"] == ["letters.life", "notes"]
    with pytest.raises(UsageError) as refused:
        handle.stream(topic="letters.death")
    assert refused.value.code == "stream.unknown_topic"
    assert "letters.life, notes" in refused.value.hint


def test_events_of_a_step_without_the_topic_are_left_out(town: Town):
    files = letters(NOTING)
    files["process.yaml"] = files["process.yaml"].replace(
        "    output: sorted\noutput: sorted",
        "    output: sorted\n"
        "  - name: again\n"
        "    fan_out: {over: letters, task: other_letter, concurrency: 2}\n"
        "    output: others\n"
        "output: sorted",
    )
    files["other_letter.yaml"] = files["sort_letter.yaml"].replace("sort_letter", "other_letter")
    files["other_letter.yaml"] += "behavior: {event_topics: [others]}\n"
    run = town.open(files, letters=["plain"])
    town.end(run)
    every = list(town.handle(run).stream())
    chosen = list(town.handle(run).stream(topic="others"))
    assert 0 < len(chosen) < len(every)
    assert len({one.swarm for one in chosen}) == 1
