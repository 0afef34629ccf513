"""Whoever joins late is told what happens from then on, as those who were there all along."""

from pathlib import Path

import pytest

from swarm_ray.engine.lifecycle import Lifecycle
from swarm_ray.engine.viewer import Viewer
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
            lifecycle = Lifecycle(viewer.run)
            for data in history.entries[:size]:
                event = viewer.take(data)
                if not late:
                    lifecycle.after(event)
            if late:
                lifecycle.skip()
            told.append([lifecycle.after(viewer.take(data)) for data in history.entries[size:]])
        assert told[0] == told[1], f"joined behind entry {size}"
