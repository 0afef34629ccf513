"""What a run is started with: large, many, none, not text; and what it hands out besides."""

import base64
import subprocess
import tracemalloc
from pathlib import Path

import pytest
from engine_story import Town, letters, packed

from swarm_ray.client.starting import complete_launch, link_process
from swarm_ray.core import events as ev
from swarm_ray.errors import UsageError
from swarm_ray.testing.endpoint import Said, endpoint

SKILL = "def sort(inputs, ctx):\n    return len(str(inputs['letter']))\n"


@pytest.mark.thorough
def test_a_hundred_thousand_items_open_quickly_and_in_bounded_memory(town: Town):
    bundle = packed(letters(SKILL))
    items = [f"letter {n}" for n in range(100_000)]
    tracemalloc.start()
    run = town.open(bundle, letters=items)
    opened = town.until(
        lambda: [one for one in town.events(run) if isinstance(one, ev.SwarmOpened)], "the swarm"
    )
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert opened[0].items == 100_000
    assert peak < 400 * 2**20, f"{peak / 2**20:.0f} MiB"
    town.service.cancel(run, "me", "", -1)
    assert town.end(run).status == "cancelled"


def test_an_item_that_is_too_large_is_refused_with_its_ordinal(town: Town):
    run = town.open(letters(SKILL), letters=["small", "x" * 50_000_000, "small"])
    result = town.end(run)
    assert result.status == "failed"
    [refused] = [one for one in town.events(run) if isinstance(one, ev.StepRefused)]
    [detail] = town.service.bodies([refused.detail])
    assert refused.code == "manifest.item_too_large"
    assert b"item 1" in detail


def test_inputs_are_checked_before_anything_is_written(town: Town):
    bundle = packed(letters(SKILL))
    for inputs, code in (
        ({}, "run.missing_input"),
        ({"letters": [], "more": 1}, "run.unknown_input"),
        ({"letters": "no list"}, "run.bad_input"),
    ):
        with pytest.raises(UsageError) as refused:
            town.open(bundle, **inputs)
        assert refused.value.code == code
    assert town.service.runs() == []


def test_opening_the_same_run_twice_starts_it_once(town: Town):
    bundle = packed(letters(SKILL))
    run = town.open(bundle, letters=["a"])
    town.service.open_run(run, bundle.data, bundle.digest, {"letters": ["a"]})
    town.end(run)
    town.service.open_run(run, bundle.data, bundle.digest, {"letters": ["a"]})
    assert town.service.runs() == [run]
    assert town.attempts(run) == [(0, 1)]


def test_artifacts_and_memory_of_failed_attempts_do_not_exist(town: Town):
    skill = """\
def sort(inputs, ctx):
    ctx.artifact("note.txt", "text/plain", inputs["letter"].encode())
    ctx.remember("notes", inputs["letter"])
    if inputs["letter"] == "bad":
        raise ctx.InputError("bad")
    return 1


def merge(results, ctx):
    return [one["payload"] for one in ctx.memory]
"""
    rule = "strategy: merge, uses: 'sorting:merge', min_success_ratio: 1, failure_action: skip"
    run = town.open(letters(skill, rule), letters=["good", "bad", "better"])
    assert town.end(run).output == ["good", "better"]
    view = town.handle(run).view()
    kept = [
        one
        for swarm in view.swarms
        if swarm.kind == "fan_out"
        for one in swarm.attempts
        if one.extras
    ]
    assert sorted(one.item for one in kept) == [0, 2]
    from swarm_ray.values.codec import decode_json

    [extras] = town.service.bodies([kept[0].extras])
    [artifact] = decode_json(extras)["artifacts"]
    assert artifact["name"] == "note.txt"
    assert base64.b64decode(artifact["data"]) in (b"good", b"better")


def repository(folder: Path) -> Path:
    """A repository whose last commit removes a public name and holds a file that is no text."""
    folder.mkdir()
    commands = ["init -q", "config user.email a@b", "config user.name a"]
    (folder / "mod.py").write_text("def kept():\n    return 1\n\n\ndef gone():\n    return 2\n")
    (folder / "use.py").write_text("from mod import gone\n\nprint(gone())\n")
    for words in [*commands, "add -A", "commit -qm one"]:
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    (folder / "mod.py").write_text("def kept():\n    return 1\n")
    (folder / "latin.py").write_bytes(b"# caf\xe9\nname = 'caf\xe9'\n")
    for words in ["add -A", "commit -qm two"]:
        subprocess.run(["git", *words.split()], cwd=folder, check=True)
    return folder


def launched(town: Town, name: str, *, without_bindings: bool = False, **inputs):
    linked = link_process(name, town.settings, without_bindings=without_bindings)
    launch = complete_launch(linked, inputs)
    from swarm_ray.definition.bundle import pack

    return town.run(pack(linked), **launch.inputs)


def test_the_main_job_reviews_a_repository_and_publishes_the_review(town: Town, tmp_path: Path):
    out = tmp_path / "out"
    result = launched(
        town,
        "review_pull_request",
        repository=str(repository(tmp_path / "repo")),
        range="HEAD~1..HEAD",
        output_dir=str(out),
    )
    assert result.status == "done", result.cause
    assert sorted(path.name for path in out.iterdir()) == [
        "review.json",
        "review.md",
        "review.sarif",
    ]
    assert "gone" in (out / "review.md").read_text()
    assert "use.py" in (out / "review.md").read_text()


def test_without_bindings_a_model_carries_out_the_sentences_and_nothing_is_called_posted(
    tmp_path: Path,
):
    def script(request) -> Said:
        text = str(request["messages"])
        if "changed file list" in text:
            files = '[{"file_path": "a.py", "diff_content": "+x", "pr_context": "c"}]'
            return Said(files, 10, 5)
        return Said('{"review": "I have posted it to the pull request"}', 10, 5)

    with endpoint(script) as server:
        town = Town(tmp_path / "home", model_url=server.url, model_name="scripted")
        result = launched(town, "review_pull_request", without_bindings=True)
        view = town.handle(result.run).view()
        town.close()
    assert result.status == "done", result.cause
    assert view.effects == []
    assert len(server.requests) >= 4


def test_messages_are_triaged_without_any_model(town: Town):
    result = launched(town, "triage_messages")
    assert result.status == "done", result.cause
    assert len(result) >= 40
    assert len(result.ok) == len(result)
