"""Generated instances are what their recipe says, every time."""

import numpy as np
import pytest

from swarm_placement import UsageError
from swarm_placement.generate import FAMILIES, Family, Recipe, generate, least_capacity
from swarm_placement.program.problem import problem
from swarm_placement.tiny import tiny


@pytest.mark.parametrize("family", FAMILIES)
def test_the_same_recipe_gives_the_same_instance_of_the_load_it_names(family: Family) -> None:
    recipe = Recipe(400, 16, 20, 0.8, family, 3)
    first, second = generate(recipe), generate(recipe)
    assert first.classes == second.classes
    assert first.sites == second.sites
    assert sum(one.items for one in first.classes) == 400
    assert least_capacity(problem(first)) == pytest.approx(0.8, rel=0.06)


def test_families_differ_in_what_they_are_named_for() -> None:
    of = {family: generate(Recipe(400, 16, 20, 0.8, family, 3)) for family in FAMILIES}
    assert all(one.copies > 1 for one in of["redundancy"].classes)
    assert len(of["distinct"].classes) == 400
    assert of["interaction"].durations is not None
    tagged = [sum(bool(one.needs.residency) for one in of[name].classes) for name in FAMILIES]
    assert tagged[FAMILIES.index("residency")] >= tagged[FAMILIES.index("product")]
    steps = np.log2([one.deadline_s / 60 for one in of["product"].classes])
    assert np.allclose(steps % 1 * 3 % 1, 0, atol=0.8)


@pytest.mark.parametrize(
    ("recipe", "word"), [(Recipe(load=0.0), "load"), (Recipe(items=10, classes=50), "items")]
)
def test_a_recipe_that_cannot_be_is_refused(recipe: Recipe, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        generate(recipe)


def test_tiny_instances_hold_everything_somewhere() -> None:
    many = [tiny(seed) for seed in range(60)]
    assert any(one.links for one in many)
    assert any(one.occupancy for one in many)
    assert any(site.spot for one in many for site in one.sites)
    assert {one.across for many_one in many for one in many_one.classes} == {
        "node", "site", "region", "organisation", "trust_domain",
    }  # fmt: skip
