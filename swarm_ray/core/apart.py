"""Copies of one item on hosts of distinct trust domains.

Decides which host with room takes which copy: never one whose domain has answered for the item, or
is about to; one that failed too often only where no other host could serve. What the log does not
hold yet is remembered here, so this is as volatile as the pool.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from swarm_ray.core.events import Dispatched
from swarm_ray.core.swarm import Swarm


@dataclass(frozen=True, slots=True)
class Apart:
    """What holds for one choice: the domain of every host, the domains that are barred for each
    item, and the hosts that should be given nothing."""

    domains: Mapping[str, str]
    barred: Mapping[int, Collection[str]]
    outcast: Collection[str]

    def stranded(self, items: Collection[int]) -> int:
        """Return how many of these items no host may take, however much room there were."""
        there = set(self.domains.values())
        return len({item for item in items if there <= set(self.barred.get(item, ()))})


@dataclass(slots=True)
class Copies:
    """Copies that were given to hosts but are not in the log yet: domains by swarm, item, attempt."""

    chosen: dict[str, dict[tuple[int, int], str]] = field(default_factory=dict)

    def apart(
        self,
        swarm: Swarm,
        domains: Mapping[str, str],
        items: Sequence[int],
        own: Collection[str] = (),
    ) -> Apart | None:
        """Return what holds for attempts at these items; None where any host may have them.

        Args:
            swarm: the machine of the swarm.
            domains: trust domain of each host, of the kind that the swarm asks for.
            items: ordinals that attempts are wanted for.
            own: hosts of our own organisation.
        """
        panel = swarm.panel
        if panel is None:
            kept = [item for item in items if item in swarm.trusted_only]
            foreign = [domains[name] for name in domains if name not in own]
            return Apart(domains, dict.fromkeys(kept, foreign), ()) if kept else None
        barred = {item: dict.fromkeys(swarm.barred(item)) for item in items}
        for (item, _), domain in self.chosen.get(swarm.id, {}).items():
            if item in barred:
                barred[item][domain] = None
        outcast = {host: None for host, domain in domains.items() if panel.outcast(host, domain)}
        return Apart(domains, barred, outcast)

    def choose(self, event: Dispatched) -> None:
        """A choice is about to be logged."""
        if event.domain:
            chosen = self.chosen.setdefault(event.swarm, {})
            pairs = zip(event.items, event.attempts, strict=True)
            chosen.update((pair, event.domain) for pair in pairs)

    def logged(self, event: Dispatched) -> None:
        """A choice is in the log: the swarm knows it."""
        chosen = self.chosen.get(event.swarm, {})
        for pair in zip(event.items, event.attempts, strict=True):
            chosen.pop(pair, None)

    def forget(self, swarm: str) -> None:
        """A swarm ended."""
        self.chosen.pop(swarm, None)


def deal_apart(
    rooms: Mapping[str, tuple[int, int]], items: Sequence[int], apart: Apart
) -> dict[str, list[int]]:
    """Give each item to a host with room outside its barred domains; what finds none is left out.

    Args:
        rooms: per host its free lanes, and its free lanes with the queue behind them.
        items: ordinals, one per copy.
        apart: what must hold.

    Returns:
        Per host the indexes into `items` that it takes.
    """
    left = {name: [lanes, queue] for name, (lanes, queue) in rooms.items()}
    taken: dict[str, list[int]] = {name: [] for name in rooms}
    barred = {item: dict.fromkeys(apart.barred.get(item, ())) for item in items}
    for index, item in enumerate(items):
        fit = [name for name in apart.domains if apart.domains[name] not in barred[item]]
        kept = [name for name in fit if name not in apart.outcast] or fit
        free = [name for name in kept if name in left and left[name][1] > 0]
        if not free:
            continue
        name = max(free, key=lambda name: (left[name][0] > 0, *left[name], name))
        left[name] = [count - 1 for count in left[name]]
        taken[name].append(index)
        barred[item][apart.domains[name]] = None
    return taken
