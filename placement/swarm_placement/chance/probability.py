"""How probable it is that a plan meets its deadlines.

What is uncertain are the durations, log-normal and independent, and preemptions of spot slots; a
copy is late because it takes long or because those before it did, so that items of one site are late
together. Small plans are executed many times (`sampled`), for larger ones the queues are approximated
(`approximated`). Not counted: a site that is slow as a whole, for which there are margins, and that
what occupies a site takes longer than its mean.
"""

import numpy as np
from numpy.typing import NDArray

from swarm_placement.chance.approximated import approximated
from swarm_placement.chance.likelihood import Chance
from swarm_placement.chance.lots import Lots, of_arcs
from swarm_placement.chance.sampled import draws, sampled
from swarm_placement.model import Instance
from swarm_placement.program.problem import Problem


def of_plan(instance: Instance, flat: Problem, option: NDArray[np.int32]) -> Chance:
    """Return the chance of a plan given by the option of every copy (as `Plan.option`), all of them
    arcs of `flat`."""
    return of_lots(instance, of_arcs(instance, flat, option))


def of_lots(instance: Instance, lots: Lots) -> Chance:
    """Return the chance of placed copies."""
    many = draws(instance, lots)
    return sampled(instance, lots, many) if many else approximated(instance, lots)
