"""What a worker ran in, as a text with a digest: the same for the same, another for another."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest

from swarm_ray.errors import UsageError
from swarm_ray.ports.sandbox import AttemptPolicy, Isolation
from swarm_ray.sandbox.description import (
    MAX_DESCRIPTION_BYTES,
    Image,
    description_of,
    image,
    is_description,
    lines_digest,
)
from swarm_ray.sandbox.probe import probe_driver

IMAGE = Image("Linux 6.12.1", "x86_64", "a" * 64, "b" * 64, "CPython 3.12.4")
HELD = Isolation(
    "shared-kernel", "landlock", ("user", "mnt"), 6, True, ("rlimit:cpu", "rlimit:as"), ("b", "a")
)
OTHER: dict[str, Any] = {
    "label": "none", "driver": "bwrap", "namespaces": ("user",), "landlock_abi": 7,
    "seccomp": False, "limits": ("rlimit:as",), "notes": ("a",),
}  # fmt: skip


def test_the_order_in_which_things_are_told_does_not_count() -> None:
    shuffled = replace(
        HELD, namespaces=HELD.namespaces[::-1], limits=HELD.limits[::-1], notes=HELD.notes[::-1]
    )
    assert description_of(shuffled, IMAGE) == description_of(HELD, IMAGE)
    assert json.loads(description_of(HELD, IMAGE))["namespaces"] == ["mnt", "user"]


def test_everything_that_differs_makes_another_description() -> None:
    assert set(OTHER) == {one.name for one in fields(Isolation)}
    held = [description_of(replace(HELD, **{name: value}), IMAGE) for name, value in OTHER.items()]
    seen = [description_of(HELD, replace(IMAGE, **{one.name: "another"})) for one in fields(Image)]
    assert len({description_of(HELD, IMAGE), *held, *seen}) == 1 + len(held) + len(seen)


def test_lines_have_one_digest_in_whatever_order_they_are_found() -> None:
    assert lines_digest(["b==1", "a==2", "b==1"]) == lines_digest(iter(["a==2", "b==1"]))
    assert lines_digest(["a==2"]) != lines_digest(["a==2", "b==1"])


def test_a_description_that_is_too_long_is_refused() -> None:
    with pytest.raises(UsageError) as refused:
        description_of(replace(HELD, notes=("x" * MAX_DESCRIPTION_BYTES,)), IMAGE)
    assert refused.value.code == "codec.too_large"


@pytest.mark.parametrize(
    "text",
    [
        "", "[]", '{"a": 1}', '{"b":1,"a":2}', '{"a":1.5}', '{"a":1,"a":1}', '{"a":"\ud800"}', "7",
        '{"a":"' + "x" * MAX_DESCRIPTION_BYTES + '"}', '{"A":1}',
    ],
)  # fmt: skip
def test_what_is_no_canonical_object_of_8_kib_is_no_description(text: str) -> None:
    assert not is_description(text)


def test_ours_is_one() -> None:
    assert is_description(description_of(HELD, image()))
    assert image() is image()


@pytest.mark.parametrize("name", ["landlock", "bwrap", "none"])
def test_the_zygotes_of_a_driver_describe_themselves_alike(name: str, driver_named: Any) -> None:
    driver = driver_named(name)
    first, second = (probe_driver(driver).isolation for _ in range(2))
    assert first is not None
    assert description_of(first, IMAGE) == description_of(second, IMAGE)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["landlock", "bwrap"])
def test_a_worker_with_a_sandbox_of_its_own_is_described_by_that_one(
    name: str, start: Any, driver_named: Any
) -> None:
    step = {"name": "a", "kind": "skill", "uses": "s:f", "output": "o"}
    source = {"s": "def f(inputs, ctx):\n    return 1\n"}
    place = start({"t": {"output": "o", "steps": [step]}}, source, driver=driver_named(name))
    found = {}
    for processes in (0, 2):
        with place.desk(AttemptPolicy(processes=processes)) as desk:
            desk.run("t", {})
            assert desk.result()["output"] == 1
            place.look(0)
            found[processes] = desk.child.isolation
            desk.exit()
            assert desk.child.isolation == found[processes], "its end changes nothing"
    assert "seccomp:no-processes" in found[0].limits
    assert "seccomp:no-processes" not in found[2].limits
    assert description_of(found[0], IMAGE) != description_of(found[2], IMAGE)
