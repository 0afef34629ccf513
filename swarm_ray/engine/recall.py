"""Memory records that a swarm may see: those of accepted attempts, of the declared chains.

Decides visibility by folding the run: a record of a failed attempt does not exist, a worker never
sees a sibling of its own swarm, convergence sees the whole swarm it converges.
"""

from collections.abc import Sequence

from swarm_ray.context.compiler import Memory
from swarm_ray.core.run import Run
from swarm_ray.engine.values import RunValues
from swarm_ray.values.ids import short


def recall(run: Run, values: RunValues, chains: Sequence[str], converged: str) -> list[Memory]:
    """Return the visible records, oldest swarm first, items in input order.

    Args:
        run: the run whose accepted attempts count.
        values: its bodies.
        chains: declared chain names; convergence sees every chain of `converged`.
        converged: the swarm that is being converged, empty otherwise.
    """
    found: list[Memory] = []
    for swarm in run.swarms.values():
        if swarm.id == converged or (chains and not converged):
            found += _records(swarm.id, values, None if converged else frozenset(chains))
    return found


def _records(swarm: str, values: RunValues, chains: frozenset[str] | None) -> list[Memory]:
    correlation = short("swarm", swarm)
    return [
        Memory(record["chain"], correlation, f"worker-{item:03d}", record["payload"])
        for item, row in sorted(values.rows(swarm).items())
        if row.extras
        for record in values.read(row.extras).get("memory", [])
        if chains is None or record["chain"] in chains
    ]
