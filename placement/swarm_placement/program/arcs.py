"""Which class can run how, at which cost, for how long, and how late it may start.

An arc joins a class and an option. It exists only if capability, hardware and residency allow it,
one copy is within the class's budget, and a copy that starts now meets its deadline with the
planned probability; no price ever opens it. All quantities are dense class x option matrices, so
that a caller with many distinct items can build them for some classes at a time.
"""

import math
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Domain, Instance, ItemClass, Needs, Option, Site, options
from swarm_placement.program.transfer import transfers

Floats = NDArray[np.float64]
SECONDS_PER_HOUR = 3600.0
TOKENS_PER_PRICE = 1e6
BEHAVIOR_SHARE = 1e-7  # of an option's cost: decides between equal costs, moves no money
ROUNDING = 1e-9
"""Share of a budget, or of a deadline, that numbers may be off by: 12 x 0.0002 is more than 0.0024 in
binary. The checker allows as much."""


@dataclass(frozen=True, slots=True, eq=False)
class Terms:
    """What the options say, one array entry each (see `model.Site` and `model.Offer`)."""

    site: NDArray[np.int64]
    model: NDArray[np.int64]
    speed: Floats
    usd_per_slot_s: Floats
    usd_per_token_in: Floats
    usd_per_token_out: Floats
    preemptions_per_s: Floats
    cold_s: Floats
    margin: Floats


@dataclass(frozen=True, slots=True, eq=False)
class Table:
    """Class x option. Where `exists` is false the other entries mean nothing.

    `mean_s` and `sigma` describe the log-normal duration of the computation, `fixed_s` is transfer
    and cold start, `work_s` the mean slot-seconds charged to capacity (with restarts on spot slots,
    margin included), `latest_s` the latest start, `cost_usd` the mean money of one copy, and
    `rank_usd` the same with the liking for declared behavior.
    """

    exists: NDArray[np.bool_]
    mean_s: Floats
    sigma: Floats
    fixed_s: Floats
    work_s: Floats
    latest_s: Floats
    cost_usd: Floats
    rank_usd: Floats


def terms(instance: Instance, ways: Sequence[Option]) -> Terms:
    """Return what the options say as arrays."""
    rows = []
    for way in ways:
        site = instance.sites[way.site]
        name = instance.models[way.model].name
        offer = next(one for one in site.offers if one.model == name)
        spot = site.spot if way.spot else None
        rows.append(
            (
                way.site,
                way.model,
                site.speed * offer.speed,
                spot.usd_per_slot_s if spot else site.usd_per_slot_s,
                offer.usd_per_mtok_in / TOKENS_PER_PRICE,
                offer.usd_per_mtok_out / TOKENS_PER_PRICE,
                spot.preemptions_per_hour / SECONDS_PER_HOUR if spot else 0.0,
                0.0 if offer.warm else offer.cold_start_s,
                site.margin,
            )
        )
    columns = np.array(rows, dtype=np.float64).T
    return Terms(columns[0].astype(np.int64), columns[1].astype(np.int64), *columns[2:])


def column(values: Iterable[float], size: int) -> Floats:
    """Return one attribute of the classes as a column vector."""
    return np.fromiter(values, np.float64, size)[:, None]


def deadlines(instance: Instance, classes: Sequence[ItemClass]) -> Floats:
    """Return the seconds until the items of each class must be done, the reserve kept."""
    last = instance.swarm.deadline_s - instance.swarm.reserve_s
    return np.fromiter(
        (last if one.deadline_s is None else min(one.deadline_s, last) for one in classes),
        np.float64,
        len(classes),
    )


