"""What the words of hosts are worth: estimates, credibility of groups, and the stated bound."""

from fractions import Fraction
from itertools import product
from math import e

import pytest

from swarm_ray.core.plan import FULL_PPM
from swarm_ray.core.reputation import (
    FADE_PPM,
    TRUSTED_PPM,
    Record,
    Reputation,
    bound_ppm,
    check_rate_ppm,
    doubts_ppm,
    kept_ppm,
)

FIFTH = 200_000


def seen(right: int, wrong: int = 0, *, host: str = "h", domain: str = "d") -> Reputation:
    found = Reputation(FIFTH)
    for _ in range(right):
        found.observe(host, domain, right=True)
    for _ in range(wrong):
        found.observe(host, domain, right=False)
    return found


def test_a_host_that_nobody_knows_is_as_likely_a_liar_as_any():
    assert Reputation(FIFTH).error_ppm("h", "d") == FIFTH
    assert not Reputation(FIFTH).trusted("h", "d")


def test_four_agreements_earn_trust_and_one_failure_ends_it_for_long():
    assert not seen(3).trusted("h", "h")
    assert seen(4, host="h", domain="h").error_ppm("h", "h") <= TRUSTED_PPM + 1_000
    assert seen(5, host="h", domain="h").trusted("h", "h")
    fallen = seen(60, 1, host="h", domain="h")
    assert not fallen.trusted("h", "h")
    for _ in range(68):
        fallen.observe("h", "h", right=True)
    assert not fallen.trusted("h", "h")
    fallen.observe("h", "h", right=True)
    assert fallen.trusted("h", "h")


@pytest.mark.parametrize("agreements", [1, 2, 5, 20, 60])
@pytest.mark.parametrize("liars", [0.05, 0.2, 0.25])
def test_the_estimate_lies_above_the_worst_case_of_spot_checks(agreements: int, liars: float):
    """Sarmenta 2002: a host of unknown error rate that passed c checks is wrong at most with
    probability f / ((1 - f) e c), whatever its rate."""
    record = Record()
    for _ in range(agreements):
        record.observe(right=True)
    estimate = record.error_ppm(int(liars * FULL_PPM)) / FULL_PPM
    assert estimate >= liars / ((1 - liars) * e * agreements) * 0.999
    worst = max(
        liars * s * (1 - s) ** agreements / ((1 - liars) + liars * (1 - s) ** agreements)
        for s in (n / 1000 for n in range(1, 1000))
    )
    assert estimate >= worst


def test_the_past_fades():
    record = Record()
    for _ in range(10_000):
        record.observe(right=True)
    limit = FULL_PPM * FULL_PPM // (FULL_PPM - FADE_PPM)
    assert limit * 0.99 < record.right_ppm <= limit


def test_distrust_is_shared_in_a_domain_and_trust_is_not():
    bad = Reputation(FIFTH)
    for n in range(10):
        bad.observe(f"host-{n}", "rotten", right=False)
    assert bad.error_ppm("newcomer", "rotten") > 800_000
    good = Reputation(FIFTH)
    for n in range(50):
        good.observe(f"host-{n}", "fine", right=True)
    assert good.error_ppm("newcomer", "fine") == FIFTH


def test_who_failed_twice_and_often_is_an_outcast():
    assert not seen(0, 1).outcast("h", "d")
    assert seen(0, 2).outcast("h", "d")
    assert not seen(80, 2, host="h", domain="h").outcast("h", "h")


@pytest.mark.parametrize(
    "groups",
    [
        [[200_000]],
        [[200_000, 200_000]],
        [[200_000, 10_000], [50_000]],
        [[3_000], [1], [499_999, 2]],
        [[100_000, 20_000], [7_000, 300_000], [450_000]],
    ],
)
def test_the_doubt_of_a_class_is_what_counting_all_cases_gives(groups: list[list[int]]):
    """Every host told the truth or not; at most one class can have told it."""
    hosts = [(at, Fraction(one, FULL_PPM)) for at, group in enumerate(groups) for one in group]
    right = [Fraction(0)] * len(groups)
    possible = Fraction(0)
    for truths in product((True, False), repeat=len(hosts)):
        chance = Fraction(1)
        for told, (_, error) in zip(truths, hosts, strict=True):
            chance *= 1 - error if told else error
        true = {at for told, (at, _) in zip(truths, hosts, strict=True) if told}
        false = {at for told, (at, _) in zip(truths, hosts, strict=True) if not told}
        if len(true) > 1 or true & false:
            continue
        possible += chance
        for at in true:
            right[at] += chance
    for doubt, share in zip(doubts_ppm(groups), right, strict=True):
        assert 0 <= doubt - (1 - share / possible) * FULL_PPM < 1


def test_the_word_of_a_known_liar_says_nothing():
    assert doubts_ppm([[900_000, 10_000]]) == doubts_ppm([[500_000, 10_000]])


@pytest.mark.parametrize("check", [100_000, 300_000, 550_000, 900_000, FULL_PPM])
def test_what_a_liar_keeps_is_the_worst_over_the_number_of_its_lies(check: int):
    share = 1 - check / FULL_PPM
    worst = max(m * share**m for m in range(1, 100))
    assert kept_ppm(check) == pytest.approx(worst * FULL_PPM, rel=1e-4, abs=1)


@pytest.mark.parametrize(
    ("items", "hosts"), [(10_000, 100), (100_000, 100), (1_000, 10), (100, 5), (1, 3), (1, 1)]
)
def test_the_check_rate_is_the_least_that_keeps_the_bound(items: int, hosts: int):
    target = 1_000
    rate = check_rate_ppm(FIFTH, hosts, items, target)
    assert bound_ppm(FIFTH, hosts, items, rate) <= target
    if rate > 10_000:
        looser = bound_ppm(FIFTH, hosts, items, rate - 10_000)
        assert looser > target * 8 // 10 - 1


def test_more_items_need_fewer_checks_and_more_hosts_more():
    rates = [check_rate_ppm(FIFTH, 100, items, 1_000) for items in (1_000, 10_000, 100_000)]
    assert rates == sorted(rates, reverse=True)
    assert check_rate_ppm(FIFTH, 10, 10_000, 1_000) < check_rate_ppm(FIFTH, 100, 10_000, 1_000)
