"""Heartbeats, seals, certificates that are renewed, and changes of keys taken over at work."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from key_office import HOST, INFO, Office

from swarm_ray.attestation.certificates import KeyEnrolled, KeyRevoked, certify
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.config import Settings
from swarm_ray.engine.admin import admin_events, read_roster
from swarm_ray.engine.key_changes import changes_in, hand_over, tenant_changes
from swarm_ray.engine.key_files import DAY_US, KeyFolder, open_ring, own_key
from swarm_ray.engine.key_service import KeyService
from swarm_ray.engine.vigil import CHECKPOINT_FILE
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ledger.store import Store
from swarm_ray.ports.clock import SystemClock
from swarm_ray.values.codec import encode


@pytest.fixture
def office(tmp_path: Path):
    found = Office(tmp_path / "home")
    yield found
    found.store.close()


def test_a_start_enrols_the_chain_and_seals_the_index(office: Office):
    roles = [event.role for event, _ in admin_events(office.store)]
    assert roles == ["root", "site", "coordinator", "log"]
    first, second = office.index()
    assert (first["kind"], first["state"]) == ("log.heartbeat", "started")
    assert (second["kind"], second["log_id"], second["size"]) == ("log.checkpoint", "admin", 4)
    head = office.store.head("index")
    assert (office.sealed().size, office.sealed().root.hex()) == (head.size, head.root)
    root = KeyFolder(office.settings).root()
    assert office.sealed().origin == f"swarm-ray.dev/acme/default/{root.keyid[:16]}"


def test_a_heartbeat_tells_only_what_moved(office: Office):
    office.vigil.beat("alive")
    assert [one["kind"] for one in office.index()[2:]] == ["log.heartbeat"]
    office.admin.joined(INFO)
    office.vigil.beat("stopping")
    assert [one.get("log_id", one["kind"]) for one in office.index()[3:]] == [
        "log.heartbeat",
        "admin",
    ]
    assert office.sealed().size == 5


def test_a_restart_enrols_root_and_site_only_once(office: Office):
    office.start()
    roles = [event.role for event, _ in admin_events(office.store)]
    assert roles[4:] == ["coordinator", "log"]


def test_a_host_is_certified_and_renewed_before_its_day_is_over(office: Office):
    office.admin.joined(INFO)
    made = office.signer(HOST.keyid, "host")
    assert (made.site, made.organisation, made.isolation) == ("eu", "acme", "none")
    assert made.not_after_us - made.serial == DAY_US
    office.admin.renew()
    assert len(office.admin_kinds()) == 5
    office.clock.ahead_us = DAY_US * 3 // 4
    office.admin.renew()
    office.clock.ahead_us = DAY_US * 5 // 4
    assert office.signer(HOST.keyid, "host").serial > made.serial
    assert office.signer(office.admin.log_key.keyid, "log")
    office.admin.left(INFO.name, "gone")
    office.clock.ahead_us = DAY_US * 3
    office.admin.renew()
    with pytest.raises(IntegrityError) as caught:
        office.signer(HOST.keyid, "host")
    assert caught.value.code == "key.expired"


def test_a_revoked_host_is_given_up_at_once(office: Office):
    office.admin.joined(INFO)
    office.keys.revoke(HOST.keyid[:12], "stolen", 5)
    office.vigil.take_changes()
    assert office.lost == [("eu-1", "key.revoked")]
    assert office.admin_kinds()[-1] is KeyRevoked
    with pytest.raises(IntegrityError):
        office.signer(HOST.keyid, "host")
    assert changes_in(tenant_changes(office.settings.folder)) == []
    assert office.index()[-1]["size"] == 6, "the change is sealed at once"


@pytest.mark.parametrize("role", ["site", "root", "log"])
def test_after_a_rotation_what_is_at_work_is_certified_anew(office: Office, role: str):
    office.admin.joined(INFO)
    old = {one.role: one.keyid for one in (e for e, _ in admin_events(office.store))}
    office.keys.rotate(role)
    office.vigil.take_changes()
    office.clock.ahead_us = 60_000_000
    roster = read_roster(office.store)
    trusted = {old["root"]}
    now_us = office.clock.now_us()
    assert roster.under(trusted).ended[old[role]] < now_us
    assert roster.signer(HOST.keyid, "host", now_us, trusted)
    assert roster.signer(office.admin.log_key.keyid, "log", now_us, trusted)
    office.vigil.beat("alive")
    assert office.sealed().size == office.store.head("index").size
    office.start()
    read_roster(office.store)


def test_a_root_that_is_rotated_before_the_first_run_is_followed(tmp_path: Path):
    settings = Settings(home=tmp_path, organisation="acme", site="eu")
    first = KeyService(settings, SystemClock()).init()
    KeyService(settings, SystemClock()).rotate("root")
    office = Office(tmp_path)
    office.admin.joined(INFO)
    assert read_roster(office.store).signer(
        HOST.keyid, "host", office.clock.now_us(), {first.keyid}
    )
    office.store.close()


@pytest.mark.parametrize("role", ["site", "root", "log"])
def test_what_is_rotated_while_nothing_runs_is_followed_later(office: Office, role: str):
    old = {one.role: one.keyid for one, _ in admin_events(office.store)}
    office.keys.rotate(role)
    office.clock.ahead_us = DAY_US // 3
    office.start()
    office.vigil.take_changes()
    office.admin.joined(INFO)
    roster, now_us, trusted = read_roster(office.store), office.clock.now_us() + 1, {old["root"]}
    assert roster.signer(HOST.keyid, "host", now_us, trusted)
    assert roster.signer(office.admin.log_key.keyid, "log", now_us, trusted)
    assert roster.under(trusted).ended.keys() == {old[role]}


def test_a_site_whose_root_is_kept_elsewhere_goes_on(office: Office, tmp_path: Path):
    folder = KeyFolder(office.settings).folder
    (folder / "root.pem").rename(tmp_path / "root.pem")
    office.start()
    office.admin.joined(INFO)
    assert office.signer(HOST.keyid, "host")
    with pytest.raises(UsageError) as caught:
        office.keys.rotate("site")
    assert caught.value.code == "key.no_root"


@pytest.mark.parametrize("victim", ["root", "site", "log", "host"])
def test_a_root_that_somebody_made_himself_changes_nothing(office: Office, victim: str, caplog):
    """Whoever can write the file of a change can make a root, but no say over our keys."""
    office.admin.joined(INFO)
    keys = {one.role: one.keyid for one, _ in admin_events(office.store)}
    now_us, own = office.clock.now_us(), SigningKey.generate()
    period = {"not_before_us": 0, "not_after_us": now_us + DAY_US}
    root = certify(own, KeyEnrolled("root", "zz", own.public.raw.hex(), "", **period))
    ours = next(e for e, _ in admin_events(office.store) if e.keyid == keys[victim])
    false = certify(own, replace(ours, issuer="", signature="", **period))
    end = KeyRevoked(keys[victim], "forged", 0, own.keyid)
    end = replace(end, signature=own.sign(end.signed()).hex())
    before = office.admin_kinds()
    hand_over(tenant_changes(office.settings.folder), [root, false, end])
    office.vigil.take_changes()
    assert office.admin_kinds() == before, "nothing of it reaches the log"
    assert len(list((office.settings.folder / "keys" / "changes").glob("*.refused"))) == 3
    assert "no root that you trust" in caplog.text
    # What an earlier version let into the log does no harm either.
    for word in (root, false, end):
        office.admin.append(word)
    roster = read_roster(office.store)
    trusted = {keys["root"]}
    assert roster.under(trusted).ended == {}
    assert roster.signer(HOST.keyid, "host", now_us, trusted).name == "eu-1"
    assert {one.state for one in office.keys.standings() if one.certificate.name != "zz"} == {
        "valid"
    }


def test_a_change_that_is_left_twice_is_taken_once(office: Office):
    office.keys.rotate("site")
    waiting = [path.read_bytes() for path in changes_in(tenant_changes(office.settings.folder))]
    office.vigil.take_changes()
    before = office.admin_kinds()
    for number, data in enumerate(waiting):
        (office.settings.folder / "keys" / "changes" / f"{number}.change").write_bytes(data)
    office.vigil.take_changes()
    assert office.admin_kinds() == before
    assert changes_in(tenant_changes(office.settings.folder)) == []


def test_a_change_that_no_superior_signed_is_set_aside(office: Office):
    made = KeyRevoked(office.admin.log_key.keyid, "x", 1, HOST.keyid, "00" * 64)
    hand_over(tenant_changes(office.settings.folder), [made])
    before = office.store.head("admin").size
    office.vigil.take_changes()
    assert office.store.head("admin").size == before
    assert changes_in(tenant_changes(office.settings.folder)) == []
    assert len(list((office.settings.folder / "keys" / "changes").glob("*.refused"))) == 1


def test_the_root_and_the_site_at_work_cannot_be_revoked(office: Office):
    for role in ("root", "site"):
        with pytest.raises(UsageError) as caught:
            office.keys.revoke(role, "x", 0)
        assert caught.value.code == "key.in_use"
    with pytest.raises(UsageError):
        office.keys.rotate("host")


def test_an_enrolled_partner_stands_in_the_roster(office: Office):
    partner = SigningKey.generate()
    office.keys.enrol("host", "partner-1", partner.public.raw.hex(), 3)
    assert [one.state for one in office.keys.standings()][-1] == "waiting"
    office.vigil.take_changes()
    assert office.signer(partner.keyid, "host").name == "partner-1"
    with pytest.raises(UsageError) as caught:
        office.keys.enrol("host", "nobody", "01" + "00" * 31, 3)
    assert caught.value.code == "key.low_order"


def test_a_log_of_an_earlier_version_stays_readable(tmp_path: Path):
    settings = Settings(home=tmp_path)
    settings.folder.mkdir(parents=True)
    with Store.open(settings.folder) as store:
        epoch = store.acquire_epoch("old")
        event = {"keyid": HOST.keyid, "name": "old", "public_key": HOST.public.raw.hex()}
        entries = [
            encode(
                {
                    "epoch": 1,
                    "event": {**event, "role": "host"},
                    "kind": "key.enrolled",
                    "time_us": 5,
                }
            )
        ]
        from swarm_ray.ports.log import Append

        store.commit([Append("admin", epoch, 0, entries, kind="admin")])
    office = Office(tmp_path)
    assert office.admin_kinds() == [KeyEnrolled] * 5
    states = {one.certificate.name: one.state for one in office.keys.standings()}
    assert states["old"] == "uncertified"
    office.store.close()


def test_key_files_are_their_owners_alone(office: Office):
    found = [*office.settings.home.rglob("*.pem")]
    assert len(found) == 4
    assert {path.stat().st_mode & 0o777 for path in found} == {0o600}
    assert {path.parent.stat().st_mode & 0o777 for path in found} == {0o700}
    found[0].chmod(0o644)
    with pytest.raises(UsageError) as caught:
        own_key(found[0])
    assert caught.value.code == "key.exposed"


def secrets_of(settings: Settings) -> list[bytes]:
    """Every form in which a private key of a tenant could leak: lines of its file, its raw seed."""
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    found = []
    for path in settings.home.rglob("*.pem"):
        raw = load_pem_private_key(path.read_bytes(), None).private_bytes_raw()
        found += [path.read_bytes().splitlines()[1], raw, raw.hex().encode()]
    assert found
    return found


def test_no_private_key_is_in_an_entry_a_trace_or_a_text(office: Office, caplog):
    caplog.set_level("DEBUG")
    office.admin.joined(INFO)
    ring = open_ring(office.settings)
    shown = [repr(ring), str(office.admin.__dict__), caplog.text]
    try:
        ring.site_key.sign("not bytes")  # type: ignore[arg-type]
    except TypeError as error:
        import traceback

        shown.append(
            "".join(
                traceback.TracebackException.from_exception(error, capture_locals=True).format()
            )
        )
    data = b"".join([*office.store.entries("admin"), *office.store.entries("index")])
    data += (office.settings.folder / CHECKPOINT_FILE).read_bytes() + "".join(shown).encode()
    assert [secret for secret in secrets_of(office.settings) if secret in data] == []


def test_a_coordinator_with_other_keys_warns_and_goes_on(office: Office, caplog):
    import shutil

    shutil.rmtree(office.settings.home / "keys")
    office.start()
    assert "another root already" in caplog.text
    office.admin.joined(INFO)
    assert office.signer(HOST.keyid, "host")
    roots = [
        event.keyid
        for event, _ in admin_events(office.store)
        if isinstance(event, KeyEnrolled) and event.role == "root"
    ]
    assert len(roots) == 2
    assert office.sealed().origin.endswith(roots[0][:16])


def test_a_deposed_coordinator_ends_without_its_last_word(office: Office, caplog):
    office.store.acquire_epoch("another")
    asyncio.run(office.vigil.end())
    assert "the last heartbeat was not written" in caplog.text


def test_a_ledger_that_was_set_back_is_not_signed_a_second_time(office: Office, tmp_path: Path):
    import shutil

    folder = office.settings.folder
    office.store.close()
    shutil.copytree(folder, tmp_path / "before")
    office.store = Store.open(folder)
    office.start()
    newer = (folder / CHECKPOINT_FILE).read_bytes()
    office.store.close()
    shutil.rmtree(folder)
    shutil.copytree(tmp_path / "before", folder)
    office.store = Store.open(folder)
    office.start()
    (folder / CHECKPOINT_FILE).write_bytes(newer)
    with pytest.raises(IntegrityError) as caught:
        office.start()
    assert caught.value.code == "vigil.set_back"


def test_a_checkpoint_that_a_power_cut_left_half_written_is_signed_anew(office: Office, caplog):
    (office.settings.folder / CHECKPOINT_FILE).write_bytes(b"swarm-ray.dev/")
    office.start()
    assert "signed anew" in caplog.text
    assert office.sealed().size == office.store.head("index").size
