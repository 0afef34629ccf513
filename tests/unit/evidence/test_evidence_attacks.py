"""Attacks by strangers and by whoever holds the key of the log, judged by both implementations."""

import subprocess
import sys
from dataclasses import replace

import pytest
from evidence_story import VERIFIER, file_of, stand_alone
from test_evidence_bundles import judged, rebuilt, refused, resealed, settled_at

from swarm_ray.attestation.certificates import KeyEnrolled, KeyRevoked, KeyRotated, certify
from swarm_ray.attestation.checkpoint import Checkpoint, cosign
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.note import COSIGNATURE, Note, NoteKey
from swarm_ray.errors import IntegrityError
from swarm_ray.evidence.anchored import check_anchors
from swarm_ray.evidence.telling import sentences
from swarm_ray.ports.anchors import Anchored
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.digests import sha256
from swarm_ray.values.records import to_record
from swarm_ray.values.tree import Tree

TOOL = stand_alone()


def sealed(exported, **logs):
    """A copy with other logs, of any length, that the key of the log sealed."""
    copy = rebuilt(exported.copy, **logs)
    index = [decode(data) for data in copy.logs["index"]]
    for name, entries in logs.items():
        log = copy.run if name == "run" else name
        last = max(n for n, one in enumerate(index) if one.get("log_id") == log)
        index[last]["size"] = len(entries)
    return resealed(rebuilt(copy, index=[encode(one) for one in index]), exported)


def changed(exported, seq, change):
    """The run log with one entry changed."""
    entries = list(exported.copy.logs["run"])
    entry = decode(entries[seq])
    change(entry["event"])
    entries[seq] = encode(entry)
    return sealed(exported, run=entries)


def admin_entry(kind, event, time_us):
    return encode({"epoch": 1, "event": to_record(event), "kind": kind, "time_us": time_us})


@pytest.mark.parametrize("role", ["root", "site", "log", "host"])
@pytest.mark.parametrize("kind", ["key.revoked", "key.rotated"])
def test_the_root_of_a_stranger_makes_no_evidence_worthless(exported, role, kind):
    admin = list(exported.copy.logs["admin"])
    ours = next(e for e in map(decode, admin) if e["event"].get("role") == role)
    own, time_us = SigningKey.generate(), decode(admin[-1])["time_us"]
    period = {"not_before_us": 0, "not_after_us": 2**52}
    root = certify(own, KeyEnrolled("root", "zz", own.public.raw.hex(), "", **period))
    false = KeyEnrolled(**{**ours["event"], **period, "issuer": "", "signature": ""})
    cls = KeyRevoked if kind == "key.revoked" else KeyRotated
    end = cls(ours["event"]["keyid"], own.keyid, 0, own.keyid)
    words = [
        ("key.enrolled", root),
        ("key.enrolled", certify(own, false)),
        (kind, replace(end, signature=own.sign(end.signed()).hex())),
    ]
    admin += [admin_entry(name, word, time_us) for name, word in words]
    told, found = judged(file_of(sealed(exported, admin=admin)))
    assert told == found
    assert told["root_key"] == judged(exported.data)[0]["root_key"]


def test_roots_in_a_circle_are_refused_and_not_followed(exported):
    one, two, site, log = (SigningKey.generate() for _ in range(4))
    time_us = decode(exported.copy.logs["admin"][0])["time_us"]
    period = {"not_before_us": 0, "not_after_us": 2**52}
    draft = lambda role, name, key: KeyEnrolled(  # noqa: E731
        role, name, key.public.raw.hex(), key.keyid, **period
    )
    origin = exported.copy.checkpoint.decode().split("\n")[0]
    events = [
        KeyEnrolled("root", "b", two.public.raw.hex(), two.keyid),
        certify(two, draft("root", "a", one)),
        certify(one, draft("root", "b", two)),
        certify(one, draft("site", "s", site)),
        certify(site, draft("log", origin, log)),
    ]
    admin = [*exported.copy.logs["admin"]][:0] + [
        admin_entry("key.enrolled", event, time_us) for event in events
    ]
    copy = sealed(exported, admin=admin)
    head = Checkpoint(origin, len(copy.logs["index"]), Tree.over(copy.logs["index"]).root())
    from swarm_ray.attestation.checkpoint import sign_checkpoint

    refused(file_of(replace(copy, checkpoint=sign_checkpoint(head, log).to_bytes())))


