"""What a host hands over is looked at only when it is a delivery in form."""

import math
import os
from dataclasses import dataclass, replace
from typing import Any

import pytest

from swarm_ray.core.events import Row
from swarm_ray.core.flights import Usage
from swarm_ray.core.host import Outcome, fit_entry
from swarm_ray.engine.claims import MOST, check_form
from swarm_ray.engine.outputs import are_extras
from swarm_ray.errors import IntegrityError
from swarm_ray.ports.hosts import Delivery, HostInfo
from swarm_ray.ports.log import Body
from swarm_ray.values.codec import encode
from swarm_ray.values.records import to_record

HOST = HostInfo("h-1", "s-1", "o-1", 1, bytes(32), "shared-kernel")
RUN, SWARM = "0" * 31 + "1", "0" * 31 + "2"
DELIVERY, ROW, BODY, MODEL, SANDBOX = (
    "desk.bad_delivery",
    "desk.bad_row",
    "desk.wrong_body",
    "desk.bad_model",
    "desk.bad_sandbox",
)


def sealed(tag: str, data: bytes, retention: Any = None, salt: bytes | None = None) -> Body:
    return Body.seal(tag, salt or os.urandom(32), data, retention or tag, RUN)


OUTPUT, ERROR = sealed("output", b'"x"'), sealed("error", b"no")
EXTRAS = sealed("extras", b'{"artifacts":[],"memory":[]}', "artifact")
HONEST = Delivery(
    Outcome(
        1,
        RUN,
        SWARM,
        1,
        (
            Row(0, 1, "ok", OUTPUT.commitment, "x", extras=EXTRAS.commitment, duration_us=7),
            Row(1, 1, "transient", code="attempt.deadline", error=ERROR.commitment),
            Row(2, 1, "cancelled", code="attempt.withdrawn"),
        ),
    ),
    b"{}",
    "shared-kernel",
    (OUTPUT, EXTRAS, ERROR),
    ('{"driver":"vm"}',),
)


def given(**fields: Any) -> Delivery:
    return replace(HONEST, **fields)


def told(**fields: Any) -> Delivery:
    return replace(HONEST, outcome=replace(HONEST.outcome, **fields))


def first(**fields: Any) -> Delivery:
    row, *others = HONEST.outcome.rows
    return told(rows=(replace(row, **fields), *others))


def second(**fields: Any) -> Delivery:
    row, failed, cancelled = HONEST.outcome.rows
    return told(rows=(row, replace(failed, **fields), cancelled))


def output(body: Any, commitment: Any = OUTPUT.commitment) -> Delivery:
    return replace(first(output=commitment), bodies=(body, EXTRAS, ERROR))


@dataclass(frozen=True)
class Later(Delivery):
    """Looks like a delivery, and could answer otherwise every time that it is asked."""


