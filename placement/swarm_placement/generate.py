"""Seeded synthetic instances.

`load` is the least capacity that serves everything, found by a linear program, over the capacity
there is: 1.0 leaves nothing free, 0.5 is twice what is needed. It is met to about a percent, since
slots are whole.

| family | what is particular |
|---|---|
| product | duration = work of the class x slowness of the site: a flow problem |
| interaction | 25 % of the class-site pairs are 0.5 to 2 times as long: no product form |
| tight | each class has a deadline of its own, 3 to 8 durations away: few waves, levels matter |
| residency | 80 % of the classes carry one or two tags that few sites have |
| redundancy | every class has 2 or 3 copies, over few trust domains |
| distinct | every item is its own class, drawn around hidden types (`Recipe.types`) |

Many distinct items are too many for that program: their load is that of their types, of the first
100 if there are more. Deadlines, but for "tight", are one of 1, 2, 4, 8, ... minutes, at least 3
durations away; those of distinct items are 0.8 to 1.25 times their type's. Prices, speeds and
durations are invented, in ranges one meets: 1e-5 to 1e-3 dollars per slot-second, speeds 0.5 to 2,
durations from seconds to a minute.
"""

from dataclasses import dataclass, fields, replace
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError
from swarm_placement.model import Durations, Instance, ItemClass, Model, Needs, Offer, Site, Swarm
from swarm_placement.program.highs import columns, program, run
from swarm_placement.program.problem import Problem, problem
from swarm_placement.program.relaxation import crossings

Family = Literal["product", "interaction", "tight", "residency", "redundancy", "distinct"]
FAMILIES: tuple[Family, ...] = get_args(Family)
LEVEL = 0.95
TAGS = ("eu", "us", "hipaa", "enclave")
MODELS = (
    Model("small", {"reasoning": 1, "code": 1, "context_tokens": 32_000}),
    Model("large", {"reasoning": 3, "code": 2, "context_tokens": 200_000}),
)
LEAST_DOMAINS = 4
LEAST_WAVES = 3.0
FIRST_DEADLINE_S = 60.0
SIZE_SIGMA = 0.3
MEASURED_TYPES = 100
LOAD_STEPS = 6
LARGE_ARCS = 20_000
"""Above, one step comes close to the load, and the linear program takes long."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What to generate: the items are shared out among the classes unevenly, among types evenly."""

    items: int = 1_000
    sites: int = 20
    classes: int = 50
    load: float = 0.8
    family: Family = "interaction"
    seed: int = 0
    types: int = 50  # of the distinct family: each has requirements and a place of its data


def generate(recipe: Recipe) -> Instance:
    """Return the instance of a recipe: the same recipe, the same instance.

    Raises:
        UsageError: for a load outside (0, 1], or fewer items than classes.
    """
    _check_load(recipe)
    if recipe.family != "distinct" and recipe.items < recipe.classes:
        raise UsageError(
            "generate.items",
            "items",
            f"{recipe.items} items do not fill {recipe.classes} classes.",
            "Ask for at least one item per class.",
        )
    rng = np.random.default_rng([recipe.seed, FAMILIES.index(recipe.family)])
    sites = _sites(rng, recipe)
    classes = _classes(rng, recipe)
    raw = Instance(
        Swarm(_last_s(classes), min_success_ratio=0.95),
        classes,
        sites,
        MODELS,
        durations=_durations(rng, recipe, sites),
    )
    if recipe.family != "distinct":
        return _with_load(_placeable(raw), recipe.load)
    if recipe.items * recipe.sites <= LARGE_ARCS:
        return _with_load(_placeable(_spread(rng, raw)), recipe.load)
    eased = _placeable(raw)
    return _spread(rng, _with_load_of_some(eased, eased.classes[:MEASURED_TYPES], recipe))


