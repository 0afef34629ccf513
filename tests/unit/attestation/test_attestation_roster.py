"""Who may sign as what and when, and every way in which a roster must not be believed."""

import itertools
from dataclasses import replace

import pytest

from swarm_ray.attestation.certificates import KeyEnrolled, KeyRevoked, KeyRotated, certify
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.kms import ALGORITHM, SPEC, KmsRoot
from swarm_ray.attestation.roster import Roster, roster_of
from swarm_ray.errors import IntegrityError, SwarmError, UsageError

ROOT, SITE, HOST, OTHER = (SigningKey.from_seed(bytes([n]) * 32) for n in (1, 2, 3, 4))
DAY = 86_400_000_000


def draft(role, key, start=0, end=DAY, **more):
    name = more.pop("name", f"the-{role}")
    raw = key.public.raw.hex()
    return KeyEnrolled(role, name, raw, "", "eu", "acme", not_before_us=start, not_after_us=end)


ROOT_CERTIFICATE = certify(ROOT, draft("root", ROOT, end=100 * DAY))
SITE_CERTIFICATE = certify(ROOT, draft("site", SITE, end=10 * DAY))
HOST_CERTIFICATE = certify(SITE, draft("host", HOST))
CHAIN = [(ROOT_CERTIFICATE, 0), (SITE_CERTIFICATE, 1), (HOST_CERTIFICATE, 2)]


def signed(event, signer):
    return replace(event, signature=signer.sign(event.signed()).hex())


def code_of(check, *arguments):
    with pytest.raises(IntegrityError) as caught:
        check(*arguments)
    return caught.value.code


def test_a_chain_from_host_to_root_is_believed():
    found = roster_of(CHAIN).signer(HOST.keyid, "host", 5, {ROOT.keyid})
    assert (found.name, found.site, found.organisation) == ("the-host", "eu", "acme")
    assert roster_of(CHAIN).roots_over(HOST.keyid) == (ROOT.keyid,)


def test_a_root_that_one_does_not_trust_vouches_for_nobody():
    roster = roster_of(CHAIN)
    assert code_of(roster.signer, HOST.keyid, "host", 5, {OTHER.keyid}) == "key.untrusted_root"
    assert code_of(roster.signer, HOST.keyid, "host", 5, ()) == "key.untrusted_root"


@pytest.mark.parametrize(
    ("keyid", "role", "time_us", "code"),
    [
        (OTHER.keyid, "host", 5, "key.unknown"),
        (HOST.keyid, "site", 5, "key.wrong_role"),
        (SITE.keyid, "host", 5, "key.wrong_role"),
        (HOST.keyid, "host", DAY + 1, "key.expired"),
    ],
)
def test_a_key_is_good_for_its_role_and_time_only(keyid, role, time_us, code):
    assert code_of(roster_of(CHAIN).signer, keyid, role, time_us) == code


