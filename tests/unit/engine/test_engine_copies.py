"""Items with copies in a real deployment: three organisations of which one lies."""

import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from swarm_ray.client.handle import RunHandle
from swarm_ray.client.headline import headline
from swarm_ray.client.page import page
from swarm_ray.client.session import Session, using
from swarm_ray.client.starting import run
from swarm_ray.config import Settings
from swarm_ray.core import stranding
from swarm_ray.core.commands import Prepare
from swarm_ray.core.plan import Agree, FanOut, Plan, Redundancy, Step
from swarm_ray.core.run import Run
from swarm_ray.engine import dispatching, performing
from swarm_ray.engine.copying import count_domains, domain_of, least_domains, rule_of
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.errors import SwarmError
from swarm_ray.ports.hosts import HostInfo
from swarm_ray.testing.local import local_service
from swarm_ray.testing.service import (
    Call,
    Did,
    Fault,
    Script,
    ScriptedHosts,
    host_seat,
    scripted_service,
)

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "three_organisations"
OWNERS = ("aurora", "borealis", "cumulus")
INVOICES = [
    {"number": f"n-{n}", "lines": [{"cents": 10 * n, "count": 3}, {"cents": 5, "count": 1}]}
    for n in range(12)
]
RULE = "output.number == input.number"
TOTALS = [{"number": f"n-{n}", "total_cents": 30 * n + 5} for n in range(12)]


def honest(call: Call) -> Any:
    lines = call.inputs["lines"]
    return {
        "number": call.inputs["number"],
        "total_cents": sum(line["cents"] * line["count"] for line in lines),
    }


def lying(call: Call) -> Any:
    """One organisation adds a cent to everything, and the same to all."""
    said = honest(call)
    if call.organisation == "borealis":
        said["total_cents"] += 1
    return said


@pytest.fixture
def court(tmp_path: Path) -> Iterator[Callable[..., RunHandle]]:
    """Play the example, or a changed one, on hosts that follow a script."""
    services = []

    def play(script: Script, *, swaps: tuple[str, str] = ("", ""), hosts: int = 6, **more: Any):
        folder = tmp_path / "definition"
        for path in EXAMPLE.rglob("*.*"):
            target = folder / path.relative_to(EXAMPLE)
            target.parent.mkdir(parents=True, exist_ok=True)
            text = path.read_text()
            assert path.name != "process.yaml" or swaps[0] in text
            if path.name == "process.yaml":
                text = text.replace(*swaps)
                text = text.replace("output.number == input.number", more.get("rule", RULE))
            target.write_text(text)
        settings = Settings(home=tmp_path / "home")
        owners = more.get("owners", OWNERS)
        service = scripted_service(settings, script, hosts=hosts, organisations=owners)
        services.append(service)
        with using(Session(settings, service)):
            return run(folder, {"invoices": INVOICES})

    yield play
    for service in services:
        service.shut_down()


def test_one_lying_organisation_of_three_changes_no_result(court):
    handle = court(lying)
    assert handle.result().output == TOTALS
    copies = handle.report()["read"]["copies"]
    assert copies["domains"] == 3
    assert copies["disagreements"] > 0
    for item in copies["dissent"]:
        taken, other = sorted(item["answers"], key=lambda one: not one["taken"])
        assert other["domains"] == ["borealis"]
        assert sorted(taken["domains"]) == ["aurora", "cumulus"]
    assert {one["host"] for one in copies["hosts"]} <= {"local-1", "local-4"}  # those of borealis
    shown = page(*handle.look())
    assert "Disagreements" in shown
    assert "borealis" in shown
    told = handle.story()
    assert "disagreed" in told
    assert "in 3 organisations" in told