def on_sites(classes: tuple[ItemClass, ...], recipe: Recipe) -> Instance:
    """Return items that come from elsewhere on the sites of a recipe, at its load, as measured on
    a hundred of them that are spread evenly over the durations.

    Raises:
        UsageError: for a load outside (0, 1].
    """
    _check_load(recipe)
    rng = np.random.default_rng([recipe.seed, FAMILIES.index(recipe.family)])
    swarm = Swarm(_last_s(classes), min_success_ratio=0.95)
    eased = _placeable(Instance(swarm, classes, _sites(rng, recipe), MODELS))
    ranked = sorted(eased.classes, key=lambda one: one.work_s)
    step = max(1, len(ranked) // MEASURED_TYPES)
    return _with_load_of_some(eased, tuple(ranked[step // 2 :: step]), recipe)


def _check_load(recipe: Recipe) -> None:
    if not 0 < recipe.load <= 1:
        raise UsageError("generate.load", "load", "The load must be in (0, 1].", "Use e.g. 0.8.")


def _with_load_of_some(instance: Instance, some: tuple[ItemClass, ...], recipe: Recipe) -> Instance:
    """Scale the slots as `_with_load` does for some of the classes, taken as if they were all."""
    scale = recipe.items / sum(one.items for one in some)
    known = tuple(replace(one, items=max(1, round(one.items * scale))) for one in some)
    loaded = _with_load(replace(instance, classes=known), recipe.load)
    return replace(instance, sites=loaded.sites)


def _last_s(classes: tuple[ItemClass, ...]) -> float:
    return max(one.deadline_s or 0.0 for one in classes)


def _sites(rng: np.random.Generator, recipe: Recipe) -> tuple[Site, ...]:
    found = []
    organisations = max(4, recipe.sites // 8) if recipe.family == "redundancy" else recipe.sites
    tag_share = 0.3 if recipe.family == "residency" else 0.6
    for index in range(recipe.sites):
        speed = float(rng.uniform(0.5, 2.0))
        offers = [Offer("small", usd_per_mtok_in=0.1, usd_per_mtok_out=0.4)]
        if rng.random() < 0.6:
            offers = [
                Offer(
                    "large",
                    speed=0.8,
                    usd_per_mtok_in=float(rng.uniform(0.5, 1.5)),
                    usd_per_mtok_out=float(rng.uniform(2, 6)),
                    cold_start_s=float(rng.uniform(2, 20)),
                    warm=bool(rng.random() < 0.7),
                )
            ]
        found.append(
            Site(
                name=f"site-{index:03d}",
                slots=int(rng.integers(8, 33)),
                usd_per_slot_s=float(1e-4 * speed * rng.lognormal(0, 0.5)),
                organisation=f"org-{index % organisations:03d}",
                region=f"region-{index % max(4, recipe.sites // 10):02d}",
                residency=frozenset(tag for tag in TAGS if rng.random() < tag_share),
                hardware={"gpu": float(rng.integers(0, 3)), "memory_gb": 32.0},
                speed=speed,
                offers=tuple(offers),
                latency_s=float(rng.uniform(0.005, 0.15)),
                bandwidth_bytes_per_s=float(rng.uniform(2e7, 5e8)),
                egress_usd_per_gb=float(rng.choice([0.0, 0.02, 0.09])),
            )
        )
    return tuple(found)


def _classes(rng: np.random.Generator, recipe: Recipe) -> tuple[ItemClass, ...]:
    if recipe.family == "distinct":
        number = min(recipe.types, recipe.items)
        items = np.bincount(np.arange(recipe.items) % number)
        return tuple(_one(rng, recipe, index, int(count)) for index, count in enumerate(items))
    share = rng.dirichlet(np.full(recipe.classes, 2.0))
    items = 1 + np.floor(share * (recipe.items - recipe.classes)).astype(np.int64)
    items[0] += recipe.items - int(items.sum())
    return tuple(_one(rng, recipe, index, int(count)) for index, count in enumerate(items))


def _one(rng: np.random.Generator, recipe: Recipe, index: int, items: int) -> ItemClass:
    work_s = float(rng.lognormal(np.log(12), 0.6))
    most = (
        8.0 if recipe.family == "tight" else float(np.clip(recipe.items / recipe.sites / 8, 8, 60))
    )
    waves = rng.uniform(LEAST_WAVES, most)
    tags = 0
    if rng.random() < (0.8 if recipe.family == "residency" else 0.3):
        tags = int(rng.integers(1, 3))
    copies = int(rng.integers(2, 4)) if recipe.family == "redundancy" else 1
    if recipe.family not in ("redundancy", "distinct") and rng.random() < 0.2:
        copies = 2
    return ItemClass(
        name=f"class-{index:04d}",
        items=items,
        work_s=work_s,
        sigma=float(rng.uniform(0.3, 0.5)),
        kind=f"kind-{index:04d}" if recipe.family == "interaction" else "",
        needs=Needs(
            capabilities={"reasoning": 2.0} if rng.random() < 0.2 else {"code": 1.0},
            hardware={"gpu": 1.0} if rng.random() < 0.3 else {},
            residency=frozenset(str(tag) for tag in rng.choice(TAGS, tags, replace=False)),
        ),
        copies=copies,
        deadline_s=_deadline_s(recipe, work_s * float(waves)),
        data_site=f"site-{rng.integers(recipe.sites):03d}",
        data_bytes=float(rng.lognormal(np.log(2e7), 1.0)),
        input_tokens=float(rng.integers(200, 4_000)),
        output_tokens=float(rng.integers(50, 500)),
    )


def _deadline_s(recipe: Recipe, least_s: float) -> float:
    """Return a deadline of at least so many seconds, from the steps in use but for "tight"."""
    steps = np.ceil(np.log2(max(least_s, FIRST_DEADLINE_S) / FIRST_DEADLINE_S))
    return least_s if recipe.family == "tight" else float(FIRST_DEADLINE_S * 2**steps)


def _spread(rng: np.random.Generator, types: Instance) -> Instance:
    """Return an instance with every item a class of its own, in turn of each type: own size of mean
    1, data, tokens and deadline, the latter some durations away as for types."""
    left = np.array([one.items for one in types.classes])
    turns = np.arange(left.max())
    owner = np.concatenate([np.flatnonzero(left > turn) for turn in turns])
    sizes = rng.lognormal(-SIZE_SIGMA * SIZE_SIGMA / 2, SIZE_SIGMA, owner.size)
    shifts = rng.uniform(0.8, 1.25, owner.size)
    names = [field.name for field in fields(ItemClass)]
    plain = [{name: getattr(one, name) for name in names} for one in types.classes]
    found = []
    for number, (at, size, shift) in enumerate(
        zip(owner.tolist(), sizes.tolist(), shifts.tolist(), strict=True)
    ):
        values = plain[at]
        work_s = values["work_s"] * size
        found.append(
            ItemClass(
                **values
                | {
                    "name": f"item-{number:06d}",
                    "items": 1,
                    "work_s": work_s,
                    "data_bytes": values["data_bytes"] * size,
                    "input_tokens": values["input_tokens"] * size,
                    "deadline_s": max(values["deadline_s"] * shift, LEAST_WAVES * work_s),
                }
            )
        )
    return _with_last(replace(types, classes=tuple(found)))


def _with_last(instance: Instance) -> Instance:
    """Return the instance with the deadline of the swarm at that of its last class."""
    return replace(instance, swarm=replace(instance.swarm, deadline_s=_last_s(instance.classes)))


def _durations(
    rng: np.random.Generator, recipe: Recipe, sites: tuple[Site, ...]
) -> Durations | None:
    """Return the table of the interaction family, for work of one second."""
    if recipe.family != "interaction":
        return None
    shape = (recipe.classes, len(sites))
    factor = np.where(rng.random(shape) < 0.25, rng.uniform(0.5, 2.0, shape), 1.0)
    speed = np.array([[site.speed] for site in sites])
    offered = np.full((len(sites), len(MODELS)), np.nan)
    for index, site in enumerate(sites):
        for offer in site.offers:
            offered[index, [model.name for model in MODELS].index(offer.model)] = offer.speed
    mean_s: NDArray[np.float64] = factor[:, :, None] / (speed * offered)
    sigma = rng.uniform(0.3, 0.5, (recipe.classes, 1, 1))
    quantile_s = mean_s * np.exp(1.6448536269514722 * sigma - sigma * sigma / 2)
    kinds = tuple(f"kind-{index:04d}" for index in range(recipe.classes))
    return Durations(kinds, mean_s, quantile_s, LEVEL)


def _placeable(instance: Instance) -> Instance:
    """Lift requirements of classes that fewer than `LEAST_DOMAINS` organisations could serve,
    and set deadlines that no site can meet later, so that everything has somewhere to go."""
    for easing in EASINGS:
        flat = problem(instance)
        choices = np.bincount(flat.group_class, minlength=flat.classes)
        instance = replace(
            instance,
            classes=tuple(
                easing(one) if choice < LEAST_DOMAINS else one
                for one, choice in zip(instance.classes, choices, strict=True)
            ),
        )
        instance = _with_last(instance)
    return instance


def _lift_tags(one: ItemClass) -> ItemClass:
    return replace(one, needs=Needs(one.needs.capabilities))


def _lift_needs(one: ItemClass) -> ItemClass:
    return replace(one, needs=Needs())


def _lift_deadline(one: ItemClass) -> ItemClass:
    return replace(one, deadline_s=(one.deadline_s or 0.0) * 3)


EASINGS = (_lift_tags, _lift_needs, _lift_deadline, _lift_deadline)


def _with_load(instance: Instance, load: float) -> Instance:
    """Scale the slots of all sites alike until the least sufficient capacity is `load` of them."""
    slots = np.array([float(site.slots) for site in instance.sites])
    flat = problem(instance)
    for _ in range(1 if flat.of_class.size > LARGE_ARCS else LOAD_STEPS):
        found = least_capacity(flat)
        if abs(found - load) <= 0.005 * load:
            break
        slots *= found / load
        whole = np.maximum(1, np.rint(slots)).astype(int)
        instance = replace(
            instance,
            sites=tuple(
                replace(site, slots=int(count))
                for site, count in zip(instance.sites, whole, strict=True)
            ),
        )
        flat = problem(instance)
    return instance


def least_capacity(flat: Problem) -> float:
    """Return the least common factor on all capacity rows with which every copy has a place."""
    size, count = flat.of_class.size, flat.rows.site.size
    arc, crossing, row = np.arange(size), *crossings(flat)
    groups = flat.classes + flat.group_most.size
    owner = np.concatenate((arc, arc, crossing, np.full(count, size)))
    at = np.concatenate(
        (flat.of_class, flat.classes + flat.group, groups + row, groups + np.arange(count))
    )
    work_s, slot_s = flat.work_s[crossing], flat.rows.slot_s
    values = np.concatenate((np.ones(2 * size), work_s, -slot_s))
    cost = np.zeros(size + 1)
    cost[size] = 1.0
    demand, most = flat.demand.astype(float), flat.group_most.astype(float)
    lower = np.concatenate((demand, np.full(most.size + count, -np.inf)))
    upper = np.concatenate((demand, most, np.zeros(count)))
    free = columns(cost, np.full(cost.size, np.inf), owner, at, values)
    return run(program(free, lower, upper)).objective
