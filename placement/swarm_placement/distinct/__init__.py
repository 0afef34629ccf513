"""Plans for items that are all distinct: prices from learnt superclasses, places item by item."""

from swarm_placement.distinct.planning import placed

__all__ = ["placed"]