def test_whoever_watches_is_told_each_result_once_and_every_copy_beside_it(court):
    handle = court(lying)
    told = list(handle.stream())
    completed = [one for one in told if one.event == "worker.completed"]
    assert sorted(one.item for one in completed) == list(range(len(INVOICES)))
    assert [one.output for one in sorted(completed, key=lambda one: one.item)] == TOTALS
    attempts = {(one.item, one.attempt): one.host for one in handle.look()[0].swarms[-1].attempts}
    assert "local-1" not in {attempts[one.item, one.attempt] for one in completed}  # of borealis
    count = Counter(one.event for one in told)
    assert count["worker.started"] == len(INVOICES)
    assert count["copy.ended"] == len(attempts) > count["worker.completed"]
    assert count["worker.retried"] == count["worker.failed"] == 0


def test_honest_organisations_run_two_copies_and_no_third(court):
    handle = court(honest)
    assert handle.result().output == TOTALS
    report = handle.report()["read"]
    assert report["usage"]["attempts"] == 2 * len(INVOICES)
    assert report["copies"]["dissent"] == []


def test_an_organisation_that_only_fails_is_outvoted(court):
    def failing(call: Call) -> Any:
        if call.organisation == "cumulus":
            raise Fault("structural", "definition.wrong", "nothing works here")
        return honest(call)

    assert court(failing).result().output == TOTALS


def test_an_output_that_breaks_the_schema_is_no_answer(court):
    """The organisation's own host checks the schema; one that does not is outvoted as well."""

    def shapeless(call: Call) -> Any:
        return ["nonsense"] if call.organisation == "aurora" else honest(call)

    assert court(shapeless).result().output == TOTALS


def test_numbers_agree_within_their_tolerance(court):
    def rough(call: Call) -> Any:
        said = honest(call)
        said["total_cents"] += {"aurora": 0, "borealis": 1, "cumulus": 500}[call.organisation]
        return said

    agree = "{numeric: {field: total_cents, absolute: 2}}"
    handle = court(rough, swaps=("agree: exact", f"agree: {agree}"))
    values = [one["total_cents"] for one in handle.result().output]
    assert all(
        0 <= found - said["total_cents"] <= 1 for found, said in zip(values, TOTALS, strict=True)
    )


def test_the_declared_answer_is_taken_where_two_copies_disagree(court):
    unknown = "{number: unknown, total_cents: 1}"
    swaps = (
        "{copies: 3, across: organisation, agree: exact, tiebreak: third}",
        f"{{copies: 2, across: organisation, tiebreak: conservative, default: {unknown}}}",
    )
    values = court(lying, swaps=swaps, owners=("aurora", "borealis")).result().output
    assert values == [{"number": "unknown", "total_cents": 1}] * len(INVOICES)


def test_a_swarm_by_reputation_states_its_bound(court):
    swaps = ("tiebreak: third", "tiebreak: third, adaptive: {target: 0.05, liars: 0.2}")
    handle = court(honest, swaps=swaps)
    assert handle.result().output == TOTALS
    copies = handle.report()["read"]["copies"]
    assert copies["bound_ppm"] <= copies["target_ppm"] == 50_000
    assert "wrong on average" in handle.story()


def test_too_few_organisations_end_the_run_with_what_is_missing(court, monkeypatch):
    monkeypatch.setattr(performing, "DOMAIN_LOOK_S", 0.01)
    handle = court(honest, owners=("aurora", "borealis"))
    with pytest.raises(SwarmError) as error:
        handle.result()
    assert "copies.too_few_domains" in str(error.value)
    assert "3 different organisations" in handle.story()


class Leaving(ScriptedHosts):
    """Hosts of which those of one organisation are gone as soon as they are given something."""

    def __init__(self, settings: Settings, leaver: str) -> None:
        super().__init__(settings, self._said_or_gone, 3, OWNERS)
        self.leaver, self.settings = leaver, settings

    def _said_or_gone(self, call: Call) -> Any:
        if call.organisation != self.leaver:
            return lying(call)
        for info in [one for one in self.seats() if one.organisation == self.leaver]:
            self.give_up(info.name)
        return Did(lying(call), seconds=600)

    def come_back(self) -> None:
        seat = host_seat(self.settings, "late-1", self.leaver)
        self._seats[seat.info.name] = seat
        self.leaver = ""


