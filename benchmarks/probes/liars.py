"""A swarm with copies on hosts some of which lie: the machine of the package, simulated hosts.

Decides what each host answers and when; which copies run and which answer is taken is decided by
`core.swarm`. A right answer is one word, wrong ones are others.
"""

import random
from collections import deque
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import Literal

from swarm_ray.core.commands import Command, Want, Withdraw
from swarm_ray.core.events import Dispatched, Row, Settled, SwarmOpened
from swarm_ray.core.plan import Agree, Budget, Convergence, FanOut, Redundancy
from swarm_ray.core.purse import Purse
from swarm_ray.core.swarm import Swarm

ITEMS, HOSTS, ORGANISATIONS, SLOTS = 10_000, 100, 5, 2
LIARS = 20
SLEEP_ITEMS = 50
RIGHT = "right"
MEAN_US = 1_000_000

Kind = Literal["always", "sometimes", "sleeper", "once", "organisation"]


@dataclass(frozen=True, slots=True)
class Lies:
    """How the liars lie: with `chance` per item, after `honest` items; `alike`: all with one voice."""

    kind: Kind
    chance: float = 1.0
    honest: int = 0
    alike: bool = False

    @property
    def name(self) -> str:
        """What it is called in a table."""
        voice = ", all alike" if self.alike else ""
        match self.kind:
            case "always":
                return f"always{voice}"
            case "sometimes":
                return f"with probability {self.chance:g}{voice}"
            case "sleeper":
                chance = f", then with probability {self.chance:g}" if self.chance < 1 else ""
                return f"honest for {self.honest} items{chance}{voice}"
            case "once":
                return f"a single time, after {self.honest} items{voice}"
            case "organisation":
                return "one organisation, same wrong answer"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one swarm came to: `executions` and `wrong` results over all `items`; of both, those of
    copies begun before half of the hosts were trusted; results that are missing."""

    items: int
    executions: int
    wrong: int
    missing: int
    cold_executions: int
    cold_items: int
    bound_ppm: int


@dataclass(slots=True)
class Host:
    """One host; `done` counts what it answered."""

    name: str
    organisation: str
    liar: bool
    done: int = 0
    free: int = SLOTS


def population(lies: Lies, seed: int, hosts: int = HOSTS) -> list[Host]:
    """Return hosts in organisations of equal size; a fifth of them, or one organisation, lies."""
    draw = random.Random(seed)  # a simulation, not a secret
    size = hosts // ORGANISATIONS
    if lies.kind == "organisation":
        liars = set(range(size))
    else:
        liars = set(draw.sample(range(hosts), hosts * LIARS // HOSTS))
    return [Host(f"host-{n:03d}", f"organisation-{n // size}", n in liars) for n in range(hosts)]


@dataclass(slots=True)
class Play:
    """One swarm from placement to convergence."""

    rule: Redundancy
    lies: Lies
    seed: int
    items: int = ITEMS
    hosts: list[Host] = field(default_factory=list)
    swarm: Swarm = field(init=False)
    draw: random.Random = field(init=False)
    now_us: int = 0
    wanted: deque[tuple[int, int]] = field(default_factory=deque)
    flying: list[tuple[int, int, str, Row]] = field(default_factory=list)
    batches: int = 0
    named: dict[str, Host] = field(default_factory=dict)
    outcast: set[str] = field(default_factory=set)
    trusted: set[str] = field(default_factory=set)
    cold_executions: int = 0
    cold_items: int = 0

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)  # a simulation, not a secret
        self.hosts = self.hosts or population(self.lies, self.seed)
        self.named = {host.name: host for host in self.hosts}
        opened = SwarmOpened(
            "swarm",
            "fan_out",
            0,
            1,
            self.items,
            self.draw.randbytes(32).hex(),
            "",
            domains=len({self._domain(host) for host in self.hosts}),
        )
        concurrency = len(self.hosts) * SLOTS
        spec = FanOut("items", "task", concurrency, Convergence(), redundancy=self.rule)
        self.swarm = Swarm(opened, spec, Purse(Budget()), 0)

    def run(self) -> Outcome:
        """Let the swarm work until it can converge."""
        self._perform(self.swarm.place(0))
        while True:
            if self.swarm.finished:
                self._perform(self.swarm.recheck(self.now_us))
                if self.swarm.finished:
                    return self._outcome()
            self._assign()
            self._land()

    def _perform(self, commands: list[Command]) -> None:
        for command in commands:
            if isinstance(command, Want):
                self.wanted += zip(command.items, command.attempts, strict=True)
            if isinstance(command, Withdraw):
                pairs = set(zip(command.items, command.attempts, strict=True))
                gone = [one for one in self.flying if (one[3].item, one[3].attempt) in pairs]
                for at_us, number, name, row in gone:
                    self.flying.remove((at_us, number, name, row))
                    late = Row(row.item, row.attempt, "cancelled", code="attempt.withdrawn")
                    heappush(self.flying, (self.now_us, number, name, late))

    def _assign(self) -> None:
        """Give wanted copies to hosts with room, outside the domains that are barred for them."""
        free = [host for host in self.hosts if host.free and host.name not in self.outcast]
        passed: list[tuple[int, int]] = []
        while self.wanted and free:
            item, attempt = self.wanted.popleft()
            barred = self.swarm.barred(item)
            fit = [host for host in free if self._domain(host) not in barred] if barred else free
            if fit:
                host = self.draw.choice(fit)
                self._begin(host, item, attempt)
                if not host.free:
                    free.remove(host)
            else:
                passed.append((item, attempt))
        self.wanted.extendleft(reversed(passed))

    def _begin(self, host: Host, item: int, attempt: int) -> None:
        self.batches += 1
        host.free -= 1
        event = Dispatched(
            "swarm", self.batches, host.name, SLOTS, (item,), (attempt,), "", self._domain(host)
        )
        self.swarm.dispatched(event)
        took_us = int(self.draw.expovariate(1 / MEAN_US)) + 1
        row = self._row(host, item, attempt)
        heappush(self.flying, (self.now_us + took_us, self.batches, host.name, row))

    def _row(self, host: Host, item: int, attempt: int) -> Row:
        host.done += 1
        answer = self._wrong(host) if self._lies(host) else RIGHT
        return Row(item, attempt, "ok", answer, answer)

    def _lies(self, host: Host) -> bool:
        if self.lies.kind == "once":
            return host.liar and host.done == self.lies.honest + 1
        return host.liar and host.done > self.lies.honest and self.draw.random() < self.lies.chance

    def _wrong(self, host: Host) -> str:
        if self.lies.alike:
            return "wrong"
        return host.organisation if self.lies.kind == "organisation" else host.name

    def _land(self) -> None:
        self.now_us, _, name, row = heappop(self.flying)
        host = self.named[name]
        host.free += 1
        self._perform(self.swarm.settled(Settled("swarm", 1, name, (row,)), self.now_us))
        panel = self.swarm.panel
        assert panel is not None
        if panel.outcast(name, self._domain(host)):
            self.outcast.add(name)
        if panel.reputation.trusted(name, self._domain(host)):
            self.trusted.add(name)
        if 2 * len(self.trusted) < len(self.hosts):
            self.cold_executions = self.swarm.usage.attempts
            self.cold_items = self.swarm.succeeded

    def _domain(self, host: Host) -> str:
        return host.organisation if self.rule.across == "organisation" else host.name

    def _outcome(self) -> Outcome:
        outputs = self.swarm.outputs
        panel = self.swarm.panel
        assert panel is not None
        return Outcome(
            self.items,
            self.swarm.usage.attempts,
            sum(output != RIGHT for output in outputs.values()),
            self.items - len(outputs),
            self.cold_executions,
            self.cold_items,
            panel.bound_ppm if self.rule.target_ppm else 0,
        )


def adaptive(target_ppm: int = 1_000, copies: int = 5) -> Redundancy:
    """Return the rule of the package with a target."""
    return Redundancy(copies, "organisation", Agree("label"), target_ppm=target_ppm)


def early(copies: int) -> Redundancy:
    """Return a majority of so many copies, ended as soon as it is certain; no reputation."""
    return Redundancy(copies, "organisation", Agree("label"))


def voted(copies: int, lies: Lies, seed: int, items: int = ITEMS) -> Outcome:
    """Return what fixed voting comes to: every item runs so many times on different hosts, and an
    answer wins that more than half of them gave; nobody wins counts as missing."""
    draw = random.Random(seed)  # a simulation, not a secret
    hosts = population(lies, seed)
    play = Play(early(copies), lies, seed, 1, hosts)
    wrong = missing = 0
    for item in range(items):
        answers = [play._row(host, item, 1).label for host in draw.sample(hosts, copies)]
        best = max(set(answers), key=answers.count)
        if 2 * answers.count(best) <= copies:
            missing += 1
        elif best != RIGHT:
            wrong += 1
    return Outcome(items, copies * items, wrong, missing, 0, 0, 0)
