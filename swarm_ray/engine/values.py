"""The bodies of one run by name: its inputs, the outputs of its steps, what rows name.

Decides how a name in a definition becomes a value. It reads and stores bodies and folds the
run's own log; it never decides anything.
"""

from collections.abc import Callable
from typing import Any

from swarm_ray.core.events import Row, Settled, SwarmOpened
from swarm_ray.core.run import Run
from swarm_ray.engine.history import entries_of
from swarm_ray.errors import UsageError
from swarm_ray.ports.log import Bodies, Ledger, LogReader, Retention
from swarm_ray.values.codec import decode_json
from swarm_ray.values.digests import Digest
from swarm_ray.values.manifest import Manifest


class RunValues:
    """Values of one run over its ledger."""

    def __init__(self, run_id: str, run: Callable[[], Run], ledger: Ledger) -> None:
        """Bind a run id and its machine to a ledger (`LogReader` and `Bodies`)."""
        self.run_id = run_id
        self._run = run
        self._log: LogReader = ledger
        self._bodies: Bodies = ledger

    def find(self, name: str) -> Any:
        """Return the value of a step output or a run input.

        Raises:
            UsageError: `run.unknown_value`.
        """
        run = self._run()
        if name in run.outputs:
            return self.read(run.outputs[name])
        assert run.opened is not None
        inputs = self.read(run.opened.inputs)
        if name not in inputs:
            known = ", ".join(sorted({*inputs, *run.outputs}))
            raise UsageError(
                "run.unknown_value",
                f"the run has no value called {name!r}",
                hint=f"known here: {known or 'nothing'}",
            )
        return inputs[name]

    def read(self, commitment: str) -> Any:
        """Return a body as the JSON value it is."""
        return decode_json(self._bodies.get_body(commitment))

    def put(self, tag: str, data: bytes, retention: Retention) -> Digest:
        """Store a body of this run; it is durable with the next commit at the latest."""
        return self._bodies.put_body(tag, data, retention, self.run_id)

    def manifest(self, opened: SwarmOpened) -> Manifest:
        """Return the input set of a swarm."""
        return Manifest(self._bodies.get_body(opened.manifest), opened.root)

    def settled(self, swarm: str) -> list[Settled]:
        """Return everything that hosts have answered to a swarm, in order."""
        found = entries_of(self._log.entries(self.run_id), Settled)
        return [event for event, _ in found if event.swarm == swarm]

    def rows(self, swarm: str) -> dict[int, Row]:
        """Return the accepted row of each item of a swarm; where items have copies, that of the copy
        whose output was taken, or the last if it was none of them."""
        machine = self._run().swarms.get(swarm)
        outputs = machine.outputs if machine is not None else {}
        found: dict[int, Row] = {}
        for event in self.settled(swarm):
            for row in event.rows:
                before = found.get(row.item)
                taken = before is not None and before.output == outputs.get(row.item)
                if row.status == "ok" and not taken:
                    found[row.item] = row
        return found
