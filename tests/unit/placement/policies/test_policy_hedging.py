"""Backups start as late as the deadline allows, within their budget, never with side effects."""

import json
import math

import pytest

from swarm_placement.errors import UsageError
from swarm_placement.policies import HedgeBudget, hedge_after_s


def test_a_copy_with_time_left_waits_for_the_last_moment() -> None:
    after_s = hedge_after_s(q95_s=10.0, allowed_s=100.0, backup_q95_s=12.0, site_slower=False)
    assert after_s == 88.0


def test_a_copy_that_is_short_of_time_waits_for_its_own_q95() -> None:
    after_s = hedge_after_s(q95_s=10.0, allowed_s=15.0, backup_q95_s=12.0, site_slower=False)
    assert after_s == 10.0


@pytest.mark.parametrize(("allowed_s", "wanted_s"), [(15.0, 3.0), (11.0, 0.0), (40.0, 28.0)])
def test_on_a_slower_site_only_the_deadline_counts(allowed_s: float, wanted_s: float) -> None:
    after_s = hedge_after_s(q95_s=10.0, allowed_s=allowed_s, backup_q95_s=12.0, site_slower=True)
    assert after_s == wanted_s


def test_backups_stop_when_their_share_of_the_work_is_spent() -> None:
    budget = HedgeBudget(planned_s=1_000.0, share=0.05)
    assert budget.decide(30.0, side_effects=False)
    budget.observe(30.0)
    assert not budget.decide(30.0, side_effects=False)
    assert budget.decide(20.0, side_effects=False)
    assert not budget.decide(20.0, side_effects=False, reserved_s=1.0)


def test_a_step_with_side_effects_has_no_backup() -> None:
    assert not HedgeBudget(planned_s=1e9).decide(1.0, side_effects=True)


def test_the_budget_is_plain_data_and_refuses_nonsense() -> None:
    budget = HedgeBudget(1_000.0, 0.05, 12.5)
    assert HedgeBudget.from_dict(json.loads(json.dumps(budget.to_dict()))) == budget
    with pytest.raises(UsageError, match=r"share of 1\.5"):
        HedgeBudget(1_000.0, 1.5)
    with pytest.raises(UsageError, match="nan"):
        HedgeBudget(float("nan"))


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_what_is_no_duration_is_refused(wrong: float) -> None:
    budget = HedgeBudget(100.0)
    for call in (
        lambda: budget.observe(wrong),
        lambda: budget.decide(wrong, side_effects=False),
        lambda: hedge_after_s(q95_s=wrong, allowed_s=9.0, backup_q95_s=1.0, site_slower=False),
    ):
        with pytest.raises(UsageError, match=r"policy\.hedging"):
            call()
    assert budget.backup_s == 0.0


def test_after_the_deadline_no_backup_is_due() -> None:
    assert hedge_after_s(q95_s=5, allowed_s=-1, backup_q95_s=3, site_slower=True) == math.inf
