"""A swarm's demand placed over sites: the solver asked, its answer in the terms of items.

Decides which item an ordinal means to the solver and back. Where an item runs is the solver's
decision; nothing here changes it.
"""

import warnings
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from swarm_placement.errors import UnitWarning
from swarm_placement.forms.files import SiteList, plan_to
from swarm_placement.model import Instance, Plan
from swarm_placement.relief import Relief, advice
from swarm_placement.solve import solve
from swarm_placement.telling import plot, report
from swarm_placement.telling.explain import explain
from swarm_placement.telling.explanation import Explanation
from swarm_ray.engine.placing.demand import Demand, Group, groups, instance_of
from swarm_ray.engine.placing.sites import refusals
from swarm_ray.errors import UsageError


@dataclass(frozen=True)
class Placement:
    """A plan with the instance it answers and the items that each class of it stands for."""

    instance: Instance
    plan: Plan
    groups: tuple[Group, ...]

    def summary(self) -> dict[str, Any]:
        """Return sites, cost (micro-USD), probability and gap (ppm), and what would be cheaper."""
        return report.summary(self.instance, self.plan)

    def text(self) -> str:
        """Return the summary in words, with what would help if something is missed."""
        return "\n".join((report.text(self.summary()), *(one.text() for one in self.advice)))

    @cached_property
    def advice(self) -> tuple[Relief, ...]:
        """What would help if copies have no place or the target is missed."""
        return advice(self.instance, self.plan)

    def to_dict(self) -> dict[str, Any]:
        """Return the whole plan as plain data, class by class, with the ordinals of its items."""
        found = plan_to(self.instance, self.plan)
        for record, group in zip(found["classes"], self.groups, strict=True):
            record["items"] = list(group.ordinals)
        return found

    def explain(self, ordinal: int) -> Explanation:
        """Return why one item is where it is.

        Raises:
            UsageError: `plan.unknown_item`.
        """
        for group in self.groups:
            if ordinal in group.ordinals:
                place = group.ordinals.index(ordinal)
                return explain(self.instance, self.plan, group.name, place)
        count = sum(len(group.ordinals) for group in self.groups)
        raise UsageError(
            "plan.unknown_item",
            f"there is no item {ordinal} among {count}",
            hint="ordinals start at 0, in the order of the items",
        )

    def draw(self, path: Path) -> None:
        """Write a picture of the plan, sites by time (.png, .svg or .pdf).

        Raises:
            UsageError: `sites.refused` without matplotlib, or for another kind of file.
        """
        with refusals():
            plot.save(self.instance, self.plan, path)


def place(demand: Demand, sites: SiteList) -> Placement:
    """Place a demand over sites.

    Raises:
        UsageError: `sites.refused` when sites and demand do not fit together.
    """
    with refusals():
        instance = instance_of(demand, sites)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnitWarning)  # said of the file by `read_sites`
            return Placement(instance, solve(instance), groups(demand.item_bytes))
