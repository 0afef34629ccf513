"""Capacity rows: what fits begins on time, whatever runs before."""

import numpy as np
import pytest

from swarm_placement import check_plan, solve
from swarm_placement.model import Instance, ItemClass, Occupancy, Site, Swarm
from swarm_placement.program.capacity import free_times, room


def rooms(
    free_s: list[float], edges_s: list[float], least_s: float, most_s: float, cold_s: float = 0.0
) -> list[float]:
    edge_s = np.array(edges_s)
    shortest, longest = np.full(edge_s.size, least_s), np.full(edge_s.size, most_s)
    return room(np.array(free_s), edge_s, shortest, longest, cold_s).tolist()


def test_as_many_copies_as_there_are_free_slots_begin_at_once() -> None:
    assert rooms([0, 0, 0], [0], 10, 10) == pytest.approx([30])


def test_equal_copies_are_counted_per_slot() -> None:
    assert rooms([0, 0, 0], [19, 20, 25], 10, 10) == pytest.approx([60, 90, 90])


def test_unequal_copies_have_the_time_of_all_slots_and_one_copy_more() -> None:
    assert rooms([0, 0, 0], [25], 7, 13) == pytest.approx([3 * 25 + 7])


def test_long_copies_are_counted_even_when_they_are_unequal() -> None:
    assert rooms([0, 0], [14], 10, 12) == pytest.approx([2 * 20 + 10], rel=1e-4)


def test_nothing_begins_before_the_first_slot_is_free() -> None:
    assert rooms([30, 40], [20, 35, 50], 10, 10) == pytest.approx([0, 10, 50])


def test_every_slot_loses_the_time_to_load_its_models() -> None:
    assert rooms([0, 0], [51], 6, 11, 5) == pytest.approx([2 * 46 + 6])


@pytest.mark.parametrize("seed", range(60))
def test_any_work_within_the_room_begins_on_time_in_any_order(seed: int) -> None:
    rng = np.random.default_rng(seed)
    least_s, most_s = np.sort(rng.uniform(3, 15, 2))
    most_s = least_s if seed % 3 == 0 else most_s
    free_s = np.sort(rng.uniform(0, 20, int(rng.integers(1, 4)))) * (seed % 2)
    edge_s = float(rng.uniform(0, 50))
    left_s = rooms(free_s.tolist(), [edge_s], least_s, most_s)[0]
    slots = free_s.tolist()
    while True:
        choices = [least_s, most_s, float(rng.uniform(least_s, most_s))]
        work_s = choices[int(rng.integers(3))]
        if work_s > left_s * (1 + 1e-12):
            break
        left_s -= work_s
        slot = int(np.argmin(slots))
        assert slots[slot] <= edge_s + 1e-9, f"seed {seed}"
        slots[slot] += work_s


def test_occupied_slots_are_freed_in_order_and_boot_comes_first() -> None:
    site = Site("a", 2, 1e-4, boot_s=3.0)
    instance = Instance(
        Swarm(100.0),
        (ItemClass("w", 1, 1.0),),
        (site,),
        occupancy=(Occupancy("a", (10.0, 4.0, 1.0)),),
    )
    assert free_times(instance, 0) == pytest.approx([8.0, 13.0])


def test_an_occupied_site_takes_less_and_still_begins_on_time() -> None:
    free = Instance(Swarm(60.0), (ItemClass("w", 40, 10.0, 0.0),), (Site("a", 4, 1e-4),))
    busy = Instance(
        free.swarm, free.classes, free.sites, occupancy=(Occupancy("a", (15.0, 15.0, 50.0)),)
    )
    empty, full = solve(free), solve(busy)
    assert check_plan(free, empty) == [] == check_plan(busy, full)
    assert (empty.option >= 0).sum() > (full.option >= 0).sum() > 0
