"""Runs around rotations: both verifiers believe them under the oldest root and under the newest."""

from dataclasses import replace
from pathlib import Path

import pytest
from evidence_story import copy_from, file_of, run_once, stand_alone

from swarm_ray.config import Settings
from swarm_ray.engine.key_service import KeyService
from swarm_ray.evidence.checking import check
from swarm_ray.ports.clock import SystemClock

TOOL = stand_alone()


@pytest.mark.parametrize(
    "plan",
    [
        ["root", "a"],
        ["root", "root", "a"],
        ["a", "root", "b"],
        ["a", "root", "a"],
        ["a", "b", "root", "site", "root", "log", "b", "a"],
    ],
    ids=" ".join,
)
def test_a_run_after_rotations_holds_for_who_trusts_any_of_the_roots(
    tmp_path: Path, plan: list[str]
):
    settings = Settings(home=tmp_path, organisation="acme", site="eu")
    keys = KeyService(settings, SystemClock())
    roots, last = [keys.init().public_key], None
    for number, step in enumerate(plan):
        if step in ("a", "b"):
            tenant = replace(settings, tenant=step)
            last = copy_from(tenant, run_once(tenant, ["Ada"], tmp_path / f"out-{number}"))
        else:
            made = keys.rotate(step)
            roots += [made.public_key] if step == "root" else []
    assert last is not None
    data = file_of(last)
    for root in roots:
        assert check(last, [root]).root_key == root
        assert TOOL.check(data, {TOOL.Key(root).keyid})["root_key"] == root
    # Without a root from outside both take the same one: the first.
    assert check(last).root_key == TOOL.check(data, None)["root_key"] == roots[0]
