"""`python -m swarm_placement`: from a file to words, data and a picture."""

import json
import subprocess
import sys

import pytest

from swarm_placement.__main__ import item_of, main
from swarm_placement.forms.files import instance_to


@pytest.fixture
def file(three_organisations, tmp_path):
    path = tmp_path / "instance.json"
    path.write_text(json.dumps(instance_to(three_organisations)), "utf-8")
    return path


def test_a_file_becomes_a_plan_in_words(file):
    done = subprocess.run(
        [sys.executable, "-m", "swarm_placement", str(file)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("240 items, 250 copies, 250 placed")
    assert done.stderr == ""


def test_an_item_is_explained_and_the_plan_is_drawn(file, tmp_path, capsys):
    picture = tmp_path / "plan.svg"
    assert main([str(file), "--explain", "contract:4", "--plot", str(picture)]) == 0
    assert "contract, item 4 of 30" in capsys.readouterr().out
    assert picture.read_text("utf-8").startswith("<?xml")


def test_json_holds_summary_plan_and_explanation(file, capsys):
    assert main([str(file), "--json", "--explain", "audit"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found.keys() == {"summary", "relief", "plan", "explanation"}
    assert found["explanation"]["item_class"] == "audit"


def test_what_would_help_is_said_when_copies_have_no_place(file, capsys):
    def change(data):
        data["classes"][1]["items"] = 600

    assert main([spoilt(file, change)]) == 0
    said = capsys.readouterr().out
    assert "would help" in said
    assert "(swarm.deadline_s)" in said


def spoilt(file, change):
    data = json.loads(file.read_text("utf-8"))
    change(data)
    file.write_text(json.dumps(data), "utf-8")
    return str(file)


def test_all_problems_are_told_at_once_and_the_code_is_2(file, capsys):
    def change(data):
        data["sites"][0]["slots"] = 0
        data["classes"][0]["data_site"] = "us-hcp"

    assert main([spoilt(file, change)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert [line.split()[1] for line in said.err.splitlines()] == [
        "sites[0].slots:",
        "classes[0].data_site:",
    ]


def test_a_number_that_is_none_is_told_by_its_path(file, capsys):
    def change(data):
        data["sites"][1]["usd_per_slot_s"] = float("nan")

    assert main([spoilt(file, change)]) == 2
    assert "sites[1].usd_per_slot_s: nan is not" in capsys.readouterr().err


def test_an_odd_unit_is_warned_of_once_and_solved(file, capsys):
    def change(data):
        data["sites"][1]["usd_per_slot_s"] = 0.7

    assert main([spoilt(file, change)]) == 0
    said = capsys.readouterr()
    assert said.err.count("looks like a price per hour") == 1
    assert said.out.startswith("240 items")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", ":1:2: Expecting property name"),
        (b'{"swarm": {"deadline_s": 1, "deadline_s": 2}}', "deadline_s: The key stands twice."),
        (b"[]", "[] is not an object."),
        (b"\xff", "It is not UTF-8."),
    ],
)
def test_a_file_that_says_no_instance_is_refused(tmp_path, capsys, content, said):
    path = tmp_path / "bad.json"
    path.write_bytes(content)
    assert main([str(path)]) == 2
    assert said in capsys.readouterr().err


def test_a_missing_file_and_a_missing_class_are_refused(file, capsys):
    assert main([str(file) + "x"]) == 2
    assert "No such file" in capsys.readouterr().err
    assert main([str(file), "--explain", "contracts:1"]) == 2
    assert "Did you mean 'contract'?" in capsys.readouterr().err


def test_a_class_with_a_colon_in_its_name_is_found(three_organisations):
    assert item_of(three_organisations, "audit:7") == ("audit", 7)
    assert item_of(three_organisations, "audit") == ("audit", 0)
    assert item_of(three_organisations, "a:b") == ("a:b", 0)


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("[" * 100_000, "file.json"),
        ('{"swarm": ' + "9" * 5_000 + "}", "file.json"),
        ('{"classes": [], "sites": [], "swarm": {"deadline_s": 1' + "0" * 400 + "}}", "form.type"),
        ('{"classes": [], "sites": [], "swarm": ' + "[" * 200 + "]" * 200 + "}", "form.type"),
        ("", "file.json"),
    ],
)
def test_what_no_computer_can_hold_is_bad_input(tmp_path, capsys, words, code):
    path = tmp_path / "instance.json"
    path.write_text(words, "utf-8")
    assert main([str(path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(f"[{code}]")
    assert "Remedy: " in said
