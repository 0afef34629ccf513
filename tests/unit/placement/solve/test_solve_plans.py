"""What a plan looks like in small stories one can check by hand."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.model import (
    Instance,
    ItemClass,
    Link,
    Model,
    Needs,
    Offer,
    Plan,
    Site,
    Spot,
    Swarm,
    options,
)

CHEAP = Site("cheap", 4, 1e-4, organisation="a", region="north", residency=frozenset(("eu",)))
DEAR = Site("dear", 4, 1e-3, organisation="b", region="south", hardware={"gpu": 1})
THIRD = Site("third", 4, 2e-3, organisation="c", region="south")
WORK = ItemClass("work", 4, work_s=10.0, sigma=0.0)


def asked(
    *classes: ItemClass, sites: tuple[Site, ...] = (CHEAP, DEAR, THIRD), **swarm: float
) -> Instance:
    return Instance(Swarm(**{"deadline_s": 100.0, **swarm}), classes, sites)


def where(instance: Instance, plan: Plan) -> list[str]:
    ways = options(instance)
    return [instance.sites[ways[one].site].name if one >= 0 else "" for one in plan.option.tolist()]


def answered(instance: Instance) -> list[str]:
    plan = solve(instance)
    assert check_plan(instance, plan) == []
    return where(instance, plan)


def test_items_go_where_they_are_cheapest() -> None:
    assert answered(asked(WORK)) == ["cheap"] * 4


def test_what_does_not_fit_before_the_deadline_goes_to_the_next_cheapest_site() -> None:
    placed = answered(asked(replace(WORK, items=60), deadline_s=100.0))
    assert placed.count("cheap") == 40  # ten on each of four slots
    assert placed.count("dear") == 20


def test_hardware_residency_and_capability_are_hard() -> None:
    clever = replace(THIRD, offers=(Offer("clever", usd_per_mtok_out=5.0),))
    instance = replace(
        asked(
            replace(WORK, name="gpu", needs=Needs(hardware={"gpu": 1})),
            replace(WORK, name="eu", needs=Needs(residency=frozenset(("eu",)))),
            replace(WORK, name="clever", needs=Needs(capabilities={"reasoning": 2})),
            sites=(CHEAP, DEAR, clever),
        ),
        models=(Model("code"), Model("clever", {"reasoning": 2})),
    )
    assert answered(instance) == ["dear"] * 4 + ["cheap"] * 4 + ["third"] * 4


@pytest.mark.parametrize(
    ("across", "expected"),
    [
        ("organisation", {"cheap", "dear"}),
        ("region", {"cheap", "dear"}),
        ("site", {"cheap", "dear"}),
    ],
)
def test_copies_of_an_item_are_in_different_domains(across: str, expected: set[str]) -> None:
    placed = answered(asked(replace(WORK, copies=2, across=across)))
    assert all(set(placed[item : item + 2]) == expected for item in range(0, 8, 2))


def test_copies_that_differ_by_region_skip_a_cheaper_site_of_the_same_region() -> None:
    middle = replace(DEAR, name="middle", usd_per_slot_s=2e-4, region="north")
    placed = answered(asked(replace(WORK, copies=2, across="region"), sites=(CHEAP, middle, THIRD)))
    assert all(set(placed[item : item + 2]) == {"cheap", "third"} for item in range(0, 8, 2))


def test_copies_across_nodes_may_share_a_site_with_as_many_nodes() -> None:
    one = replace(WORK, copies=2, across="node")
    assert answered(asked(one, sites=(replace(CHEAP, nodes=2), DEAR))) == ["cheap"] * 8


def test_moving_data_costs_money_and_time() -> None:
    near = replace(WORK, data_site="dear", data_bytes=2e9)
    far = replace(CHEAP, bandwidth_bytes_per_s=1e8)
    dear = replace(DEAR, egress_usd_per_gb=0.09)
    assert answered(asked(near, sites=(far, dear))) == ["dear"] * 4
    free = replace(dear, egress_usd_per_gb=0.0)
    assert answered(asked(near, sites=(far, free))) == ["cheap"] * 4
    assert answered(asked(near, sites=(far, free), deadline_s=25.0)) == ["dear"] * 4
    quick = replace(
        asked(near, sites=(far, free), deadline_s=25.0),
        links=(Link("dear", "cheap", 0.1, 1e9, 0.0),),
    )
    assert answered(quick) == ["cheap"] * 4


def test_a_dataset_is_read_from_whoever_holds_it() -> None:
    books = replace(WORK, dataset="books", data_bytes=5e9)
    holding = replace(THIRD, datasets=frozenset(("books",)), egress_usd_per_gb=1.0)
    assert answered(asked(books, sites=(CHEAP, holding))) == ["third"] * 4


def test_a_distant_deadline_may_use_spot_slots_and_a_close_one_may_not() -> None:
    spot = replace(CHEAP, spot=Spot(1e-5, preemptions_per_hour=60.0))
    for deadline_s, expected in ((100.0, True), (15.0, False)):
        instance = asked(replace(WORK, items=1), sites=(spot,), deadline_s=deadline_s)
        plan = solve(instance)
        assert [options(instance)[one].spot for one in plan.option] == [expected]


def test_a_cold_model_is_loaded_only_if_the_deadline_allows_it() -> None:
    cold = replace(CHEAP, offers=(Offer("code", cold_start_s=30.0, warm=False),))
    assert answered(asked(WORK, sites=(cold, DEAR), deadline_s=60.0)) == ["cheap"] * 4
    assert answered(asked(WORK, sites=(cold, DEAR), deadline_s=35.0)) == ["dear"] * 4


def test_a_share_limits_what_one_site_gets() -> None:
    assert answered(asked(WORK, max_site_share=0.5)).count("cheap") == 2


def test_liked_behavior_decides_between_equals_only() -> None:
    models = (Model("code"), Model("kind", {"kindness": 1}))
    offers = (Offer("code"), Offer("kind"))
    same = replace(CHEAP, offers=offers)
    liking = replace(WORK, behavior=("kindness",))
    instance = replace(asked(liking, sites=(same,)), models=models)
    assert {options(instance)[one].model for one in solve(instance).option} == {1}
    dearer = replace(same, offers=(Offer("code"), Offer("kind", usd_per_mtok_out=0.01)))
    instance = replace(asked(replace(liking, output_tokens=100), sites=(dearer,)), models=models)
    assert {options(instance)[one].model for one in solve(instance).option} == {0}


@pytest.mark.parametrize(
    ("one", "limits", "word"),
    [
        (replace(WORK, items=100), {}, "slots"),
        (replace(WORK, work_s=500.0), {}, "deadline_s"),
        (replace(WORK, needs=Needs(hardware={"gpu": 8})), {}, "hardware"),
        (replace(WORK, needs=Needs(capabilities={"poetry": 1})), {}, "capabilities"),
        (replace(WORK, budget_usd=1e-9), {}, "budget_usd"),
        (replace(WORK, items=30), {"budget_usd": 0.01}, "budget_usd"),
        (replace(WORK, items=12), {"max_site_share": 0.25}, "max_site_share"),
    ],
)
def test_a_copy_without_a_place_says_which_constraint_kept_it_out(
    one: ItemClass, limits: dict[str, float], word: str
) -> None:
    instance = asked(one, **{"deadline_s": 50.0, **limits})
    plan = solve(instance)
    assert check_plan(instance, plan) == []
    assert [found.reason.split(":")[0] for found in plan.bound.unplaced] == [word]
    assert plan.bound.unplaced[0].copies == int((plan.option < 0).sum()) > 0


def test_equal_classes_beyond_the_limit_are_solved_as_one() -> None:
    alike = tuple(replace(WORK, name=f"item-{index}", items=1) for index in range(2_500))
    instance = asked(*alike, sites=(replace(CHEAP, slots=300),))
    plan = solve(instance)
    assert check_plan(instance, plan) == []
    assert plan.bound.class_probability.shape == (2_500,)


def test_stranded_copies_of_merged_classes_are_told_by_class() -> None:
    alike = tuple(replace(WORK, name=f"item-{index}", items=1) for index in range(2_500))
    instance = asked(*alike)
    plan = solve(instance)
    assert check_plan(instance, plan) == []
    assert sum(one.copies for one in plan.bound.unplaced) == int((plan.option < 0).sum()) > 0


def test_the_same_instance_gets_the_same_plan() -> None:
    instance = asked(replace(WORK, items=70), replace(WORK, name="other", work_s=7.0, items=50))
    first, second = solve(instance, exact_s=0), solve(instance, exact_s=0)
    assert np.array_equal(first.option, second.option)
    assert first.bound.objective_usd == second.bound.objective_usd
