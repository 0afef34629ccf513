"""Which answers to one item are equal, and whether they decide it.

Decides from the answers in the log alone: a class id, a label or a number, never from outputs. An
answer is also a failure that trying again would not cure, so that one host alone cannot fail an
item. Of each trust domain only the first answer counts: colluders inside one gain nothing.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from swarm_ray.core.plan import FULL_PPM, Agree

_NUMBER = re.compile(r"-?\d{1,40}(\.\d{1,40})?([eE][+-]?\d{1,3})?", re.ASCII)
"""Small enough to be computed with exactly; anything else is a word."""


@dataclass(frozen=True, slots=True)
class Vote:
    """What one copy of an item answered: `answer` is compared, `output` (a commitment) and `label`
    are taken if it wins. `failed` is the status of a copy that has no output, "" for a result."""

    attempt: int
    host: str
    domain: str
    answer: str
    output: str = ""
    weight_ppm: int = FULL_PPM
    failed: str = ""
    label: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """Equal answers to one item, in the order of arrival; `chosen` is the one that is taken."""

    votes: tuple[Vote, ...]
    chosen: Vote

    @property
    def weight_ppm(self) -> int:
        """Sum of the confidences."""
        return sum(vote.weight_ppm for vote in self.votes)


Kind = Literal["agreed", "open", "disagreed"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """State of a vote: who won, whether more copies could still decide it, or that none can."""

    kind: Kind
    group: Group | None = None


def distinct(votes: Sequence[Vote]) -> list[Vote]:
    """Return the first vote of each trust domain, in the order of arrival."""
    first: dict[str, Vote] = {}
    for vote in votes:
        first.setdefault(vote.domain, vote)
    return list(first.values())


def grouped(votes: Sequence[Vote], rule: Agree) -> list[Group]:
    """Return the classes of equal answers, in the order of their first vote.

    Words are equal if they are the same. Numbers, whose tolerance is not transitive, are put into
    classes as `_clusters` says; of a class of numbers the lower median is taken, of any other the
    first answer.
    """
    words: dict[tuple[str, str], list[Vote]] = {}
    numbers: list[tuple[Fraction, int]] = []
    for at, vote in enumerate(votes):
        value = _number(vote) if rule.rule == "numeric" else None
        if value is None:
            words.setdefault((vote.failed, vote.answer), []).append(vote)
        else:
            numbers.append((value, at))
    found = [Group(tuple(alike), alike[0]) for alike in words.values()]
    for cluster in _clusters(sorted(numbers), rule):
        members = tuple(votes[at] for at in sorted(at for _, at in cluster))
        found.append(Group(members, votes[cluster[(len(cluster) - 1) // 2][1]]))
    return sorted(found, key=lambda group: votes.index(group.votes[0]))


def verdict(votes: Sequence[Vote], rule: Agree, copies: int) -> Verdict:
    """Judge the votes of one item of which `copies` domains may vote at most.

    A class wins when it has more domains than all others together, and more weight, however the
    missing copies answer (each weighs one at most); nobody wins any more when no class could do so
    with all of them. A confidence is its worker's own claim: it can keep the others from winning,
    never win against more of them.
    """
    groups = grouped(distinct(votes), rule)
    left = max(0, copies - sum(len(group.votes) for group in groups))
    lead, lead_ppm = _lead(groups)
    if lead > left and lead_ppm > left * FULL_PPM:
        return Verdict("agreed", max(groups, key=_rank))
    decidable = lead + left > 0 and lead_ppm + left * FULL_PPM > 0
    return Verdict("open" if decidable else "disagreed")


def plurality(votes: Sequence[Vote], rule: Agree) -> Group | None:
    """Return the class of most domains, as a tiebreak with one copy more takes it; none if two
    have as many, whatever confidence they claim."""
    ranked = sorted(grouped(distinct(votes), rule), key=_rank, reverse=True)
    if not ranked or (len(ranked) > 1 and len(ranked[0].votes) == len(ranked[1].votes)):
        return None
    return ranked[0]


def missing(votes: Sequence[Vote], rule: Agree, copies: int) -> int:
    """Return the least number of further copies that could decide an item, at least 1.

    That many run at once: fewer could not end the vote, more might be wasted.
    """
    groups = grouped(distinct(votes), rule)
    left = copies - sum(len(group.votes) for group in groups)
    lead, lead_ppm = _lead(groups)
    for more in range(1, left):
        rest = left - more
        if lead + more > rest and lead_ppm + more * FULL_PPM > rest * FULL_PPM:
            return more
    return max(1, left)


def _lead(groups: Sequence[Group]) -> tuple[int, int]:
    """Return by how many domains, and by how much weight, the first class is ahead of all others
    together."""
    best = max(groups, key=_rank, default=None)
    if best is None:
        return 0, 0
    votes = sum(len(group.votes) for group in groups)
    weight_ppm = sum(group.weight_ppm for group in groups)
    return 2 * len(best.votes) - votes, 2 * best.weight_ppm - weight_ppm


def _rank(group: Group) -> tuple[int, int]:
    return len(group.votes), group.weight_ppm


def _number(vote: Vote) -> Fraction | None:
    if vote.failed or not _NUMBER.fullmatch(vote.answer):
        return None
    return Fraction(vote.answer)


def _clusters(
    ordered: Sequence[tuple[Fraction, int]], rule: Agree
) -> list[list[tuple[Fraction, int]]]:
    """Cut sorted (number, position) pairs into classes of which any two members are equal within
    the tolerance (complete linkage).

    A class starts at the lower median and takes the nearer neighbour, of two as near the smaller,
    as long as one fits; what is left on either side is cut in the same way.
    """
    if not ordered:
        return []
    low = high = (len(ordered) - 1) // 2
    while (grown := _grown(ordered, low, high, rule)) is not None:
        low, high = grown
    return [
        *_clusters(ordered[:low], rule),
        list(ordered[low : high + 1]),
        *_clusters(ordered[high + 1 :], rule),
    ]


def _grown(
    ordered: Sequence[tuple[Fraction, int]], low: int, high: int, rule: Agree
) -> tuple[int, int] | None:
    sides: list[tuple[Fraction, int, tuple[int, int]]] = []
    if low > 0:
        sides.append((ordered[low][0] - ordered[low - 1][0], 0, (low - 1, high)))
    if high + 1 < len(ordered):
        sides.append((ordered[high + 1][0] - ordered[high][0], 1, (low, high + 1)))
    for _, _, (first, last) in sorted(sides):
        if _equal(ordered[first][0], ordered[last][0], rule):
            return first, last
    return None


def _equal(low: Fraction, high: Fraction, rule: Agree) -> bool:
    """Say whether two numbers differ by the absolute tolerance, or by the relative one of the
    greater magnitude, at most."""
    millionths = (high - low) * FULL_PPM
    greater = max(abs(low), abs(high))
    return millionths <= rule.absolute_millionths or millionths <= greater * rule.relative_ppm
