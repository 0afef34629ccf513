"""Five ways to make one result of many, with real functions in real sandboxes."""

from engine_story import Town, letters

from swarm_ray.client.convergence import Custom, as_definition
from swarm_ray.definition.python_api import map_process

SKILL = """\
def sort(inputs, ctx):
    letter = inputs["letter"]
    if letter == "torn":
        raise ctx.InputError("the letter is torn")
    return {"label": letter[0], "sure": 0.5 if letter.endswith("?") else 1.0, "text": letter}


def merge(results, ctx):
    return {r["output"]["text"]: [r["ordinal"], r["input"], sorted(r)] for r in results}


def reduce(acc, result, ctx):
    return (acc or "") + result["output"]["label"]


def broken(results, ctx):
    raise ctx.InputError("these do not fit together")
"""


def test_collect_gives_the_outputs_in_input_order_whatever_order_they_came_in(town: Town):
    skill = "import time\ndef sort(inputs, ctx):\n    time.sleep(inputs['letter'] / 20)\n    return inputs['letter']\n"
    result = town.run(letters(skill), letters=[3, 1, 0, 2])
    assert (result.status, result.output) == ("done", [3, 1, 0, 2])


def test_merge_hands_all_results_with_inputs_and_metadata_to_the_users_function(town: Town):
    result = town.run(letters(SKILL, "strategy: merge, uses: 'sorting:merge'"), letters=["b", "a"])
    fields = ["duration_us", "input", "ordinal", "output", "status", "tokens"]
    assert result.output == {"b": [0, "b", fields], "a": [1, "a", fields]}


def test_reduce_folds_in_input_order(town: Town):
    files = letters(SKILL, "strategy: reduce, uses: 'sorting:reduce'")
    assert town.run(files, letters=["c", "a", "b"]).output == "cab"


def test_vote_weighs_labels_by_confidence(town: Town):
    files = letters(SKILL, "strategy: vote, vote: {label: label, confidence: sure}")
    files["sort_letter.yaml"] += """\
output_schema:
  type: object
  properties: {label: {type: string}, sure: {type: number}}
  required: [label, sure]
"""
    run = town.open(files, letters=["x?", "y", "x?", "y", "x?"])
    result = town.end(run)
    assert result.output == {"label": "y", "sure": 1.0, "text": "y"}
    votes = town.handle(run).report()["sort"]["votes"]
    assert [vote[0] for vote in votes] == ["y", "x"]


def test_a_custom_convergence_is_a_process_of_its_own_with_a_gate(town: Town):
    files = letters(SKILL, "strategy: custom, task: write_index")
    files["write_index.yaml"] = """\
task: write_index
version: 1
input: {results: list}
steps:
  - name: merge
    uses: indexing:merge
    output: merged
  - name: word
    uses: indexing:word
    input: merged
    output: words
    gate: 'size(output) > 0'
output: words
"""
    files["skills/indexing.py"] = (
        "def merge(inputs, ctx):\n    return [r['output']['label'] for r in inputs['results']]\n"
        "def word(inputs, ctx):\n    return ' '.join(inputs['merged'])\n"
    )
    assert town.run(files, letters=["c", "a"]).output == "c a"


def test_a_convergence_that_refuses_fails_the_step_and_loses_no_result(town: Town):
    files = letters(SKILL, "strategy: merge, uses: 'sorting:broken'")
    result = town.run(files, letters=["c", "a"])
    assert result.status == "failed"
    assert "these do not fit together" in result.cause
    assert [item.output["label"] for item in result.ok] == ["c", "a"]


def test_convergence_takes_what_there_is_when_enough_succeeded(town: Town):
    files = letters(SKILL, "min_success_ratio: 0.5, failure_action: skip")
    run = town.open(files, letters=["c", "torn", "a"])
    result = town.end(run)
    assert [one["text"] for one in result.output] == ["c", "a"]
    report = town.handle(run).report()["sort"]
    assert report["partial"] is True
    assert [(one["ordinal"], one["state"]) for one in report["unsuccessful"]] == [(1, "skipped")]


def test_too_few_results_abort_the_swarm_and_say_so(town: Town):
    result = town.run(letters(SKILL), letters=["c", "torn", "a"])
    assert result.status == "failed"
    assert [item.status for item in result] == ["ok", "failed", "ok"]


def test_a_count_is_a_minimum_too(town: Town):
    enough = letters(SKILL, "min_success_ratio: 2, failure_action: skip")
    short = letters(SKILL, "min_success_ratio: 3, failure_action: skip")
    assert town.run(enough, letters=["c", "torn", "a"]).status == "done"
    assert town.run(short, letters=["c", "torn", "a"]).status == "failed"


def test_a_quorum_ends_the_swarm_and_cancels_the_rest(town: Town):
    skill = "import time\ndef sort(inputs, ctx):\n    time.sleep(inputs['letter'])\n    return inputs['letter']\n"
    result = town.run(letters(skill, "quorum: 2"), letters=[30, 0, 0, 30])
    assert (result.status, result.output) == ("done", [0, 0])
    assert [item.status for item in result] == ["cancelled", "ok", "ok", "cancelled"]


def test_an_empty_input_set_converges_to_nothing(town: Town):
    assert town.run(letters(SKILL), letters=[]).output == []


def double(item):
    return item * 2


def ranked(results):
    return sorted((one["output"] for one in results), reverse=True)


def titled(values, ctx):
    return {"best": values[0], "all": values, "at": ctx.depth}


def test_a_custom_convergence_in_python_is_a_chain_of_functions(town: Town):
    rule = as_definition(Custom((ranked, titled), min_success_ratio=0.5))
    bundle = map_process(double, convergence=rule).bundle
    result = town.run(bundle, items=[1, 5, 3])
    assert result.output == {"best": 10, "all": [10, 6, 2], "at": 0}
    [view] = town.handle(result.run).view().fan_outs()
    assert view.strategy == "custom"
