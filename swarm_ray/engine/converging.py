"""Convergence: the merged result and the report that says what became of every item.

Decides the form of both from the swarm's state and the accepted results in input order. User
functions have run in the sandbox before; nothing of theirs runs here.
"""

from collections.abc import Sequence
from typing import Any

from swarm_ray.core.commands import Converge
from swarm_ray.core.events import Converged, Row, Settled
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import ItemState
from swarm_ray.core.voting import tally
from swarm_ray.engine.dissent import copies_report
from swarm_ray.engine.preparing import accepted_results
from swarm_ray.engine.sequence import Attempt, sequential_us
from swarm_ray.engine.validating import check_across
from swarm_ray.engine.values import RunValues
from swarm_ray.values.codec import encode_json
from swarm_ray.values.ids import short

BREAK_EVEN_ITEMS = 4
"""The source document's "approximately four items"; benchmarks measure it beside this."""


def converge(command: Converge, swarm: Swarm, values: RunValues, now_us: int) -> Converged:
    """Store result and report of a swarm and return the event that names them.

    Raises:
        UsageError: `validation.across_items`.
    """
    if any(not rule.consequence for rule in swarm.spec.rules):
        check_across(swarm, accepted_results(swarm, values))
    report = report_of(command, swarm, values.settled(swarm.id), now_us)
    return Converged(
        swarm.id,
        _result(command, swarm, values),
        values.put("report", encode_json(report), "output"),
    )


def _result(command: Converge, swarm: Swarm, values: RunValues) -> str:
    if command.result:
        return command.result
    if command.winner >= 0:
        return swarm.outputs[command.winner]
    merged = [values.read(swarm.outputs[item]) for item in command.accepted]
    return values.put("output", encode_json(merged), "output")


def report_of(
    command: Converge, swarm: Swarm, settled: Sequence[Settled], now_us: int
) -> dict[str, Any]:
    """Return the convergence report: who succeeded, who failed and why, what was voted, what it
    cost, and what the same work would have taken one item after the other."""
    states = [ItemState(value) for value in swarm.items]
    report: dict[str, Any] = {
        "swarm": swarm.id,
        "correlation": short("swarm", swarm.id),
        "strategy": swarm.spec.convergence.strategy,
        "items": swarm.opened.items,
        "succeeded": swarm.succeeded,
        "partial": command.partial,
        "ended_by": swarm.ending or "all items",
        "unsuccessful": [
            {
                "ordinal": item,
                "state": state.name.lower(),
                "code": swarm.failures.get(item, ("", 0))[0],
                "attempts": swarm.attempts[item],
            }
            for item, state in enumerate(states)
            if state is not ItemState.DONE
        ],
        "usage": {
            "attempts": swarm.usage.attempts,
            "tokens": swarm.usage.tokens,
            "microusd": swarm.usage.microusd,
            "cpu_us": swarm.usage.cpu_us,
            "sub_agents": swarm.usage.sub_agents,
        },
        "cost_model": cost_model(swarm, settled, now_us),
    }
    if swarm.labels and swarm.spec.convergence.strategy == "vote":
        votes = [(item, *swarm.labels.get(item, ("", 0))) for item in command.accepted]
        report["votes"] = [list(weight) for weight in tally(votes).weights]
    copies = copies_report(swarm)
    if copies is not None:
        report["copies"] = copies
    return report


def cost_model(swarm: Swarm, settled: Sequence[Settled], now_us: int) -> dict[str, Any]:
    """Return the source document's cost model (section 8) for this swarm, in microseconds.

    Sequential: the least that the accepted attempts would have taken one after the other
    (`engine/sequence.py`). Swarm: what that leaves for each of `concurrency` workers, at least the
    longest item. Measured: opening to convergence.
    """
    attempts = [
        Attempt(event.host, _worth(row, swarm), row.start_us, row.duration_us, row.cpu_us)
        for event in settled
        for row in event.rows
    ]
    longest_us = max((one.duration_us for one in attempts if one.status == "ok"), default=0)
    sequential = sequential_us(attempts)
    lanes = min(swarm.spec.concurrency, max(1, swarm.succeeded))
    measured = max(1, now_us - swarm.opened_us)
    return {
        "sequential_us": sequential,
        "swarm_us": max(sequential // lanes, longest_us),
        "measured_us": measured,
        "speed_up_ppm": sequential * 1_000_000 // measured,
        "below_break_even": swarm.opened.items < BREAK_EVEN_ITEMS,
    }


def _worth(row: Row, swarm: Swarm) -> str:
    """Return the status of an attempt, `withdrawn` when it came too late to count."""
    counts = swarm.outputs.get(row.item) == row.output
    return row.status if row.status != "ok" or counts else "withdrawn"
