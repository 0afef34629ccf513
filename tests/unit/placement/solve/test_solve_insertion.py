"""Stranded copies that fit all the same, and items that are complete or not at all."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance, ItemClass, Plan, Site, Swarm
from swarm_placement.placing import completion
from swarm_placement.placing.assembly import complete, decoded
from swarm_placement.placing.completion import completed, whole, whole_items
from swarm_placement.placing.insertion import Executed, inserted
from swarm_placement.program.problem import problem
from swarm_placement.program.room import Room


def complete_items(instance: Instance, plan: Plan) -> list[int]:
    found, begin = [], 0
    for one in instance.classes:
        end = begin + one.items * one.copies
        found.append(int((plan.option[begin:end].reshape(-1, one.copies) >= 0).all(1).sum()))
        begin = end
    return found


def test_a_copy_outside_of_the_rows_is_placed_where_it_begins_in_time() -> None:
    classes = (ItemClass("long", 2, 10.0, sigma=0.0), ItemClass("short", 2, 4.0, sigma=0.0))
    instance = Instance(Swarm(14.5), classes, (Site("only", 2, 1e-4),))
    plan = solve(instance)
    assert (plan.option >= 0).all()
    assert check_plan(instance, plan) == []


@pytest.mark.parametrize("family", ["tight", "residency", "redundancy"])
def test_no_stranded_copy_could_simply_be_added(family: str) -> None:
    instance = generate(Recipe(300, 8, 15, 0.98, family, 3))
    instance = replace(
        instance,
        sites=tuple(replace(one, slots=max(1, one.slots * 9 // 10)) for one in instance.sites),
    )
    plan = solve(instance, exact_s=0)
    assert check_plan(instance, plan) == []
    stranded = np.flatnonzero(plan.option < 0)
    assert stranded.size
    flat = problem(instance)
    executed = Executed(instance, flat, plan.option, plan.bound.over_margin)
    owner = np.repeat(np.arange(flat.classes), flat.demand)
    for index in stranded.tolist():
        one = instance.classes[owner[index]]
        if one.copies == 1:
            arcs = np.flatnonzero(flat.of_class == owner[index])
            assert not any(executed.take(index, arc) for arc in arcs.tolist())


def test_nothing_is_changed_where_nothing_is_stranded() -> None:
    instance = Instance(Swarm(60.0), (ItemClass("work", 4, 10.0),), (Site("a", 4, 1e-4),))
    flat = problem(instance)
    room = Room(flat, flat.demand.copy())
    option = decoded(instance, flat, room.copies)
    assert inserted(instance, room, option, {}, 0)[1] is option


@pytest.mark.parametrize("seed", range(40))
def test_as_many_items_are_complete_as_any_dealing_completes(seed: int) -> None:
    rng = np.random.default_rng(seed)
    items, copies, domains = int(rng.integers(1, 8)), int(rng.integers(2, 4)), 4
    many = rng.integers(0, items + 1, domains)
    while many.sum() > items * copies:
        many[int(rng.integers(domains))] //= 2
    sites = tuple(Site(f"s{number}", 50, 1e-4) for number in range(domains))
    instance = Instance(Swarm(100.0), (ItemClass("c", items, 1.0, copies=copies),), sites)
    flat = problem(instance)
    option = decoded(instance, flat, many)
    mine = option.reshape(items, copies)
    assert np.array_equal(np.bincount(option[option >= 0], minlength=domains), many)
    for row in mine:
        placed = row[row >= 0]
        assert np.unique(placed).size == placed.size, f"seed {seed}"
    most = complete(many, np.ones(domains, np.int64), copies, items)
    assert (mine >= 0).all(axis=1).sum() == most, f"seed {seed}"
    greedy, left = 0, np.sort(many)
    while (left > 0).sum() >= copies:  # one item takes the fullest domains
        left[-copies:] -= 1
        left.sort()
        greedy += 1
    assert most == min(greedy, items), f"seed {seed}"


def test_items_are_complete_before_others_have_a_part() -> None:
    classes = (
        ItemClass("pairs", 10, 10.0, sigma=0.1, copies=2, across="site"),
        ItemClass("single", 10, 10.0, sigma=0.1),
    )
    instance = Instance(Swarm(100.0), classes, (Site("A", 1, 1e-4), Site("B", 1, 2e-4)))
    plan = solve(instance)
    assert check_plan(instance, plan) == []
    assert complete_items(instance, plan) == [4, 10]


@pytest.mark.parametrize(
    ("family", "seed"), [("product", 5004), ("tight", 5007), ("residency", 5005)]
)
def test_never_fewer_items_are_complete_than_if_copies_alone_counted(
    family: Family, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rng = np.random.default_rng(seed)
    items, sites, classes = (int(rng.integers(*ends)) for ends in ((60, 250), (4, 12), (3, 15)))
    instance = generate(Recipe(items, sites, classes, 0.95, family, seed))
    share, kept = float(rng.choice([0.3, 0.6, 0.8, 1])), float(rng.choice([0, 0.1, 0.25]))
    few = tuple(
        replace(
            one,
            slots=max(1, int(one.slots * share)),
            margin=kept,
            boot_s=float(rng.choice([0, 10])),
        )
        for one in instance.sites
    )
    most = 0.4 if rng.random() < 0.3 else 1.0
    instance = replace(instance, sites=few, swarm=replace(instance.swarm, max_site_share=most))
    plan = solve(instance, exact_s=0)
    assert check_plan(instance, plan) == []
    monkeypatch.setattr(completion, "ROUNDS", 0)
    copies_first = solve(instance, exact_s=0)
    assert (copies_first.option < 0).any()
    assert whole_items(instance, plan.option) == sum(complete_items(instance, plan))
    assert whole_items(instance, plan.option) >= whole_items(instance, copies_first.option)


@pytest.mark.parametrize("seed", range(4))
def test_an_answer_with_fewer_complete_items_is_not_taken(seed: int) -> None:
    instance = generate(Recipe(300, 8, 15, 0.98, "redundancy", seed))
    instance = replace(
        instance, sites=tuple(replace(one, slots=max(1, one.slots // 2)) for one in instance.sites)
    )
    each = np.array([one.copies for one in instance.classes])
    flat = problem(instance)
    empty = Room(flat, np.zeros(flat.of_class.size, np.int64))
    asked = []

    def nothing(asked_flat: object) -> Room:
        asked.append(asked_flat)
        return empty

    room = Room(flat, np.zeros(flat.of_class.size, np.int64))
    for arc in range(flat.of_class.size):
        count = int(room.most(np.array([arc]))[0])
        room.take(arc, min(count, int(room.left[flat.of_class[arc]])))
    assert completed(instance, room, nothing).room is room
    assert asked
    assert whole(flat, room.copies, each).sum() > 0
