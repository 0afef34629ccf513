"""Changes of keys reach every tenant of the home, in any order of events, and break no log."""

import os
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from key_office import HOST, INFO, Office

from swarm_ray.attestation.certificates import KeyEnrolled, KeyRevoked, certify
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.roster import MAX_ROOTS
from swarm_ray.config import Settings
from swarm_ray.engine.admin import read_roster
from swarm_ray.engine.key_changes import (
    changes_in,
    damaged,
    hand_over,
    kept_words,
    read_change,
    tenant_changes,
)
from swarm_ray.engine.key_files import KeyFolder, open_ring
from swarm_ray.engine.key_service import KeyService
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ledger.store import Store
from swarm_ray.ports.clock import SystemClock
from swarm_ray.values.codec import encode

STEPS = ("root", "site", "log", "a", "b", "look")


class Home:
    """A home with the coordinators of two tenants, which start, look and rest as told."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.keys = KeyService(Settings(home=home, organisation="acme", site="eu"), SystemClock())
        self.offices: dict[str, Office] = {}
        self.roots, self.ended = [self.keys.init().keyid], set()

    def do(self, step: str) -> None:
        if step in ("a", "b"):
            if step in self.offices:
                self.offices.pop(step).store.close()
            else:
                self.offices[step] = Office(self.home, step)
        elif step == "look":
            for office in self.offices.values():
                office.vigil.take_changes()
        else:
            before = {"root": self.keys.files.root, "site": lambda: self.keys.files.site()[0]}
            self.ended |= {before[step]().keyid} if step in before else set()
            settings = Settings(home=self.home, organisation="acme", site="eu", tenant="a")
            after = KeyService(settings, SystemClock()).rotate(step)
            self.roots += [after.keyid] if step == "root" else []

    def check(self, tenant: str) -> None:
        """Whoever trusts any root that there was believes what this tenant's keys sign now."""
        office = self.offices.get(tenant) or Office(self.home, tenant)
        office.vigil.take_changes()
        office.admin.joined(INFO)
        roster, now_us = read_roster(office.store), office.clock.now_us() + 1
        for root in self.roots:
            assert roster.signer(HOST.keyid, "host", now_us, {root}), root
            assert roster.signer(office.admin.log_key.keyid, "log", now_us, {root})
        assert self.ended <= roster.under({self.roots[0]}).ended.keys()
        assert office.admin.origin.endswith(self.roots[0][:16])
        assert not list(self.home.rglob("*.refused"))
        states = office.keys.standings()
        assert len({one.certificate.keyid for one in states}) == len(states)
        assert {one.state for one in states} <= {"valid", "ended"}
        office.store.close()


@pytest.mark.parametrize(
    "plan",
    [
        ["root"],
        ["root", "root", "root"],
        ["a", "root", "look"],
        ["a", "root"],
        ["a", "a", "root", "root", "b"],
        ["a", "a", "root", "a", "root", "look", "site", "b", "root"],
        ["site"],
        ["a", "a", "log", "log"],
        ["a", "log", "log", "look", "log"],
    ],
    ids=" ".join,
)
def test_a_rotation_is_followed_by_who_trusts_only_the_oldest_root(tmp_path: Path, plan: list[str]):
    home = Home(tmp_path)
    for step in plan:
        home.do(step)
    for tenant in ("a", "b"):
        home.check(tenant)


@settings(max_examples=12, deadline=None)
@given(plan=st.lists(st.sampled_from(STEPS), max_size=8))
def test_no_order_of_rotations_and_starts_breaks_a_log(tmp_path_factory, plan):
    home = Home(tmp_path_factory.mktemp("home"))
    for step in plan:
        home.do(step)
    for tenant in ("b", "a"):
        home.check(tenant)


def test_a_stolen_site_key_is_withdrawn_from_every_tenant(tmp_path: Path):
    a, b = Office(tmp_path, "a"), Office(tmp_path, "b")
    stolen, since_us = a.keys.files.site()[0].keyid, a.clock.now_us()
    a.keys.rotate("site")
    made = a.keys.revoke(stolen[:16], "stolen", 0)
    assert made.since_us >= since_us
    for office in (a, b, Office(tmp_path, "c")):
        office.vigil.take_changes()
        roster = read_roster(office.store)
        with pytest.raises(IntegrityError) as caught:
            roster.signer(stolen, "site", made.since_us)
        assert caught.value.code == "key.revoked"
        assert made in [word for _, word in roster._words]
        office.store.close()


def test_a_withdrawn_host_is_refused_by_a_tenant_that_meets_it_later(tmp_path: Path):
    a, b = Office(tmp_path, "a"), Office(tmp_path, "b")
    a.admin.joined(INFO)
    a.keys.revoke("eu-1", "stolen", 5)
    for office in (a, b):
        office.vigil.take_changes()
    assert (a.lost, b.lost) == ([("eu-1", "key.revoked")], [])
    b.start()
    b.admin.joined(INFO)
    b.vigil.take_changes()
    assert b.lost == [("eu-1", "key.revoked")]
    with pytest.raises(IntegrityError):
        b.signer(HOST.keyid, "host")
    a.store.close()
    b.store.close()


