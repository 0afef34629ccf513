"""Deadline- and locality-aware placement of copies of items on sites and models.

`solve` answers an `Instance` with a `Plan` and its `Bound`; `check_plan` judges a plan independently;
`Replanner` answers the loss of slots; `relief` says what would let everything be placed.
"""

from swarm_placement.checking.checker import Violation
from swarm_placement.checking.checker import check as check_plan
from swarm_placement.errors import PlacementError, SolverError, UnitWarning, UsageError
from swarm_placement.model import Bound, Instance, ItemClass, Plan, Site, Swarm
from swarm_placement.relief import Relief, relief
from swarm_placement.replan import Replanned, Replanner
from swarm_placement.solve import solve

__all__ = [
    "Bound",
    "Instance",
    "ItemClass",
    "PlacementError",
    "Plan",
    "Relief",
    "Replanned",
    "Replanner",
    "Site",
    "SolverError",
    "Swarm",
    "UnitWarning",
    "UsageError",
    "Violation",
    "check_plan",
    "relief",
    "solve",
]
