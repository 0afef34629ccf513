"""What a client refuses of a coordinator, and a process of its settings, before anything starts."""

from dataclasses import replace
from pathlib import Path

import pytest

from swarm_ray.config import Settings, read_settings
from swarm_ray.core.events import SEMANTICS
from swarm_ray.errors import SwarmError, UsageError
from swarm_ray.ports.hosts import HostInfo
from swarm_ray.runtime.transport import vouched


@pytest.mark.parametrize(
    ("variable", "value", "code"),
    [
        ("ISOLATION", "bogus", "config.unknown_isolation"),
        ("SLOTS", "-5", "config.bad_number"),
        ("LEASE_S", "0", "config.bad_number"),
        ("HOME", "/etc/passwd", "config.bad_home"),
        ("TENANT", "../other", "config.bad_name"),
        ("NONSENSE", "1", "config.unknown_setting"),
    ],
)
def test_a_setting_that_cannot_hold_is_refused_with_a_remedy(variable, value, code):
    with pytest.raises(UsageError) as refused:
        read_settings({f"SWARM_RAY_{variable}": value})
    assert refused.value.code == code
    assert refused.value.hint


@pytest.mark.ray
@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"folder": "/elsewhere"}, "runtime.other_home"),
        ({"semantics": SEMANTICS + 1}, "runtime.other_semantics"),
        ({"isolation": "bwrap"}, "runtime.other_isolation"),
    ],
)
def test_a_coordinator_that_would_not_do_what_was_asked_is_refused(tmp_path: Path, change, code):
    from swarm_ray.runtime.cluster import _shake_hands

    settings = Settings(tmp_path, isolation="landlock")
    found = {
        "folder": str(settings.folder),
        "semantics": SEMANTICS,
        "isolation": "landlock",
        "version": "0",
    }
    _shake_hands(settings, found)
    with pytest.raises(UsageError) as refused:
        _shake_hands(settings, {**found, **change})
    assert refused.value.code == code


def test_labels_of_a_node_name_the_trust_domains_of_its_host():
    from swarm_ray.runtime.transport import _settings_on

    settings = Settings(home=Path("home"), organisation="ours", region="north")
    assert _settings_on({}, settings) == settings
    labels = {"swarm-organisation": "theirs", "swarm-region": "south"}
    found = _settings_on({"Labels": labels}, settings)
    assert (found.organisation, found.region) == ("theirs", "south")


KNOWN = HostInfo("eu-1", "eu", "ours", 0, b"", "", "node-1", "north")
SAID = HostInfo("us-9", "us", "theirs", 4, b"k" * 32, "shared-kernel", "node-2", "south")


def test_a_host_has_no_say_over_its_name_and_trust_domains():
    assert vouched(SAID, KNOWN) == replace(
        KNOWN, slots=4, public_key=b"k" * 32, isolation="shared-kernel"
    )


@pytest.mark.parametrize(
    "said",
    [
        None,
        {"name": "eu-1"},
        replace(SAID, slots=0),
        replace(SAID, slots=True),
        replace(SAID, slots=10**9),
        replace(SAID, public_key=b"k"),
        replace(SAID, public_key="k" * 32),
        replace(SAID, isolation="x" * 30_000),
        replace(SAID, isolation="\x1b[2J"),
        replace(SAID, isolation=None),
    ],
)
def test_a_host_that_does_not_say_who_it_is_gets_no_seat(said):
    with pytest.raises(SwarmError) as refused:
        vouched(said, KNOWN)
    assert refused.value.code == "host.bad_info"