@pytest.fixture
def leaving(tmp_path: Path, monkeypatch) -> Iterator[tuple[Leaving, RunHandle]]:
    """The example while the organisation that could settle every dissent is gone."""
    monkeypatch.setattr(dispatching, "STRANDED_S", 0.1)
    monkeypatch.setattr(stranding, "DOMAIN_PATIENCE_US", 1_000_000)
    settings = Settings(home=tmp_path / "home")
    found: list[Leaving] = []

    def make(settings: Settings, _key: bytes, _epoch: int) -> Leaving:
        found.append(Leaving(settings, "cumulus"))
        return found[0]

    service = CoordinatorService(settings, make)
    with using(Session(settings, service)):
        yield found[0], run(EXAMPLE, {"invoices": INVOICES})
    service.shut_down()


def test_a_run_whose_organisation_vanishes_says_what_it_waits_for_and_ends(leaving):
    _, handle = leaving
    while not (view := handle.look()[0]).swarms or not view.swarms[-1].stranded:
        time.sleep(0.01)
    assert "waiting for a host of another trust domain" in headline(view)
    with pytest.raises(SwarmError) as error:
        handle.result()
    assert "copies.too_few_domains" in str(error.value)
    assert "every copy of an item needs another" in handle.story()
    assert "No such host came" in handle.story()
    assert handle.look()[0].swarms[-1].stranded == 0


def test_a_run_goes_on_when_the_organisation_comes_back(leaving, monkeypatch):
    monkeypatch.setattr(stranding, "DOMAIN_PATIENCE_US", 60_000_000)
    hosts, handle = leaving
    while not (view := handle.look()[0]).swarms or not view.swarms[-1].stranded:
        time.sleep(0.01)
    hosts.come_back()
    assert handle.result().output == TOTALS
    assert "waits for a host of another trust domain any more" in handle.story()


def test_a_host_whose_label_is_not_that_of_its_output_is_given_up(court, monkeypatch):
    from swarm_ray.testing import service

    def claims(output: Any, fields: Any) -> tuple[str, int]:
        label, confidence = real(output, fields)
        return ("5" if output["total_cents"] % 5 else label), confidence

    real = service.project
    monkeypatch.setattr(service, "project", claims)
    handle = court(lying, swaps=("agree: exact", "agree: {label: total_cents}"))
    assert handle.result().output == TOTALS
    assert "copies.wrong_label" in handle.story()


def test_a_coordinator_that_comes_back_repeats_no_copy_that_answered(tmp_path: Path):
    """The second coordinator knows by the bodies which outputs are equal."""
    settings = Settings(home=tmp_path / "home")
    calls: list[tuple[int, str]] = []
    down = ["cumulus"]

    def partly(call: Call) -> Any:
        if call.organisation in down:
            return Did(lying(call), seconds=30)
        calls.append((call.item, call.organisation))
        return lying(call)

    service = scripted_service(settings, partly, hosts=3, organisations=OWNERS)
    with using(Session(settings, service)):
        handle = run(EXAMPLE, {"invoices": INVOICES})
        while not any(one.status == "ok" for one in handle.look()[0].swarms[-1].attempts):
            time.sleep(0.01)
    service.shut_down()
    down.clear()
    service = scripted_service(settings, partly, hosts=3, organisations=OWNERS)
    with using(Session(settings, service)) as session:
        again = RunHandle(handle.id, session.service)
        assert again.result().output == TOTALS
        attempts = again.look()[0].swarms[-1].attempts
        settled = [(one.item, one.host[-1]) for one in attempts if one.status == "ok"]
    service.shut_down()
    assert len(set(settled)) == len(settled)  # no organisation answers twice for an item
    assert 2 * len(INVOICES) <= len(settled) <= 3 * len(INVOICES)


def test_three_organisations_with_real_workers(tmp_path: Path):
    settings = Settings(home=tmp_path / "home", slots=4, zygotes=1)
    service = local_service(settings, OWNERS)
    with using(Session(settings, service)):
        handle = run(EXAMPLE, {"invoices": INVOICES[:4]})
        assert handle.result().output == TOTALS[:4]
        attempts = handle.look()[0].swarms[-1].attempts
    service.shut_down()
    assert len(attempts) == 8
    assert len({one.host for one in attempts}) == 3


