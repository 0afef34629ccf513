"""The first supervisor's shell: every word of it is durable in the effects log before it acts.

Decides through `core.supervisor`; grants declared effects only, starts each key at most once and
calls an interrupted one unknown. The broker, a process of its own, does the work.
"""

import asyncio
import subprocess
import sys
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from swarm_ray.core import supervisor as sup
from swarm_ray.effects import broker
from swarm_ray.errors import IntegrityError, SwarmError
from swarm_ray.ports.clock import Clock
from swarm_ray.ports.log import Append, Bodies, Ledger, Log
from swarm_ray.ports.supervisor import Proposal, SettledEffect
from swarm_ray.values.codec import decode, decode_json, encode, encode_json
from swarm_ray.values.records import framed, from_record, to_record

EFFECTS_LOG = "effects"
TOOLS = {name: tool.arguments for name, tool in broker.TOOLS.items()}
"""The tools that the broker has, each with the JSON Schema of its arguments."""
BROKER_TIMEOUT_S = 120
_NAMES = {kind: name for name, kind in sup.EFFECT_KINDS.items()}


class OwnLedger(Ledger, Protocol):
    """A ledger that its user closes."""

    def close(self) -> None:
        """Let go of it."""


class SupervisorThread:
    """The port over a `LoggedSupervisor` that lives, with its ledger, in a thread of its own.

    Args:
        open_ledger: called in that thread, since a ledger belongs to one.
        clock: log time.
    """

    def __init__(self, open_ledger: Callable[[], OwnLedger], clock: Clock) -> None:
        self._thread = ThreadPoolExecutor(1, "swarm-ray-supervisor")
        try:
            self._ledger = self._thread.submit(open_ledger).result()
            made = self._thread.submit(LoggedSupervisor, self._ledger, clock)
            self._supervisor = made.result()
        except BaseException:
            self._thread.shutdown()
            raise

    async def settle(self, proposal: Proposal) -> SettledEffect:
        """See the port."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._supervisor.settle, proposal)

    def stop(self) -> None:
        """Finish what is being settled, close the ledger and end the thread."""
        self._thread.submit(self._ledger.close)
        self._thread.shutdown()


class LoggedSupervisor:
    """Grants and executes effects of one tenant.

    Args:
        ledger: effects log and bodies; this supervisor takes over its epoch.
        clock: log time.
        tools: names of the tools that the broker has.
    """

    def __init__(self, ledger: Ledger, clock: Clock, tools: Collection[str] = TOOLS) -> None:
        self._log: Log = ledger
        self._bodies: Bodies = ledger
        self._clock = clock
        self._tools = tools
        self._epoch = self._log.acquire_epoch("supervisor", role="supervisor")
        self._state = sup.Supervisor()
        self._size = 0
        self._replay()

    def settle(self, proposal: Proposal) -> SettledEffect:
        """Answer a proposal; see the port."""
        answered = self._answered(proposal.key)
        if answered is not None:
            return answered
        body = self._bodies.put_body(
            "effect", encode_json(proposal.arguments), "reason", proposal.run
        )
        proposed = sup.Proposed(proposal.key, proposal.run, proposal.step, proposal.tool, body)
        verdict = self._state.judge(
            proposed, declared=proposal.declared and proposal.tool in self._tools
        )
        assert verdict is not None
        self._append(proposed, verdict)
        if isinstance(verdict, sup.Refused):
            return SettledEffect("refused", code=verdict.code)
        self._append(sup.Started(proposal.key, verdict.lease))
        ended, outcome = self._act(proposal)
        self._append(ended)
        return SettledEffect(ended.status, outcome, ended.code)

    def _answered(self, key: str) -> SettledEffect | None:
        found = self._state.outcome.get(key)
        if found is None:
            return None
        if isinstance(found, sup.Refused):
            return SettledEffect("refused", code=found.code)
        outcome = decode_json(self._bodies.get_body(found.outcome)) if found.outcome else None
        return SettledEffect(found.status, outcome, found.code)

    def _act(self, proposal: Proposal) -> tuple[sup.Ended, Any]:
        request = {"key": proposal.key, "tool": proposal.tool, "arguments": proposal.arguments}
        try:
            done = subprocess.run(  # our own module, arguments on stdin
                [sys.executable, "-m", "swarm_ray.effects.broker"],
                input=encode_json(request),
                capture_output=True,
                timeout=BROKER_TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired:
            return sup.Ended(proposal.key, "unknown", code="effect.timeout"), None
        if done.returncode != 0:
            return sup.Ended(proposal.key, "unknown", code="effect.broker_died"), None
        answer = decode_json(done.stdout)
        if answer["status"] == "failed":
            return sup.Ended(proposal.key, "failed", code=answer["code"]), answer
        outcome = self._bodies.put_body(
            "outcome", encode_json(answer["outcome"]), "output", proposal.run
        )
        return sup.Ended(proposal.key, "done", outcome), answer["outcome"]

    # -- the log ----------------------------------------------------------------------------

    def _replay(self) -> None:
        if any(head.log_id == EFFECTS_LOG for head in self._log.logs("effects")):
            for data in self._log.entries(EFFECTS_LOG):
                self._state.handle(read_effect(data))
                self._size += 1
        interrupted = self._state.interrupted()
        if interrupted:
            self._append(*interrupted)

    def _append(self, *events: sup.EffectEvent) -> None:
        now_us = self._clock.now_us()
        entries = [
            encode(
                {
                    "kind": _NAMES[type(event)],
                    "event": to_record(event),
                    "time_us": now_us,
                    "epoch": self._epoch,
                }
            )
            for event in events
        ]
        append = Append(EFFECTS_LOG, self._epoch, self._size, entries, kind="effects")
        self._log.commit([append])
        self._size += len(entries)
        for event in events:
            self._state.handle(event)


def read_effect(data: bytes) -> sup.EffectEvent:
    """Return the event of an entry of the effects log.

    Raises:
        SwarmError: `effect.unknown_kind`.
        IntegrityError: `effect.bad_frame`, `codec.*`, `record.*`.
    """
    record = decode(data)
    if not framed(record):
        raise IntegrityError("effect.bad_frame", "this is no entry of the effects log")
    kind = sup.EFFECT_KINDS.get(record["kind"])
    if kind is None:
        raise SwarmError("effect.unknown_kind", f"no effect entry is called {record['kind']!r}")
    return from_record(kind, record["event"])