REFUSED: dict[str, tuple[Any, str]] = {
    "nothing": (None, DELIVERY),
    "a number": (7, DELIVERY),
    "a class of its own": (Later(HONEST.outcome, b"{}", "shared-kernel", ()), DELIVERY),
    "no outcome": (given(outcome=None), DELIVERY),
    "no envelope": (given(envelope=None), DELIVERY),
    "an endless envelope": (given(envelope=b"[" * 100_000), DELIVERY),
    "isolation as a number": (given(isolation=7), DELIVERY),
    "isolation as a list": (given(isolation=["a"]), DELIVERY),
    "isolation of another": (given(isolation="vm-kvm"), DELIVERY),
    "isolation without end": (given(isolation="x" * 100_000), DELIVERY),
    "isolation that is no text": (given(isolation="\ud800"), DELIVERY),
    "no bodies": (given(bodies=None), DELIVERY),
    "bodies of dicts": (given(bodies=({},)), DELIVERY),
    "no sandboxes": (given(sandboxes=None), DELIVERY),
    "sandboxes as numbers": (given(sandboxes=(1,)), DELIVERY),
    "sandboxes as text": (given(sandboxes="{}"), DELIVERY),
    "a sandbox that is no text": (given(sandboxes=("\ud800",)), SANDBOX),
    "sequence as true": (told(sequence=True), DELIVERY),
    "sequence as float": (told(sequence=1.0), DELIVERY),
    "sequence as list": (told(sequence=[]), DELIVERY),
    "a negative sequence": (told(sequence=-1), DELIVERY),
    "an endless sequence": (told(sequence=2**70), DELIVERY),
    "batch as float": (told(batch=1.0), DELIVERY),
    "batch as list": (told(batch=[]), DELIVERY),
    "run as list": (told(run=[]), DELIVERY),
    "swarm as nothing": (told(swarm=None), DELIVERY),
    "no rows": (told(rows=()), DELIVERY),
    "rows as nothing": (told(rows=None), DELIVERY),
    "rows as list": (told(rows=list(HONEST.outcome.rows)), DELIVERY),
    "rows of dicts": (told(rows=({"item": 0},)), DELIVERY),
    "a thousand rows": (told(rows=HONEST.outcome.rows * 1000), DELIVERY),
    "rows twice": (told(rows=HONEST.outcome.rows * 2), ROW),
    "a label that is no text": (first(label="\ud800"), ROW),
    "label as nothing": (first(label=None), ROW),
    "a code that is no text": (second(code="\ud800"), ROW),
    "a code that writes on a screen": (second(code="\x1b[31m"), ROW),
    "item as list": (first(item=[1]), ROW),
    "item as true": (first(item=True), ROW),
    "attempt as float": (first(attempt=1.0), ROW),
    "sub-agents as text": (first(sub_agents="1"), ROW),
    "sub-agents as nothing": (first(sub_agents=None), ROW),
    "sub-agents as no number": (first(sub_agents=math.nan), ROW),
    "tokens below nothing": (first(tokens=-1), ROW),
    "tokens without end": (first(tokens=MOST), ROW),
    "too much confidence": (first(confidence_ppm=1_000_001), ROW),
    "an hour and more to wait": (second(retry_after_us=3_600_000_001), ROW),
    "status as list": (first(status=["ok"]), ROW),
    "a status that is the coordinator's": (first(status="lost"), ROW),
    "a rule": (first(rule=1), ROW),
    "a class": (first(alike=1), ROW),
    "well without output": (first(output=""), ROW),
    "well with an error": (first(error=ERROR.commitment), ROW),
    "failed with an output": (second(output=OUTPUT.commitment), ROW),
    "failed with a label": (second(label="x"), ROW),
    "failed with extras": (second(extras=EXTRAS.commitment), ROW),
    "an output of no digest": (first(output="A" * 64), ROW),
    "model as nothing": (first(model=None), ROW),
    "model as list": (first(model=["a@b"]), ROW),
    "a model that cannot be": (first(model="a\nb"), MODEL),
    "a body too few": (given(bodies=(OUTPUT, ERROR)), BODY),
    "a body too many": (given(bodies=(*HONEST.bodies, sealed("output", b"1"))), BODY),
    "a body twice": (given(bodies=(*HONEST.bodies, OUTPUT)), BODY),
    "one body for two": (second(error=OUTPUT.commitment), BODY),
    "a body as text": (output(replace(OUTPUT, data="x")), BODY),
    "a short salt": (output(replace(OUTPUT, salt=b"")), BODY),
    "a salt as text": (output(replace(OUTPUT, salt="x" * 32)), BODY),
    "another body": (output(replace(OUTPUT, data=b'"y"')), BODY),
    "kept otherwise": (output(replace(OUTPUT, retention="key")), BODY),
    "kept as a list": (output(replace(OUTPUT, retention=[])), BODY),
    "tagged as a list": (output(replace(OUTPUT, tag=[])), BODY),
    "named as a list": (output(replace(OUTPUT, commitment=[])), BODY),
}


def test_what_an_honest_host_delivers_is_a_delivery():
    assert check_form(HONEST, HOST) is HONEST


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_no_delivery_in_form_is_refused_before_anybody_reads_it(name: str):
    delivery, code = REFUSED[name]
    with pytest.raises(IntegrityError) as refused:
        check_form(delivery, HOST)
    assert refused.value.code == code


def test_a_body_of_another_kind_stands_for_no_output():
    other = sealed("inputs", b'"x"', "input")
    with pytest.raises(IntegrityError, match="not the one that is named"):
        check_form(output(other, other.commitment), HOST)


def test_an_endless_error_is_refused():
    long = sealed("error", b"x" * 5_000)
    delivery = replace(second(error=long.commitment), bodies=(OUTPUT, EXTRAS, long))
    with pytest.raises(IntegrityError, match="not the one that is named"):
        check_form(delivery, HOST)


def test_rows_that_an_entry_has_no_room_for_are_refused():
    """Control characters take six bytes each in an entry."""
    rows = tuple(
        Row(item, 1, "input", code="c" * 64, model="m" * 256, tokens=MOST - 1) for item in range(64)
    )
    assert not fit_entry(rows)
    with pytest.raises(IntegrityError, match="more rows than an entry holds"):
        check_form(replace(told(rows=rows), bodies=()), HOST)


def test_what_hosts_claim_to_have_used_never_sums_up_to_what_no_snapshot_holds():
    used = Usage()
    for _ in range(5):
        used.add(replace(HONEST.outcome.rows[0], tokens=MOST - 1, duration_us=MOST - 1))
    assert encode(to_record(used))


@pytest.mark.parametrize(
    ("extras", "right"),
    [
        ({"memory": [], "artifacts": []}, True),
        ({"memory": [{"chain": "c", "payload": {"a": 1}}], "artifacts": []}, True),
        ({"memory": [], "artifacts": [{"name": "n", "media_type": "m", "data": "eA=="}]}, True),
        ({"memory": 7, "artifacts": []}, False),
        ({"memory": [], "artifacts": {"a": 1}}, False),
        ({"memory": [{"chain": 1, "payload": 1}], "artifacts": []}, False),
        ({"memory": [{"chain": "c"}], "artifacts": []}, False),
        ({"memory": [], "artifacts": [{"name": "n", "media_type": "m"}]}, False),
        ({"memory": [], "artifacts": [{"name": "n", "media_type": 1, "data": "eA=="}]}, False),
        ({"memory": [], "artifacts": [{"name": "n", "media_type": "m", "data": "e"}]}, False),
        ({"memory": []}, False),
        ([], False),
    ],
)
def test_extras_have_the_form_that_readers_go_by(extras: Any, right: bool):
    assert are_extras(extras) is right
