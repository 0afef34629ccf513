"""The check of a run where it lies: everything is recomputed from the entries of the ledger.

Decides what is checked beyond a copy: the stored hashes of all logs concerned, every stored body of
the run, and that the entries still lead to the decisions that were taken.
"""

from collections.abc import Callable, Collection
from pathlib import Path

from swarm_ray.core.events import RunOpened
from swarm_ray.core.plan import Plan
from swarm_ray.effects.supervising import EFFECTS_LOG
from swarm_ray.engine.admin import ADMIN_LOG
from swarm_ray.engine.history import replay
from swarm_ray.evidence.checking import Findings, check
from swarm_ray.evidence.gathering import gather
from swarm_ray.ledger.reader import Reader
from swarm_ray.ports.log import INDEX_LOG


def check_ledger(
    reader: Reader,
    folder: Path,
    plan_of: Callable[[RunOpened], Plan],
    run: str,
    trusted: Collection[str] | None = None,
) -> tuple[Findings, int]:
    """Check a run; return what it shows and how many of its entries are not sealed yet.

    Args:
        reader: the tenant's ledger.
        folder: the tenant's folder.
        plan_of: the plan that the run's first entry names.
        run: id.
        trusted: public root keys that are believed, hexadecimal; None takes the roster's own.

    Raises:
        UsageError: `ledger.unknown_log`, `ledger.log_dropped`, `export.not_sealed`,
            `bundle.unknown`.
        IntegrityError: what is wrong, naming the first bad entry; also `replay.diverged`.
    """
    size = reader.check(run).size
    known = {head.log_id for head in reader.logs() if head.kind != "run"}
    for log in (INDEX_LOG, ADMIN_LOG, EFFECTS_LOG):
        if log in known:
            reader.check(log)
    found = check(gather(reader, folder, run), trusted)
    replay(reader.entries(run, 0, size), plan_of)
    return found, size - found.entries
