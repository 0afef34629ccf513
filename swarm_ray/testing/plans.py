"""Plans that exercise every machine: strategies, limits, reactions, people, effects.

Decides nothing; the simulated world, the golden histories and the benchmarks play them. Each
comes with the size of the world that suits it.
"""

from dataclasses import dataclass, replace

from swarm_ray.core.plan import (
    Agree,
    Budget,
    Clause,
    Convergence,
    Effect,
    FanOut,
    Plan,
    Question,
    Redundancy,
    Retry,
    Step,
)

HALF_PPM = 500_000
SECOND_US = 1_000_000
SLICE = 100
EAGER = Retry(initial_interval_us=20_000, max_interval_us=200_000)


@dataclass(frozen=True, slots=True)
class Scene:
    """A plan with the number of items per fan-out, the slice of an attempt, how often the run is
    resumed when it did not end well, and over how many sites its hosts are spread; `liars` are the
    sites whose hosts lie, None where there is no right answer.
    """

    plan: Plan
    items: int = 20
    slice_tokens: int = 0
    resumes: int = 0
    sites: int = 1
    liars: tuple[str, ...] | None = None


def fan_out(
    convergence: Convergence | None = None,
    *,
    concurrency: int = 8,
    deadline_us: int = 0,
    budget: Budget | None = None,
) -> FanOut:
    """Return a fan-out over `items` that tolerates that half of them fail."""
    rule = convergence or Convergence(min_success_ppm=HALF_PPM)
    return FanOut(
        "items",
        "work",
        concurrency,
        rule,
        EAGER,
        deadline_us=deadline_us,
        budget=budget or Budget(),
        slice=Budget(tokens=SLICE if budget else 0),
    )


def _plan(name: str, *steps: Step, deadline_us: int = 0, budget: Budget | None = None) -> Plan:
    return Plan(name, 1, steps, deadline_us=deadline_us, budget=budget or Budget())


def _swarm(convergence: Convergence, *clauses: Clause) -> Step:
    return Step("work", output="results", fan_out=fan_out(convergence), on_error=clauses)


ALL_CLAUSES = (
    Clause("retry", min_success_ppm=HALF_PPM),
    Clause("sequential", max_times=2),
    Clause("proceed", task="judge", min_success_ppm=HALF_PPM),
    Clause("escalate", max_times=2),
)

SCENES: dict[str, Scene] = {
    "collect": Scene(_plan("collect", _swarm(Convergence(min_success_ppm=HALF_PPM)))),
    "many rounds": Scene(
        _plan("rounds", Step("work", output="results", fan_out=fan_out(concurrency=5))), items=90
    ),
    "vote": Scene(_plan("vote", _swarm(Convergence("vote", min_success_count=5))), items=9),
    "merge": Scene(
        _plan("merge", _swarm(Convergence("merge", "join", min_success_ppm=HALF_PPM))), items=12
    ),
    "reduce": Scene(
        _plan(
            "reduce",
            _swarm(Convergence("reduce", "sum", failure_action="skip", min_success_count=1)),
        )
    ),
    "custom": Scene(
        _plan("custom", _swarm(Convergence("custom", "weigh", failure_action="abort"))),
        items=10,
        resumes=3,
    ),
    "quorum": Scene(_plan("quorum", _swarm(Convergence(quorum=7)))),
    "review": Scene(
        _plan("review", _swarm(Convergence(failure_action="review", min_success_ppm=HALF_PPM)))
    ),
    "clauses": Scene(_plan("clauses", _swarm(Convergence(), *ALL_CLAUSES)), resumes=1),
    "refusals": Scene(
        _plan(
            "refusals",
            _swarm(Convergence("vote", min_success_ppm=HALF_PPM), *ALL_CLAUSES),
        ),
        items=6,
    ),
    "deadline": Scene(
        _plan(
            "deadline",
            Step("work", output="results", fan_out=fan_out(deadline_us=SECOND_US // 2)),
            deadline_us=2 * SECOND_US,
        ),
        items=60,
        resumes=2,
    ),
    "budget": Scene(
        _plan(
            "budget",
            Step("work", output="results", fan_out=fan_out(budget=Budget(tokens=12 * SLICE))),
            budget=Budget(tokens=15 * SLICE),
        ),
        items=40,
        slice_tokens=SLICE,
        resumes=1,
    ),
    "question": Scene(
        _plan(
            "question",
            Step("before", output="draft", task="write", retry=EAGER),
            Step(
                "approve",
                output="verdict",
                question=Question("Go on?", ("yes", "no"), "no", SECOND_US, holds_deadline=True),
            ),
            Step("publish", effect=Effect("files.publish", "{}")),
            deadline_us=3 * SECOND_US,
        ),
        resumes=2,
    ),
    "three fan-outs": Scene(
        _plan(
            "three",
            Step("one", output="a", fan_out=fan_out(concurrency=3)),
            Step("two", output="b", fan_out=fan_out(Convergence("merge", "join", HALF_PPM))),
            Step("three", output="c", fan_out=fan_out(Convergence(quorum=3)), on_error=ALL_CLAUSES),
        ),
        items=8,
        resumes=1,
    ),
}


def _copies(name: str, rule: Redundancy, convergence: Convergence | None = None) -> Plan:
    spec = replace(fan_out(convergence or Convergence()), redundancy=rule)
    return _plan(name, Step("work", output="results", fan_out=spec))


MAJORITY = Redundancy(3, "organisation", Agree("label"))

COPIED: dict[str, Scene] = {
    "copies": Scene(_copies("copies", MAJORITY), items=12, resumes=4, sites=3, liars=("site-1",)),
    "copies to a person": Scene(
        _copies(
            "asked",
            replace(MAJORITY, copies=2, tiebreak="human"),
            Convergence(min_success_count=1, failure_action="skip"),
        ),
        items=8,
        resumes=2,
        sites=3,
        liars=("site-1",),
    ),
    "copies by default": Scene(
        _copies("default", replace(MAJORITY, copies=2, tiebreak="conservative")),
        items=8,
        resumes=4,
        sites=3,
        liars=("site-2",),
    ),
    "copies by reputation": Scene(
        _copies("adaptive", replace(MAJORITY, target_ppm=100_000)),
        items=40,
        resumes=4,
        sites=4,
        liars=("site-2",),
    ),
}
"""Items with copies, over sites that are organisations of their own, one of which lies."""
