"""Which answers are equal, and when a vote about one item is decided."""

import pytest

from swarm_ray.core.agreement import Vote, distinct, grouped, missing, plurality, verdict
from swarm_ray.core.plan import FULL_PPM, Agree

LABEL = Agree("label")


def votes(*answers: str, weights: dict[int, int] | None = None) -> list[Vote]:
    """Return one vote per domain; "!code" is a failure."""
    return [
        Vote(
            at + 1,
            f"host-{at}",
            f"domain-{at}",
            answer.removeprefix("!"),
            weight_ppm=(weights or {}).get(at, FULL_PPM),
            failed="input" if answer.startswith("!") else "",
        )
        for at, answer in enumerate(answers)
    ]


def classes(answers: list[str], rule: Agree) -> list[list[str]]:
    return [[vote.answer for vote in group.votes] for group in grouped(votes(*answers), rule)]


@pytest.mark.parametrize(
    ("answers", "copies", "kind", "winner"),
    [
        ((), 3, "open", None),
        (("a",), 3, "open", None),
        (("a", "a"), 3, "agreed", "a"),
        (("a", "b"), 3, "open", None),
        (("a", "b", "b"), 3, "agreed", "b"),
        (("a", "b", "c"), 3, "disagreed", None),
        (("a", "b"), 2, "disagreed", None),
        (("a", "a"), 2, "agreed", "a"),
        (("a",), 1, "agreed", "a"),
        (("a", "b", "c"), 5, "open", None),
        (("a", "b", "c", "d"), 5, "disagreed", None),  # no class can reach three any more
        (("a", "a", "b", "c", "d"), 5, "disagreed", None),  # more than half, not most
        (("a", "!worker.died", "!worker.died"), 3, "agreed", "worker.died"),
    ],
)
def test_a_vote_ends_as_soon_as_it_is_certain(answers, copies, kind, winner):
    found = verdict(votes(*answers), LABEL, copies)
    assert found.kind == kind
    assert (found.group.chosen.answer if found.group else None) == winner


def test_an_answer_that_reads_like_a_failure_is_not_one():
    assert len(grouped(votes("worker.died", "!worker.died"), LABEL)) == 2


def test_a_confident_copy_keeps_hesitant_ones_from_winning_and_never_wins_against_more():
    unsure = votes("a", "a", "b", weights={0: 300_000, 1: 300_000})
    assert verdict(unsure[:2], LABEL, 3).kind == "open"  # the third may weigh more
    assert verdict(unsure, LABEL, 3).kind == "disagreed"
    assert plurality(unsure, LABEL).chosen.answer == "a"


def test_confidence_decides_no_tie():
    assert plurality(votes("a", "b", weights={0: 300_000}), LABEL) is None


def test_only_the_first_vote_of_a_domain_counts():
    crowd = [Vote(n, f"host-{n}", "one organisation", "wrong") for n in range(1, 6)]
    honest = [Vote(6, "host-6", "a", "right"), Vote(7, "host-7", "b", "right")]
    assert distinct(crowd + honest) == [crowd[0], *honest]
    assert verdict(crowd + honest, LABEL, 3).group.chosen.answer == "right"


def test_in_a_tiebreak_the_heaviest_class_wins_unless_two_are_as_heavy():
    assert plurality(votes("a", "b", "c", "a"), LABEL).chosen.answer == "a"
    assert plurality(votes("a", "b"), LABEL) is None
    assert plurality([], LABEL) is None
    heavier = votes("a", "a", "b", weights={0: 500_000, 1: 500_000})
    assert plurality(heavier, LABEL).chosen.answer == "a"  # as heavy, and more of them


@pytest.mark.parametrize(
    ("answers", "copies", "count"),
    [((), 3, 2), (("a",), 3, 1), (("a", "b"), 3, 1), ((), 2, 2), ((), 5, 3), (("a", "b"), 5, 2)],
)
def test_as_many_copies_run_at_once_as_could_decide(answers, copies, count):
    assert missing(votes(*answers), LABEL, copies) == count


def test_numbers_are_equal_within_an_absolute_tolerance():
    rule = Agree("numeric", absolute_millionths=100_000)
    assert classes(["1.0", "1.1", "2.0"], rule) == [["1.0", "1.1"], ["2.0"]]
    assert classes(["1.0", "1.1000001"], rule) == [["1.0"], ["1.1000001"]]


def test_numbers_are_equal_within_a_share_of_the_greater():
    rule = Agree("numeric", relative_ppm=10_000)
    assert classes(["100", "99", "98"], rule) == [["100", "99"], ["98"]]
    assert classes(["-100", "-99"], rule) == [["-100", "-99"]]
    assert classes(["0", "0.0000001"], rule) == [["0"], ["0.0000001"]]


def test_a_chain_of_near_numbers_is_cut_at_the_median():
    rule = Agree("numeric", absolute_millionths=1_000_000)
    # Each is within 1 of the next, the outer two are not: the median keeps its nearer neighbour.
    assert classes(["10", "10.9", "11.7"], rule) == [["10"], ["10.9", "11.7"]]
    assert classes(["10", "11", "12"], rule) == [["10", "11"], ["12"]]  # as near: the smaller


def test_the_lower_median_of_a_class_of_numbers_is_taken():
    rule = Agree("numeric", absolute_millionths=1_000_000)
    [group] = grouped(votes("5.2", "5.0", "5.1"), rule)
    assert group.chosen.answer == "5.1"
    [pair] = grouped(votes("5.1", "5.0"), rule)
    assert pair.chosen.answer == "5.0"


@pytest.mark.parametrize("word", ["NaN", "Infinity", "1e9999", "9" * 41, "1/3", "", "٣", "0x10"])
def test_what_is_no_plain_number_is_a_word_of_its_own(word):
    rule = Agree("numeric", absolute_millionths=FULL_PPM)
    assert classes([word, "1", word, "1.5"], rule) == [[word, word], ["1", "1.5"]]


def test_numbers_are_compared_exactly():
    rule = Agree("numeric", absolute_millionths=100_000)
    # As binary fractions these differ by a little more than a tenth.
    assert 0.8 - 0.7 > 0.1 - 1e-17
    assert classes(["0.7", "0.8"], rule) == [["0.7", "0.8"]]
    assert classes(["1e-3", "0.001"], Agree("numeric", relative_ppm=1)) == [["1e-3", "0.001"]]
