"""What a swarm asks of the sites, in the solver's terms.

Decides how requirements, item sizes and past durations become an instance, and nothing about where
an item runs. Items whose sizes lie within a factor of two are alike for placement.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal

import numpy as np

from swarm_placement.forecast import FEATURES, Cell, Forecaster, History, Prior, Work
from swarm_placement.forms.files import SiteList
from swarm_placement.model import (
    Durations,
    Instance,
    ItemClass,
    Model,
    Needs,
    Offer,
    Site,
    Swarm,
)

CODE: Final = "code"
"""The model of tasks that ask none."""
NO_DEADLINE_S: Final = 7 * 86_400.0
"""A swarm without a deadline is planned to end within a week."""
PRIOR: Final = Prior(median_s=30.0, sigma=1.0)
"""Believed of a task that never ran."""
BYTES_PER_TOKEN: Final = 4.0
"""Usual for English text and code; only an estimate of price rests on it."""
Depth = Literal["shallow", "moderate", "deep"]
DEPTHS: Final[dict[Depth, float]] = {"shallow": 1.0, "moderate": 2.0, "deep": 3.0}
HERE: Final = "here"
"""The site of attempts in the logs, which were all made by hosts of this cluster."""
_LEVEL: Final = 0.95


@dataclass(frozen=True, slots=True)
class Past:
    """One attempt that succeeded: bytes of its item, tokens it spent, seconds it took."""

    item_bytes: int
    tokens: int
    duration_s: float


@dataclass(frozen=True, slots=True)
class Demand:
    """What one swarm asks: its items' sizes in bytes, its limits, and what is known of its task.

    `requires` are the linked requirements; `tokens` is the most one attempt may spend, 0 for a
    task that asks no model; `liked` names capabilities that break ties.
    """

    task: str
    item_bytes: tuple[int, ...]
    requires: Mapping[str, Any]
    deadline_us: int = 0
    reserve_ppm: int = 0
    min_success_ppm: int = 1_000_000
    budget_microusd: int = 0
    tokens: int = 0
    copies: int = 1
    across: str = "organisation"
    liked: tuple[str, ...] = ()
    past: tuple[Past, ...] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Group:
    """Items alike for placement: their ordinals and their mean size in bytes."""

    name: str
    ordinals: tuple[int, ...]
    mean_bytes: float


def groups(item_bytes: Sequence[int]) -> tuple[Group, ...]:
    """Return the items by powers of two of their sizes, small ones first."""
    found: dict[int, list[int]] = {}
    for ordinal, size in enumerate(item_bytes):
        found.setdefault(size.bit_length(), []).append(ordinal)
    return tuple(
        Group(
            f"up to {_size(1 << bits)}",
            tuple(ordinals),
            float(np.mean([item_bytes[one] for one in ordinals])),
        )
        for bits, ordinals in sorted(found.items())
    )


def instance_of(demand: Demand, sites: SiteList) -> Instance:
    """Return the solver's instance of a demand over sites; items lie at the home of the list."""
    offered = tuple(_serving(site, asks_model=demand.tokens > 0) for site in sites.sites)
    models = tuple(one for one in sites.models if one.name != CODE)
    kept = models if demand.tokens else (Model(CODE),)
    alike = groups(demand.item_bytes)
    spent = [one.tokens for one in demand.past]
    tokens = float(np.mean(spent)) if any(spent) else float(demand.tokens)
    classes = tuple(_item_class(group, demand, tokens, sites.home) for group in alike)
    deadline_s = demand.deadline_us / 1e6 or NO_DEADLINE_S
    asked = demand.requires.get("deadline_probability")
    swarm = Swarm(
        deadline_s=deadline_s,
        reserve_s=deadline_s * demand.reserve_ppm / 1e6 if demand.deadline_us else 0.0,
        min_success_ratio=demand.min_success_ppm / 1e6,
        target_probability=asked / 1e6 if asked else Swarm(1.0).target_probability,
        budget_usd=demand.budget_microusd / 1e6 if demand.budget_microusd else None,
        max_site_share=sites.max_site_share,
    )
    durations = _durations(demand, alike, offered, kept)
    return Instance(swarm, classes, offered, kept, sites.links, sites.occupancy, durations)


def _item_class(group: Group, demand: Demand, tokens: float, home: str) -> ItemClass:
    reads = min(tokens, group.mean_bytes / BYTES_PER_TOKEN)
    return ItemClass(
        name=group.name,
        items=len(group.ordinals),
        work_s=1.0,
        kind=group.name,
        needs=_needs(demand),
        copies=demand.copies,
        across=demand.across,  # type: ignore[arg-type]  # the definition uses the same words
        data_site=home,
        data_bytes=group.mean_bytes,
        input_tokens=reads,
        output_tokens=tokens - reads,
        behavior=demand.liked,
    )


def _needs(demand: Demand) -> Needs:
    """Model requirements count only where a model is asked."""
    asked = demand.requires
    capabilities: dict[str, float] = {}
    model = asked.get("model") if demand.tokens else None
    if model:
        capabilities = {
            "reasoning_depth": DEPTHS[model["reasoning_depth"]]
            if model["reasoning_depth"]
            else 0.0,
            "code_generation": float(model["code_generation"]),
            "structured_output": float(model["structured_output"]),
            "context_tokens": float(model["context_tokens"]),
        }
    return Needs(
        {name: level for name, level in capabilities.items() if level},
        {name: float(amount) for name, amount in asked.get("hardware", {}).items()},
        frozenset(asked.get("residency", ())),
    )


def _serving(site: Site, *, asks_model: bool) -> Site:
    """Return the site with the offers that can serve: models, or plain code, which every site
    executes."""
    if not asks_model:
        return replace(site, offers=(Offer(CODE),))
    return replace(site, offers=tuple(one for one in site.offers if one.model != CODE))


def _durations(
    demand: Demand, alike: Sequence[Group], sites: Sequence[Site], models: Sequence[Model]
) -> Durations:
    """Forecast mean and quantile seconds from what is past, for each group, site and model; a
    site's and an offer's speed scale what was seen here."""
    forecaster = Forecaster.fit(_history(demand), boost=False, prior=PRIOR)
    features = np.full((len(alike), len(FEATURES)), np.nan)
    features[:, 0] = [group.mean_bytes for group in alike]
    forecast = forecaster.predict(Work((_cell(demand),) * len(alike), features))
    quantile = forecast.quantiles_s[:, forecaster.levels.index(_LEVEL)]
    slow = np.full((len(sites), len(models)), np.nan)
    names = [model.name for model in models]
    for row, site in enumerate(sites):
        for offer in site.offers:
            slow[row, names.index(offer.model)] = 1.0 / (site.speed * offer.speed)
    return Durations(
        tuple(group.name for group in alike),
        forecast.mean_s[:, None, None] * slow,
        quantile[:, None, None] * slow,
        _LEVEL,
    )


def _history(demand: Demand) -> History:
    features = np.full((len(demand.past), len(FEATURES)), np.nan)
    for row, one in enumerate(demand.past):
        features[row, :2] = one.item_bytes, one.tokens
    seconds = np.array([max(one.duration_s, 1e-4) for one in demand.past], np.float64)
    return History(Work((_cell(demand),) * len(demand.past), features), seconds)


def _cell(demand: Demand) -> Cell:
    """Return where past attempts were made: this cluster, with the one model configured here."""
    return demand.task, HERE, HERE if demand.tokens else CODE


def _size(size: int) -> str:
    for unit, factor in (("MB", 1 << 20), ("KB", 1 << 10)):
        if size >= factor:
            return f"{size // factor} {unit}"
    return f"{size} B"
