"""What `gc` deletes, and what it must leave."""

import os
import time
from pathlib import Path

import pytest
from engine_story import Town, letters

from swarm_ray.engine.garbage import YOUNG_S
from swarm_ray.errors import IntegrityError, UsageError

SKILL = "def sort(inputs, ctx):\n    return inputs['letter']\n"
FAILING = "def sort(inputs, ctx):\n    raise ctx.InputError('no')\n"
OLD = -1
"""Days to keep that make every closed run old."""


def age(town: Town) -> None:
    """Let everything in the tenant's folder be older than what may still be in use."""
    then = time.time() - 2 * YOUNG_S
    for path in [*bundles(town), *(town.settings.folder / "bodies").glob("??/*")]:
        os.utime(path, (then, then))


def bundles(town: Town) -> list[Path]:
    return sorted((town.settings.folder / "bundles").glob("*"))


def test_a_bundle_goes_with_the_last_run_that_refers_to_it(town: Town) -> None:
    first = town.open(letters(SKILL), letters=["a"])
    town.end(first)
    second = town.open(letters(SKILL), letters=["b"])
    town.end(second)
    other = town.open(letters(SKILL + "# another\n"), letters=["c"])
    town.end(other)
    assert len(bundles(town)) == 2
    age(town)
    told = town.service.collect_garbage(30)
    assert not any(told.values()), "young runs keep everything"
    dry = town.service.collect_garbage(OLD, dry_run=True)
    assert sorted(dry["runs"]) == sorted([first, second, other])
    assert sorted(dry["bundles"]) == [path.name for path in bundles(town)]
    assert len(bundles(town)) == 2, "a dry run deletes nothing"
    assert town.service.collect_garbage(OLD) == dry
    assert bundles(town) == []
    with pytest.raises(UsageError):
        town.service.entries(first, 0, 0)


def test_a_run_that_can_be_resumed_keeps_its_bundle(town: Town) -> None:
    failed = town.open(letters(FAILING), letters=["a"])
    assert town.end(failed).status == "failed"
    age(town)
    assert town.service.collect_garbage(30)["bundles"] == []
    town.restart()
    town.service.resume(failed, "me", failed=True)
    assert town.end(failed).status == "failed"


def test_a_bundle_that_is_used_again_is_young(town: Town) -> None:
    run = town.open(letters(SKILL), letters=["a"])
    town.end(run)
    age(town)
    [bundle] = bundles(town)
    town.service._coordinator.shelf.put(bundle.read_bytes(), bundle.stem)
    told = town.service.collect_garbage(OLD)
    assert (list(told["runs"]), list(told["bundles"])) == ([run], [])


def test_what_an_effect_was_and_did_goes_with_its_run(town: Town, tmp_path: Path) -> None:
    swaps = {
        "output: sorted\noutput: sorted": "output: sorted\n"
        "  - name: write\n    effect: files.publish\n    input: sorted\n"
        f"    with: {{folder: {tmp_path / 'out'}, files: {{all.json: {{from: sorted}}}}}}\n"
        "output: sorted",
    }
    run = town.open(letters(SKILL, swaps=swaps), letters=["a secret letter " * 500])
    assert town.end(run).status == "done"
    secret = b"a secret letter"
    folder = town.settings.folder
    assert holders(folder, secret)
    town.service.collect_garbage(OLD)
    assert holders(folder, secret) == []


def holders(folder: Path, secret: bytes) -> list[Path]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return [path for path in files if secret in path.read_bytes()]


def test_contents_of_a_class_go_and_what_is_left_can_still_be_checked(town: Town) -> None:
    secret = "a secret letter " * 500
    run, other = (town.open(letters(SKILL), letters=[secret, word]) for word in ("small", "tiny"))
    town.end(run)
    town.end(other)
    folder = town.settings.folder
    before = town.service.entries(run, 0, 0).entries
    assert town.service.erase_bodies(["input"], 30, "") == (), "young runs keep everything"
    told = town.service.erase_bodies(["input", "output", "context"], 30, run, dry_run=True)
    assert told
    assert len(holders(folder, secret.encode())) >= 2, "a dry run deletes nothing"
    assert town.service.erase_bodies(["input", "output", "context"], 30, run) == told
    assert town.service.erase_bodies(["input", "output", "context"], 30, run) == ()
    assert town.service.entries(run, 0, 0).entries == before, "every entry stays"
    with pytest.raises(IntegrityError) as gone:
        town.service.bodies([told[0]])
    assert gone.value.code == "ledger.body_deleted"
    assert holders(folder, secret.encode()), "another run keeps its own"
    town.service.erase_bodies(["input", "output", "context"], OLD, "")
    assert holders(folder, secret.encode()) == []


def test_contents_of_an_open_run_stay(town: Town) -> None:
    slow = "def sort(inputs, ctx):\n    import time\n    time.sleep(2)\n    return 1\n"
    run = town.open(letters(slow), letters=["a"])
    with pytest.raises(UsageError) as refused:
        town.service.erase_bodies(["input"], OLD, run)
    assert refused.value.code == "ledger.run_open"
    assert town.service.erase_bodies(["input"], OLD, "") == ()
    assert town.end(run).status == "done"