def test_a_restart_with_nothing_new_does_not_ask_the_whole_roster(tmp_path: Path, monkeypatch):
    from swarm_ray.engine import key_taking

    office = Office(tmp_path)
    office.keys.rotate("root")
    office.vigil.take_changes()
    monkeypatch.setattr(key_taking, "read_roster", lambda _: pytest.fail("asked"))
    office.start()
    office.store.close()


def test_the_words_of_an_earlier_version_are_found_in_the_logs(tmp_path: Path):
    home = Home(tmp_path)
    for step in ("a", "root", "look", "site", "look", "root", "look"):
        home.do(step)
    words = kept_words(home.keys._settings)
    kept = {read_change(path) for path in changes_in(words)}
    shutil.rmtree(words)
    home.check("b")
    assert {read_change(path) for path in changes_in(words)} == kept


def test_an_open_rotation_of_an_earlier_version_is_found_too(tmp_path: Path):
    home = Home(tmp_path)
    home.do("root")
    words = kept_words(home.keys._settings)
    left = tenant_changes(tmp_path / "tenants" / "a")
    left.parent.mkdir(parents=True)
    words.rename(left)
    home.check("b")
    home.check("a")


def test_a_log_that_could_never_be_verified_is_not_begun(tmp_path: Path):
    home = Home(tmp_path)
    home.do("root")
    shutil.rmtree(kept_words(home.keys._settings))
    for act in (lambda: Office(tmp_path, "b"), lambda: home.keys.rotate("root")):
        with pytest.raises(UsageError) as caught:
            act()
        assert caught.value.code == "key.no_predecessor"
        assert "copy the folder" in caught.value.hint
    with Store.open(tmp_path / "tenants" / "b") as store:
        assert not list(store.logs("admin"))


def test_nobody_becomes_a_predecessor_by_leaving_a_file(tmp_path: Path):
    """In a home of an earlier version, a stranger says that our root was his successor."""
    home, stranger = Home(tmp_path), SigningKey.generate()
    for step in ("a", "root", "look"):
        home.do(step)
    shutil.rmtree(kept_words(home.keys._settings))
    first = KeyEnrolled("root", "zz", stranger.public.raw.hex(), "", not_after_us=2**52)
    ours = read_roster(home.offices["a"].store).enrolled[home.roots[0]][0][1]
    false = certify(stranger, replace(ours, serial=1))
    place = tenant_changes(tmp_path / "tenants" / "b")
    hand_over(place, [certify(stranger, first), false])
    for path in changes_in(place):
        path.rename(path.with_stem(path.stem[-3:]))
    home.do("b")
    assert [one.keyid for one in home.keys.files.roots()] == home.roots
    roster = read_roster(home.offices["b"].store)
    assert stranger.public.keyid not in roster.enrolled
    for office in home.offices.values():
        office.store.close()


def test_nothing_is_appended_that_the_roster_would_refuse(tmp_path: Path):
    office, other = Office(tmp_path), SigningKey.generate()
    draft = KeyEnrolled("host", "x", HOST.public.raw.hex(), "", not_after_us=2**52)
    before = office.store.head("admin").size
    with pytest.raises(IntegrityError) as caught:
        office.admin.append(certify(other, draft))
    assert caught.value.code == "key.bad_certificate"
    assert office.store.head("admin").size == before
    office.store.close()


def test_a_site_whose_rotation_stopped_halfway_is_certified_anew(tmp_path: Path):
    office = Office(tmp_path)
    pem = KeyFolder(office.settings).folder / "site-eu.pem"
    pem.unlink()
    pem.touch(mode=0o600)
    pem.write_bytes(SigningKey.generate().to_pem())
    office.start()
    office.admin.joined(INFO)
    assert office.signer(HOST.keyid, "host")
    (KeyFolder(office.settings).folder / "root.pem").unlink()
    pem.write_bytes(SigningKey.generate().to_pem())
    with pytest.raises(UsageError) as caught:
        open_ring(office.settings)
    assert caught.value.code == "key.no_certificate"
    office.vigil.take_changes()
    office.store.close()


def test_another_site_gets_a_certificate_of_the_new_root(tmp_path: Path):
    us, eu = Office(tmp_path, "a", "us"), Office(tmp_path, "b", "eu")
    old = us.keys.files.root().keyid
    eu.keys.rotate("root")
    for office in (us, eu):
        office.start()
        assert office.keys.files.site()[0].issuer != old
        office.admin.joined(INFO)
        roster = read_roster(office.store)
        assert roster.signer(HOST.keyid, "host", office.clock.now_us() + 1, {old})
        office.store.close()


