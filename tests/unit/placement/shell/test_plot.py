"""The picture of a plan shows every site, class and limit, and is the same each time."""

import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.generate import Recipe, generate
from swarm_placement.solve import solve
from swarm_placement.telling.plot import (
    BARS,
    COLOURS,
    MOST_SITES,
    busy_slots,
    figure,
    picture,
    save,
)


def words(drawn):
    """Return all words of a figure, those of the legend last."""
    axes = drawn.axes[0]
    labels = [one.get_text() for one in axes.get_yticklabels()]
    placed = [one.get_text() for one in axes.texts]
    legend = [one.get_text() for one in drawn.legends[0].get_texts()]
    return labels, placed, legend


def test_sites_classes_deadline_and_reserve_are_all_there(three_organisations):
    labels, placed, legend = words(figure(three_organisations, solve(three_organisations)))
    assert labels == ["us-hpc  (8)", "eu-west  (6)", "eu-east  (4)"]
    assert placed == ["deadline", "reserve from here "]
    assert legend == ["invoice", "contract", "audit", "taken before"]


def test_a_deadline_far_away_is_written_at_the_edge(three_organisations):
    plan = solve(three_organisations)
    later = replace(three_organisations.swarm, deadline_s=36_000.0, reserve_s=0.0)
    instance = replace(three_organisations, swarm=later)
    _, placed, _ = words(figure(instance, plan))
    assert placed == ["deadline in 10 h \N{RIGHTWARDS ARROW}"]
    assert picture(instance, plan).ends_s < 3_600


def test_every_copy_is_a_bar(three_organisations):
    plan = solve(three_organisations)
    (bars,) = (
        one
        for one in figure(three_organisations, plan).axes[0].collections
        if len(one.get_paths()) == 250
    )
    assert len(bars.get_facecolors()) == 250
    assert len({tuple(colour) for colour in bars.get_facecolors()}) == 3


def test_beyond_so_many_copies_occupancy_is_stacked(three_organisations):
    classes = (replace(three_organisations.classes[0], items=BARS),)
    later = replace(three_organisations.swarm, deadline_s=20_000.0)
    instance = replace(three_organisations, classes=classes, swarm=later)
    drawn = figure(instance, solve(instance)).axes[0].collections
    assert max(len(one.get_paths()) for one in drawn) == 1  # areas, no bars
    assert len(drawn) > 2 * len(instance.sites)  # more than what is free and what was taken


def test_many_sites_and_classes_stay_legible():
    instance = generate(Recipe(items=400, sites=MOST_SITES + 5, classes=30, load=0.9, seed=8))
    labels, _, legend = words(drawn := figure(instance, solve(instance)))
    assert len(labels) <= MOST_SITES
    assert legend[len(COLOURS)] == f"{30 - len(COLOURS)} other classes"
    assert "5 less busy sites not shown" in drawn.axes[0].get_title(loc="left")


def test_names_are_shown_as_they_are_and_not_as_formulas(three_organisations):
    classes = list(three_organisations.classes)
    classes[0] = replace(classes[0], name="_at $5$ and " + "so on " * 9)
    instance = replace(three_organisations, classes=tuple(classes))
    drawn = figure(instance, solve(instance))
    _, _, legend = words(drawn)
    assert legend[0] == "_at $5$ and so on so on so \N{HORIZONTAL ELLIPSIS}"
    assert not drawn.legends[0].get_texts()[0].get_parse_math()


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_same_plan_gives_the_same_bytes(three_organisations, tmp_path, suffix):
    plan = solve(three_organisations)
    first, second = tmp_path / f"first.{suffix}", tmp_path / f"second.{suffix}"
    save(three_organisations, plan, first)
    save(three_organisations, plan, second)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 5_000


def test_a_picture_that_cannot_be_written_is_refused(three_organisations, tmp_path):
    plan = solve(three_organisations)
    with pytest.raises(UsageError, match=r"\.png, \.svg, \.pdf"):
        save(three_organisations, plan, tmp_path / "plan.bmp")
    with pytest.raises(UsageError, match="folder does not exist"):
        save(three_organisations, plan, tmp_path / "nowhere" / "plan.png")


def test_without_matplotlib_the_extra_is_named():
    script = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from swarm_placement.telling import plot\n"
        "from swarm_placement.errors import UsageError\n"
        "try: plot.figure(None, None)\n"
        "except UsageError as error: print(error.hint)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "Run: pip install 'swarm-ray[plot]'"


def test_nothing_but_drawing_loads_matplotlib():
    script = "import sys, swarm_placement.__main__; print('matplotlib' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "False"


def test_busy_slots_are_the_mean_over_each_interval():
    start, end = np.array([0.0, 1.0, 2.5]), np.array([2.0, 4.0, 2.75])
    found = busy_slots(start, end, np.array([0.0, 1.0, 2.0, 3.0, 5.0]))
    np.testing.assert_allclose(found, [1.0, 2.0, 1.25, 0.5])
