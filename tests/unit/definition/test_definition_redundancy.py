"""What a definition may ask of copies and rules, and what it compiles to."""

from typing import Any

import pytest

from swarm_ray.core import plan
from swarm_ray.definition.bundle import pack
from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.linked import Linked
from swarm_ray.definition.load import load_files
from swarm_ray.definition.redundancy import projection_of
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability
from swarm_ray.errors import UsageError

PROCESS = """\
process: court
version: 1
inputs: {cases: list}
steps:
  - name: judge
    fan_out:
      over: cases
      task: judge_case
      concurrency: 4
      verification: VERIFICATION
      convergence: CONVERGENCE
    output: verdicts
output: verdicts
"""
TASK = """\
task: judge_case
version: 1
input: {text: string}
steps:
  - {name: judge, uses: "judging:judge", output: verdict}
output: verdict
output_schema:
  type: object
  properties: {word: {type: string, enum: [yes, no]}, sure: {type: number}, price: {type: number}}
  required: [word]
"""
SKILL = "def judge(inputs, ctx):\n    return {'word': 'yes'}\n"


MODELS = ModelCapabilities((ModelCapability("scripted"),))


def linked(verification: str, convergence: str = "{strategy: collect}") -> Linked:
    process = PROCESS.replace("VERIFICATION", verification).replace("CONVERGENCE", convergence)
    files = {"process.yaml": process, "judge_case.yaml": TASK, "skills/judging.py": SKILL}
    return link(
        load_files(MemoryFiles({name: text.encode() for name, text in files.items()}, label="t"))
    )


def spec(verification: str) -> plan.FanOut:
    found = linked(verification).plan.steps[0].fan_out
    assert found is not None
    return found


def flaws(verification: str, convergence: str = "{strategy: collect}") -> list[dict[str, Any]]:
    with pytest.raises(UsageError) as error:
        linked(verification, convergence)
    return error.value.fields["flaws"]


def test_nothing_is_verified_beyond_signatures_unless_it_is_asked_for():
    for text in ("none", "{}", "{redundancy: {copies: 1}}", "{attestation: required}"):
        assert spec(text).redundancy is None
        assert spec(text).rules == ()


@pytest.mark.parametrize(
    ("written", "rule", "projection"),
    [
        ("exact", plan.Agree(), {}),
        ("{label: word}", plan.Agree("label"), {"label": "word"}),
        (
            "{label: word, confidence: sure}",
            plan.Agree("label"),
            {"label": "word", "confidence": "sure"},
        ),
        (
            "{numeric: {field: price, absolute: 0.05, relative: 0.01}}",
            plan.Agree("numeric", 50_000, 10_000),
            {"label": "price"},
        ),
    ],
)
def test_the_rule_of_agreement_is_compiled(written: str, rule: plan.Agree, projection: dict):
    asked = f"{{redundancy: {{copies: 3, across: region, agree: {written}}}}}"
    found = spec(asked).redundancy
    assert found == plan.Redundancy(3, "region", rule)
    kept = linked(asked).swarms["judge"]["verification"]["redundancy"]
    assert projection_of(kept) == projection


def test_a_target_and_a_share_of_liars_are_parts_per_million():
    found = spec("{redundancy: {copies: 5, adaptive: {target: 0.001, liars: 0.1}}}").redundancy
    assert found == plan.Redundancy(5, target_ppm=1_000, liars_ppm=100_000)


@pytest.mark.parametrize(
    "asked",
    [
        "agree: label",
        "agree: {label: colour}",
        "agree: {label: word, confidence: word}",
        "agree: {numeric: {field: price}}",
        "agree: {numeric: {field: word, absolute: 1}}",
        "agree: {numeric: {absolute: 1}}",
        "tiebreak: conservative",
        "default: {word: no}",
        "tiebreak: conservative, default: {word: maybe}",
    ],
)
def test_what_the_task_cannot_yield_is_refused(asked: str):
    [flaw] = flaws(f"{{redundancy: {{copies: 3, {asked}}}}}")
    assert flaw["code"] == "definition.redundancy_rule"
    assert flaw["hint"]


def test_a_host_reports_one_projection():
    [flaw] = flaws(
        "{redundancy: {copies: 3, agree: {label: word}}}",
        "{strategy: vote, vote: {label: word, confidence: sure}}",
    )
    assert flaw["code"] == "definition.redundancy_rule"
    assert linked(
        "{redundancy: {copies: 3, agree: {label: word}}}", "{strategy: vote, vote: {label: word}}"
    )


