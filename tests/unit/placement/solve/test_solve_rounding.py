"""Whole copies from fractions: what is held back, what is rounded, what ejection chains repair."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.generate import Recipe, generate
from swarm_placement.model import Instance, ItemClass, Needs, Site, Swarm
from swarm_placement.placing.ejection import improve, repair
from swarm_placement.placing.exact import objective
from swarm_placement.placing.remainder import evict
from swarm_placement.placing.rounding import held_back, rounded
from swarm_placement.program.bound import Prices, reduced_usd
from swarm_placement.program.problem import Problem, problem
from swarm_placement.program.relaxation import Relaxation
from swarm_placement.program.room import Room

EU = Needs(residency=frozenset(("eu",)))
CROWDED = Instance(
    Swarm(25.0),
    (ItemClass("long", 1, 20.0, 0.0, needs=EU), ItemClass("short", 2, 10.0, 0.0)),
    (Site("a", 1, 1e-4, residency=frozenset(("eu",))), Site("b", 1, 1e-3)),
)
"""The long item may only go to a, where either it or both short ones fit."""


def free(flat: Problem) -> Prices:
    return Prices(np.zeros(flat.rows.site.size), np.zeros(flat.site_most.size), 0.0)


def crowded() -> Room:
    flat = problem(CROWDED)
    room = Room(flat, np.zeros(flat.of_class.size, np.int64))
    room.take(int(np.flatnonzero((flat.of_class == 1) & (flat.site == 0))[0]), 2)
    assert room.left.tolist() == [1, 0]
    return room


def sound(room: Room) -> bool:
    fresh = Room(room.flat, room.copies)
    least = (fresh.slot_s, fresh.group, fresh.site, fresh.left, room.copies)
    return all(float(one.min(initial=0)) >= -1e-6 for one in least)


def test_a_long_copy_takes_the_place_of_two_short_ones() -> None:
    room = crowded()
    left = repair(room, room.flat.cost_usd, most_moves=2)
    assert left == 0
    assert room.left.tolist() == [0, 0]
    assert sound(room)


def test_a_chain_that_would_move_too_many_is_not_taken() -> None:
    room = crowded()
    before = room.copies.copy()
    assert repair(room, room.flat.cost_usd, most_moves=1) == 1
    assert np.array_equal(room.copies, before)


@pytest.mark.parametrize("family", ["interaction", "tight", "redundancy"])
@pytest.mark.parametrize("seed", range(3))
def test_chains_never_break_a_limit_and_never_make_a_plan_worse(family: str, seed: int) -> None:
    flat = problem(generate(Recipe(600, 10, 25, 0.95, family, seed)))
    relaxed = Relaxation(flat).solve()
    room = rounded(flat, relaxed.copies, relaxed.prices)
    assert sound(room), f"seed {seed}"
    worth = [objective(room)]
    repair(room, reduced_usd(flat, relaxed.prices))
    worth.append(objective(room))
    assert sound(room), f"seed {seed}"
    improve(room)
    worth.append(objective(room))
    assert sound(room), f"seed {seed}"
    assert worth == sorted(worth, reverse=True), f"seed {seed}"


@pytest.mark.parametrize("seed", [1001, 1006, 1016])
def test_copies_that_chains_of_one_for_one_strand_find_a_place(seed: int) -> None:
    """Of these, 8, 6 and 9 copies were stranded before several could leave for one."""
    instance = generate(Recipe(1_000, 20, 50, 0.98, "interaction", seed))
    plan = solve(instance, exact_s=0)
    assert plan.bound.unplaced == ()
    assert plan.bound.within_rows_gap < 0.04
    assert check_plan(instance, plan) == []


def test_only_rows_with_a_price_hold_something_back() -> None:
    flat = problem(CROWDED)
    assert np.array_equal(held_back(flat, np.full(flat.of_class.size, 0.5), free(flat), 1.0),
                          flat.rows.slot_s)  # fmt: skip


def test_a_row_holds_back_a_share_of_the_copies_in_fractions() -> None:
    flat = problem(CROWDED)
    prices = replace(free(flat), row_usd=np.ones(flat.rows.site.size))
    copies = np.where((flat.of_class == 1) & (flat.site == 0), 0.5, 0.0)
    held = flat.rows.slot_s - held_back(flat, copies, prices, 0.3)
    entry = int(flat.rows.of_arc[np.flatnonzero(copies)[0]])
    expected = np.zeros(held.size)
    expected[(flat.rows.site == 0) & (np.arange(held.size) >= entry)] = 0.3 * 10.0
    assert held == pytest.approx(expected)
    assert held_back(flat, copies, prices, 1e6).min() == 0.0


@pytest.mark.parametrize("seed", range(3))
def test_wider_rows_never_promise_a_cheaper_plan(seed: int) -> None:
    instance = generate(Recipe(600, 10, 25, 0.9, "tight", seed))
    fine, wide = (Relaxation(problem(instance, ratio)).solve().lower_usd for ratio in (1.0, 1.1))
    assert fine <= wide * (1 + 1e-9), f"seed {seed}"


def test_copies_that_fit_again_once_others_are_gone_are_not_evicted() -> None:
    instance = Instance(
        Swarm(40.0),
        (ItemClass("early", 2, 10.0, 0.0, deadline_s=15.0), ItemClass("late", 3, 10.0, 0.0)),
        (Site("a", 1, 1e-4),),
    )
    flat = problem(instance)
    room = Room(flat, np.array([2, 3]))  # one early copy too many, and one in all
    assert evict(room) == {0: 1}
    assert room.copies.tolist() == [1, 3]
    assert sound(room)
