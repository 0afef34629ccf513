"""Times that look as if they were in another unit when one stands beside the other."""

from collections.abc import Iterator

from swarm_placement.errors import UnitWarning
from swarm_placement.model import Instance
from swarm_placement.validation.limits import LONGEST_S, MOST, SHORTEST_S

LONG = 10_000.0
"""A deadline so many times the longest work is unusual, if it is more than a day away too."""
DAY_S = 86_400.0
SECOND_MS = 1_000.0
"""Work of less is hardly meant in milliseconds."""
LATE = 0.8
"""The share of the time until the deadline that starting a site usually stays below."""
HINT = "Remedy: Give all times in seconds; a millisecond is 0.001."


def unusual(instance: Instance) -> Iterator[UnitWarning]:
    """Yield a warning for the first class whose work is longer than its deadline, for deadlines far
    beyond all work, and for the first site that starts when nearly all time has passed. Numbers that
    are refused anyway are compared with nothing."""
    work = [
        (one.work_s, number)
        for number, one in enumerate(instance.classes)
        if not one.kind and SHORTEST_S <= one.work_s <= LONGEST_S
    ]
    last_s = instance.swarm.deadline_s
    if work:
        longest_s = max(work)[0]
        yield from _deadlines(instance, max(LONG * longest_s, DAY_S), longest_s)
    if not _is_time(last_s):
        return
    for work_s, number in work:
        due_s = min(last_s, instance.classes[number].deadline_s or last_s)
        if work_s > due_s > 0 and work_s >= SECOND_MS and _fastest(instance) * due_s < work_s:
            yield _warning(f"classes[{number}].work_s", work_s, f"a deadline in {due_s:,.12g} s")
            break
    for number, site in enumerate(instance.sites):
        if LATE * last_s < site.boot_s <= MOST:
            yield _warning(
                f"sites[{number}].boot_s", site.boot_s, f"a deadline in {last_s:,.12g} s"
            )
            break


def _deadlines(instance: Instance, most_s: float, longest_s: float) -> Iterator[UnitWarning]:
    """Yield a warning for the swarm's deadline, or else the first of a class, if it is too far."""
    due = [("swarm.deadline_s", instance.swarm.deadline_s)]
    due += [
        (f"classes[{number}].deadline_s", one.deadline_s)
        for number, one in enumerate(instance.classes)
        if one.deadline_s is not None
    ]
    far = next(((path, due_s) for path, due_s in due if _is_time(due_s) and due_s > most_s), None)
    if far is not None:
        yield _warning(*far, f"work of at most {longest_s:,.12g} s")


def _is_time(seconds: float) -> bool:
    """Say whether a deadline is one; NaN is not."""
    return 0 < seconds <= MOST


def _fastest(instance: Instance) -> float:
    return max(
        (site.speed * offer.speed for site in instance.sites for offer in site.offers), default=1.0
    )


def _warning(path: str, value: float, beside: str) -> UnitWarning:
    return UnitWarning(f"{path}: {value:,.12g} looks like milliseconds beside {beside}. {HINT}")
