"""What the policies save in one draw: copies moved off a slow site, and backups of stragglers.

A site whose executions surprise (`policies.drift`) is re-priced from the moment the alarm is
raised; copies that have not started and would be late then go elsewhere. Executing copies get
backups as `policies.hedging` decides. Both use slots only after everything planned there, so they
never delay it; the slot of a copy whose backup won is not given to others before its time. Both
err on the safe side.
"""

from dataclasses import dataclass

import numpy as np

from swarm_placement.model import copy_offsets
from swarm_placement.policies.drift import first_alarm, known_after_s
from swarm_placement.policies.hedging import HedgeBudget, hedge_after_s
from swarm_placement.simulate.conditions import Conditions
from swarm_placement.simulate.copies import Copies
from swarm_placement.simulate.idle_slots import Choices, IdleSlots
from swarm_placement.simulate.queues import Floats, Ints, Queues, list_schedule
from swarm_placement.simulate.world import World

QUEUE_MARGIN = 0.15  # of a re-priced site's slot-seconds: its stragglers delay those behind them
NOWHERE = np.zeros(0, dtype=np.int64)


@dataclass(slots=True)
class Rescued:
    """What came of a draw: when each copy ended, slot-seconds and money of backups, and how many
    copies were moved."""

    end_s: Floats
    spent_s: float = 0.0
    usd: float = 0.0
    moved: int = 0


