"""The copies of the items of one swarm: what each voted, and what follows for the item.

Decides whether an item needs more copies, which answer is taken, and when an answer that was taken
must be doubted again. Without a target every item gets copies until a majority is certain. With one,
an answer may rest on the word of a trusted host alone, checked at random; it is provisional until
the swarm converges. Which hosts there are is not known here: they appear with their votes.
"""

import re
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Literal

from swarm_ray.core.agreement import (
    Group,
    Vote,
    distinct,
    grouped,
    missing,
    plurality,
    verdict,
)
from swarm_ray.core.events import Row, SwarmOpened
from swarm_ray.core.plan import FULL_PPM, Question, Redundancy
from swarm_ray.core.reputation import SOLE_PPM, Reputation, bound_ppm, check_rate_ppm, doubts_ppm
from swarm_ray.core.retry import RETRYABLE

LEANING_PPM = 100_000
"""Doubt up to which several agreeing answers are taken while the swarm still works; what the target
allows is asked when it ends, for by then more is known about the hosts."""

BROKEN = "rule"
"""In place of a status: the answer is an output that does not satisfy a rule of the swarm."""
_GENERATION = re.compile(r"(.+-[0-9a-f]{8})-\d+\.\d+", re.ASCII)
Kind = Literal["accept", "failed", "default", "ask", "disagreed", "more"]


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows for an item; `vote` is the answer that is taken, or the agreed failure."""

    kind: Kind
    vote: Vote | None = None


MORE = Decision("more")


@dataclass(slots=True)
class Panel:
    """Votes of the items of one swarm.

    `sole` names per host the items that rest on its word alone, `pairs` the items whose word was
    voided by a later failure of its host, `judged` how many votes of an item the reputations know.
    """

    rule: Redundancy
    items: int
    secret: str
    domains: int
    votes: dict[int, list[Vote]] = field(default_factory=dict)
    misses: dict[int, int] = field(default_factory=dict)
    sole: dict[str, dict[int, None]] = field(default_factory=dict)
    pairs: dict[int, None] = field(default_factory=dict)
    judged: dict[int, int] = field(default_factory=dict)
    doubted: dict[int, None] = field(default_factory=dict)
    reputation: Reputation = field(init=False)

    def __post_init__(self) -> None:
        self.reputation = Reputation(self.rule.liars_ppm)

    @property
    def most(self) -> int:
        """Copies of an item before a tiebreak; 0 domains are as many as are needed."""
        return min(self.rule.copies, self.domains or self.rule.copies)

    @property
    def check_ppm(self) -> int:
        """Share of the answers on one host's word that are checked; it grows with the hosts."""
        hosts = max(1, len(self.sole))
        return check_rate_ppm(self.rule.liars_ppm, hosts, self.items, self.rule.target_ppm)

    @property
    def bound_ppm(self) -> int:
        """Bound on the expected share of wrong results, see `core.reputation`."""
        sole = bound_ppm(self.rule.liars_ppm, len(self.sole), self.items, self.check_ppm)
        return sole + self._shared_ppm

    @property
    def _shared_ppm(self) -> int:
        return self.rule.target_ppm * (FULL_PPM - SOLE_PPM) // FULL_PPM

    def copies(self, item: int) -> int:
        """Return how many copies of an item should run at once now."""
        if self.rule.target_ppm:
            return 1
        votes = self.votes.get(item, [])
        return missing(votes, self.rule.agree, self.most)

    def barred(self, item: int) -> list[str]:
        """Return the trust domains that have answered for an item."""
        return [vote.domain for vote in self.votes.get(item, ())]

    def outcast(self, host: str, domain: str) -> bool:
        """Say whether a host should be given nothing while there are others."""
        return bool(self.rule.target_ppm) and self.reputation.outcast(machine_of(host), domain)

    # -- votes ------------------------------------------------------------------------------

    def vote(self, row: Row, host: str, domain: str) -> bool:
        """Count a copy's answer; False for a row that is none and may be tried again."""
        if row.status in RETRYABLE or row.status == "cancelled":
            return False
        words = self.rule.agree.rule in ("exact", "custom")
        failed = BROKEN if row.rule else "" if row.status == "ok" else row.status
        answer = row.code if failed else str(row.alike) if words else row.label
        weight_ppm = row.confidence_ppm or FULL_PPM
        host = machine_of(host)
        cast = Vote(row.attempt, host, domain, answer, row.output, weight_ppm, failed, row.label)
        self.votes.setdefault(row.item, []).append(cast)
        self.misses.pop(row.item, None)
        return True

    def missed(self, item: int) -> int:
        """Count a copy that ended without an answer; returns how many did so in a row."""
        self.misses[item] = self.misses.get(item, 0) + 1
        return self.misses[item]

    def clear(self, item: int) -> None:
        """Forget what was voted about an item: somebody wants it anew."""
        for known in (self.votes, self.misses, self.judged, self.pairs, self.doubted):
            known.pop(item, None)
        for items in self.sole.values():
            items.pop(item, None)

    def spent(self, item: int) -> bool:
        """Say whether every domain has voted about an item."""
        return bool(self.domains) and len(distinct(self.votes.get(item, ()))) >= self.domains

    def decide(self, item: int) -> Decision:
        """Judge an item after a vote."""
        votes = distinct(self.votes.get(item, ()))
        if self.rule.target_ppm:
            decision = self._adaptive(item, votes)
            if decision.kind != "more" or len(votes) < self.most:
                return decision
        found = verdict(votes, self.rule.agree, self.most)
        if found.group is not None:
            return self._taken(item, found.group)
        return MORE if found.kind == "open" else self._tied(item, votes)

    def _tied(self, item: int, votes: list[Vote]) -> Decision:
        if self.rule.tiebreak == "human":
            return Decision("ask")
        if self.rule.tiebreak == "conservative":
            return Decision("default")
        if len(votes) <= self.most and not self.spent(item):
            return MORE
        group = plurality(votes, self.rule.agree)
        return Decision("disagreed") if group is None else self._taken(item, group)

    def _adaptive(self, item: int, votes: list[Vote]) -> Decision:
        if len(votes) == 1:
            return self._alone(item, votes[0])
        group, doubt_ppm = self._best(votes)
        if doubt_ppm > LEANING_PPM or (len(group.votes) < 2 and len(votes) < self.most):
            return MORE
        return self._taken(item, group)

    def _alone(self, item: int, vote: Vote) -> Decision:
        trusted = self.reputation.trusted(vote.host, vote.domain)
        if vote.failed or not trusted or item in self.pairs or self._drawn(item):
            return MORE
        self.sole.setdefault(vote.host, {})[item] = None
        return Decision("accept", vote)

    def _best(self, votes: list[Vote]) -> tuple[Group, int]:
        """Return the most credible class of answers and its doubt in ppm."""
        groups = grouped(votes, self.rule.agree)
        errors = [
            [self.reputation.error_ppm(vote.host, vote.domain) for vote in group.votes]
            for group in groups
        ]
        doubts = doubts_ppm(errors)
        best = min(range(len(groups)), key=lambda at: doubts[at])
        return groups[best], doubts[best]

    def _drawn(self, item: int) -> bool:
        """Say whether a single answer is checked: by a hash over what no host is told."""
        draw = sha256(f"{self.secret}/{item}".encode()).digest()
        return int.from_bytes(draw[:8]) % FULL_PPM < self.check_ppm

    # -- reputation -------------------------------------------------------------------------

    def _taken(self, item: int, group: Group) -> Decision:
        for vote in self.votes[item][self.judged.get(item, 0) :]:
            right = vote in group.votes
            self.reputation.observe(vote.host, vote.domain, right=right)
            if not right:
                self._void(vote.host)
        self.judged[item] = len(self.votes[item])
        for vote in self.votes[item]:
            self.sole.get(vote.host, {}).pop(item, None)
        return Decision("failed" if group.chosen.failed else "accept", group.chosen)

    def _void(self, host: str) -> None:
        """A host failed: what rests on its word alone is to be done again elsewhere."""
        for item in self.sole.get(host, {}):
            self.pairs[item] = self.doubted[item] = None
        self.sole[host] = {}

    def take_doubts(self) -> list[int]:
        """Return, once, the items whose accepted answer must not stand any more."""
        found = list(self.doubted)
        self.doubted.clear()
        return found

    def audit(self) -> list[int]:
        """Return the items that are not certain enough to converge, as things are known now."""
        if not self.rule.target_ppm:
            return []
        for held in self.sole.values():
            self.doubted.update((item, None) for item in held if self._drawn(item))
        for item, cast in self.votes.items():
            votes = distinct(cast)
            if 1 < len(votes) < self.most and self._best(votes)[1] > self._shared_ppm:
                self.doubted[item] = None
        found = self.take_doubts()
        for item in found:
            self.pairs[item] = None
        return found

    def uncertain(self) -> list[int]:
        """Return the items that used up their copies and are less certain than the target asks."""
        return [
            item
            for item, cast in self.votes.items()
            if self.rule.target_ppm
            and len(votes := distinct(cast)) >= self.most
            and self._best(votes)[1] > self._shared_ppm
        ]

    def question(self, item: int) -> Question | None:
        """Return what a person is asked about an item whose copies disagree, None if they do not."""
        groups = grouped(distinct(self.votes.get(item, ())), self.rule.agree)
        answers = [f"attempt {one.chosen.attempt}" for one in groups if not one.chosen.failed]
        if len(groups) < 2:
            return None
        return Question(
            "The copies of an item disagree. Which answer counts?",
            (*answers, "retry", "skip", "abort"),
            "skip",
        )

    def named(self, item: int, choice: str) -> Vote | None:
        """Return the answer that a person chose by the word of `question`, None for another word;
        the hosts that answered otherwise were wrong."""
        for group in grouped(distinct(self.votes.get(item, ())), self.rule.agree):
            if f"attempt {group.chosen.attempt}" == choice:
                return self._taken(item, group).vote
        return None


def panel_of(rule: Redundancy | None, opened: SwarmOpened) -> Panel | None:
    """Return the panel of a swarm; None for one whose items are done once."""
    if rule is None or opened.kind != "fan_out":
        return None
    return Panel(rule, opened.items, opened.manifest, opened.domains)


def machine_of(host: str) -> str:
    """Return the name under which a host earns standing: that of its node, without the number of
    the process that serves there now. A host that is started anew begins with what is known of it.
    """
    found = _GENERATION.fullmatch(host)
    return found[1] if found else host
