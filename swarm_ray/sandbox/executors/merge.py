"""Kinds `merge` and `reduce`: a user's convergence function over the results of a swarm.

Decides how results reach the function: all at once, or folded in input order. It never sees which
site or model produced a result.
"""

from __future__ import annotations

from swarm_ray.sandbox import skill_code
from swarm_ray.sandbox.executors.skill import reseed
from swarm_ray.sandbox.failures import InputError
from swarm_ray.sandbox.skill_context import Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any


def _results(given: dict[str, Any]) -> list[dict[str, Any]]:
    results = given.get("results")
    if not isinstance(results, list):
        raise InputError("a convergence step needs `results`, a list", code="converge.no_results")
    return results


def _merge(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    found = skill_code.function(str(step.get("uses", "")))
    reseed(ctx.seed)
    return found(_results(given), ctx)


def _reduce(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    found = skill_code.function(str(step.get("uses", "")))
    reseed(ctx.seed)
    accumulated = ctx.with_.get("initial")
    for result in _results(given):
        accumulated = found(accumulated, result, ctx)
    return accumulated


EXECUTORS = {"merge": _merge, "reduce": _reduce}
