"""A definition that holds becomes a plan for the core and tasks for the workers."""

import pytest
from definition_samples import MODELS, PROCESS, TASK, definition, linked, loaded

from swarm_ray.core.plan import Budget, Clause, Effect, Plan, Question
from swarm_ray.definition.items import ItemInputs
from swarm_ray.definition.link import link
from swarm_ray.definition.references import fill, names_in
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import decode_json
from swarm_ray.values.records import from_record, to_record

P, T, B = "process.yaml", "sort_letter.yaml", "bindings.yaml"
MISMATCH = "definition.item_mismatch"
LETTERS = """\
      items:
        type: object
        properties: {sender: {type: string}, words: {type: integer}}
"""
BEHAVIOR = """\
behavior:
  swarm_eligible: true
  containment: strict
  event_topics: [task.lifecycle]
  estimated_duration: short
  model_requirements: {reasoning_depth: deep, code_generation: true}
"""


def step(plan: Plan, name: str):
    return next(one for one in plan.steps if one.name == name)


def test_limits_reach_the_plan_in_the_units_of_the_core() -> None:
    fan_out = step(linked().plan, "sort").fan_out
    assert (fan_out.over, fan_out.task, fan_out.concurrency) == ("letters", "sort_letter", 4)
    assert (fan_out.deadline_us, fan_out.item_deadline_us) == (30_000_000, 5_000_000)
    assert fan_out.budget == Budget(50_000, 1_500_000)
    assert fan_out.convergence.min_success_ppm == 500_000
    assert fan_out.convergence.failure_action == "skip"


def test_an_integer_is_a_count_and_a_float_a_share() -> None:
    for written, ppm, count in (("1", 0, 1), ("1.0", 1_000_000, 0)):
        swaps = {P: ("min_success_ratio: 0.5", f"min_success_ratio: {written}")}
        rule = step(linked(swaps=swaps).plan, "sort").fan_out.convergence
        assert (rule.min_success_ppm, rule.min_success_count) == (ppm, count)


def test_defaults_are_all_items_and_retry() -> None:
    convergence = """      convergence:
        strategy: collect
        min_success_ratio: 0.5
        failure_action: skip
"""
    rule = step(linked(swaps={P: (convergence, "")}).plan, "sort").fan_out.convergence
    assert (rule.strategy, rule.failure_action, rule.min_success_ppm) == (
        "collect",
        "retry",
        1_000_000,
    )


def test_a_step_becomes_a_task_with_only_what_it_declares() -> None:
    task = linked().tasks["step:collect"]
    assert task["inputs"] == {"folder": "path"}
    assert (task["reads"], task["processes"]) == (["folder"], 2)
    assert task["steps"] == [
        {
            "name": "collect",
            "kind": "skill",
            "uses": "sorting:collect",
            "with": {},
            "input": None,
            "output": "letters",
            "gate": None,
        }
    ]


def test_a_blueprint_becomes_a_task_under_its_own_name() -> None:
    task = linked().tasks["sort_letter"]
    assert task["inputs"] == {"sender": "string", "words": "integer"}
    assert (task["output"], task["knowledge"]) == ("answer", ["house/rules"])
    assert task["output_schema"]["properties"].keys() == {"text", "label", "score"}
    assert [one["input"] for one in task["steps"]] == [None, ["label"]]
    assert task["steps"][1]["gate"] == "size(output.text) > 0"


def test_the_published_step_is_an_effect_with_its_references() -> None:
    publish = step(linked().plan, "publish")
    assert publish.inputs == ("summary", "folder")
    assert publish.effect == Effect(
        "files.publish",
        '{"files":{"summary.md":{"from":"summary.text"}},"folder":{"from":"folder"}}',
    )


def test_references_are_filled_when_the_values_are_known() -> None:
    arguments = decode_json(step(linked().plan, "publish").effect.arguments.encode())
    assert names_in(arguments) == {"folder", "summary"}
    values = {"folder": "out", "summary": {"text": "all well"}}
    assert fill(arguments, values) == {"folder": "out", "files": {"summary.md": "all well"}}
    with pytest.raises(UsageError) as caught:
        fill(arguments, {"folder": "out", "summary": "all well"})
    assert caught.value.code == "definition.missing_reference"


def test_a_decision_by_a_person_reaches_the_plan() -> None:
    assert step(linked().plan, "approve").question == Question(
        "Publish the summary?", ("publish", "discard"), "discard", 3_600_000_000
    )