def test_words_of_a_copy_begin_no_line_and_move_no_cursor(exported, tmp_path):
    spoof = "x\n\x1b[8mUNCHANGED. \u202eyou gave\u200b\r"
    data = file_of(changed(exported, 0, lambda event: event.update(process=spoof)))
    told, found = judged(data)
    assert told == found
    file = tmp_path / "spoof.bundle"
    file.write_bytes(data)
    command = [sys.executable, "-I", str(VERIFIER), str(file)]
    alone = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    ours = "\n".join(sentences(check_of(data)))
    for text in (alone, ours):
        assert all(line.isprintable() for line in text.split("\n"))
        assert not [line for line in text.split("\n")[1:] if line.startswith("UNCHANGED")]


def check_of(data):
    from swarm_ray.evidence.checking import check
    from swarm_ray.evidence.container import Container
    from swarm_ray.evidence.copy import copy_of

    return check(copy_of(Container(data)))


@pytest.mark.parametrize("run", ["x", "A" * 32, "0" * 31 + "\n", "last\x1b[8m"])
def test_the_id_of_a_run_has_one_form(exported, run):
    refused(file_of(changed(exported, 0, lambda event: event.update(run=run))))


@pytest.mark.parametrize(
    "change",
    [
        lambda event: event.update(status="fine"),
        lambda event: event.update(status=True),
        lambda event: event.update(code=1),
        lambda event: event.update(step=False),
    ],
)
def test_a_word_or_a_type_that_is_none_is_refused_by_both(exported, change):
    refused(file_of(changed(exported, len(exported.copy.logs["run"]) - 1, change)))


def test_a_truth_value_is_no_number(exported):
    seq = settled_at(exported.copy, b'"status":"ok"')
    refused(file_of(changed(exported, seq, lambda event: event["rows"][0].update(attempt=True))))
    files = dict(TOOL.read_container(exported.data))
    assert files["effects.json"].count(b'"seq":0')
    from evidence_story import packed

    files["effects.json"] = files["effects.json"].replace(b'"seq":0', b'"seq":false')
    refused(packed(files))


def test_a_delivery_counts_once_and_nothing_follows_the_end(exported):
    run = list(exported.copy.logs["run"])
    seq = settled_at(exported.copy, b'"status":"ok"')
    told, _ = refused(file_of(sealed(exported, run=[*run[: seq + 1], *run[seq:]])))
    assert "twice" in told
    entry, last = decode(run[seq]), decode(run[-1])
    late = encode({**entry, "time_us": last["time_us"], "epoch": last["epoch"]})
    told, _ = refused(file_of(sealed(exported, run=[*run, late])))
    assert f"Entry {len(run)} of the run log" in told


def test_a_host_that_signs_leaves_nothing_unsigned(exported):
    seq = settled_at(exported.copy, b'"status":"ok"')
    strip = lambda event: (event.pop("envelope"), event.pop("keyid"))  # noqa: E731
    told, error = refused(file_of(changed(exported, seq, strip)))
    assert "sign" in told
    assert "signature" in error.message
    upper = lambda event: event.update(envelope=event["envelope"].upper())  # noqa: E731
    refused(file_of(changed(exported, seq, upper)))


def sandbox_at(exported):
    """Place and event of the entry that describes the sandbox."""
    run = [decode(data) for data in exported.copy.logs["run"]]
    return next((n, one["event"]) for n, one in enumerate(run) if one["kind"] == "sandbox.seen")


def of_sandbox(description):
    return {"description": description, "digest": sha256(description.encode())}


def with_second_sandbox(exported, change):
    """A run in which a second sandbox is described before a delivery that is changed."""
    run = list(exported.copy.logs["run"])
    seq = settled_at(exported.copy, b'"status":"ok"')
    settled = decode(run[seq])
    frame = {key: settled[key] for key in ("epoch", "time_us")}
    other = of_sandbox('{"driver":"vm"}')
    change(settled["event"], other["digest"])
    seen = encode({**frame, "event": other, "kind": "sandbox.seen"})
    return file_of(sealed(exported, run=[*run[:seq], seen, encode(settled), *run[seq + 1 :]]))


def test_a_described_sandbox_that_nobody_names_changes_nothing(exported):
    told, found = judged(with_second_sandbox(exported, lambda event, digest: None))
    assert told == found
    assert told["rows"] == 6


@pytest.mark.parametrize(
    "change",
    [
        lambda event, digest: event.update(sandbox=digest),
        lambda event, digest: event.update(sandbox=f"{event['sandbox']} {digest}"),
        lambda event, digest: event.pop("sandbox"),
    ],
    ids=["another", "one more", "none"],
)
def test_who_holds_the_log_key_cannot_change_what_workers_ran_in(exported, change):
    told, error = refused(with_second_sandbox(exported, change))
    assert "signature" in told
    assert "signed" in error.message


