"""Recorded tasks become items; lines that are none are counted, never guessed."""

import subprocess
import sys
from pathlib import Path

import pytest

from swarm_placement import check_plan, solve
from swarm_placement.errors import UsageError
from swarm_placement.generate import Recipe
from swarm_placement.trace import columns_from, instance_of, read_trace

NAMED = ["job,duration,read\n", "a,12.5,1000\n", "b,,5\n", "c,0,5\n", "d,nan,1\n", "e,90,0\n"]
NUMBERED = ["a,5000000,6500000\n", "b,7000000,\n", "c,9000000,8000000\n", "short\n"]


def code_of(call, *arguments):
    with pytest.raises(UsageError) as caught:
        call(*arguments)
    return caught.value.code


def test_durations_are_read_by_name():
    found = read_trace(NAMED, columns_from("work_s=duration,data_bytes=read"))
    assert (found.work_s, found.data_bytes, found.skipped) == ((12.5, 90.0), (1000.0, 0.0), 3)


def test_durations_are_differences_of_times_by_number():
    found = read_trace(NUMBERED, columns_from("start_us=1,end_us=2"))
    assert (found.work_s, found.data_bytes, found.skipped) == ((1.5,), (0.0,), 3)


@pytest.mark.parametrize(
    "words",
    ["", "work_s", "work_s=", "work_h=3", "start_s=1", "work_s=1,start_s=2,end_s=3", "data_bytes=1",
     "work_s=1,work_s=2"],
)  # fmt: skip
def test_columns_that_say_no_duration_are_refused(words):
    assert code_of(columns_from, words) == "trace.columns"


def test_a_column_that_is_not_there_and_a_file_of_nothing_are_refused():
    assert code_of(read_trace, NAMED, {"work_s": "seconds"}) == "trace.column"
    assert code_of(read_trace, NAMED[:1], {"work_s": "duration"}) == "trace.empty"
    assert code_of(read_trace, [], {"work_s": "0"}) == "trace.empty"


def test_the_items_of_an_instance_are_those_of_the_trace_and_can_be_planned():
    lines = ["work\n", *(f"{5 + number % 40}\n" for number in range(300))]
    trace = read_trace(lines, columns_from("work_s=work"))
    recipe = Recipe(200, 8, load=0.5, seed=3)
    instance = instance_of(trace, recipe)
    assert sum(one.items for one in instance.classes) == 200
    assert {one.work_s for one in instance.classes} <= set(trace.work_s)
    again = instance_of(trace, recipe)
    assert (again.classes, again.sites) == (instance.classes, instance.sites), "the same seed"
    plan = solve(instance, 0.0)
    assert check_plan(instance, plan) == []
    assert not plan.bound.unplaced
    assert len(instance_of(trace, Recipe(900, 8, load=0.5)).classes) == 900, "more than there are"


def test_a_file_that_cannot_be_used_is_refused_in_a_sentence(tmp_path: Path):
    file = tmp_path / "trace.csv"
    file.write_text("x\n1\n")
    command = [sys.executable, "-m", "benchmarks", "placement_trace", "--trace", str(file)]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    assert found.returncode == 2
    assert "There is no column 'duration'" in found.stderr
    assert "Traceback" not in found.stderr


def test_what_is_no_csv_is_refused_and_a_byte_order_mark_is_not() -> None:
    assert read_trace(["\ufeffwork\n", "3\n"], {"work_s": "work"}).work_s == (3.0,)
    assert code_of(read_trace, ["work\n", "x" * 200_000, "\n"], {"work_s": "work"}) == "trace.csv"
    assert code_of(read_trace, ["work\n", '"3\n', "4\n"], {"work_s": "work"}) == "trace.csv"
    assert code_of(columns_from, "work_s=0,work_ms=1") == "trace.columns"
    assert read_trace(["1e308\n", "2\n"], {"work_s": "0"}).skipped == 1