def table(instance: Instance, classes: Sequence[ItemClass] | None = None) -> Table:
    """Return the quantities of all arcs of `classes` (default: all of the instance).

    Durations are log-normal; the quantile of a copy on a spot slot follows `spot_hop_s`. Its mean time
    is that of work of exactly the mean duration, (exp(rate m) - 1) / rate: an upper bound of the
    mean if each try took another duration, a lower one if an item keeps its own (then the mean over
    log-normal durations does not even exist, since some item never ends).
    """
    classes = instance.classes if classes is None else classes
    ways = options(instance)
    term, size = terms(instance, ways), len(classes)
    mean_s, sigma = durations(instance, classes, term)
    move_s, move_usd = transfers(instance, classes)
    move_s, move_usd = move_s[:, term.site], move_usd[:, term.site]
    fixed_s = move_s + term.cold_s
    probability = instance.swarm.item_probability
    hop_s = fixed_s + quantile_s(mean_s, sigma, probability)
    spot = term.preemptions_per_s > 0
    busy_s = mean_s + move_s
    if spot.any():
        rate = term.preemptions_per_s[spot]
        hop_s[:, spot] = spot_hop_s(
            fixed_s[:, spot], mean_s[:, spot], sigma[:, spot], rate, probability
        )
        with np.errstate(over="ignore"):  # an endless restart has no latest start either
            busy_s[:, spot] = np.expm1(rate * busy_s[:, spot]) / rate
    tokens_usd = (
        column((one.input_tokens for one in classes), size) * term.usd_per_token_in
        + column((one.output_tokens for one in classes), size) * term.usd_per_token_out
    )
    cost_usd = busy_s * term.usd_per_slot_s + move_usd + tokens_usd
    latest_s = snapped(deadlines(instance, classes)[:, None], hop_s)
    most_usd = column(
        (math.inf if one.budget_usd is None else one.budget_usd for one in classes), size
    )
    exists = eligible(instance, classes, ways) & (latest_s >= 0)
    exists &= cost_usd <= most_usd * (1 + ROUNDING)
    exists &= np.isfinite(mean_s) & np.isfinite(busy_s)
    rank_usd = cost_usd * (1 - BEHAVIOR_SHARE * liking(instance, classes, ways))
    work_s = busy_s / (1 - term.margin)
    return Table(exists, mean_s, sigma, fixed_s, work_s, latest_s, cost_usd, rank_usd)


def snapped(due_s: Floats, hop_s: Floats) -> Floats:
    """Return latest starts, in seconds; one that only rounding puts before now is now."""
    latest_s = np.asarray(due_s - hop_s)
    return np.where((latest_s < 0) & (latest_s >= -ROUNDING * due_s), 0.0, latest_s)


def durations(
    instance: Instance, classes: Sequence[ItemClass], term: Terms
) -> tuple[Floats, Floats]:
    """Return mean seconds and log-normal sigma of the computation, class x option."""
    size = len(classes)
    work_s = column((one.work_s for one in classes), size)
    mean_s = work_s / term.speed
    sigma = np.repeat(column((one.sigma for one in classes), size), term.site.size, axis=1)
    known = instance.durations
    if known is not None:
        number = {kind: index for index, kind in enumerate(known.kinds)}
        kind = np.fromiter((number.get(one.kind, -1) for one in classes), np.int64, size)
        rows = np.flatnonzero(kind >= 0)
        mean = known.mean_s[kind[rows]][:, term.site, term.model]
        quantile = known.quantile_s[kind[rows]][:, term.site, term.model]
        mean_s[rows] = work_s[rows] * mean
        sigma[rows] = sigma_of(mean, quantile, known.level)
    return mean_s, sigma


def sigma_of(mean_s: Floats, quantile_s: Floats, level: float) -> Floats:
    """Return the log-normal sigma with this mean and quantile.

    ln(q/m) = z sigma - sigma^2 / 2 has the smaller root z - sqrt(z^2 - 2 ln(q/m)); a quantile
    beyond the largest that a log-normal of this mean can have (q/m = exp(z^2/2)) gets sigma = z.
    """
    z = NormalDist().inv_cdf(level)
    inside = z * z - 2 * np.log(np.maximum(quantile_s / mean_s, 1.0))
    return np.asarray(z - np.sqrt(np.maximum(inside, 0.0)))