def test_a_function_that_compares_answers_becomes_a_task():
    found = linked("{redundancy: {copies: 3, agree: {custom: 'judging:judge'}}}")
    assert found.plan.steps[0].fan_out.redundancy.agree == plan.Agree("custom")
    task = found.tasks["agree:judge"]
    assert list(task["inputs"]) == ["left", "right"]
    [flaw] = flaws("{redundancy: {copies: 3, agree: {custom: 'judging:equal'}}}")
    assert flaw["code"] == "definition.unknown_function"


def test_rules_are_kept_in_their_order():
    rules = spec(
        "{validate: {schema: true, rules: ["
        '{cel: "output.price >= 0.0", consequence: exclude},'
        '{cel: "size(results) > 1"}]}}'
    ).rules
    assert rules == (
        plan.Rule("output.price >= 0.0", "exclude"),
        plan.Rule("size(results) > 1"),
    )


def test_a_function_that_judges_an_output_becomes_a_task_and_the_last_rule():
    found = linked(
        "{validate: {function: 'judging:judge', consequence: retry_trusted,"
        ' rules: [{cel: "output.price >= 0.0", consequence: exclude}]}}'
    )
    spec_ = found.plan.steps[0].fan_out
    assert spec_ is not None
    assert spec_.rules == (
        plan.Rule("output.price >= 0.0", "exclude"),
        plan.Rule("", "retry_trusted", "validate:judge"),
    )
    assert list(found.tasks["validate:judge"]["inputs"]) == ["item", "output"]
    assert pack(found).digest != pack(linked("{validate: {schema: true}}")).digest


@pytest.mark.parametrize(
    ("asked", "code", "line"),
    [
        ("function: 'judging:fair', consequence: exclude", "definition.unknown_function", 10),
        ("function: 'juging:judge', consequence: exclude", "definition.unknown_skill", 10),
        ("function: 'judging:judge'", "definition.rule", 10),
        ("consequence: exclude", "definition.rule", 10),
    ],
)
def test_a_function_that_cannot_be_asked_is_refused_with_its_place(asked, code, line):
    [flaw] = flaws(f"{{validate: {{{asked}}}}}")
    assert (flaw["code"], flaw["line"]) == (code, line)
    assert flaw["file"].endswith("process.yaml")
    assert flaw["hint"]


@pytest.mark.parametrize(
    ("rule", "code"),
    [
        ('cel: "output.price > 0.0"', "definition.rule"),
        ('cel: "size(results) > 1", consequence: exclude', "definition.rule"),
        ('cel: "size(results) > 1 && output.price > 0.0"', "definition.rule"),
        (
            'cel: "results.all(a, results.all(b, a == b))"',
            "definition.rule",
        ),
        ('cel: "output.price >", consequence: exclude', "definition.gate_unparsable"),
        ('cel: "output.colour > 1", consequence: exclude', "definition.gate_unknown_name"),
        ('cel: "1 > 2", consequence: exclude', "definition.gate_unsatisfiable"),
    ],
)
def test_a_rule_that_cannot_be_judged_is_refused(rule: str, code: str):
    [flaw] = flaws(f"{{validate: {{rules: [{{{rule}}}]}}}}")
    assert flaw["code"] == code


def test_a_budget_must_be_enough_for_the_copies_of_one_item():
    model = TASK.replace('uses: "judging:judge"', "uses: model, tokens: {input: 400, output: 100}")
    for copies, enough in ((1, True), (2, False), (3, False)):
        process = PROCESS.replace("VERIFICATION", f"{{redundancy: {{copies: {copies}}}}}")
        process = process.replace("CONVERGENCE", "{}\n      budget: {tokens: 900}")
        files = {"process.yaml": process, "judge_case.yaml": model}
        source = load_files(
            MemoryFiles({name: text.encode() for name, text in files.items()}, label="t")
        )
        if enough:
            assert link(source, models=MODELS).plan.steps[0].fan_out is not None
            continue
        with pytest.raises(UsageError) as error:
            link(source, models=MODELS)
        assert [one["code"] for one in error.value.fields["flaws"]] == [
            "definition.budget_below_slice"
        ]
