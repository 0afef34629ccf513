"""Tiny seeded instances in which everything occurs: small enough to try all plans.

One to three classes with at most five copies in all, two to four sites with one or two slots, and by
chance spot slots, cold models, boot times, occupied slots, data to move, links, several copies
across every kind of domain, shares, budgets and margins.
"""

import numpy as np

from swarm_placement.model import (
    Domain,
    Instance,
    ItemClass,
    Link,
    Model,
    Needs,
    Occupancy,
    Offer,
    Site,
    Spot,
    Swarm,
)

MOST_COPIES = 5
DOMAINS: tuple[Domain, ...] = ("node", "site", "region", "organisation", "trust_domain")


def tiny(seed: int) -> Instance:
    """Return the instance of a seed."""
    rng = np.random.default_rng([seed, 7])
    sites = tuple(_site(rng, index) for index in range(int(rng.integers(2, 5))))
    classes: list[ItemClass] = []
    while sum(one.items * one.copies for one in classes) < 3 and len(classes) < 3:
        classes.append(_class(rng, len(classes), sites))
    links = (Link("site-0", "site-1", 0.5, 1e6, 0.2),) if _often(rng, 0.3) else ()
    occupancy = (Occupancy("site-0", (float(rng.uniform(1, 9)),)),) if _often(rng, 0.3) else ()
    swarm = Swarm(
        deadline_s=float(rng.uniform(20, 60)),
        reserve_s=float(rng.uniform(0, 4)),
        min_success_ratio=float(rng.choice([1.0, 0.6])),
        budget_usd=float(rng.uniform(0.02, 0.3)) if _often(rng, 0.3) else None,
        max_site_share=float(rng.choice([0.5, 0.7])) if _often(rng, 0.3) else 1.0,
    )
    models = (Model("plain"), Model("clever", {"reasoning": 2.0}))
    return Instance(swarm, tuple(classes), sites, models, links, occupancy)


def _site(rng: np.random.Generator, index: int) -> Site:
    names = ("plain", "clever") if _often(rng, 0.4) else ("plain",)
    offers = tuple(
        Offer(
            name,
            speed=float(rng.uniform(0.5, 2)),
            usd_per_mtok_out=float(rng.uniform(0.5, 3)),
            cold_start_s=float(rng.uniform(0, 4)),
            warm=_often(rng, 0.7),
        )
        for name in names
    )
    return Site(
        name=f"site-{index}",
        slots=int(rng.integers(1, 3)),
        usd_per_slot_s=float(rng.uniform(1e-4, 3e-3)),
        organisation=f"org-{rng.integers(3)}",
        region=f"region-{rng.integers(2)}",
        residency=frozenset(("eu",)) if index == 0 or _often(rng, 0.6) else frozenset(),
        hardware={"gpu": float(rng.integers(0, 2))},
        nodes=int(rng.integers(1, 3)),
        offers=offers,
        spot=Spot(2e-4, float(rng.uniform(0, 20))) if _often(rng, 0.3) else None,
        boot_s=float(rng.choice([0.0, 0.0, 5.0])),
        margin=float(rng.choice([0.0, 0.1])),
        latency_s=float(rng.uniform(0, 0.2)),
        bandwidth_bytes_per_s=float(rng.uniform(1e6, 1e8)),
        egress_usd_per_gb=float(rng.uniform(0, 0.1)),
        datasets=frozenset(("books",)) if index < 2 else frozenset(),
    )


def _class(rng: np.random.Generator, index: int, sites: tuple[Site, ...]) -> ItemClass:
    across = DOMAINS[int(rng.integers(len(DOMAINS)))]
    copies = int(rng.integers(1, 3)) if _apart(across, sites) > 1 else 1
    place = sites[int(rng.integers(len(sites)))].name
    needs = Needs(
        capabilities={"reasoning": 1.0} if _often(rng, 0.2) else {},
        hardware={"gpu": 1.0} if _often(rng, 0.3) else {},
        residency=frozenset(("eu",)) if copies == 1 and _often(rng, 0.4) else frozenset(),
    )
    return ItemClass(
        name=f"class-{index}",
        items=int(rng.integers(1, 1 + MOST_COPIES // (2 * copies) + (copies == 1))),
        work_s=float(rng.uniform(2, 12)),
        sigma=float(rng.uniform(0, 0.5)),
        needs=needs,
        copies=copies,
        across=across,
        deadline_s=float(rng.uniform(10, 70)) if _often(rng, 0.5) else None,
        budget_usd=float(rng.uniform(0.01, 0.1)) if _often(rng, 0.2) else None,
        data_site=place if _often(rng, 0.4) else "",
        dataset="books" if _often(rng, 0.3) else "",
        data_bytes=float(rng.uniform(0, 5e6)),
        output_tokens=float(rng.uniform(0, 2_000)),
        behavior=("reasoning",) if _often(rng, 0.3) else (),
    )


def _apart(across: Domain, sites: tuple[Site, ...]) -> int:
    """Return how many copies of one item could be in different domains."""
    if across == "node":
        return sum(site.nodes for site in sites)
    name = {"site": "name", "region": "region"}.get(across, "organisation")
    return len({getattr(site, name) for site in sites})


def _often(rng: np.random.Generator, share: float) -> bool:
    return bool(rng.random() < share)
