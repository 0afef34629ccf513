"""`plan --sites`: where the items of a process would go, before anything is spent."""

import json
from pathlib import Path

import pytest

SITES = """\
home: office
sites:
  - {name: office, organisation: acme, residency: [eu], slots: 2, usd_per_slot_s: 0.0}
  - {name: cloud, organisation: skyhigh, residency: [us], slots: 64, usd_per_slot_s: 0.001}
  - {name: institute, organisation: uni, residency: [eu], slots: 4, usd_per_slot_s: 0.002}
"""
PEOPLE = 'people=["ann", "bob", "cy", "dee", "eve", "fay"]'
REQUIRES = "fan_out: {over: people, requires: {residency: [eu]}, "


@pytest.fixture
def sites(folder: Path) -> Path:
    file = folder / "sites.yaml"
    file.write_text(SITES)
    return file


def over_sites(cli, folder: Path, *more: str):
    asked = ("plan", str(folder / "asking.yaml"), "-i", PEOPLE, "--sites", "sites.yaml")
    return cli(*asked, *more)


def used(done) -> dict[str, int]:
    [placed] = json.loads(done.stdout)["placements"]
    return {one["site"]: one["copies"] for one in placed["summary"]["placements"]}


def test_without_a_hurry_everything_stays_where_it_costs_nothing(cli, folder: Path, sites: Path):
    done = over_sites(cli, folder)
    assert done.exit_code == 0, done.stderr
    assert "6 items of 'people'" in done.stdout
    assert "durations are assumed: it never ran" in done.stdout
    assert used(over_sites(cli, folder, "--json")) == {"office": 6}
    assert cli("runs").stdout.startswith("Nothing has run here yet")


def test_a_deadline_buys_slots_elsewhere_and_residency_is_never_bought_off(
    cli, folder: Path, sites: Path
):
    hurried = over_sites(cli, folder, "--deadline", "4m", "--json")
    assert hurried.exit_code == 0, hurried.stderr
    assert used(hurried).get("cloud", 0) > 0
    process = folder / "asking.yaml"
    process.write_text(process.read_text().replace("fan_out: {over: people, ", REQUIRES))
    kept = used(over_sites(cli, folder, "--deadline", "4m", "--json"))
    assert "cloud" not in kept
    assert sum(kept.values()) == 6
    refused = cli("plan", str(process), "-i", PEOPLE)
    assert "definition.requirement_unserved" in refused.stdout + refused.stderr


def test_a_person_may_ask_why_and_see_a_picture(cli, folder: Path, sites: Path):
    done = over_sites(cli, folder, "--explain", "greet:5", "--plot", "plan.svg")
    assert done.exit_code == 0, done.stderr
    assert "office with code" in done.stdout
    assert "next best: " in done.stdout
    assert (folder / "plan.svg").read_text().startswith("<?xml")
    assert "wrote plan.svg" in done.stderr


def test_items_that_an_earlier_step_makes_are_taken_from_the_newest_run(
    cli, folder: Path, sites: Path
):
    asked = ("plan", str(folder), "-i", PEOPLE, "--sites", "sites.yaml")
    before = cli(*asked)
    assert "no run tells yet how many items it has" in before.stdout
    assert cli("run", str(folder), "-i", PEOPLE).exit_code == 0
    after = cli(*asked)
    assert "6 items of 'checked' as in run-" in after.stdout
    assert "durations from 6 past attempts" in after.stdout


@pytest.mark.parametrize(
    ("change", "words", "code", "told"),
    [
        (("slots: 64", "slots: 0"), [], "sites.refused", "sites.yaml:4: sites[1].slots"),
        (("slots: 64", "slotz: 64"), [], "sites.refused", "slots"),
        (("0.001", ".nan"), [], "", "sites.yaml:4"),
        (("name: cloud", "name: office"), [], "sites.refused", "sites.yaml:4"),
        (("home: office", "home: offfice"), [], "sites.refused", "office"),
        (("sites:", "sites: ["), [], "definition.malformed_yaml", "sites.yaml"),
        (("", ""), ["--explain", "6"], "plan.unknown_item", "6"),
        (("", ""), ["--explain", "nowhere:1"], "plan.unknown_step", "greet"),
        (("", ""), ["--deadline", "soon"], "plan.bad_deadline", "30s"),
        (("", ""), ["--plot", "plan.txt"], "sites.refused", "png"),
    ],
)
def test_what_is_wrong_is_named_with_its_place_and_a_remedy(
    cli, folder: Path, sites: Path, change, words, code, told
):
    sites.write_text(SITES.replace(*change) if change[0] else SITES)
    done = over_sites(cli, folder, *words)
    assert done.exit_code == 2
    assert f"error [{code}" in done.stderr
    assert told in done.stderr
    assert "remedy:" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_question_about_sites_needs_sites(cli, folder: Path):
    done = cli("plan", str(folder), "--explain", "0")
    assert (done.exit_code, "error [plan.no_sites]" in done.stderr) == (2, True)
    missing = cli("plan", str(folder), "--sites", "none.yaml")
    assert (missing.exit_code, "error [sites.unreadable]" in missing.stderr) == (2, True)


def test_before_anything_ran_the_items_of_an_earlier_step_are_assumed(
    cli, folder: Path, sites: Path
):
    asked = ("plan", str(folder), "-i", PEOPLE, "--sites", "sites.yaml")
    hint = cli(*asked).stdout
    assert "--assume checked=40" in hint
    done = cli(*asked, "--assume", "checked=40", "--json")
    assert done.exit_code == 0, done.stderr
    placed = {one["step"]: one for one in json.loads(done.stdout)["placements"]}
    assert [one["summary"]["items"] for one in placed.values() if one["summary"]].count(40) == 1
    assert cli("runs").stdout.startswith("Nothing has run here yet")
    (folder / "some.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert (
        "2 items of 'checked', as you assume"
        in cli(*asked, "--assume", "checked=some.jsonl").stdout
    )


@pytest.mark.parametrize("words", ["checked", "checked=0", "checked=99999999999", "people=3", "=4"])
def test_what_cannot_be_assumed_is_refused(cli, folder: Path, sites: Path, words: str):
    done = cli("plan", str(folder), "-i", PEOPLE, "--sites", "sites.yaml", "--assume", words)
    assert (done.exit_code, "error [plan.bad_assumption]" in done.stderr) == (2, True)
    alone = cli("plan", str(folder), "--assume", "checked=3")
    assert (alone.exit_code, "error [plan.no_sites]" in alone.stderr) == (2, True)


def test_copies_without_a_place_come_with_what_would_help(cli, folder: Path, sites: Path):
    done = over_sites(cli, folder, "--deadline", "20s")
    assert "would help" in done.stdout
    told = over_sites(cli, folder, "--deadline", "20s", "--json")
    [placed] = json.loads(told.stdout)["placements"]
    assert {"swarm.deadline_s"} <= {one["field"] for one in placed["relief"]}
