"""Drives one run by hand: the shell of these stories is the test itself."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from swarm_ray.core import commands as cmd
from swarm_ray.core import events as ev
from swarm_ray.core.plan import Agree, Convergence, FanOut, Plan, Redundancy, Retry, Step
from swarm_ray.core.run import Run
from swarm_ray.core.swarm import Swarm
from swarm_ray.core.tables import ItemState

ZERO = "0" * 64
SECOND = 1_000_000
QUICK = Retry(initial_interval_us=SECOND, jitter_ppm=0)


def fan_out(**more: Any) -> FanOut:
    return FanOut(
        **{
            "over": "files",
            "task": "review",
            "concurrency": 4,
            "convergence": Convergence(),
            "retry": QUICK,
            **more,
        }
    )


def plan_of(*steps: Step, **more: Any) -> Plan:
    return Plan("process", 1, steps, **more)


def swarm_plan(
    *, step: dict[str, Any] | None = None, plan: dict[str, Any] | None = None, **more: Any
) -> Plan:
    return plan_of(
        Step("work", output="results", fan_out=fan_out(**more), **(step or {})), **(plan or {})
    )


@dataclass
class Story:
    plan: Plan
    now: int = 0
    said: list[cmd.Command] = field(default_factory=list)
    events: list[tuple[ev.Event, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run = Run(self.plan)
        self.batches = 0

    # -- events -----------------------------------------------------------------------------

    def tell(self, event: ev.Event, *, after: int = 0) -> list[cmd.Command]:
        self.now += after
        self.events.append((event, self.now))
        self.said = self.run.handle(event, self.now)
        return self.said

    def open(self) -> "Story":
        self.tell(ev.RunOpened("run-1", "tenant", "process", ZERO, ZERO, ZERO))
        return self

    def prepared(
        self, items: int = 1, *, slice_tokens: int = 0, slice_microusd: int = 0
    ) -> list[cmd.Command]:
        asked = self.run.pending
        assert isinstance(asked, cmd.Prepare)
        return self.tell(
            ev.SwarmOpened(
                f"s{asked.round}",
                asked.kind,
                asked.step,
                asked.round,
                items,
                ZERO,
                ZERO,
                slice_tokens,
                slice_microusd,
            )
        )

    def placed(self) -> list[cmd.Command]:
        asked = self.run.pending
        assert isinstance(asked, cmd.Place)
        return self.tell(ev.Placed(asked.swarm, ZERO, ((asked.items, ""),)))

    def working(self, items: int = 1, **slices: int) -> "Story":
        """Answer Prepare and Place of whatever is to be worked on now."""
        self.prepared(items, **slices)
        self.placed()
        return self

    def dispatch(self, *items: int, host: str = "ada", lanes: int = 4) -> list[cmd.Command]:
        """Give wanted items (all, if none are named) to a host."""
        wanted = self.swarm.wanted
        chosen = items or tuple(sorted(wanted))
        self.batches += 1
        attempts = tuple(wanted[item] for item in chosen)
        return self.tell(ev.Dispatched(self.swarm.id, self.batches, host, lanes, chosen, attempts))

    def settle(self, *rows: ev.Row, after: int = 0) -> list[cmd.Command]:
        flight = self.swarm.flights.get(rows[0].item)
        host, batch = (flight.host, flight.batch) if flight else ("ada", 0)
        return self.tell(ev.Settled(self.swarm.id, batch, host, rows), after=after)

    def row(self, item: int, status: ev.Status = "ok", **more: Any) -> ev.Row:
        flight = self.swarm.flights.get(item)
        attempt = more.pop("attempt", flight.attempt if flight else 1)
        output = f"out-{item}" if status == "ok" else ""
        return ev.Row(item, attempt, status, **{"output": output, **more})

    def ok(self, *items: int, **more: Any) -> list[cmd.Command]:
        return self.settle(*(self.row(item, **more) for item in items))

    def fail(
        self, *items: int, status: ev.Status = "transient", code: str = "net.reset", after: int = 0
    ) -> list[cmd.Command]:
        rows = [self.row(item, status, code=code) for item in items]
        return self.settle(*rows, after=after)

    def timer(self, what: str, *, after: int = 0) -> list[cmd.Command]:
        key = what if what.startswith("run:") else f"{self.swarm.id}:{what}"
        return self.tell(ev.TimerFired(key), after=after)

    def converged(self) -> list[cmd.Command]:
        asked = self.run.pending
        assert isinstance(asked, cmd.Converge)
        return self.tell(ev.Converged(asked.swarm, f"result-of-{asked.swarm}", ZERO))

    def closed(self) -> ev.RunClosed:
        asked = self.run.pending
        assert isinstance(asked, cmd.Close), asked
        self.tell(ev.RunClosed(asked.status, asked.output, asked.code))  # type: ignore[arg-type]
        assert self.run.closed is not None
        return self.run.closed

    def finish_unit(self, *, status: ev.Status = "ok", **more: Any) -> list[cmd.Command]:
        """Work off a swarm of one."""
        self.working()
        self.dispatch()
        return self.settle(self.row(0, status, **more))

    def finish_swarm(self, items: int, **slices: int) -> None:
        """Work off a fan-out in which everything succeeds, up to convergence."""
        self.working(items, **slices)
        while self.swarm.wanted:
            self.dispatch()
            self.ok(*list(self.swarm.flights))

    # -- what a story looks at --------------------------------------------------------------

    @property
    def swarm(self) -> Swarm:
        return self.run.swarms[self.run.unit or self.run.main]

    @property
    def main(self) -> Swarm:
        return self.run.swarms[self.run.main]

    def state(self, item: int) -> ItemState:
        return ItemState(self.main.items[item])

    def wanted(self) -> list[int]:
        return sorted(self.swarm.wanted)

    def said_of(self, kind: type) -> list[Any]:
        return [command for command in self.said if isinstance(command, kind)]


THREE = Redundancy(3, "organisation", Agree("label"))


class Court(Story):
    """A run whose items have copies; every copy goes to a host that is its own organisation."""

    def begin(self, items: int = 1, *, domains: int = 5, default: str = "", tokens: int = 0):
        self.open()
        asked = self.run.pending
        assert isinstance(asked, cmd.Prepare)
        self.tell(
            ev.SwarmOpened(
                "s", "fan_out", 0, 1, items, "secret", ZERO, tokens, 0, "", domains, default
            )
        )
        self.placed()
        return self

    def out(self) -> list[tuple[int, int]]:
        """Return (item, attempt) of all that hosts have."""
        swarm = self.swarm
        return sorted((swarm.item_of(key), one.attempt) for key, one in swarm.flights.items())

    def wished(self) -> list[tuple[int, int]]:
        """Return (item, attempt) of all that is wanted."""
        return sorted((self.swarm.item_of(key), at) for key, at in self.swarm.wanted.items())

    def send(self, item: int, attempt: int, host: str) -> list[cmd.Command]:
        self.batches += 1
        return self.tell(
            ev.Dispatched("s", self.batches, host, 4, (item,), (attempt,), "", f"org-{host}")
        )

    def answer(self, item: int, attempt: int, label: str, **more: Any) -> list[cmd.Command]:
        swarm = self.swarm
        flight = swarm.flights[swarm.find(item, attempt)]
        row = ev.Row(item, attempt, "ok", f"out-{label}-{attempt}", label, **more)
        return self.tell(ev.Settled("s", flight.batch, flight.host, (row,)))

    def fails(self, item: int, attempt: int, status: ev.Status, code: str) -> list[cmd.Command]:
        swarm = self.swarm
        flight = swarm.flights[swarm.find(item, attempt)]
        row = ev.Row(item, attempt, status, code=code)
        return self.tell(ev.Settled("s", flight.batch, flight.host, (row,)))


def court(
    rule: Redundancy = THREE, *, convergence: Convergence | None = None, **more: Any
) -> Court:
    plan = swarm_plan(
        redundancy=rule, convergence=convergence or Convergence(), concurrency=8, **more
    )
    return Court(plan)


def kinds(commands: Iterable[cmd.Command]) -> list[str]:
    return [type(command).__name__ for command in commands]


def begin(plan: Plan, items: int = 1, **slices: int) -> Story:
    """A story whose first fan-out is at work."""
    return Story(plan).open().working(items, **slices)
