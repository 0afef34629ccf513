"""What an instance says about each class and option, worked out anew.

Nothing of the solver is used here: a mistake there must not hide in its judge. All matrices are
class x option, in seconds and US dollars; `options(instance)` numbers the columns.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, ItemClass, Offer, Option, Site, options

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
BYTES_PER_GB = 1e9
TOKENS_PER_PRICE = 1e6
SECONDS_PER_HOUR = 3600.0


@dataclass(frozen=True, slots=True, eq=False)
class World:
    """The facts of an instance.

    `allowed`: capability, hardware, residency and the copy's budget permit it. Computation is
    log-normal with `mean_s` and `sigma`; `transfer_s` holds the slot before it; `hop_s` is the
    planned quantile of transfer, cold start and computation. `usd` is the mean cost of one copy.
    Per option: site, model, price, cold start (0 where warm), preemptions. `domain` is the number
    of each class's trust group per site.
    """

    instance: Instance
    allowed: NDArray[np.bool_]
    mean_s: Floats
    sigma: Floats
    transfer_s: Floats
    hop_s: Floats
    usd: Floats
    deadline_s: Floats
    site: Ints
    model: Ints
    usd_per_slot_s: Floats
    cold_s: Floats
    preemptions_per_s: Floats
    domain: Ints

    @property
    def busy_s(self) -> Floats:
        """Mean slot-seconds of one copy without cold start, restarts on spot slots included."""
        once = self.mean_s + self.transfer_s
        rate = self.preemptions_per_s
        with np.errstate(over="ignore"):
            again = np.expm1(rate * once) / np.where(rate > 0, rate, 1.0)
        return np.where(rate > 0, again, once)

    @property
    def latest_s(self) -> Floats:
        """The latest start of one copy: the deadline less the planned quantile of its last hop."""
        return self.deadline_s[:, None] - self.hop_s


def world(instance: Instance) -> World:
    """Return the facts of an instance."""
    ways, classes = options(instance), instance.classes
    offers = [_offer(instance, way) for way in ways]
    sites = [instance.sites[way.site] for way in ways]
    mean_s, sigma = _durations(instance, ways, offers)
    transfer_s, egress_usd = _transfers(instance, ways)
    cold_s = np.array([0.0 if offer.warm else offer.cold_start_s for offer in offers])
    rate = np.array([_preemptions_per_s(site, way) for site, way in zip(sites, ways, strict=True)])
    price = np.array([_price(site, way) for site, way in zip(sites, ways, strict=True)])
    tokens_usd = np.array(
        [
            [
                one.input_tokens * offer.usd_per_mtok_in
                + one.output_tokens * offer.usd_per_mtok_out
                for offer in offers
            ]
            for one in classes
        ]
    )
    last_s = instance.swarm.deadline_s - instance.swarm.reserve_s
    deadline_s = np.array(
        [last_s if one.deadline_s is None else min(last_s, one.deadline_s) for one in classes]
    )
    found = World(
        instance=instance,
        allowed=_allowed(instance, ways),
        mean_s=mean_s,
        sigma=sigma,
        transfer_s=transfer_s,
        hop_s=_hop_s(mean_s, sigma, transfer_s + cold_s, rate, instance.swarm.item_probability),
        usd=np.zeros_like(mean_s),
        deadline_s=deadline_s,
        site=np.array([way.site for way in ways]),
        model=np.array([way.model for way in ways]),
        usd_per_slot_s=price,
        cold_s=cold_s,
        preemptions_per_s=rate,
        domain=np.array([_domains(instance, one) for one in classes]),
    )
    found.usd[:] = found.busy_s * price + egress_usd + tokens_usd / TOKENS_PER_PRICE
    budgets = np.array([math.inf if one.budget_usd is None else one.budget_usd for one in classes])
    found.allowed[:] &= np.isfinite(mean_s) & (found.usd <= budgets[:, None])
    return found


def _offer(instance: Instance, way: Option) -> Offer:
    name = instance.models[way.model].name
    return next(offer for offer in instance.sites[way.site].offers if offer.model == name)


def _price(site: Site, way: Option) -> float:
    return site.spot.usd_per_slot_s if way.spot and site.spot else site.usd_per_slot_s


def _preemptions_per_s(site: Site, way: Option) -> float:
    return site.spot.preemptions_per_hour / SECONDS_PER_HOUR if way.spot and site.spot else 0.0


def _allowed(instance: Instance, ways: tuple[Option, ...]) -> NDArray[np.bool_]:
    known: dict[int, list[bool]] = {}
    rows = []
    for one in instance.classes:
        needs = one.needs
        if id(needs) not in known:
            known[id(needs)] = [
                needs.residency <= instance.sites[way.site].residency
                and _covers(instance.sites[way.site].hardware, needs.hardware)
                and _covers(instance.models[way.model].capabilities, needs.capabilities)
                for way in ways
            ]
        rows.append(known[id(needs)])
    return np.array(rows, dtype=bool)


def _covers(has: Mapping[str, float], needs: Mapping[str, float]) -> bool:
    return all(has.get(name, 0.0) >= least for name, least in needs.items())


def _durations(
    instance: Instance, ways: tuple[Option, ...], offers: list[Offer]
) -> tuple[Floats, Floats]:
    speed = np.array(
        [
            instance.sites[way.site].speed * offer.speed
            for way, offer in zip(ways, offers, strict=True)
        ]
    )
    site, model = [way.site for way in ways], [way.model for way in ways]
    mean_s, sigma = [], []
    for one in instance.classes:
        table = instance.durations
        if table is not None and one.kind in table.kinds:
            kind = table.kinds.index(one.kind)
            mean = table.mean_s[kind, site, model]
            ratio = table.quantile_s[kind, site, model] / mean
            mean_s.append(one.work_s * mean)
            sigma.append(_sigma(ratio, table.level))
        else:
            mean_s.append(one.work_s / speed)
            sigma.append(np.full(len(ways), one.sigma))
    return np.array(mean_s), np.array(sigma)


def _sigma(ratio: Floats, level: float) -> Floats:
    """Solve exp(z * sigma - sigma**2 / 2) = quantile / mean for the smaller sigma."""
    z = NormalDist().inv_cdf(level)
    return np.asarray(z - np.sqrt(np.maximum(0.0, z**2 - 2.0 * np.log(np.maximum(ratio, 1.0)))))


def _transfers(instance: Instance, ways: tuple[Option, ...]) -> tuple[Floats, Floats]:
    seconds = np.zeros((len(instance.classes), len(ways)))
    dollars = np.zeros_like(seconds)
    known: dict[tuple[str, str], list[list[tuple[float, float, float]]]] = {}
    for row, one in enumerate(instance.classes):
        if one.data_bytes <= 0 or not (one.data_site or one.dataset):
            continue
        key = (one.data_site, one.dataset)
        if key not in known:
            holders = [
                site
                for site in instance.sites
                if site.name == one.data_site or (one.dataset and one.dataset in site.datasets)
            ]
            known[key] = [
                [_way(instance, holder, target) for holder in holders] for target in instance.sites
            ]
        quickest = [
            min(
                (latency + one.data_bytes * per_byte, one.data_bytes * usd)
                for latency, per_byte, usd in choices
            )
            for choices in known[key]
        ]
        seconds[row] = [quickest[way.site][0] for way in ways]
        dollars[row] = [quickest[way.site][1] for way in ways]
    return seconds, dollars


def _way(instance: Instance, source: Site, target: Site) -> tuple[float, float, float]:
    """Return latency, seconds per byte, and dollars per byte."""
    if source.name == target.name:
        return 0.0, 0.0, 0.0
    for link in instance.links:
        if (link.source, link.target) == (source.name, target.name):
            return (
                link.latency_s,
                1.0 / link.bandwidth_bytes_per_s,
                link.egress_usd_per_gb / BYTES_PER_GB,
            )
    slower = min(source.bandwidth_bytes_per_s, target.bandwidth_bytes_per_s)
    latency_s = source.latency_s + target.latency_s
    return latency_s, 1.0 / slower, source.egress_usd_per_gb / BYTES_PER_GB


def _hop_s(mean_s: Floats, sigma: Floats, fixed_s: Floats, rate: Floats, level: float) -> Floats:
    """Return the planned quantile; on spot slots half of the permitted misses goes to preemption,
    whose restarts are counted in full."""
    once = fixed_s + mean_s * np.exp(NormalDist().inv_cdf(level) * sigma - sigma**2 / 2)
    if not rate.any():
        return once
    miss = (1.0 - level) / 2.0
    long = fixed_s + mean_s * np.exp(NormalDist().inv_cdf(1.0 - miss) * sigma - sigma**2 / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        tries = np.maximum(1.0, np.ceil(np.log(miss) / np.log1p(-np.exp(-rate * long))))
    return np.where(rate > 0, long * tries, once)


def _domains(instance: Instance, one: ItemClass) -> Ints:
    names = []
    for site in instance.sites:
        organisation = site.organisation or site.name
        names.append(
            {
                "region": site.region or site.name,
                "organisation": organisation,
                "trust_domain": site.trust_domain or organisation,
            }.get(one.across, site.name)
        )
    numbers = {name: number for number, name in enumerate(sorted(set(names)))}
    return np.array([numbers[name] for name in names])