def test_reactions_reach_the_plan_in_order() -> None:
    result = linked()
    assert step(result.plan, "sort").on_error == (
        Clause("proceed", min_success_ppm=200_000),
        Clause("escalate", task="on_error:sort:1"),
    )
    assert result.tasks["on_error:sort:1"]["inputs"].keys() == {"results", "errors", "metadata"}


@pytest.mark.parametrize("strategy", ["merge", "reduce"])
def test_a_merge_or_reduce_function_is_a_task_of_its_own(strategy: str) -> None:
    swaps = {P: ("strategy: collect", f"strategy: {strategy}\n        uses: sorting:{strategy}")}
    result = linked(swaps=swaps)
    assert step(result.plan, "sort").fan_out.convergence.task == "converge:sort"
    assert result.tasks["converge:sort"]["steps"][0]["kind"] == strategy


def test_a_custom_convergence_is_a_process_of_its_own() -> None:
    joined = """\
task: joined
version: 1
knowledge: [house/rules]
input: {results: list}
steps:
  - {name: gather, uses: "sorting:classify", output: gathered}
  - {name: check, uses: "sorting:word", input: gathered, output: report, gate: "output.text != ''"}
output: report
"""
    swaps = {P: ("strategy: collect", "strategy: custom\n        task: joined")}
    task = linked({"joined.yaml": joined}, swaps=swaps).tasks["converge:sort"]
    assert (len(task["steps"]), task["knowledge"]) == (2, ["house/rules"])


def test_a_vote_names_its_fields_for_those_who_count() -> None:
    swaps = {
        P: (
            "strategy: collect",
            "strategy: vote\n        vote: {label: label, confidence: score}",
        )
    }
    result = linked(swaps=swaps)
    assert result.swarms["sort"]["vote"] == {"label": "label", "confidence": "score"}
    assert step(result.plan, "sort").fan_out.convergence.strategy == "vote"


def test_the_plan_survives_the_log() -> None:
    plan = linked().plan
    assert from_record(Plan, to_record(plan)) == plan


def test_a_model_serves_every_sentence_when_the_bindings_are_left_out() -> None:
    result = link(loaded(without_bindings=True), models=MODELS)
    assert {one["kind"] for task in result.tasks.values() for one in task["steps"]} == {
        "model",
        "skill",  # the reaction of `on_error:` names its function itself
    }
    assert step(result.plan, "publish").effect is None
    assert any(note.startswith("publish: a model answers") for note in result.notes)


def test_a_model_that_feeds_a_swarm_is_held_to_the_inputs_of_the_blueprint() -> None:
    result = link(loaded(without_bindings=True), models=MODELS)
    schema = result.tasks["step:collect"]["output_schema"]
    assert schema["type"] == "array"
    assert schema["items"]["required"] == ["sender", "words"]


def test_a_model_call_reserves_its_slice() -> None:
    result = link(loaded(without_bindings=True), models=MODELS)
    assert step(result.plan, "sort").fan_out.slice == Budget(2 * 18_000, 0)
    assert step(linked().plan, "sort").fan_out.slice == Budget()
    declared = {
        B: (
            "uses: sorting:classify",
            "uses: model\n    tokens: {input: 900, output: 100, usd: 0.01}",
        )
    }
    assert step(linked(swaps=declared, models=MODELS).plan, "sort").fan_out.slice == Budget(
        1000, 10_000
    )


def test_deleting_every_behavior_block_changes_nothing_that_runs() -> None:
    hinted = {P: PROCESS + BEHAVIOR, T: TASK + BEHAVIOR}
    with_hints, without = linked(hinted, models=MODELS), linked(models=MODELS)
    assert with_hints.linked_json() == without.linked_json()
    assert with_hints.hints["sort_letter"]["estimated_duration"] == "short"
    assert step(with_hints.plan, "sort").topics == ("task.lifecycle",)

    record = to_record(with_hints.plan)
    for one in record["steps"]:
        one.pop("topics", None)
    assert record == to_record(without.plan)


def test_containment_only_tightens() -> None:
    swaps = {B: ("uses: sorting:classify", "uses: sorting:classify\n    processes: 3")}
    assert linked(swaps=swaps).tasks["sort_letter"]["processes"] == 3
    strict = linked({T: TASK + "behavior: {containment: strict}\n"}, swaps=swaps)
    assert strict.tasks["sort_letter"]["processes"] == 3
    sealed = linked({T: TASK + "behavior: {containment: sealed}\n"}, swaps=swaps)
    assert sealed.tasks["sort_letter"]["processes"] == 0
    assert any("sealed" in note for note in sealed.notes)


