"""Laws of agreement: classes of numbers, and verdicts that no missing copy can change."""

from fractions import Fraction
from itertools import combinations, product

from hypothesis import given, settings
from hypothesis import strategies as st

from swarm_ray.core.agreement import Vote, grouped, missing, verdict
from swarm_ray.core.plan import FULL_PPM, Agree

NUMBERS = st.lists(st.decimals(-50, 50, places=2, allow_nan=False).map(str), min_size=1, max_size=9)
RULES = st.builds(
    Agree,
    st.just("numeric"),
    st.integers(0, 3 * FULL_PPM),
    st.integers(0, FULL_PPM // 5),
)
WEIGHTS = st.integers(1, 4).map(lambda quarter: quarter * FULL_PPM // 4)
BALLOTS = st.lists(st.tuples(st.sampled_from("abc"), WEIGHTS), max_size=4)


def cast(answers: list[str], weights: list[int] | None = None) -> list[Vote]:
    given_ = weights or [FULL_PPM] * len(answers)
    return [
        Vote(at + 1, f"h{at}", f"d{at}", answer, weight_ppm=weight)
        for at, (answer, weight) in enumerate(zip(answers, given_, strict=True))
    ]


def near(one: str, other: str, rule: Agree) -> bool:
    low, high = sorted((Fraction(one), Fraction(other)))
    within = (high - low) * FULL_PPM <= rule.absolute_millionths
    return within or (high - low) * FULL_PPM <= max(abs(low), abs(high)) * rule.relative_ppm


@given(NUMBERS, RULES)
def test_every_number_is_in_one_class_and_any_two_of_a_class_are_equal(answers, rule):
    groups = grouped(cast(answers), rule)
    members = [vote for group in groups for vote in group.votes]
    assert sorted(vote.attempt for vote in members) == list(range(1, len(answers) + 1))
    for group in groups:
        assert group.chosen in group.votes
        for one, other in combinations(group.votes, 2):
            assert near(one.answer, other.answer, rule)


@given(NUMBERS, RULES, st.randoms(use_true_random=False))
def test_the_order_of_arrival_changes_no_class(answers, rule, random):
    shuffled = list(answers)
    random.shuffle(shuffled)
    one, other = (
        sorted(sorted(vote.answer for vote in group.votes) for group in grouped(cast(some), rule))
        for some in (answers, shuffled)
    )
    assert one == other


@given(NUMBERS)
def test_without_tolerance_equal_numbers_are_equal_and_no_others(answers):
    groups = grouped(cast(answers), Agree("numeric"))
    assert len(groups) == len({Fraction(answer) for answer in answers})


@settings(max_examples=40)
@given(BALLOTS, st.integers(1, 4))
def test_a_verdict_holds_however_the_missing_copies_answer(ballots, copies):
    ballots = ballots[:copies]
    answers, weights = [one for one, _ in ballots], [weight for _, weight in ballots]
    found = verdict(cast(answers, weights), Agree("label"), copies)
    endings = list(product("abcd", repeat=copies - len(ballots)))
    for ending in endings:
        full = cast([*answers, *ending], [*weights, *[FULL_PPM] * len(ending)])
        last = verdict(full, Agree("label"), copies)
        if found.kind == "agreed":
            assert last.group is not None
            assert last.group.chosen.answer == found.group.chosen.answer
        if found.kind == "disagreed":
            assert last.kind == "disagreed"
    if found.kind == "open" and len(ballots) < copies:
        kinds = {
            verdict(
                cast([*answers, *end], [*weights, *[FULL_PPM] * len(end)]), Agree("label"), copies
            ).kind
            for end in endings
        }
        assert "agreed" in kinds  # what is open can still be won


@settings(max_examples=40)
@given(BALLOTS, st.integers(1, 4))
def test_fewer_copies_than_are_asked_for_could_not_decide(ballots, copies):
    ballots = ballots[: copies - 1]
    answers, weights = [one for one, _ in ballots], [weight for _, weight in ballots]
    rule = Agree("label")
    if verdict(cast(answers, weights), rule, copies).kind != "open":
        return
    more = missing(cast(answers, weights), rule, copies)
    for fewer in range(1, more):
        for ending in product("abcd", repeat=fewer):
            full = cast([*answers, *ending], [*weights, *[FULL_PPM] * fewer])
            assert verdict(full, rule, copies).kind != "agreed"