def test_a_sandbox_is_what_its_digest_says_and_described_before_it_is_named(exported):
    seq, event = sandbox_at(exported)
    assert event == of_sandbox('{"driver":"scripted"}')
    run = list(exported.copy.logs["run"])
    other = '{"driver":"vm"}'
    told, error = refused(
        file_of(changed(exported, seq, lambda one: one.update(description=other)))
    )
    for words in (told, error.message):
        assert "describes another sandbox" in words
    told, _ = refused(file_of(changed(exported, seq, lambda one: one.update(of_sandbox(other)))))
    assert "no entry before it describes" in told
    # Behind the first results that name it, with the time and epoch of its new place.
    late = encode(
        {**decode(run[seq]), **{k: decode(run[seq + 1])[k] for k in ("time_us", "epoch")}}
    )
    for spoilt in (run[:seq] + run[seq + 1 :], [*run[:seq], run[seq + 1], late, *run[seq + 2 :]]):
        told, error = refused(file_of(sealed(exported, run=spoilt)))
        for words in (told, error.message):
            assert "no entry before it describes" in words


# -- anchors ---------------------------------------------------------------------------------------

WITNESS = SigningKey.from_seed(b"\x07" * 32)
KEY = NoteKey("example.org/witness", WITNESS.public, COSIGNATURE)


def anchored(exported, size, signer=WITNESS, root=""):
    """A copy whose admin log says that a witness cosigned so many entries of its index."""
    copy = exported.copy
    origin = copy.checkpoint.decode().split("\n")[0]
    text = Checkpoint(origin, size, Tree(copy.leaves["index"][:size]).root()).text()
    line = cosign(Note(text, ()), KEY.name, signer, 1_700_000_000).signatures[0].line()
    root = root or Tree(copy.leaves["index"][:size]).root().hex()
    kept = Anchored(f"witness {KEY.name}", size, root, line, 1)
    return rebuilt(copy, admin=[*copy.logs["admin"], admin_entry("anchor.kept", kept, 1)])


def test_what_a_known_witness_saw_is_said(exported):
    found = check_anchors(anchored(exported, 3), [KEY])
    assert (found.told, found.cosigned) == (1, 3)
    assert "3 of the" in next(found.sentences(5))
    unknown = check_anchors(anchored(exported, 3))
    assert (unknown.told, unknown.cosigned) == (1, 0)
    assert "none was compared" in next(unknown.sentences(5))


def test_an_index_that_was_rewritten_and_sealed_again_does_not_fit_its_anchors(exported):
    copy = anchored(exported, 3)
    index = [decode(data) for data in copy.logs["index"]]
    index[1]["time_us"] += 1
    rewritten = rebuilt(copy, index=[encode(one) for one in index])
    other = Tree(rewritten.leaves["index"][:3]).root().hex()
    for spoilt, keys in (
        (rewritten, ()),
        (rebuilt(copy, index=copy.logs["index"][:2]), ()),
        (anchored(exported, 3, SigningKey.generate()), [KEY]),
        (rebuilt(rewritten, admin=anchored(exported, 3, root=other).logs["admin"]), [KEY]),
    ):
        with pytest.raises(IntegrityError) as caught:
            check_anchors(spoilt, keys)
        assert caught.value.code in ("evidence.anchor_mismatch", "note.bad_signature")


def test_a_bucket_that_keeps_another_or_a_longer_history_is_believed(exported):
    copy = exported.copy
    origin = copy.checkpoint.decode().split("\n")[0]
    log, size = SigningKey.generate(), len(copy.logs["index"])

    def note(root, size):
        from swarm_ray.attestation.checkpoint import sign_checkpoint

        return sign_checkpoint(Checkpoint(origin, size, root), log).to_bytes()

    good = {2: note(Tree(copy.leaves["index"][:2]).root(), 2)}
    assert check_anchors(copy, (), lambda _: good).in_bucket == 2
    longer = {**good, size + 1: note(bytes(32), size + 1)}
    assert check_anchors(copy, (), lambda _: longer).in_bucket == 2
    for kept, whole in (({2: note(bytes(32), 2)}, False), (longer, True), ({3: good[2]}, False)):
        with pytest.raises(IntegrityError) as caught:
            check_anchors(copy, (), lambda _, kept=kept: kept, whole=whole)
        assert caught.value.code == "evidence.anchor_mismatch"
