"""Many list schedules at once say what one heap per site would say."""

import heapq

import numpy as np
import pytest

from swarm_placement.simulate.queues import Queues, list_schedule


def one_site(
    free_s: list[float], model: list[int], cold_s: list[float], duration_s: list[float]
) -> tuple[list[float], list[float]]:
    """Schedule one site with a heap, the plain way."""
    slots = [(at_s, number) for number, at_s in enumerate(free_s)]
    heapq.heapify(slots)
    loaded: set[tuple[int, int]] = set()
    starts, ends = [], []
    for of_model, cold, duration in zip(model, cold_s, duration_s, strict=True):
        at_s, slot = heapq.heappop(slots)
        load_s = 0.0 if (slot, of_model) in loaded else cold
        if cold > 0:
            loaded.add((slot, of_model))
        starts.append(at_s)
        ends.append(at_s + load_s + duration)
        heapq.heappush(slots, (ends[-1], slot))
    return starts, ends


@pytest.mark.parametrize("seed", range(12))
def test_all_sites_and_draws_agree_with_a_heap_per_site(seed: int) -> None:
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 60, 9)
    begin = np.concatenate(([0], counts.cumsum()))
    free = tuple(np.sort(rng.uniform(0.0, 9.0, rng.integers(1, 20))) for _ in counts)
    model = rng.integers(0, 3, begin[-1])
    cold_s = np.array([0.0, 4.0, 7.0])[model]
    duration_s = rng.lognormal(1.0, 0.7, (4, int(begin[-1])))
    found = list_schedule(Queues(begin, model, cold_s, free), duration_s)
    for draw in range(4):
        for site in range(len(counts)):
            here = slice(begin[site], begin[site + 1])
            starts, ends = one_site(
                free[site].tolist(),
                model[here].tolist(),
                cold_s[here].tolist(),
                duration_s[draw, here].tolist(),
            )
            assert found.start_s[draw, here] == pytest.approx(starts), f"seed {seed}"
            assert found.end_s[draw, here] == pytest.approx(ends), f"seed {seed}"
            last = max([*ends, *free[site].tolist()])
            assert found.free_s[site][draw].max() == pytest.approx(last), f"seed {seed}"


def test_a_site_without_copies_stays_as_free_as_it_was() -> None:
    queues = Queues(np.array([0, 0]), np.zeros(0, np.int64), np.zeros(0), (np.array([1.0, 2.0]),))
    found = list_schedule(queues, np.zeros((3, 0)))
    assert (found.free_s[0] == np.array([1.0, 2.0])).all()