def quantile_s(mean_s: Floats, sigma: Floats, probability: float) -> Floats:
    """Return the quantile of log-normal durations with these means."""
    z = NormalDist().inv_cdf(probability)
    return np.asarray(mean_s * np.exp(z * sigma - sigma * sigma / 2))


def spot_hop_s(
    fixed_s: Floats, mean_s: Floats, sigma: Floats, rate: Floats, probability: float
) -> Floats:
    """Return a bound of the quantile of a last hop that starts anew at each preemption.

    Half of the permitted miss goes to the duration, half to preemptions: with p' the raised
    probability, one attempt ends within h = fixed + q(p') and is cut with f = 1 - exp(-rate h); n
    restarts suffice when f^(n+1) <= (1 - p) / 2, and take at most n h (union bound, memoryless
    preemption).
    """
    miss = (1 - probability) / 2
    hop_s = fixed_s + quantile_s(mean_s, sigma, 1 - miss)
    with np.errstate(divide="ignore", invalid="ignore"):
        # log(f), exact also where f is 1 but for rounding
        restarts = np.ceil(np.log(miss) / np.log1p(-np.exp(-rate * hop_s))) - 1
        return np.asarray(hop_s * (1 + np.maximum(restarts, 0.0)))


def eligible(
    instance: Instance, classes: Sequence[ItemClass], ways: Sequence[Option]
) -> NDArray[np.bool_]:
    """Say where capability, hardware and residency allow a class, class x option."""
    met: dict[Hashable, NDArray[np.bool_]] = {}
    found = np.ones((len(classes), len(ways)), dtype=bool)
    for number, one in enumerate(classes):
        for key, single in _singles(one.needs):
            if key not in met:
                met[key] = np.array([allows(instance, way, single) for way in ways])
            found[number] &= met[key]
    return found


def _singles(needs: Needs) -> Iterator[tuple[Hashable, Needs]]:
    """Yield each requirement alone: many classes share few of them."""
    for tag in needs.residency:
        yield tag, Needs(residency=frozenset((tag,)))
    for name, least in needs.hardware.items():
        yield ("hardware", name, least), Needs(hardware={name: least})
    for name, least in needs.capabilities.items():
        yield ("capability", name, least), Needs(capabilities={name: least})


def allows(instance: Instance, way: Option, needs: Needs) -> bool:
    """Say whether an option meets hard requirements."""
    site, model = instance.sites[way.site], instance.models[way.model]
    return (
        needs.residency <= site.residency
        and all(site.hardware.get(name, 0.0) >= least for name, least in needs.hardware.items())
        and all(
            model.capabilities.get(name, 0.0) >= least for name, least in needs.capabilities.items()
        )
    )


def liking(instance: Instance, classes: Sequence[ItemClass], ways: Sequence[Option]) -> Floats:
    """Return the share of a class's liked capabilities an option's model has, class x option."""
    share = np.zeros((len(classes), len(ways)))
    for number, one in enumerate(classes):
        if one.behavior:
            has = [
                sum(name in instance.models[way.model].capabilities for name in one.behavior)
                for way in ways
            ]
            share[number] = np.array(has) / len(one.behavior)
    return share


def domain_numbers(across: Domain, sites: Sequence[Site]) -> NDArray[np.int64]:
    """Return the number of the domain each site is in; with "node" the site stands for its nodes."""
    names = [domain_name(across, site) for site in sites]
    number = {name: index for index, name in enumerate(dict.fromkeys(names))}
    return np.array([number[name] for name in names], np.int64)


def domain_name(across: Domain, site: Site) -> str:
    """Return the name of the domain a site is in."""
    organisation = site.organisation or site.name
    names = {
        "region": site.region or site.name,
        "organisation": organisation,
        "trust_domain": site.trust_domain or organisation,
    }
    return names.get(across, site.name)
