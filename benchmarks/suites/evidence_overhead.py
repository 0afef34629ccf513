"""What attestation, logs and an anchor cost the main job: its wall time with and without them.

The review of this repository's last commits, with and without in turn, coordinator and host in one
process. Without: no signature is made or checked, the log does not wait for the disk, no witness.
The stopwatch tells how long the functions of evidence were at work, also beside the workers.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median

ROUNDS = 5
KINDS = ("signatures", "logs", "anchor")
REACH_PERCENT = 3.0


def run(*, quick: bool) -> list[Figure]:
    """Review five times (quick: once)."""
    rounds = measure("benchmarks.probes.evidence_share", rounds=1 if quick else ROUNDS)["runs"]

    def share(*kinds: str) -> list[float]:
        return [100 * sum(one.get(kind, 0.0) for kind in kinds) / one["wall_s"] for one in rounds]

    walls, bare = [one["wall_s"] for one in rounds], [one["bare_s"] for one in rounds]
    more = [100 * (one["wall_s"] / one["bare_s"] - 1) for one in rounds]
    return [
        Figure("attestation, logs and anchor: what they add to the main job's wall time",
               median(more), "%", REACH_PERCENT, samples=more),
        Figure("the main job", median(walls), "s", samples=walls,
               note=f"{rounds[0]['attempts']} attempts"),
        Figure("the same without", median(bare), "s", samples=bare),
        *(Figure(f"{kind} at work, share of the wall time", median(share(kind)), "%")
          for kind in KINDS),
    ]  # fmt: skip
