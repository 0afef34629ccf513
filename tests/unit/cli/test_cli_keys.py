"""keys, as a person calls it: what others wrote can neither stop it nor speak for it."""

import json

import pytest
from typer.testing import CliRunner

from swarm_ray.attestation.certificates import KeyEnrolled, certify
from swarm_ray.cli.main import app
from swarm_ray.client.session import Session, using
from swarm_ray.config import Settings
from swarm_ray.engine.key_changes import hand_over, tenant_changes
from swarm_ray.engine.key_files import KeyFolder


@pytest.fixture
def session(tmp_path):
    """A session in whose home nothing ever ran."""
    with using(Session(Settings(home=tmp_path / "home"))) as found:
        yield found


@pytest.fixture
def cli(session):
    return lambda *words: CliRunner().invoke(app, [*words], catch_exceptions=False)


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_keys_list_survives_what_cannot_be_read_and_shows_names_as_they_are(cli, session):
    files = KeyFolder(session.settings)
    files.make_root()
    _, site_key = files.site()
    public = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"  # RFC 8032, test 1
    odd = KeyEnrolled("host", "a\nvalid\x1b[2J", public, "", not_after_us=2**52)
    place = tenant_changes(session.settings.folder)
    odd = certify(site_key, odd)
    hand_over(place, [odd])
    (place / "1.change").write_bytes(b'{"event":{},"kind":[]}')
    told = cli("keys", "list")
    assert told.exit_code == 0
    assert "1 change cannot be read: 1.change is no change of keys" in told.stdout
    assert "a\\u000avalid\\u001b[2J" in told.stdout
    assert "\x1b" not in told.stdout + cli("keys", "show", odd.keyid).stdout
    assert [one for one in lines(cli("keys", "list", "--json")) if "event" in one] == [
        {
            "event": "unreadable",
            "code": "key.bad_change",
            "message": "1.change is no change of keys: it has not the form of one",
        }
    ]
    for role, name in (("host", "a\nb"), ("root", "x"), ("log", "x")):
        refused = cli("keys", "enrol", role, name, public)
        assert refused.exit_code == 2
        assert "remedy:" in refused.stderr


def test_a_rotation_before_anything_ran_is_shown_once(cli):
    assert cli("keys", "init").exit_code == 0
    for role in ("root", "root", "site"):
        assert cli("keys", "rotate", role).exit_code == 0
    found = [(one["role"], one["state"]) for one in lines(cli("keys", "list", "--json"))]
    assert sorted(found) == [
        *[("root", "ended")] * 2,
        ("root", "waiting"),
        ("site", "ended"),
        ("site", "waiting"),
    ]
