"""Resume after SIGKILL of the coordinator, half done: first new dispatch, repeated items.

A process with coordinator and host (no Ray, isolation `none`) is killed; another one comes back on
the same folder. Time counts from just before that process is started, so that the interpreter and
all imports are in it. The same folder is resumed twice, as it was left and without the snapshot
of the run: then the whole log is replayed.
"""

from benchmarks.figures import Figure, median
from benchmarks.peers.venv import peer_python
from benchmarks.probes.killing import killed_peer, killed_swarm

ITEMS, QUICK_ITEMS = 100_000, 3_000
PEER_ITEMS = 200
REACH_S = 3.0
PEERS = {"LangGraph": "langgraph_resume", "DBOS, a workflow per item": "dbos_items"}


def run(*, quick: bool, peers: bool = False) -> list[Figure]:
    """Kill and recover; with `peers` also LangGraph and DBOS at 200 items of 50 ms."""
    count, times = (QUICK_ITEMS, 1) if quick else (ITEMS, 3)
    compared = _peers(times) if peers else {}
    rounds = [killed_swarm(count) for _ in range(times)]
    small = [killed_swarm(PEER_ITEMS, traced=True, snapshot=False) for _ in range(times)]

    def figure(what: str, name: str, unit: str, reach: float | None = None) -> Figure:
        samples = [one[name] for one in rounds]
        return Figure(what, median(samples), unit, reach, samples=samples)

    redone = [one["redone"] for one in small]
    return [
        figure(f"first new dispatch, {count} items half done", "first_dispatch_s", "s", REACH_S),
        figure("of this, rebuilding the run", "recover_s", "s"),
        figure("entries replayed", "entries", "entries"),
        figure("first new dispatch without the snapshot", "bare_first_dispatch_s", "s", REACH_S),
        figure("of this, rebuilding the run from its whole log", "bare_recover_s", "s"),
        figure("entries replayed without the snapshot", "bare_entries", "entries"),
        figure("durably settled items dispatched again", "repeated", "items", 0),
        figure("the same without the snapshot", "bare_repeated", "items", 0),
        Figure(
            f"{PEER_ITEMS} items of 50 ms, 16 at once: functions that ran to their end twice",
            median(redone),
            "items",
            peers=compared,
            samples=redone,
            note="durably settled ones among them: "
            f"{max(one['repeated'] for one in small):.0f}"
            + ("" if peers else "; LangGraph and DBOS not measured, see --peers"),
        ),
    ]


def _peers(times: int) -> dict[str, float]:
    python = peer_python()
    return {
        name: median(
            [killed_peer(python, f"benchmarks.peers.{module}", PEER_ITEMS) for _ in range(times)]
        )
        for name, module in PEERS.items()
    }
