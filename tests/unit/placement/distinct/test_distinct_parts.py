"""The parts of the plan for distinct items, each against the slow way of saying the same."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import arcs
from swarm_placement.distinct import bidding, candidates, superclasses
from swarm_placement.distinct.candidates import CLOSED, Candidates, Prices
from swarm_placement.distinct.grid import Grid
from swarm_placement.distinct.items import Items, items, patterns
from swarm_placement.distinct.linear import Forms
from swarm_placement.generate import Recipe, generate
from swarm_placement.model import Instance, ItemClass, Needs, options
from swarm_placement.tiny import tiny


@pytest.mark.parametrize("seed", range(60))
def test_linear_forms_say_what_the_table_says(seed: int) -> None:
    instance = tiny(seed)
    all_items = items(instance)
    forms = Forms(instance, all_items)
    columns = np.arange(len(options(instance)))
    table = arcs.table(instance)
    for item in range(all_items.pattern.size):
        found = forms.arcs(all_items, np.array([item]), columns)
        one = all_items.of_class[item]
        assert (found.exists[0] == table.exists[one]).all(), f"seed {seed}"
        here = table.exists[one]
        for name in ("cost_usd", "work_s", "latest_s"):
            np.testing.assert_allclose(
                getattr(found, name)[0, here],
                getattr(table, name)[one, here],
                rtol=1e-9,
                atol=1e-9,
                err_msg=f"{name}, seed {seed}",
            )


def test_equal_needs_are_one_pattern_whoever_wrote_them_down() -> None:
    classes = [
        ItemClass(f"item-{index}", 1, 1.0 + index, needs=Needs(residency=frozenset(("eu",))))
        for index in range(3)
    ]
    number, sample = patterns([*classes, replace(classes[0], data_bytes=5.0, data_site="x")])
    assert number.tolist() == [0, 0, 0, 1]
    assert [one.name for one in sample] == ["item-0", "item-0"]


def test_superclasses_hold_every_item_once_and_one_pattern_each() -> None:
    instance = generate(Recipe(200, 10, family="distinct", seed=1))
    all_items = items(instance)
    order, begin = superclasses.ordered(all_items, 60)
    assert sorted(order.of_class.tolist()) == list(range(200))
    for low, high in itertools.pairwise(begin):
        assert np.unique(order.pattern[low:high]).size == 1


def dense_least(instance: Instance, rows: Grid, prices: Prices, penalty: float) -> list[float]:
    """Return per item the least sum of reduced costs, looking at every option of every item."""
    table, site = arcs.table(instance), np.array([way.site for way in options(instance)])
    slot_usd = prices.slot_usd()
    found = []
    for number, one in enumerate(instance.classes):
        cheapest: dict[str, float] = {}
        for way in np.flatnonzero(table.exists[number]):
            level = int(rows.level(table.latest_s[number, way : way + 1])[0])
            usd = table.cost_usd[number, way]
            usd += table.work_s[number, way] * slot_usd[site[way], level]
            name = arcs.domain_name(one.across, instance.sites[site[way]])
            cheapest[name] = min(cheapest.get(name, penalty), usd)
        ranked = sorted(cheapest.values()) + [penalty] * one.copies
        found.append(sum(ranked[: one.copies]))
    return found


@pytest.mark.parametrize("count", [1, 3, 50])
def test_the_bound_is_what_looking_at_every_pair_gives(count: int) -> None:
    instance = generate(Recipe(150, 10, family="distinct", seed=2))
    rng = np.random.default_rng(2)
    classes = tuple(replace(one, copies=int(rng.integers(1, 3))) for one in instance.classes)
    instance = replace(instance, classes=classes)
    order, begin = superclasses.ordered(items(instance), 60)
    forms = Forms(instance, order)
    extent = superclasses.extents(forms, order, begin)
    rows = superclasses.capacity_grid(instance, extent)
    row_usd = rng.exponential(1e-4, rows.slot_s.shape) * (rng.random(rows.slot_s.shape) < 0.2)
    prices = Prices(row_usd, np.zeros(len(instance.sites)), 0.0)
    likely = candidates.reduced_usd(forms, order, begin, extent, prices)
    found = candidates.candidates(forms, order, begin, likely, rows, count)
    terms = candidates.lower_usd(forms, order, begin, found, extent, prices, 1.0)
    wanted = np.array(dense_least(instance, rows, prices, 1.0))[order.of_class]
    assert (terms <= wanted * (1 + 1e-9)).all()
    single = order.copies == 1
    np.testing.assert_allclose(terms[single], wanted[single], rtol=1e-9)


def assignment(
    cost: list[list[float]], work: list[list[float]], level: list[list[int]], slots: list[float]
) -> bidding.Assignment:
    """Return an empty assignment of single-copy items to sites of two levels."""
    usd = np.array(cost)
    number, sites = usd.shape
    row = np.arange(sites) * 2 + np.array(level)
    option = np.repeat(np.arange(sites)[None], number, axis=0)
    found = Candidates(
        option.astype(np.int32), usd, usd.copy(), np.array(work), usd, row.astype(np.int32), 2
    )
    ones = np.ones(number, np.int64)
    none = np.zeros(number)
    all_items = Items(
        ones, ones, ones, np.zeros(number, np.int64), np.zeros((6, number)), none, none, none, ()
    )
    rows = Grid(np.array([0.0, 1.0]), np.array(slots).reshape(sites, 2))
    domain = np.arange(sites)[None]
    return bidding.Assignment(
        found, rows, all_items, domain, np.ones_like(domain), np.full(sites, np.inf)
    )


def test_a_site_admits_those_who_would_lose_most_elsewhere() -> None:
    cost = [[1.0, 2.0], [1.0, 9.0], [1.0, 3.0]]
    ones = [[1.0, 1.0]] * 3
    plan = assignment(cost, ones, [[1, 1]] * 3, [2.0, 2.0, 9.0, 9.0])
    bidding.place(plan, np.array(cost), 10.0)
    assert plan.chosen[:, 0].tolist() == [1, 0, 0]


def test_work_that_must_start_early_is_also_in_the_later_row() -> None:
    cost = [[1.0, CLOSED]] * 3
    ones = [[1.0, 1.0]] * 3
    plan = assignment(cost, ones, [[0, 0], [0, 0], [1, 1]], [1.0, 2.0, 0.0, 0.0])
    bidding.place(plan, np.array(cost), 10.0)
    assert sorted(plan.chosen[:, 0].tolist()) == [-1, 0, 0]
    assert plan.chosen[2, 0] == 0
    assert plan.slack_s[0].min() > -1e-6


@pytest.mark.parametrize("seed", range(20))
def test_bids_never_exceed_a_row(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cost = rng.uniform(1, 2, (40, 3))
    work = rng.uniform(0.5, 1.5, (40, 3))
    level = rng.integers(0, 2, (40, 3))
    slots = np.sort(rng.uniform(2, 12, (3, 2)), axis=1)
    plan = assignment(cost.tolist(), work.tolist(), level.tolist(), slots.ravel().tolist())
    bidding.place(plan, cost, 10.0)
    used = np.zeros((3, 2))
    for item, column in enumerate(plan.chosen[:, 0]):
        if column >= 0:
            used[column, level[item, column] :] += work[item, column]
    assert (used <= slots * (1 + 1e-9)).all(), f"seed {seed}"
    np.testing.assert_allclose(plan.slack_s, slots - used, atol=1e-6)
