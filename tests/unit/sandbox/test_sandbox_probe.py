"""The probe finds out by trying, and the choice never falls back to no isolation."""

from typing import Any

import pytest

from swarm_ray.errors import UsageError
from swarm_ray.sandbox.drivers import NoneDriver
from swarm_ray.sandbox.probe import choose, probe, probe_driver


@pytest.mark.parametrize("name", ["landlock", "bwrap"])
def test_a_confining_driver_holds_here(name: str, driver_named: Any) -> None:
    result = probe_driver(driver_named(name))
    assert result.works, result.detail
    assert {capability.name for capability in result.capabilities} == {
        "own files", "network", "other files", "writing outside", "signals to the host",
        "signals to the zygote", "processes",
    }  # fmt: skip


def test_the_probe_tries_the_strongest_first_and_says_why_one_does_not_work() -> None:
    results = probe()
    assert [result.name for result in results] == ["landlock", "bwrap"]
    for result in results:
        assert result.works or (result.detail and result.improvement)


def test_the_probe_notices_when_nothing_is_confined() -> None:
    result = probe_driver(NoneDriver())
    assert not result.works
    escaped = {capability.name for capability in result.capabilities if not capability.ok}
    assert {"network", "other files", "writing outside", "processes"} <= escaped


def test_without_namespaces_the_remedy_is_named(driver_named: Any) -> None:
    result = probe_driver(driver_named("landlock-without-namespaces"))
    assert result.works, result.detail
    assert "user namespaces" in result.improvement


@pytest.mark.parametrize(
    ("requested", "name"), [(None, "landlock"), ("bwrap", "bwrap"), ("none", "none")]
)
def test_the_strongest_that_works_is_chosen_unless_one_is_named(
    requested: str | None, name: str, driver_named: Any
) -> None:
    driver_named(name)
    assert choose(requested).name == name


def test_an_unknown_driver_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(UsageError) as caught:
        choose("docker")
    assert caught.value.code == "sandbox.unknown_driver"


def test_a_driver_that_cannot_start_says_why(tmp_path_factory: pytest.TempPathFactory) -> None:
    import os

    before = os.environ["PATH"]
    os.environ["PATH"] = str(tmp_path_factory.mktemp("empty"))
    try:
        with pytest.raises(UsageError) as caught:
            choose("bwrap")
    finally:
        os.environ["PATH"] = before
    assert caught.value.code == "sandbox.none_works"
    assert "not installed" in caught.value.message
    assert "bubblewrap" in caught.value.hint
