"""Golden histories: run logs that every later version must replay to the same state.

Decides which runs are kept (one per scene, and one cut off behind the first entry of each kind)
and what of a run's state is compared. `python -m swarm_ray.testing.histories --write DIR` plays
them again from their seeds; the files in the repository are only rewritten together with a new
semantics number.
"""

import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swarm_ray.core.commands import command_to_record
from swarm_ray.core.events import KINDS
from swarm_ray.core.plan import Plan
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.engine.history import Thread, read_entry, replay
from swarm_ray.errors import InternalError, UsageError
from swarm_ray.testing.faults import Faults
from swarm_ray.testing.office import RUN
from swarm_ray.testing.plans import COPIED, SCENES, Scene
from swarm_ray.testing.world import World
from swarm_ray.values.codec import encode
from swarm_ray.values.records import from_record, to_record

SEED = 20_260
TRIES = 40
ITEMS = 8
OF_COPIES = ("items.stranded",)
"""Kinds of entries that stand only where items have copies."""


@dataclass(frozen=True, slots=True)
class History:
    """Entries of one run log, the plan they name, and what they must replay to."""

    name: str
    plan: Plan
    entries: tuple[bytes, ...]
    digest: str
    state: str

    @staticmethod
    def of(name: str, plan: Plan, entries: list[bytes]) -> "History":
        """Replay entries and keep what came out."""
        thread = replay(entries, lambda _: plan)
        return History(name, plan, tuple(entries), thread.digest, state_digest(thread.run))

    def replayed(self) -> Thread:
        """Replay the entries as they are.

        Raises:
            IntegrityError: what `replay` raises.
        """
        return replay(self.entries, lambda _: self.plan)


def state_digest(run: Run) -> str:
    """Return a digest of all that anybody can observe of a run; names of fields do not count."""
    record = {
        "state": run.state.value,
        "steps": [state.value for state in run.steps],
        "current": run.current,
        "outputs": sorted(run.outputs.items()),
        "questions": sorted(run.questions),
        "spent": [run.purse.spent_tokens, run.purse.spent_microusd],
        "held": [run.purse.held_tokens, run.purse.held_microusd],
        "closed": to_record(run.closed) if run.closed else None,
        "swarms": [_swarm_record(swarm) for swarm in run.swarms.values()],
        "outstanding": [command_to_record(command) for command in run.outstanding()],
    }
    return hashlib.sha256(encode(record, max_bytes=None)).hexdigest()


def _swarm_record(swarm: Swarm) -> dict[str, Any]:
    return {
        "id": swarm.id,
        "state": swarm.state.value,
        "ending": swarm.ending,
        "code": swarm.code,
        "items": swarm.items.hex(),
        "attempts": list(swarm.attempts),
        "window": swarm.window.limit,
        "outputs": sorted(swarm.outputs.items()),
        "labels": [[item, *label] for item, label in sorted(swarm.labels.items())],
        "usage": to_record(swarm.usage),
    }


def golden() -> Iterator[History]:
    """Play every golden history from its seed."""
    for name in SCENES:
        yield History.of(f"scene-{_slug(name)}", SCENES[name].plan, _played(SCENES[name], SEED))
    for name, scene in COPIED.items():
        yield History.of(f"scene-{_slug(name)}", scene.plan, _played(scene, SEED))
    wanted = dict.fromkeys(KINDS)
    for seed in range(SEED + 1, SEED + TRIES):
        played = [(scene, _played(scene, seed)) for scene in SCENES.values()]
        played += [(scene, _played(scene, seed, late_host=1000)) for scene in COPIED.values()]
        for scene, entries in played:
            for number, kind in enumerate(_kinds(entries)):
                if kind in wanted and (kind in OF_COPIES) == (scene.liars is not None):
                    del wanted[kind]
                    cut = entries[: number + 1]
                    yield History.of(f"until-{_slug(kind)}", scene.plan, cut)
        if not wanted:
            return
    raise InternalError("histories.incomplete", f"no seed gives {sorted(wanted)}")


def _kinds(entries: list[bytes]) -> list[str]:
    return [read_entry(entry)[1]["kind"] for entry in entries]


def _slug(name: str) -> str:
    return name.replace(" ", "-").replace(".", "-")


def _played(scene: Scene, seed: int, late_host: int = 0) -> list[bytes]:
    faults = replace(Faults.heavy(), late_host=late_host)
    world = World(
        scene.plan,
        seed,
        items=min(scene.items, ITEMS),
        hosts=2 if scene.liars is None else scene.sites,
        sites=scene.sites,
        faults=faults if scene.liars is None else replace(faults, lie=1000),
        slice_tokens=scene.slice_tokens,
        resumes=scene.resumes,
        liars=scene.liars,
    )
    world.play()
    world.check()
    return list(world.log.entries(RUN))


def write(folder: Path) -> list[str]:
    """Write all golden histories into a folder; returns their names."""
    folder.mkdir(parents=True, exist_ok=True)
    names = []
    for history in golden():
        lines = b"".join(entry + b"\n" for entry in history.entries)
        (folder / f"{history.name}.jsonl").write_bytes(lines)
        about = {
            "plan": to_record(history.plan),
            "digest": history.digest,
            "state": history.state,
        }
        text = json.dumps(about, indent=1, sort_keys=True) + "\n"
        (folder / f"{history.name}.json").write_text(text, encoding="utf-8")
        names.append(history.name)
    return names


def read(folder: Path, name: str) -> History:
    """Read one history back.

    Raises:
        IntegrityError: `record.*` when its plan is not one of this version.
    """
    about = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    lines = (folder / f"{name}.jsonl").read_bytes().splitlines()
    plan = from_record(Plan, about["plan"])
    return History(name, plan, tuple(lines), about["digest"], about["state"])


def main(arguments: list[str]) -> None:
    """Write the histories: `--write DIR`.

    Raises:
        UsageError: `histories.usage`.
    """
    if len(arguments) != 2 or arguments[0] != "--write":
        raise UsageError(
            "histories.usage", "it is not said where to write", hint="give --write and a folder"
        )
    write(Path(arguments[1]))


if __name__ == "__main__":
    main(sys.argv[1:])