def test_a_renewed_certificate_extends_the_time():
    renewed = certify(SITE, draft("host", HOST, start=DAY // 2, end=2 * DAY))
    roster = roster_of([*CHAIN, (renewed, DAY // 2)])
    assert roster.signer(HOST.keyid, "host", DAY + 1) == renewed
    assert roster.signer(HOST.keyid, "host", 5) == HOST_CERTIFICATE


def test_a_certificate_of_an_issuer_out_of_its_time_counts_for_nothing():
    late = certify(SITE, draft("host", OTHER, start=0, end=100 * DAY))
    roster = roster_of([*CHAIN, (late, 11 * DAY)])
    assert code_of(roster.signer, OTHER.keyid, "host", 12 * DAY) == "key.expired"


def test_a_revoked_key_keeps_its_past_and_loses_the_rest():
    revoked = signed(KeyRevoked(HOST.keyid, "stolen", 1_000, SITE.keyid), SITE)
    roster = roster_of([*CHAIN, (revoked, 5_000)])
    assert roster.signer(HOST.keyid, "host", 999) == HOST_CERTIFICATE
    assert code_of(roster.signer, HOST.keyid, "host", 1_000) == "key.revoked"


def test_what_a_revoked_site_certified_afterwards_is_worth_nothing():
    late = certify(SITE, draft("host", OTHER))
    revoked = signed(KeyRevoked(SITE.keyid, "stolen", 1_000, ROOT.keyid), ROOT)
    roster = roster_of([*CHAIN, (late, 2_000), (revoked, 5_000)])
    assert code_of(roster.signer, OTHER.keyid, "host", 2_001) == "key.revoked"
    assert roster.signer(HOST.keyid, "host", 6_000) == HOST_CERTIFICATE


def test_the_earliest_end_holds():
    ends = [signed(KeyRevoked(HOST.keyid, "x", at, SITE.keyid), SITE) for at in (900, 300, 600)]
    roster = roster_of([*CHAIN, *((end, 1_000) for end in ends)])
    assert roster.under({ROOT.keyid}).ended[HOST.keyid] == 300


def test_a_rotated_root_is_followed_from_the_old_one():
    fresh = certify(ROOT, draft("root", OTHER, end=100 * DAY))
    rotated = signed(KeyRotated(ROOT.keyid, OTHER.keyid, 1_000, ROOT.keyid), ROOT)
    site = certify(OTHER, draft("site", SITE, end=100 * DAY))
    host = certify(SITE, draft("host", HOST, start=2_000))
    roster = roster_of([CHAIN[0], (fresh, 900), (rotated, 1_000), (site, 1_100), (host, 2_000)])
    assert roster.signer(HOST.keyid, "host", 2_500, {ROOT.keyid}) == host


def test_a_key_without_certificate_is_known_but_vouched_for_by_nobody():
    bare = KeyEnrolled("host", "old", HOST.public.raw.hex(), HOST.keyid)
    assert code_of(roster_of([(bare, 0)]).signer, HOST.keyid, "host", 5) == "key.uncertified"


def test_a_host_that_certifies_itself_is_no_root():
    own = certify(HOST, draft("host", HOST))
    assert code_of(roster_of([(own, 0)]).signer, HOST.keyid, "host", 5) == "key.untrusted_root"


def test_a_host_may_not_certify_a_host():
    false = certify(HOST, draft("host", OTHER))
    roster = roster_of([*CHAIN, (false, 3)])
    assert code_of(roster.signer, OTHER.keyid, "host", 5) == "key.wrong_role"


@pytest.mark.parametrize(
    "change",
    [
        {"name": "another"},
        {"role": "site"},
        {"site": "us"},
        {"organisation": "globex"},
        {"slots": 9},
        {"serial": 9},
        {"not_after_us": 2 * DAY},
        {"not_before_us": 1},
        {"isolation": "vm-kvm"},
        {"public_key": OTHER.public.raw.hex(), "keyid": OTHER.keyid},
        {"keyid": OTHER.keyid},
        {"issuer": ROOT.keyid},
        {"issuer": OTHER.keyid},
        {"signature": "00" * 64},
        {"signature": HOST_CERTIFICATE.signature.upper()},
        {"signature": ""},
        {"signature": "no"},
    ],
)
def test_a_certificate_with_any_field_changed_is_refused(change):
    changed = replace(HOST_CERTIFICATE, **change)
    assert code_of(roster_of, [*CHAIN[:2], (changed, 2)]) == "key.bad_certificate"


@pytest.mark.parametrize("point", ["00" * 32, "01" + "00" * 31, "zz", "ff" * 32])
def test_a_key_that_is_none_or_of_low_order_is_not_enrolled(point):
    with pytest.raises(UsageError):
        certify(SITE, replace(draft("host", HOST), public_key=point))
    bare = KeyEnrolled("host", "h", point, "0" * 64)
    assert code_of(Roster().enrol, bare, 0) in ("key.malformed", "key.low_order")


@pytest.mark.parametrize(
    "end",
    [
        signed(KeyRevoked(HOST.keyid, "x", 1, OTHER.keyid), OTHER),
        replace(signed(KeyRevoked(HOST.keyid, "x", 9, SITE.keyid), SITE), since_us=1),
        signed(KeyRevoked(OTHER.keyid, "x", 1, SITE.keyid), SITE),
        KeyRotated(HOST.keyid, OTHER.keyid, 1, SITE.keyid),
    ],
)
def test_an_end_that_its_issuer_did_not_sign_is_refused(end):
    assert code_of(roster_of, [*CHAIN, (end, 3)]) == "key.bad_certificate"


def test_an_end_by_a_key_without_a_say_is_passed_over():
    end = signed(KeyRevoked(SITE.keyid, "x", 1, HOST.keyid), HOST)
    roster = roster_of([*CHAIN, (end, 3)])
    assert roster.under({ROOT.keyid}).ended == {}
    assert code_of(roster_of(CHAIN).admit, end, 3, {ROOT.keyid}) == "key.no_say"


def test_a_key_may_end_itself_and_the_root_any():
    for signer in (HOST, ROOT):
        end = signed(KeyRevoked(HOST.keyid, "x", 1, signer.keyid), signer)
        assert roster_of([*CHAIN, (end, 3)]).under({ROOT.keyid}).ended == {HOST.keyid: 1}


STRANGER = certify(OTHER, draft("root", OTHER, end=100 * DAY))


@pytest.mark.parametrize("victim", [ROOT, SITE, HOST])
@pytest.mark.parametrize("kind", [KeyRevoked, KeyRotated])
def test_a_root_that_nobody_believes_ends_nothing(victim, kind):
    end = signed(kind(victim.keyid, OTHER.keyid, 0, OTHER.keyid), OTHER)
    roster = roster_of([*CHAIN, (STRANGER, 3), (end, 4)])
    assert roster.signer(HOST.keyid, "host", 5, {ROOT.keyid}) == HOST_CERTIFICATE
    holds = {KeyRevoked: 0, KeyRotated: 5}[kind]
    assert roster.under({OTHER.keyid}).ended == {victim.keyid: holds}, "whom somebody else believes"


@pytest.mark.parametrize(("role", "key"), [("root", ROOT), ("site", SITE)])
def test_a_certificate_by_a_root_that_nobody_believes_hides_no_other(role, key):
    false = certify(OTHER, draft(role, key, end=100 * DAY))
    host = certify(SITE, draft("host", HOST, start=3))
    roster = roster_of([*CHAIN, (STRANGER, 3), (false, 4), (host, 5)])
    assert roster.signer(HOST.keyid, "host", 6, {ROOT.keyid}) == host
    assert roster.roots_over(HOST.keyid) == (ROOT.keyid,)


def test_a_root_that_was_replaced_has_no_say_any_more():
    fresh = certify(ROOT, draft("root", OTHER, end=100 * DAY))
    rotated = signed(KeyRotated(ROOT.keyid, OTHER.keyid, 1_000, ROOT.keyid), ROOT)
    late = signed(KeyRevoked(OTHER.keyid, "by a thief", 0, ROOT.keyid), ROOT)
    roster = roster_of([*CHAIN, (fresh, 900), (rotated, 1_000), (late, 2_000)])
    assert roster.under({ROOT.keyid}).ended == {ROOT.keyid: 1_000}


def test_a_replaced_root_may_vouch_for_its_successor_until_the_log_says_so():
    fresh = certify(ROOT, draft("root", OTHER, end=100 * DAY))
    rotated = signed(KeyRotated(ROOT.keyid, OTHER.keyid, 0, ROOT.keyid), ROOT)
    roster = roster_of([*CHAIN, (fresh, 2_000), (rotated, 2_000)])
    assert roster.signer(OTHER.keyid, "root", 3_000, {ROOT.keyid}) == fresh
    assert roster.signer(ROOT.keyid, "root", 2_000, {ROOT.keyid})
    assert code_of(roster.signer, ROOT.keyid, "root", 2_001, {ROOT.keyid}) == "key.revoked"


def test_roots_that_vouch_for_each_other_in_a_circle_hang_on_nothing():
    bare = KeyEnrolled("root", "b", SITE.public.raw.hex(), SITE.keyid)
    one = certify(SITE, draft("root", ROOT, end=DAY))
    two = certify(ROOT, draft("root", SITE, end=DAY))
    host = certify(ROOT, draft("site", HOST, end=DAY))
    roster = roster_of([(bare, 0), (one, 1), (two, 2), (one, 3), (host, 4)])
    for trusted in (None, {OTHER.keyid}):
        assert code_of(roster.signer, HOST.keyid, "site", 5, trusted) == "key.uncertified"
    assert roster.signer(HOST.keyid, "site", 5, {SITE.keyid})


def test_a_long_chain_of_roots_is_refused_and_not_followed():
    keys = [SigningKey.generate() for _ in range(80)]
    events = [certify(keys[0], draft("root", keys[0]))]
    events += [certify(old, draft("root", new)) for old, new in itertools.pairwise(keys)]
    assert roster_of((one, 0) for one in events[:60]).roots_over(keys[59].keyid)[0] == keys[0].keyid
    assert code_of(roster_of, [(one, 0) for one in events]) == "key.bad_certificate"


def test_a_certificate_for_no_time_or_no_role_is_not_made():
    for spoilt in (draft("host", HOST, start=5, end=5), draft("king", HOST)):
        with pytest.raises(UsageError):
            certify(SITE, spoilt)


class Service:
    """Answers as the key service does, by its published interface."""

    def __init__(self, spec=SPEC, signer=ROOT):
        self.spec, self.signer, self.asked = spec, signer, []

    def get_public_key(self, *, KeyId):  # noqa: N803  # the service's own spelling
        der = bytes.fromhex("302a300506032b6570032100") + ROOT.public.raw
        return {"KeyId": KeyId, "KeySpec": self.spec, "PublicKey": der}

    def sign(self, **asked):
        self.asked.append(asked)
        return {"Signature": self.signer.sign(asked["Message"])}


def test_a_root_in_a_key_service_certifies_like_one_in_a_file():
    service = Service()
    made = certify(KmsRoot("alias/root", service), draft("site", SITE, end=10 * DAY))
    assert made == SITE_CERTIFICATE
    (asked,) = service.asked
    assert (asked["KeyId"], asked["MessageType"]) == ("alias/root", "RAW")
    assert asked["SigningAlgorithm"] == ALGORITHM
    assert len(asked["Message"]) < 4_096


def test_a_key_service_that_lies_or_holds_another_kind_is_refused():
    with pytest.raises(UsageError):
        KmsRoot("k", Service(spec="ECC_NIST_P256"))
    with pytest.raises(SwarmError) as caught:
        KmsRoot("k", Service(signer=OTHER)).sign(b"x")
    assert caught.value.code == "key.service"
    with pytest.raises(SwarmError):
        KmsRoot("k", object())