class Rescue:
    """One draw: its durations, its schedule, and the state of the policies."""

    def __init__(
        self,
        facts: World,
        copies: Copies,
        among: list[Choices],
        conditions: Conditions,
        slow_site: int,
        rng: np.random.Generator,
    ) -> None:
        self._facts, self._copies, self._among = facts, copies, among
        self._conditions, self._slow_site, self._rng = conditions, slow_site, rng
        self._factor = np.ones(len(facts.instance.sites))
        self._repriced_s = np.full(len(facts.instance.sites), np.inf)
        self._work_s = facts.busy_s[copies.of_class, copies.option]
        self._budget = HedgeBudget(float(self._work_s.sum()), conditions.hedge_share)
        self._site = facts.site[copies.option].copy()
        self._hop_s = facts.hop_s[copies.of_class, copies.option].copy()
        self._deadline_s = facts.deadline_s[copies.of_class]
        self._backup_s = np.array([np.median(one.hop_s) for one in among])
        self._offsets = copy_offsets(facts.instance.classes)
        # Per copy of the plan, the domain in use; copies of one item stand next to each other.
        self._domain = np.full(int(self._offsets[-1]), -1)
        self._domain[copies.index] = facts.domain[copies.of_class, self._site]

    def run(
        self, compute_s: Floats, duration_s: Floats, start_s: Floats, end_s: Floats, idle: IdleSlots
    ) -> Rescued:
        """Return what came of the draw; all arrays are per copy."""
        self._start_s, self._end_s, self._idle = start_s.copy(), end_s.copy(), idle
        self._duration_s = duration_s
        found = Rescued(self._end_s)
        for alarm_s, site, factor in sorted(self._alarms(compute_s)):
            self._factor[site], self._repriced_s[site] = factor, alarm_s
            self._replan(site, alarm_s, found)
        for now_s, copy in self._due():
            self._hedge(copy, now_s, found)
        return found

    def _alarms(self, compute_s: Floats) -> list[tuple[float, int, float]]:
        """Return when which site is found slower, and by which factor."""
        facts, copies = self._facts, self._copies
        spread = facts.sigma[copies.of_class, copies.option]
        median_s = facts.mean_s[copies.of_class, copies.option] * np.exp(-(spread**2) / 2)
        surprise = np.log(compute_s / median_s) / spread
        begun_s = self._end_s - compute_s
        known_s = begun_s + np.minimum(compute_s, known_after_s(median_s, spread))
        found = []
        for site, (begin, end) in enumerate(_pairs(copies.queues.begin)):
            order = begin + np.argsort(self._start_s[begin:end], kind="stable")
            alarm = first_alarm(surprise[order])
            if alarm is not None:
                after, shift = alarm
                factor = float(np.exp(shift * spread[begin:end].mean()))
                found.append((float(known_s[order[:after]].max()), site, factor))
        return found

    def _replan(self, site: int, now_s: float, found: Rescued) -> None:
        """Take copies elsewhere that have not started and would be late; the others move up."""
        begin, end = self._copies.queues.begin[site], self._copies.queues.begin[site + 1]
        waiting = begin + np.flatnonzero(self._start_s[begin:end] > now_s)
        slots = len(self._copies.queues.free_s[site])
        factor, ahead_s, kept = self._factor[site], 0.0, []
        for copy in waiting.tolist():
            in_time = now_s + ahead_s / slots + factor * self._hop_s[copy] <= self._deadline_s[copy]
            if not in_time and self._move(copy, now_s, found):
                continue
            kept.append(copy)
            ahead_s += factor * self._work_s[copy] / (1.0 - QUEUE_MARGIN)
        self._requeue(site, now_s, np.array(kept, dtype=np.int64))

    def _requeue(self, site: int, now_s: float, kept: Ints) -> None:
        """Schedule what is left of a site's queue once more, from now on, behind what executes
        there or was moved there."""
        here = np.setdiff1d(np.flatnonzero(self._site == site), kept)
        slots = len(self._copies.queues.free_s[site])
        ends = np.sort(self._end_s[here])[::-1][:slots]
        free = np.full(slots, now_s)
        free[: len(ends)] = np.maximum(now_s, ends)
        queue = Queues(
            np.array([0, len(kept)]),
            np.zeros(len(kept), dtype=np.int64),
            np.zeros(len(kept)),
            (np.sort(free),),
        )
        again = list_schedule(queue, self._duration_s[kept][None, :])
        self._start_s[kept], self._end_s[kept] = again.start_s[0], again.end_s[0]
        self._idle.replace(site, again.free_s[0][0])

    def _move(self, copy: int, now_s: float, found: Rescued) -> bool:
        among = self._among[self._copies.of_class[copy]]
        best = self._idle.best(
            among, now_s, self._deadline_s[copy], self._closed(copy), self._site[copy], self._factor
        )
        if best is None:
            return False
        chosen, begin_s = best
        site = int(among.site[chosen])
        end_s = begin_s + self._draw_s(copy, among, chosen)
        self._idle.occupy(site, end_s)
        self._start_s[copy], self._end_s[copy] = begin_s, end_s
        self._site[copy], self._hop_s[copy] = site, among.hop_s[chosen]
        self._domain[self._copies.index[copy]] = among.domain[chosen]
        before = self._facts.usd[self._copies.of_class[copy], self._copies.option[copy]]
        found.usd += float(among.usd[chosen] - before)
        found.moved += 1
        return True

    def _due(self) -> list[tuple[float, int]]:
        """Return when which copies, still executing, are due for a backup; in order of time."""
        late_s = self._deadline_s - self._backup_s[self._copies.of_class]
        found = []
        # No rule starts a backup before the last moment from which it is likely to end in time.
        for copy in np.flatnonzero(self._end_s > np.maximum(late_s, self._start_s)).tolist():
            start_s, site = float(self._start_s[copy]), self._site[copy]
            repriced = self._factor[site] > 1.0 and self._end_s[copy] > self._repriced_s[site]
            after_s = hedge_after_s(
                q95_s=float(self._hop_s[copy]),
                allowed_s=float(self._deadline_s[copy]) - start_s,
                backup_q95_s=float(self._backup_s[self._copies.of_class[copy]]),
                site_slower=bool(repriced),
            )
            due_s = start_s + after_s
            if repriced:
                due_s = max(due_s, float(self._repriced_s[site]))
            if due_s < self._end_s[copy]:
                found.append((due_s, copy))
        return sorted(found)

    def _hedge(self, copy: int, now_s: float, found: Rescued) -> None:
        among = self._among[self._copies.of_class[copy]]
        best = self._idle.best(
            among, now_s, self._deadline_s[copy], self._closed(copy), self._site[copy], self._factor
        )
        if best is None or best[1] >= self._end_s[copy]:
            return
        chosen, begin_s = best
        if not self._budget.decide(float(among.median_s[chosen]), side_effects=False):
            return
        ended_s = min(begin_s + self._draw_s(copy, among, chosen), float(self._end_s[copy]))
        self._idle.occupy(int(among.site[chosen]), ended_s)
        self._budget.observe(ended_s - begin_s)
        found.spent_s += ended_s - begin_s
        found.usd += float(among.usd[chosen])
        self._end_s[copy] = ended_s

    def _closed(self, copy: int) -> Ints:
        """Return the domains in use by the other copies of the item."""
        index = int(self._copies.index[copy])
        of_class = self._copies.of_class[copy]
        count = self._facts.instance.classes[of_class].copies
        if count == 1:
            return NOWHERE
        first = index - (index - int(self._offsets[of_class])) % count
        others = np.delete(self._domain[first : first + count], index - first)
        return np.asarray(others)

    def _draw_s(self, copy: int, among: Choices, chosen: int) -> float:
        """Draw what a copy takes at a choice, transfer and loading included."""
        of_class, option = self._copies.of_class[copy], among.option[chosen]
        spread = self._facts.sigma[of_class, option]
        compute_s = self._facts.mean_s[of_class, option] * np.exp(
            spread * self._rng.standard_normal() - spread**2 / 2
        )
        if self._rng.random() < self._conditions.stragglers:
            compute_s *= self._rng.uniform(*self._conditions.straggler_factor)
        if among.site[chosen] == self._slow_site:
            compute_s *= self._conditions.slow_factor
        fixed_s = self._facts.transfer_s[of_class, option] + self._facts.cold_s[option]
        return float(compute_s + fixed_s)


def _pairs(begin: Ints) -> list[tuple[int, int]]:
    return list(zip(begin[:-1].tolist(), begin[1:].tolist(), strict=True))
