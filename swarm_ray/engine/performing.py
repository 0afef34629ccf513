"""Performing the commands of a run's machine: each becomes a call, and its answer an event.

Decides nothing that a run's log could tell. A command comes only after its event is durable.
"""

import asyncio
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.engine.converging import converge
from swarm_ray.engine.copying import lacks_domains, rule_of
from swarm_ray.engine.desk import Desk
from swarm_ray.engine.preparing import Prepared, prepare
from swarm_ray.engine.proposing import proposal_of
from swarm_ray.errors import StorageError, SwarmError
from swarm_ray.ports.solver import Solver
from swarm_ray.ports.supervisor import Supervisor
from swarm_ray.values.codec import encode_json

if TYPE_CHECKING:
    from swarm_ray.engine.coordinator import Coordinator

DOMAIN_LOOK_S, DOMAIN_LOOKS = 0.25, 40
"""Hosts of enough trust domains for copies are waited for so long and so often, ten seconds."""


@dataclass(slots=True)
class Performer:
    """Performs the commands of all runs of one coordinator."""

    coordinator: "Coordinator"
    solver: Solver
    supervisor: Supervisor

    def perform(self, run: str, command: cmd.Command) -> None:
        """Perform one command of a run."""
        coordinator = self.coordinator
        match command:
            case cmd.Prepare():
                self._prepare(run, command)
            case cmd.Place():
                self._place(run, command)
            case cmd.Want() | cmd.Send() | cmd.Withdraw():
                self._dispatch(run, command)
            case cmd.Converge():
                self._converge(run, command)
            case cmd.SetTimer(key, at_us):
                fire = partial(coordinator.post, run, ev.TimerFired(key))
                coordinator.alarms.set(run, key, at_us, fire)
            case cmd.Ask():
                coordinator.questions.ask(run, command)
            case cmd.Propose():
                coordinator.spawn(self._propose(run, command))
            case cmd.Close(status, output, code):
                coordinator.post(run, ev.RunClosed(status, output, code))  # type: ignore[arg-type]  # core uses the same words

    def _dispatch(self, run: str, command: cmd.Want | cmd.Send | cmd.Withdraw) -> None:
        dispatcher = self.coordinator.dispatcher
        match command:
            case cmd.Want():
                dispatcher.want(run, command)
            case cmd.Send():
                dispatcher.send(run, command)
            case cmd.Withdraw():
                dispatcher.withdraw(run, command)

    def _prepare(self, run: str, command: cmd.Prepare, looks: int = DOMAIN_LOOKS) -> None:
        coordinator = self.coordinator
        if run not in coordinator.engine.threads:
            return  # it was closed while hosts of other domains were waited for
        machine, loaded = coordinator.thread_of(run), coordinator.loaded(run)
        seats, values = coordinator.dispatcher.seats, coordinator.values_of(run)
        if looks and lacks_domains(rule_of(command, machine), seats):
            loop = asyncio.get_running_loop()
            loop.call_later(DOMAIN_LOOK_S, self._prepare, run, command, looks - 1)
            return
        found = prepare(command, machine, loaded, values, coordinator.clock, seats)
        if isinstance(found, Prepared):
            event, task = found.event, loaded.tasks[str(found.context["task"])]
            assert machine.opened is not None
            desk = Desk(run, machine.opened.bundle, event, task, found.manifest, found.context)
            coordinator.dispatcher.desks[event.swarm] = desk
            coordinator.post(run, event)
        else:
            coordinator.post(run, found)

    def _place(self, run: str, command: cmd.Place) -> None:
        sites = sorted({seat.site for seat in self.coordinator.dispatcher.seats.values()})
        answer = self.solver.solve(command.items, sites, 0)
        body = encode_json({"assignments": answer.assignments, "solver": answer.solver})
        event = ev.Placed(
            command.swarm,
            self.coordinator.values_of(run).put("placement", body, "context"),
            answer.assignments,
            answer.cost_microusd,
            answer.bound_microusd,
            answer.probability_ppm,
            answer.solver,
        )
        self.coordinator.post(run, event)

    def _converge(self, run: str, command: cmd.Converge) -> None:
        coordinator = self.coordinator
        swarm, values = coordinator.thread_of(run).swarms[command.swarm], coordinator.values_of(run)
        try:
            event: ev.Event = converge(command, swarm, values, coordinator.clock.now_us())
        except StorageError:
            raise
        except SwarmError as error:
            detail = values.put("error", str(error).encode(), "error")
            event = ev.ConvergeRefused(command.swarm, error.code, detail)
        coordinator.post(run, event)

    async def _propose(self, run: str, command: cmd.Propose) -> None:
        coordinator = self.coordinator
        values = coordinator.values_of(run)
        try:
            proposal = proposal_of(command, coordinator.thread_of(run), values)
        except SwarmError as error:
            failed = ev.EffectSettled(command.step, command.key, "failed", code=error.code)
            coordinator.post(run, failed)
            return
        settled = await self.supervisor.settle(proposal)
        outcome = ""
        if settled.outcome is not None:
            outcome = values.put("outcome", encode_json(settled.outcome), "output")
        event = ev.EffectSettled(command.step, command.key, settled.status, outcome, settled.code)
        coordinator.post(run, event)
