"""What becomes of attempts that fail, gates that do not hold, people who decide, and time."""

import time

import pytest
from engine_story import Town, letters, packed

from swarm_ray.client.outcomes import DecisionNeeded
from swarm_ray.core import events as ev
from swarm_ray.errors import UsageError

FAILING = """\
def sort(inputs, ctx):
    kind = inputs["letter"]
    if kind == "RateLimited":
        raise ctx.RateLimited(1, "slow down")
    if kind != "ok":
        raise getattr(ctx, kind)(f"this letter is {kind}")
    return kind
"""
ANY = "min_success_ratio: 0.1, failure_action: skip"


@pytest.mark.parametrize(
    ("raised", "attempts", "status"),
    [
        ("TransientError", 2, "transient"),
        ("RateLimited", 2, "rate_limited"),
        ("InputError", 1, "input"),
        ("BudgetError", 1, "budget"),
        ("ContainmentError", 1, "containment"),
        ("AttributeThatIsNot", 1, "input"),
    ],
)
def test_a_failure_is_retried_only_if_another_try_may_help(
    town: Town, raised: str, attempts: int, status: str
):
    run = town.open(letters(FAILING, ANY), letters=["ok", raised])
    result = town.end(run)
    assert (result.status, result.output) == ("done", ["ok"])
    assert result.items[1].attempts == attempts
    rows = [r for e in town.events(run) if isinstance(e, ev.Settled) for r in e.rows if r.item == 1]
    assert {row.status for row in rows} == {status}


def test_a_structural_failure_aborts_the_swarm_at_once(town: Town):
    result = town.run(letters(FAILING, ANY), letters=["StructuralError"] + ["ok"] * 3)
    assert result.status == "failed"
    assert result.items[0].attempts == 1
    assert "StructuralError" in result.cause


def test_an_item_that_fails_for_the_same_reason_again_and_again_is_given_up_early(town: Town):
    files = letters(FAILING, ANY, {"max_attempts: 2": "max_attempts: 50, max_identical: 3"})
    assert town.run(files, letters=["ok", "TransientError"]).items[1].attempts == 3


def test_retry_after_is_obeyed(town: Town):
    skill = "def sort(inputs, ctx):\n    raise ctx.RateLimited(400)\n"
    run = town.open(letters(skill, ANY), letters=["x"])
    before = time.monotonic()
    town.end(run)
    assert time.monotonic() - before >= 0.4


def test_an_item_that_hangs_is_ended_at_its_deadline(town: Town):
    skill = (
        "import time\ndef sort(inputs, ctx):\n"
        "    time.sleep(60 if inputs['letter'] == 'hang' else 0)\n    return 'ok'\n"
    )
    files = letters(skill, ANY, {"concurrency: 4": "concurrency: 4\n      item_deadline: 300ms"})
    result = town.run(files, letters=["hang", "go"])
    assert (result.status, result.output) == ("done", ["ok"])
    assert result.items[0].code == "attempt.deadline"


def test_an_output_that_does_not_fit_its_schema_is_an_input_failure(town: Town):
    files = letters("def sort(inputs, ctx):\n    return inputs['letter']\n", ANY)
    files["sort_letter.yaml"] += "output_schema: {type: integer}\n"
    result = town.run(files, letters=[1, "one"])
    assert result.output == [1]
    assert (result.items[1].code, result.items[1].attempts) == ("output.schema", 1)


def test_a_gate_that_does_not_hold_fails_the_item(town: Town):
    files = letters("def sort(inputs, ctx):\n    return inputs['letter']\n", ANY)
    files["sort_letter.yaml"] = files["sort_letter.yaml"].replace(
        "    output: label", "    output: label\n    gate: 'output > 1'"
    )
    result = town.run(files, letters=[1, 2])
    assert result.output == [2]
    assert result.items[0].code.startswith("gate.")


def test_an_item_that_lacks_an_input_fails_alone(town: Town):
    files = letters("def sort(inputs, ctx):\n    return inputs['a']\n", ANY)
    files["sort_letter.yaml"] = files["sort_letter.yaml"].replace(
        "{letter: any}", "{a: integer, b: integer}"
    )
    result = town.run(files, letters=[{"a": 1, "b": 2}, {"a": 1}, "neither"])
    assert result.output == [1]
    assert [item.code for item in result.failed + result.skipped] == ["input.mismatch"] * 2
    assert "item 1 for task 'sort_letter': the item lacks b:" in result.items[1].error
    assert "the item lacks a, b: it is" in result.items[2].error


def test_an_item_of_another_type_fails_before_any_code_runs_and_is_not_retried(town: Town):
    files = letters("def sort(inputs, ctx):\n    return inputs['letter']\n", ANY)
    files["sort_letter.yaml"] = files["sort_letter.yaml"].replace("letter: any", "letter: string")
    result = town.run(files, letters=["one", 2, {"lettr": "three"}])
    assert result.output == ["one"]
    assert [(item.code, item.attempts) for item in result.items[1:]] == [("input.mismatch", 1)] * 2
    assert "item 1 " in result.items[1].error
    assert "has as input 'letter' 2, expected is type string" in result.items[1].error
    assert "the item lacks letter" in result.items[2].error


