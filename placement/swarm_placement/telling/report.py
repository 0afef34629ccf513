"""What a plan amounts to: where copies go, what it costs, how sure it is, what would be cheaper."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from swarm_placement.forms.files import PROOFS, down, gap_ppm, up
from swarm_placement.model import Instance, Plan, options
from swarm_placement.telling.scarcity import Saving, savings
from swarm_placement.telling.usage import Schedule, Usage, schedule, usage
from swarm_placement.telling.wording import WHOLE, duration, money, percent, placing

MILLION = 1e6
CHEAPER = 3
"""So many savings are named."""
WORST = 3
"""So many classes of least probability are named in words."""
HEADINGS = ("site", "model", "copies", "cost", "slots", "busy", "ends")
WORDS_COLUMNS = 2
WORDS = {
    "slot": "one more slot at {site}",
    "minute": "one more minute on every deadline",
    "share": "one more copy at {site} above its share",
    "budget": "one more dollar of budget",
}


def summary(instance: Instance, plan: Plan) -> dict[str, Any]:
    """Return what a plan amounts to as plain data with integers.

    Money in micro-dollars, times in microseconds from now, shares in parts per million; costs are
    rounded up, probabilities and bounds down. `ends_us` is when the last copy ends if every
    duration is its mean; `busy_ppm` the share of a site's slot time until the deadline that is used.
    `cheaper` holds savings, the largest first, worked out anew unless `marginal`; none of them touches
    a hard requirement, and `places_copies` is how many more copies would find a place at most.
    `objective_microusd` is the cost with `penalty_microusd` for each unplaced copy and each in the
    margin of its site (`over_margin`); bounds, gaps and savings are about it.
    `lower_bound_microusd` holds for any plan that is on time, `within_rows_microusd` for plans within
    the solver's capacity rows.
    """
    bound, used = plan.bound, usage(instance, plan)
    timed = schedule(instance, used)
    limit = instance.swarm
    due_s = limit.deadline_s - limit.reserve_s
    return {
        "solver": plan.solver,
        "items": sum(one.items for one in instance.classes),
        "copies": int(plan.option.size),
        "unplaced": [
            {
                "item_class": instance.classes[one.item_class].name,
                "copies": one.copies,
                "reason": one.reason,
            }
            for one in bound.unplaced
        ],
        "over_margin": list(_over_margin(instance, plan)),
        "penalty_microusd": up(bound.penalty_usd),
        "cost_microusd": up(bound.cost_usd),
        "objective_microusd": up(bound.objective_usd),
        "lower_bound_microusd": down(bound.lower_usd),
        "gap_ppm": gap_ppm(bound.gap),
        "within_rows_microusd": down(bound.within_rows_usd),
        "within_rows_gap_ppm": gap_ppm(bound.within_rows_gap),
        "within_rows_proof": PROOFS[bound.within_rows_proof],
        "probability_ppm": down(bound.probability),
        "probability_error_ppm": up(bound.probability_error),
        "target_ppm": down(limit.target_probability),
        "min_success_ppm": down(limit.min_success_ratio),
        "due_us": down(due_s),
        "ends_us": up(float(timed.end_s.max(initial=0.0))),
        "sites": list(_sites(instance, timed, due_s)),
        "placements": list(_placements(instance, used)),
        "classes": [
            {"item_class": one.name, "probability_ppm": down(float(probability))}
            for one, probability in zip(instance.classes, bound.class_probability, strict=True)
        ],
        "cheaper": [_saving(one) for one in savings(instance, bound)[:CHEAPER]],
    }


def text(found: Mapping[str, Any]) -> str:
    """Return a summary in words."""
    placed = sum(one["copies"] for one in found["placements"])
    lines = [
        f"{found['items']:,} items, {found['copies']:,} copies, {placed:,} placed "
        f"({found['solver']})",
        "",
        *_table(found),
        "",
        f"cost         {_money(found['cost_microusd'])}",
        f"bound        {_bound(found)}",
        f"search       {_search(found)}",
        f"probability  {percent(found['probability_ppm'])}{_doubt(found)} that at least "
        f"{percent(found['min_success_ppm'])} of the items are done in "
        f"{_duration(found['due_us'])} (asked: {percent(found['target_ppm'])})",
        f"             {_worst(found['classes'])}",
        f"ends         after {_duration(found['ends_us'])} on average",
    ]
    lines += [
        f"unplaced     {one['copies']:,} of {one['item_class']}: {one['reason']}"
        for one in found["unplaced"]
    ]
    lines += [
        f"margin       {one['copies']:,} copies stand in the margin of {one['site']}: there was no "
        "room within the margins"
        for one in found["over_margin"]
    ]
    lines += [
        f"cheaper      {WORDS[one['what']].format(site=one['site'])} {_gain(one)}"
        for one in found["cheaper"]
    ]
    return "\n".join(lines)


def _sites(instance: Instance, timed: Schedule, due_s: float) -> Iterator[dict[str, Any]]:
    """Yield what is used of each site that is used."""
    busy_s = np.bincount(timed.site, timed.end_s - timed.start_s, len(instance.sites))
    for number, site in enumerate(instance.sites):
        here = timed.site == number
        if here.any():
            yield {
                "site": site.name,
                "slots": site.slots,
                "slots_used": int(np.unique(timed.slot[here]).size),
                "busy_ppm": down(float(busy_s[number]) / (site.slots * due_s)),
                "ends_us": up(float(timed.end_s[here].max())),
            }


def _over_margin(instance: Instance, plan: Plan) -> Iterator[dict[str, Any]]:
    """Yield the copies that stand in a margin, by site."""
    ways = options(instance)
    sites = [ways[one].site for one in plan.option[plan.bound.over_margin].tolist()]
    for number in sorted(set(sites)):
        yield {"site": instance.sites[number].name, "copies": sites.count(number)}


def _placements(instance: Instance, used: Usage) -> Iterator[dict[str, Any]]:
    """Yield copies and cost by site and model."""
    ways = options(instance)
    copies = np.bincount(used.option, used.copies, len(ways))
    cost_usd = np.bincount(used.option, used.copies * used.cost_usd, len(ways))
    for number in np.flatnonzero(copies):
        way = ways[number]
        yield {
            "site": instance.sites[way.site].name,
            "model": instance.models[way.model].name,
            "spot": way.spot,
            "copies": int(copies[number]),
            "cost_microusd": up(float(cost_usd[number])),
        }


def _saving(one: Saving) -> dict[str, Any]:
    return {
        "what": one.what,
        "site": one.site,
        "saves_microusd": down(one.usd),
        "places_copies": int(one.copies + WHOLE),
        "marginal": one.marginal,
    }


def _doubt(found: Mapping[str, Any]) -> str:
    """Say the standard error of the probability where it was drawn, in two digits."""
    error = found["probability_error_ppm"] / 1e4
    return f" (± {error:.2g} %)" if error else ""


def _gain(one: Mapping[str, Any]) -> str:
    if one["places_copies"]:
        return f"would {placing(one['places_copies'])}"
    least = " at the margin" if one["marginal"] else ""
    return f"would save about {_money(one['saves_microusd'])}{least}"


def _table(found: Mapping[str, Any]) -> list[str]:
    """Return a line per site and model, in columns; what is said of a site, at its first model."""
    sites = {one["site"]: one for one in found["sites"]}
    rows = [HEADINGS]
    for one in found["placements"]:
        site = sites.pop(one["site"], None)
        used = ("", "", "")
        if site is not None:
            used = (
                f"{site['slots_used']} of {site['slots']}",
                f"{site['busy_ppm'] / 1e4:.0f} %",
                _duration(site["ends_us"]),
            )
        model = one["model"] + (" (spot)" if one["spot"] else "")
        cost = _money(one["cost_microusd"])
        rows.append((one["site"], model, f"{one['copies']:,}", cost, *used))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(_aligned, row, widths, range(len(row)))).rstrip() for row in rows]


def _aligned(cell: str, width: int, column: int) -> str:
    """Return words to the left and figures to the right of their column."""
    return cell.ljust(width) if column < WORDS_COLUMNS else cell.rjust(width)


def _worst(classes: Sequence[Mapping[str, Any]]) -> str:
    worst = sorted(classes, key=lambda one: one["probability_ppm"])[:WORST]
    named = (f"{one['item_class']} {percent(one['probability_ppm'])}" for one in worst)
    return f"least sure: {', '.join(named)}"


def _bound(found: Mapping[str, Any]) -> str:
    """Say how far from the best the plan can be; unplaced copies have their price in both."""
    least = f"no plan that is on time is below {_money(found['lower_bound_microusd'])}"
    if found["unplaced"] or found["over_margin"]:
        counted = _money(found["objective_microusd"])
        least += (
            f"; this one is {counted} with {_money(found['penalty_microusd'])} per unplaced copy"
        ) + (" and per copy in a margin" if found["over_margin"] else "")
    if found["gap_ppm"] is None:
        return f"{least}; there is no gap to a bound of 0"
    return f"{least}: a gap of at most {percent(found['gap_ppm'])} (by duality)"


def _search(found: Mapping[str, Any]) -> str:
    """Say how near the plan is to the best within the solver's own rows."""
    least = f"no plan within the solver's capacity rows is below {_money(found['within_rows_microusd'])}"
    if found["within_rows_gap_ppm"] is None:
        return least
    gap = percent(found["within_rows_gap_ppm"])
    return f"{least}: a gap of at most {gap} (by {found['within_rows_proof']})"


def _money(microusd: int) -> str:
    return money(microusd / MILLION)


def _duration(us: int) -> str:
    return duration(us / MILLION)
