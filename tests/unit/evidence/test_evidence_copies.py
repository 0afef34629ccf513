"""A run whose items have copies in three organisations: every copy is in the evidence."""

from pathlib import Path
from typing import Any

import pytest
from evidence_story import copy_from, file_of, stand_alone

from swarm_ray.client.session import Session, using
from swarm_ray.client.starting import run
from swarm_ray.config import Settings
from swarm_ray.evidence.checking import check
from swarm_ray.evidence.container import Container
from swarm_ray.evidence.copy import copy_of
from swarm_ray.testing.service import Call, scripted_service

EXAMPLE = Path(__file__).parents[3] / "docs" / "examples" / "three_organisations"
OWNERS = ("aurora", "borealis", "cumulus")
INVOICES = [{"number": f"n-{n}", "lines": [{"cents": n, "count": 2}]} for n in range(4)]


def lying(call: Call) -> Any:
    """One organisation adds a cent to everything."""
    total = sum(line["cents"] * line["count"] for line in call.inputs["lines"])
    false = call.organisation == "borealis"
    return {"number": call.inputs["number"], "total_cents": total + false}


def test_every_copy_is_signed_in_the_name_of_its_organisation(tmp_path: Path):
    settings = Settings(home=tmp_path / "home")
    service = scripted_service(settings, lying, hosts=3, organisations=OWNERS)
    with using(Session(settings, service)):
        handle = run(EXAMPLE, {"invoices": INVOICES})
        result = handle.result(timeout=60)
    service.shut_down()
    assert [one["total_cents"] for one in result.output] == [2 * n for n in range(4)]
    data = file_of(copy_from(settings, handle.id))
    told = stand_alone().check(data, None)
    assert told == check(copy_of(Container(data))).to_dict()
    assert told["status"] == "done"
    assert told["rows"] >= 2 * len(INVOICES), "two copies each at least"
    assert told["unsigned"] == told["unknown_inputs"] == 0
    for owner in OWNERS:
        assert owner.encode() in data
        with pytest.raises(stand_alone().Refused):
            stand_alone().check(data.replace(owner.encode(), owner.encode()[::-1]), None)