def test_a_function_of_the_definition_says_which_outputs_are_equal(court, tmp_path: Path):
    """Two organisations spell a number differently; the function compares without looking at case."""

    def spelled(call: Call) -> Any:
        said = lying(call)
        return {**said, "number": said["number"].upper()} if call.organisation == "aurora" else said

    function = (
        "def same(inputs, ctx):\n"
        "    left, right = inputs['left'], inputs['right']\n"
        "    same = left['number'].lower() == right['number'].lower()\n"
        "    return same and left['total_cents'] == right['total_cents']\n"
    )
    (tmp_path / "definition" / "skills").mkdir(parents=True)
    (tmp_path / "definition" / "skills" / "comparing.py").write_text(function)
    swaps = ("agree: exact", 'agree: {custom: "comparing:same"}')
    handle = court(spelled, swaps=swaps, rule="output.number.size() > 0")
    found = handle.result().output
    assert [{**one, "number": one["number"].lower()} for one in found] == TOTALS
    assert handle.report()["read"]["copies"]["disagreements"] > 0


def test_a_copy_that_a_function_finds_wrong_is_outvoted(court, tmp_path: Path):
    """Two copies of each item run; a third only where one of them was the liar's."""
    skills = tmp_path / "definition" / "skills"
    skills.mkdir(parents=True)
    (skills / "checking.py").write_text(
        "def adds_up(inputs, ctx):\n"
        "    due = sum(line['cents'] * line['count'] for line in inputs['item']['lines'])\n"
        "    said = inputs['output']['total_cents']\n"
        "    return said == due or (False, f'{said} cents are not {due}')\n"
    )
    asked = 'schema: true\n          function: "checking:adds_up"\n          consequence: exclude'
    handle = court(lying, swaps=("schema: true", asked))
    assert handle.result().output == TOTALS
    broken = [one for one in handle.look()[0].swarms[-1].attempts if one.code]
    assert {one.host for one in broken} <= {"local-1", "local-4"}  # those of borealis
    assert {one.code for one in broken} == {"validation.rule_3"}
    assert "cents are not" in handle.story()


def test_a_comparing_function_that_fails_finds_no_two_outputs_equal(court, tmp_path: Path):
    skills = tmp_path / "definition" / "skills"
    skills.mkdir(parents=True)
    (skills / "comparing.py").write_text("def same(inputs, ctx):\n    raise ValueError\n")
    with pytest.raises(SwarmError) as error:
        court(honest, swaps=("agree: exact", 'agree: {custom: "comparing:same"}')).result()
    assert error.value.result.failed[0].code == "redundancy.disagreement"


def test_the_domain_of_a_host_is_what_the_swarm_asks_for():
    host = HostInfo("h-1", "s-1", "o-1", 1, b"", "none", "node-1", "r-1")
    bare = HostInfo("h-2", "s-2", "o-1", 1, b"", "none")
    assert [domain_of(host, one) for one in ("organisation", "region", "site", "node")] == [
        "o-1",
        "r-1",
        "s-1",
        "node-1",
    ]
    assert domain_of(bare, "region") == "s-2"
    assert domain_of(bare, "node") == "h-2"
    rule = Redundancy(3, "organisation", Agree())
    assert count_domains({"h-1": host, "h-2": bare}, rule) == 1
    assert count_domains({"h-1": host, "h-2": bare}, None) == 0
    assert least_domains(rule) == 3
    assert least_domains(Redundancy(5, target_ppm=1)) == 2


def test_only_a_fan_out_has_a_rule_of_copies():
    rule = Redundancy(2)
    plan = Plan("p", 1, (Step("s", fan_out=FanOut("a", "b", 1, None, redundancy=rule)),))  # type: ignore[arg-type]
    assert rule_of(Prepare(0, 1, "fan_out"), Run(plan)) == rule
    assert rule_of(Prepare(0, 1, "converge"), Run(plan)) is None
