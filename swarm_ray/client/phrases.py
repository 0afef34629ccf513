"""Parts of sentences about limits, cost, votes and values."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from swarm_ray.client.headline import duration, money, plural
from swarm_ray.core import events as ev
from swarm_ray.core.plan import FULL_PPM, FanOut


def limits_told(spec: FanOut) -> str:
    """Return the limits and the convergence rule of a fan-out."""
    rule = spec.convergence
    told = [f"at most {spec.concurrency} at once"]
    if spec.deadline_us:
        told.append(f"within {duration(spec.deadline_us)}")
    if spec.budget.tokens or spec.budget.microusd:
        told.append(f"for at most {_budget(spec)}")
    copied = spec.redundancy
    if copied is not None:
        told.append(f"every item up to {copied.copies} times, each in another {copied.across}")
    need = (
        plural(rule.min_success_count, "item")
        if rule.min_success_count
        else f"{rule.min_success_ppm * 100 / FULL_PPM:g} % of them"
    )
    told.append(f"converging by {rule.strategy} when {need} succeeded")
    return ", ".join(told)


def _budget(spec: FanOut) -> str:
    parts = []
    if spec.budget.tokens:
        parts.append(plural(spec.budget.tokens, "token"))
    if spec.budget.microusd:
        parts.append(money(spec.budget.microusd))
    return " and ".join(parts)


def cost_told(rows: Sequence[ev.Row]) -> str:
    """Return what rows cost, empty for nothing; begins with a comma."""
    tokens, microusd = sum(row.tokens for row in rows), sum(row.microusd for row in rows)
    return f", {plural(tokens, 'token')}, {money(microusd)}" if tokens or microusd else ""


def votes_told(votes: Sequence[Sequence[Any]]) -> str:
    """Return the votes of a report, heaviest first."""
    return ", ".join(f"{label!r} {count} ({weight / 1e6:.2f})" for label, weight, count in votes)


def copies_told(copies: Mapping[str, Any]) -> str:
    """Return what a report says about copies: how many ran, how many items they disagreed on."""
    each = f"{copies['per_item_ppm'] / FULL_PPM:.2f} copies per item"
    told = f"{each} in {plural(copies['domains'], copies['across'])}"
    if copies["disagreements"]:
        told += f"; copies of {plural(copies['disagreements'], 'item')} disagreed"
    if "bound_ppm" in copies:
        share = copies["bound_ppm"] / FULL_PPM
        told += f"; at most {share:.3%} of the results are wrong on average"
        if copies["uncertain"]:
            told += f", not counting {plural(copies['uncertain'], 'item')} that had no copies left"
    return told


def shown(value: Any, limit: int, *, indent: bool = False) -> str:
    """Return a JSON value as text, shortened; a list is counted rather than written out."""
    if isinstance(value, list) and not indent and len(value) > 3:
        return f"a list of {len(value):,}"
    if isinstance(value, str) and indent:
        text = value
    else:
        text = json.dumps(value, ensure_ascii=False, indent=2 if indent else None)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
