"""Rules on results in a deployment: evaluated by the coordinator on what hosts deliver."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm_ray.client.handle import RunHandle
from swarm_ray.client.session import Session, using
from swarm_ray.client.starting import run
from swarm_ray.config import Settings
from swarm_ray.core.plan import Convergence, FanOut, Rule
from swarm_ray.engine import functions
from swarm_ray.engine.validating import MAX_RULED_BYTES, holds, programs_of
from swarm_ray.errors import SwarmError
from swarm_ray.testing.service import Call, scripted_service

PROCESS = """\
process: measure
version: 1
inputs: {samples: list}
steps:
  - name: weigh
    fan_out:
      over: samples
      task: weigh_sample
      concurrency: 4
      retry: {max_attempts: 3, initial_interval: 1ms, max_interval: 1ms}
      verification: {validate: {RULES}}
      convergence: {strategy: collect, min_success_ratio: 1}
    output: weights
output: weights
"""
TASK = """\
task: weigh_sample
version: 1
input: {name: string, most: number}
steps:
  - {name: weigh, uses: "scales:weigh", output: weight}
output: weight
"""
SKILL = """\
import time


def weigh(inputs, ctx):
    return {'kg': 1.0}


def likely(inputs, ctx):
    most, kg = inputs['item']['most'], inputs['output']['kg']
    return True if kg <= most else (False, f'{kg} kg is more than {most}')


def flatly(inputs, ctx):
    return inputs['output']['kg'] < 10


def vaguely(inputs, ctx):
    return 'yes' if inputs['output']['kg'] > 10 else True


def loudly(inputs, ctx):
    if inputs['output']['kg'] > 10:
        raise ValueError('too heavy to say')
    return True


def slowly(inputs, ctx):
    if inputs['output']['kg'] > 10:
        time.sleep(60)
    return True