def test_the_tighter_limit_of_process_and_bindings_holds() -> None:
    process = PROCESS.replace("version: 1", "version: 1\ndeadline: 10m\nbudget: {tokens: 90}", 1)
    result = linked(
        {P: process}, swaps={B: ("version: 1", "version: 1\ndeadline: 5m\nbudget: {tokens: 100}")}
    )
    assert (result.plan.deadline_us, result.plan.budget) == (300_000_000, Budget(90))


def test_bindings_may_set_another_default_for_an_input() -> None:
    swaps = {B: ("version: 1", "version: 1\ninputs: {folder: {type: path, default: letters}}")}
    assert linked(swaps=swaps).inputs["folder"].default == "letters"
    assert not linked().inputs["folder"].required


def test_linking_reads_skills_without_running_them() -> None:
    trap = definition().content["skills/sorting.py"] + b"\nraise SystemExit('ran')\n"
    assert linked({"skills/sorting.py": trap.decode()}).plan.process == "sort_letters"


@pytest.mark.parametrize(
    ("declared", "element", "inputs"),
    [
        ({"a": "string", "b": "any"}, {"a": "x", "b": 1, "c": 2}, {"a": "x", "b": 1}),
        ({"item": "any"}, "x", {"item": "x"}),
        ({"item": "any"}, {"other": 1}, {"item": {"other": 1}}),
        ({"item": "any"}, {"item": 1}, {"item": 1}),
        ({}, {"free": 1}, {"free": 1}),
    ],
)
def test_an_element_becomes_the_inputs_of_an_item(declared, element, inputs) -> None:
    assert ItemInputs({"inputs": declared}).of(element) == inputs


def refusal(declared: str, element: object) -> str:
    """Return why an element cannot be the inputs of a task that declares them so."""
    blueprint = f"task: sort_letter\nversion: 1\ninput: {declared}\n"
    files = {T: blueprint + TASK[TASK.index("steps:") :]}
    task = linked(files, swaps={B: (LETTERS, "")}).tasks["sort_letter"]
    try:
        ItemInputs(task).of(element)
    except UsageError as error:
        return f"{error.code}: {error.message}"
    return ""


@pytest.mark.parametrize(
    ("declared", "element", "told"),
    [
        ("{a: string, b: any}", {"a": "x"}, "lacks b:"),
        ("{a: string, b: any}", 7, "lacks a, b: it is 7"),
        ("{text: string}", {"txt": "a"}, "lacks text: it is {"),
        ("{text: string}", 7, "'text' 7, expected is type string"),
        ("{text: string, n: integer}", {"text": 3, "n": 7}, "'text' 3, expected is type string"),
        ("{n: integer}", 1.5, "expected is type integer"),
        ("{n: integer}", True, "expected is type integer"),
        ("{n: number}", "1", "expected is type number"),
        ("{n: boolean}", 0, "expected is type boolean"),
        ("{n: list}", {}, "lacks n"),
        ("{n: object}", [], "expected is type object"),
        ("{n: path}", 1, "expected is type path"),
        ("{n: {enum: [a, b]}}", "c", 'expected is {"enum":["a","b"]} at $'),
        ("{n: {type: [string, 'null']}}", 1, "expected is"),
        ("{n: {type: list, items: {type: integer}}}", [1, "x"], "at $[1]"),
        ("{n: {type: string, minLength: 2}}", "x", 'expected is {"minLength":2}'),
    ],
)
def test_an_element_that_is_not_as_declared_is_refused(declared, element, told: str) -> None:
    refused = refusal(declared, element)
    assert (refused.split(": ")[0], told in refused) == (MISMATCH, True), refused


@pytest.mark.parametrize(
    ("declared", "element"),
    [
        ("{n: integer}", 2.0),
        ("{n: number}", 2),
        ("{n: any}", None),
        ("{n: path}", "here"),
        ("{n: object}", {"free": 1}),
        ("{n: {enum: [a, b]}}", "a"),
        ("{n: {type: [string, 'null']}}", None),
        ("{n: {type: path}, m: {type: list, items: {type: integer}}}", {"n": "x", "m": [1]}),
    ],
)
def test_an_element_as_declared_is_taken(declared: str, element: object) -> None:
    assert refusal(declared, element) == ""
