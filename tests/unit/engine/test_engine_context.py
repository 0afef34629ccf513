"""Canaries: what a worker must not know is in no parcel, no context and no frame."""

import pickle

import pytest
from engine_story import Town, packed

from swarm_ray.core import events as ev

FILES = {
    "process.yaml": """\
# canary-comment-in-process
process: letters
version: 1
description: canary-description
knowledge: [house/open]
inputs:
  letters: list
  undeclared: {type: string, default: canary-input}
  shown: {type: string, default: welcome}
steps:
  - name: canary_step_name
    uses: sorting:secret
    input: undeclared
    output: hidden
  - name: sort
    fan_out:
      over: letters
      task: sort_letter
      concurrency: 1
      convergence: {strategy: merge, uses: 'sorting:merge'}
    output: sorted
  - name: look
    uses: sorting:look
    input: shown
    output: looked
output: looked
""",
    "sort_letter.yaml": """\
# canary-comment-in-task
task: sort_letter
version: 1
description: canary-task-description
memory: [public]
input: {letter: string}
steps:
  - name: sort
    uses: sorting:sort
output: sort
""",
    "skills/sorting.py": """\
# canary-comment-in-skill
def secret(inputs, ctx):
    ctx.remember("private", "canary-memory-of-the-parent")
    ctx.remember("public", "a rule for everybody")
    return "canary-output-of-another-step"


def dump(inputs, ctx):
    import os, sys
    channel = ctx._attempt.channel
    return {"inputs": inputs, "memory": ctx.memory, "knowledge": sorted(ctx.knowledge),
            "reads": ctx.reads, "environment": dict(os.environ), "argv": sys.argv,
            "recalled": [ctx.recall("public"), ctx.recall("private")], "with": ctx.with_}


def sort(inputs, ctx):
    ctx.remember("public", "canary-of-worker-" + inputs["letter"][-1])
    return dump(inputs, ctx)


def look(inputs, ctx):
    return dump(inputs, ctx)


def merge(results, ctx):
    return [record["payload"] for record in ctx.memory]
""",
    "knowledge/house/open.md": "Be kind.\n",
    "knowledge/house/closed.md": "canary-knowledge-of-nobody\n",
}
LETTERS = [f"canary-item-{n}" for n in range(3)]


@pytest.fixture
def told(town: Town):
    """A finished run, with all that crossed to the host."""
    run = town.open(packed(FILES), letters=LETTERS)
    result = town.end(run)
    assert result.status == "done", result.cause
    return town, run, result


def test_a_parcel_holds_its_own_items_and_nothing_that_was_not_declared(told):
    town, _, _ = told
    canaries = [
        b"canary-comment",
        b"canary-description",
        b"canary-task-description",
        b"canary-knowledge",
        b"canary-memory-of-the-parent",
        b"canary-output-of-another-step",
        b"canary_step_name",
    ]
    for parcel in town.hosts.parcels:
        data = pickle.dumps(parcel)
        named = parcel.task.encode()
        for canary in canaries:
            assert canary not in data or canary in named, (canary, parcel.task)
        if parcel.task != "step:canary_step_name":
            assert b"canary-input" not in data, parcel.task
        if parcel.task == "sort_letter":
            own = {LETTERS[item].encode() for item in parcel.order.items}
            for letter in LETTERS:
                assert letter.encode() not in data or letter.encode() in own


def test_each_parcel_of_a_swarm_holds_payloads_of_its_own_rows_only(told):
    town, _, _ = told
    for parcel in town.hosts.parcels:
        if parcel.task == "sort_letter":
            for item, payload in zip(parcel.order.items, parcel.payloads, strict=True):
                assert payload == f'{{"letter":"{LETTERS[item]}"}}'.encode()


def test_no_context_body_holds_more_than_was_declared(told):
    town, run, _ = told
    opened = [one for one in town.events(run) if isinstance(one, ev.SwarmOpened)]
    contexts = {one.kind: town.service.bodies([one.context])[0] for one in opened}
    assert b"canary" not in contexts["fan_out"].replace(b"canary_step", b"")
    assert b"a rule for everybody" in contexts["fan_out"]
    assert b"canary-of-worker-0" in contexts["converge"]
    for context in contexts.values():
        for canary in (b"canary-item", b"canary-input", b"canary-memory", b"canary-comment"):
            assert canary not in context


def test_a_worker_sees_its_item_the_declared_memory_and_no_environment(told):
    _, _, result = told
    for ordinal, item in enumerate(result):
        seen = item.output
        assert seen["inputs"] == {"letter": LETTERS[ordinal]}
        assert [one["payload"] for one in seen["memory"]] == ["a rule for everybody"]
        assert seen["recalled"] == [[f"canary-of-worker-{ordinal}"], []]
        assert "canary" not in str(seen["environment"])
        assert "SWARM_RAY_MODEL_KEY" not in seen["environment"]


def test_a_later_step_sees_its_declared_input_only(told):
    _, _, result = told
    assert result.output["inputs"] == {"shown": "welcome"}
    assert result.output["memory"] == []


def test_convergence_can_ask_the_memory_of_its_whole_swarm(told):
    _, _, result = told
    assert result.outputs["sorted"] == [f"canary-of-worker-{n}" for n in range(3)]
