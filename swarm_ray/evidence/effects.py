"""The effects of a run as evidence: what was intended, and what is known to have become of it.

Decides that an intent without an outcome is unknown. Each entry is proven to stand in the effects
log; that no other entry of the run stands there cannot be proven so.
"""

from collections.abc import Sequence

from swarm_ray.core import supervisor as sup
from swarm_ray.core.events import EffectSettled
from swarm_ray.effects.supervising import read_effect
from swarm_ray.errors import IntegrityError, SwarmError
from swarm_ray.evidence.copy import EffectEntry
from swarm_ray.evidence.index import Stand, bad_entry
from swarm_ray.values.merkle import leaf_hash, verify_inclusion


def fates(
    run: str, effects: Sequence[EffectEntry], stand: Stand | None, settled: Sequence[EffectSettled]
) -> tuple[dict[str, str], list[sup.EffectEvent]]:
    """Return by key what became of each effect (`done`, `failed`, `refused`, `unknown`), and the
    events.

    Args:
        run: id; every effect must be one of it.
        effects: entries with their paths, in order.
        stand: where the effects log stood; None when the index does not say.
        settled: what the run was told.

    Raises:
        IntegrityError: `evidence.bad_entry` for the first entry that is not in the log, belongs
            to another run, or contradicts what the run was told.
    """
    states, events, before = sup.Supervisor(), [], -1
    for one in effects:
        event = _event(one, stand)
        if one.seq <= before:
            raise bad_entry("effects", one.seq, "is out of order")
        known = isinstance(event, sup.Proposed) or event.key in states.status
        if not known or (isinstance(event, sup.Proposed) and event.run != run):
            raise bad_entry("effects", one.seq, "belongs to another run")
        before = one.seq
        states.handle(event)
        events.append(event)
    found = {key: _fate(states.outcome.get(key)) for key in states.status}
    for told in settled:
        # A proposal that never reached the supervisor failed in the run alone.
        if found.get(told.key, "failed") != told.status:
            raise IntegrityError(
                "evidence.contradiction",
                f"the run was told that effect {told.key[:16]} is {told.status}, the effects log "
                "says otherwise",
            )
    return found, events


def _event(one: EffectEntry, stand: Stand | None) -> sup.EffectEvent:
    try:
        if stand is None:
            raise IntegrityError("evidence.not_indexed", "the index knows no effects log")
        verify_inclusion(
            leaf_hash(one.entry), one.seq, stand.size, one.path, bytes.fromhex(stand.root)
        )
        return read_effect(one.entry)
    except (SwarmError, KeyError, TypeError) as error:
        raise bad_entry("effects", one.seq, "was altered after it was sealed") from error


def _fate(outcome: sup.Ended | sup.Refused | None) -> str:
    if outcome is None:
        return "unknown"
    return "refused" if isinstance(outcome, sup.Refused) else outcome.status
