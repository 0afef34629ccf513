"""A swarm's demand in the terms of the placement solver."""

from dataclasses import replace

import numpy as np
import pytest

from swarm_placement.forms.files import SiteList
from swarm_placement.model import Model, Occupancy, Offer, Site
from swarm_ray.engine.placing.demand import (
    CODE,
    NO_DEADLINE_S,
    PRIOR,
    Demand,
    Past,
    groups,
    instance_of,
)

MODELS = (Model("small", {"reasoning_depth": 1}), Model("large", {"reasoning_depth": 3}))
SITES = SiteList(
    (
        Site("office", 4, 0.0, speed=1.0, offers=(Offer("small"),)),
        Site("cloud", 64, 0.001, speed=2.0, offers=(Offer("large", speed=0.5),)),
    ),
    MODELS,
    home="office",
)
NO_MODEL = {
    "reasoning_depth": None,
    "code_generation": False,
    "structured_output": False,
    "context_tokens": 0,
}
NOTHING = {"residency": [], "hardware": {}, "deadline_probability": None, "model": None}


def test_items_within_a_factor_of_two_are_alike():
    found = groups((100, 3_000, 127, 64, 2_500_000, 0))
    assert [group.ordinals for group in found] == [(5,), (0, 2, 3), (1,), (4,)]
    assert [group.name for group in found] == [
        "up to 1 B",
        "up to 128 B",
        "up to 4 KB",
        "up to 4 MB",
    ]
    assert found[1].mean_bytes == pytest.approx((100 + 127 + 64) / 3)


def test_requirements_become_needs_that_no_price_relaxes():
    asked = NOTHING | {
        "residency": ["eu"],
        "hardware": {"gpu": 1},
        "deadline_probability": 990_000,
        "model": NO_MODEL
        | {
            "reasoning_depth": "deep",
            "code_generation": True,
            "context_tokens": 8_000,
        },
    }
    demand = Demand(
        "sort", (10, 20), asked, deadline_us=30_000_000, reserve_ppm=100_000, tokens=900
    )
    found = instance_of(demand, SITES)
    needs = found.classes[0].needs
    assert needs.residency == {"eu"}
    assert needs.hardware == {"gpu": 1.0}
    assert needs.capabilities == {
        "reasoning_depth": 3.0,
        "code_generation": 1.0,
        "context_tokens": 8_000.0,
    }
    assert (found.swarm.deadline_s, found.swarm.reserve_s) == (30.0, 3.0)
    assert found.swarm.target_probability == 0.99


def test_a_task_that_asks_no_model_runs_as_code_wherever_slots_are():
    demand = Demand("sort", (10,), NOTHING | {"model": NO_MODEL | {"reasoning_depth": "deep"}})
    found = instance_of(demand, SITES)
    assert [offer.model for site in found.sites for offer in site.offers] == [CODE, CODE]
    assert not found.classes[0].needs.capabilities
    assert found.swarm.deadline_s == NO_DEADLINE_S


def test_what_sites_are_at_work_on_and_their_largest_share_reach_the_solver():
    busy = (Occupancy("office", (2.0, 3.5)),)
    found = instance_of(
        Demand("sort", (10,), NOTHING), replace(SITES, occupancy=busy, max_site_share=0.5)
    )
    assert found.occupancy == busy
    assert found.swarm.max_site_share == 0.5
    assert instance_of(Demand("sort", (10,), NOTHING), SITES).swarm.max_site_share == 1.0


def test_a_task_that_asks_a_model_uses_what_the_sites_offer():
    demand = Demand("sort", (400,), NOTHING, tokens=1_000)
    found = instance_of(demand, SITES)
    assert [model.name for model in found.models] == ["small", "large"]
    (one,) = found.classes
    assert (one.input_tokens, one.output_tokens) == (100.0, 900.0)


def test_what_past_attempts_took_replaces_the_prior_and_scales_with_the_speed_of_a_site():
    quick = tuple(Past(100, 0, 2.0 + index % 3 / 10) for index in range(200))
    never = instance_of(Demand("sort", (100,), NOTHING), SITES).durations
    often = instance_of(Demand("sort", (100,), NOTHING, past=quick), SITES).durations
    assert never is not None
    assert often is not None
    assert never.quantile_s[0, 0, 0] > PRIOR.median_s
    assert 1.5 < often.mean_s[0, 0, 0] < 3.0
    assert np.allclose(often.mean_s[0, 0], 2 * often.mean_s[0, 1])
    assert often.quantile_s[0, 0, 0] >= often.mean_s[0, 0, 0]
