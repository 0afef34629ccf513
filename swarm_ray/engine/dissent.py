"""What a convergence report says about copies: who disagreed, and what the result may be worth.

Decides the form only; every figure is the panel's.
"""

from typing import Any

from swarm_ray.core.agreement import Group, Vote, distinct, grouped
from swarm_ray.core.panel import Panel
from swarm_ray.core.plan import FULL_PPM
from swarm_ray.core.swarm import Swarm

SHOWN_ITEMS = 1_000
"""A report names so many items whose copies disagreed; it counts all of them."""


def copies_report(swarm: Swarm) -> dict[str, Any] | None:
    """Return what became of the copies of a swarm; None for items that are done once."""
    panel = swarm.panel
    if panel is None:
        return None
    found = [item for item in sorted(panel.votes) if _differ(panel, item)]
    report: dict[str, Any] = {
        "across": panel.rule.across,
        "domains": panel.domains,
        "per_item_ppm": swarm.usage.attempts * FULL_PPM // max(1, swarm.opened.items),
        "disagreements": len(found),
        "dissent": [_dissent(swarm, panel, item) for item in found[:SHOWN_ITEMS]],
        "hosts": [
            {"host": name, "wrong": record.failures}
            for name, record in sorted(panel.reputation.hosts.items())
            if record.failures
        ],
    }
    if panel.rule.target_ppm:
        report["target_ppm"] = panel.rule.target_ppm
        report["bound_ppm"] = panel.bound_ppm
        report["uncertain"] = len([one for one in panel.uncertain() if one in swarm.outputs])
    return report


def _groups(panel: Panel, item: int) -> list[Group]:
    return grouped(distinct(panel.votes[item]), panel.rule.agree)


def _differ(panel: Panel, item: int) -> bool:
    return len(panel.votes[item]) > 1 and len(_groups(panel, item)) > 1


def _dissent(swarm: Swarm, panel: Panel, item: int) -> dict[str, Any]:
    output = swarm.outputs.get(item, "")
    return {
        "ordinal": item,
        "answers": [
            {
                "answer": _told(group.chosen),
                "taken": bool(output) and any(vote.output == output for vote in group.votes),
                "weight_ppm": group.weight_ppm,
                "domains": [vote.domain for vote in group.votes],
            }
            for group in _groups(panel, item)
        ],
        "default": bool(output) and output == swarm.opened.default,
    }


def _told(vote: Vote) -> str:
    """Return an answer in words; outputs that were compared byte by byte are named by attempt."""
    if vote.failed:
        return f"failed: {vote.answer}"
    return vote.label or f"the output of attempt {vote.attempt}"