def test_a_person_decides_about_a_failed_item(town: Town):
    files = letters(FAILING, "min_success_ratio: 0.5, failure_action: review")
    run = town.open(files, letters=["ok", "InputError"])
    handle = town.handle(run)
    with pytest.raises(DecisionNeeded):
        handle.result(timeout=60)
    [question] = handle.view().questions
    assert "retry" in question.choices
    with pytest.raises(UsageError, match=r"decide\.unknown_choice"):
        town.service.decide(run, question.key, "maybe", "me", "")
    town.service.decide(run, question.key, "skip", "me", "not worth it")
    result = town.end(run)
    assert (result.status, result.output) == ("done", ["ok"])
    with pytest.raises(UsageError):
        town.service.decide(run, question.key, "skip", "me", "")


def test_a_question_survives_the_coordinator(town: Town):
    files = letters(FAILING, "min_success_ratio: 0.5, failure_action: review")
    run = town.open(files, letters=["ok", "InputError"])
    town.until(lambda: town.handle(run).view().questions, "the question")
    town.restart()
    [question] = town.handle(run).view().questions
    town.service.decide(run, question.key, "skip", "me", "")
    assert town.end(run).output == ["ok"]


SLOW = "import time\ndef sort(inputs, ctx):\n    time.sleep(inputs['letter'])\n    return 1\n"


def test_cancelling_a_run_ends_it_with_what_there_is(town: Town):
    run = town.open(letters(SLOW), letters=[0, 60, 60])
    town.until(lambda: town.attempts(run), "a result")
    town.service.cancel(run, "me", "", -1)
    result = town.end(run)
    assert result.status == "cancelled"
    assert [item.status for item in result] == ["ok", "cancelled", "cancelled"]


def test_cancelling_one_item_leaves_the_others(town: Town):
    run = town.open(letters(SLOW, ANY), letters=[0.2, 60, 0])
    town.until(lambda: town.attempts(run), "a result")
    town.handle(run).cancel(1)
    result = town.end(run)
    assert (result.status, result.output) == ("done", [1, 1])
    assert result.items[1].status == "cancelled"


def test_the_deadline_of_a_run_ends_it_and_says_so(town: Town):
    files = letters(SLOW, swaps={"inputs:\n": "deadline: 700ms\ninputs:\n"})
    result = town.run(files, letters=[0, 60])
    assert result.status == "deadline"
    assert result.items[0].status == "ok"


def test_a_swarms_deadline_keeps_time_for_convergence(town: Town):
    files = letters(SLOW, ANY, {"concurrency: 4": "concurrency: 4\n      deadline: 1s"})
    result = town.run(files, letters=[0, 60])
    assert (result.status, result.output) == ("done", [1])


def test_on_error_goes_on_with_what_there_is(town: Town):
    clause = "    output: sorted\n    on_error:\n      - reaction: proceed\noutput"
    files = letters(FAILING, swaps={"    output: sorted\noutput": clause})
    result = town.run(files, letters=["ok", "InputError"])
    assert (result.status, result.output) == ("done", ["ok"])


def test_on_error_can_ask_a_function_what_to_do(town: Town):
    clause = "    output: sorted\n    on_error:\n      - {reaction: retry, uses: 'sorting:react'}\noutput"
    skill = (
        FAILING + "\n\ndef react(inputs, ctx):\n"
        "    assert [r['output'] for r in inputs['results']] == ['ok'], inputs\n"
        "    assert inputs['errors'][0]['ordinal'] == 1, inputs\n"
        "    return {'reaction': 'proceed'}\n"
    )
    result = town.run(
        letters(skill, swaps={"    output: sorted\noutput": clause}), letters=["ok", "InputError"]
    )
    assert (result.status, result.output) == ("done", ["ok"])


def test_escalation_asks_a_person(town: Town):
    clause = "    output: sorted\n    on_error:\n      - reaction: escalate\noutput"
    files = letters(FAILING, swaps={"    output: sorted\noutput": clause})
    run = town.open(files, letters=["ok", "InputError"])
    [question] = town.until(lambda: town.handle(run).view().questions, "the question")
    town.service.decide(run, question.key, "proceed", "me", "good enough")
    assert town.end(run).output == ["ok"]


def test_an_unfit_collection_refuses_the_step_by_name(town: Town):
    files = letters(
        FAILING,
        swaps={
            "steps:\n  - name: sort\n    fan_out": "steps:\n  - {name: make, uses: 'sorting:sort', "
            "input: kind, output: made}\n  - name: sort\n    fan_out",
            "over: letters": "over: made",
            "  letters: list": "  letter: string\n  kind: string",
        },
    )
    files["skills/sorting.py"] = "def sort(inputs, ctx):\n    return inputs.get('kind', 1)\n"
    result = town.run(packed(files), letter="x", kind="no list")
    assert result.status == "failed"
    assert "swarm.not_a_list" in str(town.handle(result.run).view().refusals)