"""
SAMPLES = [{"name": f"s{n}", "most": 10.0} for n in range(4)]
Play = Callable[..., RunHandle]


@pytest.fixture
def scales(tmp_path: Path) -> Iterator[Play]:
    services = []

    def play(rules: str, script: Callable[[Call], Any], *owners: str) -> RunHandle:
        folder = tmp_path / "definition"
        (folder / "skills").mkdir(parents=True)
        asked = rules if rules.startswith("function") else f"rules: [{rules}]"
        (folder / "process.yaml").write_text(PROCESS.replace("RULES", asked))
        (folder / "weigh_sample.yaml").write_text(TASK)
        (folder / "skills" / "scales.py").write_text(SKILL)
        settings = Settings(home=tmp_path / "home", organisation="ours")
        services.append(
            scripted_service(settings, script, hosts=4, organisations=owners or ("ours",))
        )
        with using(Session(settings, services[-1])):
            return run(folder, {"samples": SAMPLES})

    yield play
    for service in services:
        service.shut_down()


IN_RANGE = 'cel: "output.kg > 0.0 && output.kg <= input.most"'


def by_name(**kg: float) -> Callable[[Call], Any]:
    return lambda call: {"kg": kg.get(call.inputs["name"], 2.0)}


def test_a_value_out_of_its_range_is_excluded(scales: Play):
    handle = scales(f"{{{IN_RANGE}, consequence: exclude}}", by_name(s1=11.0, s3=-1.0))
    assert handle.result().output == [{"kg": 2.0}, {"kg": 2.0}]
    assert "breaks rule 1 of the swarm. It was skipped." in handle.story()
    told = [(one.item, one.event, one.code) for one in handle.stream() if one.code]
    assert sorted(told) == [(n, "worker.failed", "validation.rule_1") for n in (1, 3)]
    failed = handle.report()["weigh"]["unsuccessful"]
    assert [(one["ordinal"], one["state"], one["code"]) for one in failed] == [
        (1, "skipped", "validation.rule_1"),
        (3, "skipped", "validation.rule_1"),
    ]


def test_a_result_of_others_that_breaks_a_rule_is_made_again_by_our_own_hosts(scales: Play):
    def script(call: Call) -> Any:
        return {"kg": 2.0 if call.organisation == "ours" else 99.0}

    rules = f"{{{IN_RANGE}, consequence: retry_trusted}}"
    handle = scales(rules, script, "ours", "theirs", "theirs", "theirs")
    assert handle.result().output == [{"kg": 2.0}] * 4
    attempts = handle.look()[0].swarms[-1].attempts
    again = [one for one in attempts if one.attempt > 1]
    assert again
    assert {one.host for one in again} == {"local-4"}  # the only one of ours


def test_a_person_is_asked_about_a_result_that_breaks_a_rule(scales: Play):
    handle = scales(f"{{{IN_RANGE}, consequence: escalate}}", by_name(s0=11.0))
    while not (asked := handle.look()[0].questions):
        pass
    handle.decide(asked[0].key, "skip")
    assert len(handle.result().output) == 3


def test_results_that_contradict_each_other_do_not_converge(scales: Play):
    across = 'cel: "results.all(one, one.output.kg == results[0].output.kg)"'
    handle = scales(f"{{{across}}}", by_name(s2=3.0))
    with pytest.raises(SwarmError) as error:
        handle.result()
    assert "validation.across_items" in str(error.value)


def test_results_that_agree_converge(scales: Play):
    across = 'cel: "results.all(one, one.output.kg == results[0].output.kg)"'
    assert len(scales(f"{{{across}}}", by_name()).result().output) == 4


def test_an_output_without_the_field_does_not_satisfy_the_rule(scales: Play):
    handle = scales(
        f"{{{IN_RANGE}, consequence: exclude}}",
        lambda call: {"grams": 2} if call.item else {"kg": 2.0},
    )
    assert handle.result().output == [{"kg": 2.0}]


def test_an_output_that_is_too_large_satisfies_no_rule(scales: Play):
    handle = scales(
        f"{{{IN_RANGE}, consequence: exclude}}",
        lambda call: {"kg": 2.0, "notes": "x" * (MAX_RULED_BYTES if call.item else 1)},
    )
    assert [one["kg"] for one in handle.result().output] == [2.0]


@pytest.mark.parametrize(
    ("function", "reason"),
    [
        ("likely", "11.0 kg is more than 10.0"),
        ("flatly", "the function yielded false"),
        ("vaguely", "neither true nor false"),
        ("loudly", "too heavy to say"),
        ("slowly", "the function gave no answer"),
    ],
)
def test_a_function_of_the_definition_judges_an_output_and_says_why(
    scales: Play, monkeypatch, function: str, reason: str
):
    monkeypatch.setattr(functions, "PATIENCE_S", 0.5 if function == "slowly" else 5.0)
    asked = f'function: "scales:{function}", consequence: exclude'
    handle = scales(asked, by_name(s1=11.0))
    result = handle.result()
    assert result.output == [{"kg": 2.0}] * 3
    assert [(one.ordinal, one.status, one.code) for one in result if one.status != "ok"] == [
        (1, "skipped", "validation.rule_1")
    ]
    assert reason in next(one.error for one in result if one.ordinal == 1)
    assert reason in handle.story()
    assert "ended as input (validation.rule_1)" in handle.story(item=1)


def test_a_function_is_asked_about_outputs_alone_that_satisfy_the_rules(scales: Play):
    asked = (
        'function: "scales:likely", consequence: escalate,'
        ' rules: [{cel: "output.kg > 0.0", consequence: exclude}]'
    )
    handle = scales(asked, by_name(s1=11.0, s2=-1.0, s3=12.0))
    while len(asked_now := handle.look()[0].questions) < 2:
        pass
    for one in asked_now:
        handle.decide(one.key, "skip")
    assert handle.result().output == [{"kg": 2.0}]
    codes = {one["ordinal"]: one["code"] for one in handle.report()["weigh"]["unsuccessful"]}
    assert codes == {1: "validation.rule_2", 2: "validation.rule_1", 3: "validation.rule_2"}


def test_what_a_function_finds_wrong_is_made_again_by_our_own_hosts(scales: Play):
    def script(call: Call) -> Any:
        return {"kg": 2.0 if call.organisation == "ours" else 99.0}

    asked = 'function: "scales:likely", consequence: retry_trusted'
    handle = scales(asked, script, "ours", "theirs", "theirs", "theirs")
    assert handle.result().output == [{"kg": 2.0}] * 4
    again = [one for one in handle.look()[0].swarms[-1].attempts if one.attempt > 1]
    assert {one.host for one in again} == {"local-4"}


@pytest.mark.parametrize(
    ("rule", "output", "held"),
    [
        ("output.kg > 1.0", {"kg": 2.0}, True),
        ("output.kg > 1.0", {"kg": 0.5}, False),
        ("output.kg", {"kg": 0.5}, False),  # not a truth value
        ("output.kg > 1.0", {"kg": "heavy"}, False),
        ("output.parts.all(p, p > 0)", {"parts": [1, 2]}, True),
        ("output.name == 'a'", None, False),
    ],
)
def test_only_true_holds(rule: str, output: Any, held: bool):
    [program] = programs_of(FanOut("a", "b", 1, Convergence(), rules=(Rule(rule, "exclude"),)))
    assert holds(program, {"output": output}) is held
