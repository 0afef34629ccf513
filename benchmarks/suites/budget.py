"""Budget overshoot with 64 model calls at once, counted at a scripted endpoint: it must be 0.

Without Ray: a coordinator and four hosts with 16 sandboxed workers each, in one process. The budget pays for about a
third of the items. The second figure loses one answer in ten after its tokens were spent.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure, median

COUNT, QUICK_COUNT = 2_000, 300
TOKENS_PER_ITEM = 160
CONCURRENCY = 64


def run(*, quick: bool) -> list[Figure]:
    """Spend a budget with a faithful endpoint and with one that loses answers."""
    count, times = (QUICK_COUNT, 1) if quick else (COUNT, 3)
    budget = count * TOKENS_PER_ITEM // 3
    found = []
    for what, lost in (("every answer arrives", 0), ("one answer in ten is lost", 100)):
        rounds = [
            measure(
                "benchmarks.probes.spending",
                count=count,
                budget=budget,
                concurrency=CONCURRENCY,
                lost_per_mille=lost,
            )
            for _ in range(times)
        ]
        over = [float(max(0, one["spent"] - budget)) for one in rounds]
        used = [one["spent"] / budget * 100 for one in rounds]
        at_once = max(one["at_once"] for one in rounds)
        found += [
            Figure(
                f"tokens spent beyond a budget of {budget}; {what}",
                max(over),
                "tokens",
                0,
                samples=over,
                note=f"{rounds[0]['calls']} calls, at most {at_once} at once; "
                f"charged {rounds[0]['charged']} of {rounds[0]['spent']} spent",
            ),
            Figure("share of the budget that was used", median(used), "%", samples=used),
        ]
    return found
