"""The plain data of placement: what is asked (`Instance`) and what is answered (`Plan`).

Nothing here computes. Units stand in the names; times are relative to now; money is in US dollars
and becomes integer micro-dollars where it leaves the package (`report.summary`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Domain = Literal["node", "site", "region", "organisation", "trust_domain"]
"""What the copies of one item must differ in. A trust domain is a group of organisations that
could collude; `node` counts the machines inside a site (`Site.nodes`)."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Hard requirements of a copy; never priced, never relaxed.

    `capabilities`: name -> least level the model must have (reasoning depth, code generation,
    context length in tokens, ...). `hardware`: name -> least amount one slot must offer.
    `residency`: tags the site must carry, all of them ("eu", "hipaa", "enclave").
    """

    capabilities: Mapping[str, float] = field(default_factory=dict)
    hardware: Mapping[str, float] = field(default_factory=dict)
    residency: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class ItemClass:
    """Items that are alike for placement; an item unlike all others is a class with `items=1`.

    Duration of one copy, without transfer and cold start, is log-normal. Without a `kind` its mean
    is `work_s / (site.speed * offer.speed)` and `sigma` its shape; with one, mean and quantile are
    `work_s` times the entries of `Instance.durations` for that kind (so `work_s=1` makes the table
    the durations themselves).

    Input data is read from `data_site`, or from the best site that holds `dataset`, or is at hand
    everywhere when both are empty. `behavior` names capabilities that are liked: they decide
    between options of equal cost and nothing else.
    """

    name: str
    items: int
    work_s: float
    sigma: float = 0.4
    kind: str = ""
    needs: Needs = field(default_factory=Needs)
    copies: int = 1
    across: Domain = "trust_domain"
    deadline_s: float | None = None  # None: the swarm's; never later than that
    budget_usd: float | None = None  # most that one copy may cost
    data_site: str = ""
    dataset: str = ""
    data_bytes: float = 0.0
    input_tokens: float = 0.0
    output_tokens: float = 0.0
    behavior: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Model:
    """What executes a copy: a language model, or plain code (no capability, no token price)."""

    name: str
    capabilities: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Offer:
    """One model at one site. `cold_start_s` passes once on each slot before its first copy with
    this model, unless the model is `warm` there (loaded on every slot)."""

    model: str
    speed: float = 1.0
    usd_per_mtok_in: float = 0.0
    usd_per_mtok_out: float = 0.0
    cold_start_s: float = 0.0
    warm: bool = True


@dataclass(frozen=True, slots=True)
class Spot:
    """Slots at a lower price that may be taken away; a copy then starts again from nothing."""

    usd_per_slot_s: float
    preemptions_per_hour: float


@dataclass(frozen=True, slots=True)
class Site:
    """A place with equal slots.

    `margin` is the share of slot-seconds kept free: reserve for the whole site being slow, for
    hedging and for stragglers, taken from its history. Only copies that have no place otherwise
    use it (`Bound.over_margin`). `boot_s` is the time until the slots exist,
    0 when the site runs. Data leaving the site pays `egress_usd_per_gb` (10^9 bytes) and moves at
    the lower bandwidth of both ends after both latencies, unless a `Link` says otherwise.
    """

    name: str
    slots: int
    usd_per_slot_s: float
    organisation: str = ""  # empty: the site is its own
    region: str = ""  # empty: the site is its own
    trust_domain: str = ""  # empty: the organisation
    residency: frozenset[str] = frozenset()
    hardware: Mapping[str, float] = field(default_factory=dict)
    nodes: int = 1
    speed: float = 1.0
    offers: tuple[Offer, ...] = (Offer("code"),)
    spot: Spot | None = None
    boot_s: float = 0.0
    margin: float = 0.0
    latency_s: float = 0.0
    bandwidth_bytes_per_s: float = 1e9
    egress_usd_per_gb: float = 0.0
    datasets: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Link:
    """The way from one site to another, where it differs from what both ends say."""

    source: str
    target: str
    latency_s: float
    bandwidth_bytes_per_s: float
    egress_usd_per_gb: float


@dataclass(frozen=True, slots=True)
class Swarm:
    """The limits of the whole swarm.

    Items must be done at `deadline_s - reserve_s`; the reserve is for convergence. The swarm
    succeeds when at least `min_success_ratio` of the items are done by then, and should do so with
    `target_probability`. `item_probability` is the quantile a copy's last hop is planned with.
    `moves_share` is the share of the copies which might stay that a replan may move at most.
    """

    deadline_s: float
    reserve_s: float = 0.0
    min_success_ratio: float = 1.0
    target_probability: float = 0.95
    item_probability: float = 0.95
    budget_usd: float | None = None
    max_site_share: float = 1.0
    moves_share: float = 0.05


@dataclass(frozen=True, slots=True)
class Occupancy:
    """Mean seconds still to go of each copy that is executing or committed at a site; they are
    served before anything that is placed now."""

    site: str
    remaining_s: tuple[float, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Durations:
    """Mean and quantile seconds per unit of work, by kind x site x model; NaN where unknown.

    The axes follow `kinds`, `Instance.sites` and `Instance.models`; `level` is the probability the
    quantile stands for. Forecasts come in this form.
    """

    kinds: tuple[str, ...]
    mean_s: NDArray[np.float64]
    quantile_s: NDArray[np.float64]
    level: float = 0.95


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """Everything that is known before anything is placed."""

    swarm: Swarm
    classes: tuple[ItemClass, ...]
    sites: tuple[Site, ...]
    models: tuple[Model, ...] = (Model("code"),)
    links: tuple[Link, ...] = ()
    occupancy: tuple[Occupancy, ...] = ()
    durations: Durations | None = None


@dataclass(frozen=True, slots=True)
class Option:
    """One way to execute a copy: indices of site and model, and whether on spot slots."""

    site: int
    model: int
    spot: bool


def options(instance: Instance) -> tuple[Option, ...]:
    """Return all ways to execute a copy, by site, then offer, on demand before spot.

    `Plan.option` holds indices into this tuple.
    """
    number = {model.name: index for index, model in enumerate(instance.models)}
    return tuple(
        Option(site_index, number[offer.model], spot)
        for site_index, site in enumerate(instance.sites)
        for offer in site.offers
        for spot in ((False, True) if site.spot else (False,))
    )


@dataclass(frozen=True, slots=True)
class CapacityPrice:
    """A capacity row and its shadow price.

    The row: copies at `site` whose latest start is before `below_s` together need at most
    `slot_s` slot-seconds, which is what begins by `edge_s` for certain. The price is what one more
    slot-second in it would save.
    """

    site: int
    below_s: float
    slot_s: float
    usd_per_slot_s: float
    edge_s: float


@dataclass(frozen=True, slots=True)
class WindowPrice:
    """The price of a slot-second before `until_s` at a site, for what any plan that is on time must
    have done by then (`necessary`)."""

    site: int
    until_s: float
    usd_per_slot_s: float


@dataclass(frozen=True, slots=True)
class Unplaced:
    """Copies of a class that found no place, and the constraint that kept them out."""

    item_class: int
    copies: int
    reason: str


@dataclass(frozen=True, slots=True, eq=False)
class Bound:
    """How good a plan is, and the proof.

    `cost_usd` is what the placed copies cost; `objective_usd` adds `penalty_usd` per unplaced copy
    and per copy that stands in the margin of its site: five times the dearest copy that any class may
    have anywhere, one dollar if none costs anything. There are two bounds, each with a gap,
    `objective_usd / bound - 1`.

    No plan that the checker accepts has an objective below `lower_usd`, however it was found. The
    prices of `windows`, `window_share_usd` and `window_budget` show it; the checker works it out
    anew from them and the instance.

    No plan within the solver's capacity rows has an objective below `within_rows_usd`. Rows are
    sufficient, not necessary, so a plan outside of them may cost less: this says how well the search
    went, not how good the plan is. `within_rows_proof` says what shows it: "duality" is worked out
    anew by the checker from `capacity`, `share_price_usd` and `budget_price`; "branch and bound" is
    the word of the exact solver, claimed and not checked, and `within_rows_dual_usd` is then what
    the prices alone show.

    `class_probability`: per class, that an item's copies all end before its deadline;
    `probability`: that at least `min_success_ratio` of the items do, with the standard error
    `probability_error`, 0 where nothing was drawn.

    `over_margin`: ascending indices into `Plan.option` of copies in the margin of their site. They
    begin in time if every duration is its mean; without them, all margins are free.
    """

    cost_usd: float
    penalty_usd: float
    objective_usd: float
    lower_usd: float
    gap: float
    within_rows_usd: float
    within_rows_gap: float
    within_rows_dual_usd: float
    within_rows_proof: Literal["duality", "branch and bound"]
    probability: float
    probability_error: float
    class_probability: NDArray[np.float64]
    unplaced: tuple[Unplaced, ...]
    capacity: tuple[CapacityPrice, ...]
    share_price_usd: NDArray[np.float64]  # per site: what one more copy above its share would save
    budget_price: float  # what one more dollar of budget would save in penalties
    windows: tuple[WindowPrice, ...]
    window_share_usd: NDArray[np.float64]  # as `share_price_usd` and `budget_price`, for any plan
    window_budget: float
    over_margin: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Who executes what.

    `option[offset + item * copies + ordinal]` is the index into `options(instance)` for one copy,
    -1 when it is unplaced; classes follow each other in the instance's order (`copy_offsets`).

    The order of execution is part of the plan: within a site the copy with the least latest start
    goes first, and on a tie the lower index; a worker that takes them in another order voids the
    promise about deadlines.
    """

    option: NDArray[np.int32]
    bound: Bound
    solver: str


def copy_offsets(classes: tuple[ItemClass, ...]) -> NDArray[np.int64]:
    """Return where the copies of each class begin in `Plan.option`, and last their number."""
    counts = np.fromiter((one.items * one.copies for one in classes), np.int64, len(classes))
    return np.concatenate((np.zeros(1, np.int64), np.cumsum(counts)))
