"""Which of the workers' answers a vote takes.

Decides from labels and confidences in the log, never from outputs. The winner is the label with
the greatest sum of confidences; answers without confidence weigh one each. A tie goes to the
label that more workers gave; if that ties as well, nobody won.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from swarm_ray.core.plan import FULL_PPM


@dataclass(frozen=True, slots=True)
class Tally:
    """Result of a vote: the winning label ("" if tied), the first item that gave it, and the
    weight in ppm and number of votes per label, heaviest first."""

    label: str
    item: int
    weights: tuple[tuple[str, int, int], ...]


def tally(votes: Iterable[tuple[int, str, int]]) -> Tally:
    """Count (item, label, confidence in ppm) votes given in input order."""
    weight: dict[str, int] = {}
    count: dict[str, int] = {}
    first: dict[str, int] = {}
    for item, label, confidence_ppm in votes:
        weight[label] = weight.get(label, 0) + (confidence_ppm or FULL_PPM)
        count[label] = count.get(label, 0) + 1
        first.setdefault(label, item)
    ranked = sorted(weight, key=lambda label: (-weight[label], -count[label], label))
    weights = tuple((label, weight[label], count[label]) for label in ranked)
    if not ranked or (len(ranked) > 1 and weights[0][1:] == weights[1][1:]):
        return Tally("", -1, weights)
    return Tally(ranked[0], first[ranked[0]], weights)