def test_as_many_roots_replace_each_other_as_a_roster_follows(tmp_path: Path):
    home = Home(tmp_path)
    for _ in range(MAX_ROOTS - 1):
        home.do("root")
    with pytest.raises(UsageError) as caught:
        home.keys.rotate("root")
    assert caught.value.code == "key.too_many_roots"
    home.check("b")


def test_another_root_in_the_file_signs_nothing(tmp_path: Path):
    office = Office(tmp_path)
    pem = KeyFolder(office.settings).folder / "root.pem"
    pem.write_bytes(SigningKey.generate().to_pem())
    with pytest.raises(UsageError) as caught:
        office.keys.rotate("root")
    assert caught.value.code == "key.other_root"
    office.store.close()


NO_CHANGES = [
    b"",
    b"[]",
    b'{"event":{},"kind":{}}',
    b'{"event":{},"kind":[]}',
    b'{"event":{},"kind":"key.enrolled"}',
    b'{"event":[],"kind":"key.rotated"}',
    b'{"event":{"public_key":"zz"},"kind":[]}',
    b'{"kind":"key.enrolled"}',
    b"[" * 40_000,
    b"\xff\xfe",
]


@pytest.mark.parametrize("data", NO_CHANGES, ids=lambda data: repr(data[:20]))
def test_what_is_no_change_neither_stops_a_coordinator_nor_keeps_it_from_starting(
    tmp_path: Path, data: bytes
):
    office = Office(tmp_path)
    place = tenant_changes(office.settings.folder)
    for act in (office.vigil.take_changes, office.start):
        place.mkdir(exist_ok=True)
        (place / "1.change").write_bytes(data)
        [why] = office.keys.unreadable()
        assert why.code == "key.bad_change"
        assert len(office.keys.standings()) >= 4, "what can be read is listed"
        act()
        assert [path.name for path in place.iterdir()] == ["1.refused"]
    # Words of the organisation belong to all tenants: they stay where they are.
    (kept_words(office.settings) / "1.change").write_bytes(data)
    office.vigil.take_changes()
    office.start()
    assert len(office.keys.unreadable()) == 1
    office.store.close()


def test_what_is_no_file_is_set_aside_as_well(tmp_path: Path):
    office = Office(tmp_path)
    place = tenant_changes(office.settings.folder)
    place.mkdir()
    os.mkfifo(place / "1.change")
    (place / "2.change").mkdir()
    (place / "3.change").symlink_to(place / "nowhere")
    office.vigil.take_changes()
    assert sorted(path.suffix for path in place.iterdir()) == [".refused"] * 3
    office.store.close()


CHANGE = encode(
    {"kind": "key.revoked", "event": {"keyid": "a", "reason": "", "since_us": 1, "issuer": "b"}}
)


@settings(max_examples=60)
@given(at=st.integers(0, len(CHANGE) - 1), byte=st.integers(0, 255), end=st.booleans())
def test_a_spoilt_change_is_refused_or_another_change(tmp_path_factory, at, byte, end):
    path = tmp_path_factory.getbasetemp() / "1.change"
    path.write_bytes(CHANGE[:at] + bytes([byte]) + (b"" if end else CHANGE[at + 1 :]))
    assert damaged([path]) or isinstance(read_change(path), KeyRevoked)


def test_words_keep_their_order_although_the_clock_is_set_back(tmp_path: Path, monkeypatch):
    words = [KeyRevoked("a", str(n), n, "b") for n in range(3)]
    for word, now in zip(words, (3_000, 2_000, 1_000), strict=True):
        monkeypatch.setattr("time.time_ns", lambda now=now: now)
        hand_over(tmp_path, [word])
    assert [read_change(path) for path in changes_in(tmp_path)] == words


@pytest.mark.parametrize(
    ("role", "name", "code"),
    [
        ("root", "x", "key.not_enrolled"),
        ("log", "x", "key.not_enrolled"),
        ("coordinator", "x", "key.not_enrolled"),
        ("host", "", "key.bad_name"),
        ("host", "a\nb", "key.bad_name"),
        ("site", "a\x1b[2Jb", "key.bad_name"),
        ("host", "a\u202eb", "key.bad_name"),
        ("host", " a", "key.bad_name"),
    ],
)
def test_only_hosts_and_sites_with_visible_names_are_enrolled(
    tmp_path: Path, role: str, name: str, code: str
):
    office = Office(tmp_path)
    with pytest.raises(UsageError) as caught:
        office.keys.enrol(role, name, HOST.public.raw.hex(), 3)
    assert caught.value.code == code
    assert str(caught.value).isprintable()
    assert not changes_in(tenant_changes(office.settings.folder))
    office.store.close()


def test_keys_that_were_replaced_before_anything_ran_are_listed_once(tmp_path: Path):
    home = Home(tmp_path)
    for step in ("root", "root", "site"):
        home.do(step)
    found = [(one.certificate.role, one.state) for one in home.keys.standings()]
    assert sorted(found) == [
        ("root", "ended"),
        ("root", "ended"),
        ("root", "waiting"),
        ("site", "ended"),
        ("site", "waiting"),
    ]
