"""A small swarm over three organisations that every test changes in one thing."""

import pytest

from swarm_placement.model import (
    Instance,
    ItemClass,
    Link,
    Model,
    Needs,
    Occupancy,
    Offer,
    Site,
    Swarm,
)

EU = Needs(capabilities={"reasoning": 2.0}, residency=frozenset({"eu"}))


@pytest.fixture
def three_organisations() -> Instance:
    """Cheap slots in the US, dear ones in the EU; contracts must stay in the EU."""
    models = (Model("small", {"reasoning": 1.0}), Model("large", {"reasoning": 3.0}))
    small = Offer("small", usd_per_mtok_in=0.1, usd_per_mtok_out=0.4)
    large = Offer("large", speed=0.5, usd_per_mtok_in=1.0, cold_start_s=8.0, warm=False)
    return Instance(
        Swarm(deadline_s=600.0, reserve_s=60.0, min_success_ratio=0.95),
        (
            ItemClass("invoice", items=200, work_s=12.0, input_tokens=900.0, data_site="us-hpc"),
            ItemClass("contract", items=30, work_s=20.0, needs=EU),
            ItemClass("audit", items=10, work_s=15.0, copies=2, dataset="rules", data_bytes=1e6),
        ),
        (
            Site("us-hpc", 8, 1e-4, organisation="hpc", offers=(small, large), latency_s=0.1),
            Site(
                "eu-west",
                6,
                2e-4,
                organisation="acme",
                residency=frozenset({"eu"}),
                offers=(small, large),
                datasets=frozenset({"rules"}),
            ),
            Site(
                "eu-east",
                4,
                3e-4,
                organisation="beta",
                residency=frozenset({"eu", "hipaa"}),
                offers=(large,),
                boot_s=30.0,
            ),
        ),
        models,
        (Link("us-hpc", "eu-west", 0.09, 5e7, 0.02),),
        (Occupancy("us-hpc", (30.0, 45.0)),),
    )
