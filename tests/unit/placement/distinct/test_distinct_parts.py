"""The parts of the plan for distinct items, each against the slow way of saying the same."""

import functools
import itertools
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement.distinct import bidding, candidates, dividing, program, superclasses
from swarm_placement.distinct.candidates import CLOSED, Candidates, Prices
from swarm_placement.distinct.grid import Grid, grid
from swarm_placement.distinct.items import Items, items, patterns
from swarm_placement.distinct.linear import Forms
from swarm_placement.distinct.outermost import Outermost
from swarm_placement.generate import Family, Recipe, generate
from swarm_placement.model import Instance, ItemClass, Needs, options
from swarm_placement.program import arcs, bound
from swarm_placement.program.problem import problem
from swarm_placement.program.relaxation import Relaxation
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


@functools.cache
def two_hundred() -> Instance:
    return generate(Recipe(200, 10, family="distinct", seed=1))


def test_superclasses_hold_every_item_once_and_one_pattern_each() -> None:
    all_items = items(two_hundred())
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
    outer = Outermost(forms, order, begin, extent)
    rows = grid(instance, float(extent.latest_s[extent.exists].max()), outer)
    row_usd = rng.exponential(1e-4, rows.slot_s.shape) * (rng.random(rows.slot_s.shape) < 0.2)
    prices = Prices(row_usd, np.zeros(len(instance.sites)), 0.0)
    likely = candidates.reduced_usd(forms, order, begin, prices)
    likely[~extent.exists] = np.inf
    found = candidates.candidates(forms, order, begin, likely, rows, count)
    table = candidates.domain_table(instance, order)
    terms = candidates.lower_usd(forms, order, begin, found, extent, prices, 1.0, table)
    wanted = np.array(dense_least(instance, rows, prices, 1.0))[order.of_class]
    assert (terms <= wanted * (1 + 1e-9)).all()
    np.testing.assert_allclose(terms, wanted, rtol=1e-9)


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


def test_a_quota_errs_to_both_sides_by_half_a_copy() -> None:
    group, item = np.zeros(4, np.int64), np.arange(4)
    work_s, worth = np.full(4, 2.0), np.array([1.0, 4.0, 3.0, 2.0])
    for left_s, wanted in ((3.1, [1, 2]), (2.9, [1]), (0.9, [])):
        quota = bidding.Quota(group, np.array([[left_s]]))
        kept = quota.kept(item, np.zeros(4, np.int64), work_s, worth)
        assert kept.tolist() == wanted
        assert quota.within(item, work_s[:, None]).all() == (left_s > 1.0)


@pytest.mark.parametrize("most", [1, 7, 30, 500])
def test_runs_keep_within_a_pattern_as_long_as_there_are_enough_of_them(most: int) -> None:
    order, begin = superclasses.ordered(items(two_hundred()), 100)
    first = superclasses.runs(order, begin, most)
    pattern = order.pattern[begin[:-1]]
    assert first[0] == 0
    assert (np.diff(first) > 0).all()
    if most > np.unique(pattern).size:
        ends = np.append(first[1:], pattern.size)
        assert all(np.unique(pattern[a:b]).size == 1 for a, b in zip(first, ends, strict=True))
    else:
        assert first.size <= most


@pytest.mark.parametrize("seed", range(10))
def test_parts_take_together_what_their_superclass_should(seed: int) -> None:
    rng = np.random.default_rng(seed)
    begin = np.append(0, np.cumsum(rng.integers(1, 30, 6)))
    wanted = rng.exponential(1.0, (6, 20)) * (rng.random((6, 20)) < 0.5)
    plain = np.zeros((6, 20))
    extent = superclasses.Extents(plain, plain, plain, plain, plain, plain, plain > 0)
    cuts, finer, dealt = dividing.divided(begin, extent, wanted)
    assert set(begin) <= set(cuts.tolist()), f"seed {seed}"
    assert (np.diff(cuts) > 0).all()
    owner = np.searchsorted(begin, cuts[:-1], side="right") - 1
    total = np.zeros_like(wanted)
    np.add.at(total, owner, dealt)
    np.testing.assert_allclose(total, wanted, atol=1e-9, err_msg=f"seed {seed}")
    used = (dealt > 1e-9).sum(axis=1)
    assert used.mean() < (wanted > 0).sum(axis=1)[owner].mean()
    assert finer.cost_usd.shape == dealt.shape


@pytest.mark.parametrize("family", ["product", "redundancy", "residency"])
def test_arcs_priced_in_lead_close_to_the_optimum_over_all(family: Family) -> None:
    flat = problem(generate(Recipe(2_000, 20, 60, 0.8, family, 2)))
    none = np.zeros(flat.of_class.size, dtype=bool)
    optimum = program.priced_in(flat, flat.cost_usd, none)
    best = Relaxation(flat).solve()
    proven = bound.lower_usd(flat, optimum.prices)
    assert best.lower_usd * (1 - 2 * program.CLOSE) <= proven <= best.lower_usd * (1 + 1e-9)
    placed = np.bincount(flat.of_class, optimum.copies, flat.classes)
    np.testing.assert_allclose(placed, flat.demand, rtol=1e-6)
    taken = bound.loads(flat, optimum.copies)
    last = np.append(flat.rows.site[1:] != flat.rows.site[:-1], True)
    assert (taken[last] <= flat.rows.slot_s[last] * (1 + 1e-6)).all()


def test_a_share_of_a_site_and_a_budget_have_prices_in_the_program_as_well() -> None:
    whole = problem(generate(Recipe(500, 8, 20, 0.5, "product", 4)))
    most = np.full(whole.site_most.size, 90.0)
    cost = Relaxation(whole).solve().lower_usd
    flat = replace(whole, site_most=most, budget_usd=cost * 0.9)
    everything = np.ones(flat.of_class.size, dtype=bool)
    optimum, best = program.priced_in(flat, flat.cost_usd, everything), Relaxation(flat).solve()
    assert bound.lower_usd(flat, optimum.prices) == pytest.approx(best.lower_usd, rel=1e-6)
    assert optimum.prices.budget > 0
