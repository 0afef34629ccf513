"""A copy that holds, and every way of tampering with one, judged by two implementations."""

import ast
import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from evidence_story import (
    VERIFIER,
    copy_from,
    file_of,
    files_in,
    packed,
    run_once,
    stand_alone,
)

from swarm_ray.attestation.checkpoint import Checkpoint, sign_checkpoint
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.engine.bundles import BundleShelf
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.evidence.checking import check
from swarm_ray.evidence.container import Container
from swarm_ray.evidence.copy import Copy, copy_of
from swarm_ray.evidence.ledger_check import check_ledger
from swarm_ray.evidence.telling import sentences
from swarm_ray.ledger.opening import open_ledger, open_reader
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.merkle import leaf_hash
from swarm_ray.values.tree import Tree

TOOL = stand_alone()


def judged(data, trusted=None):
    """Both verdicts on a file: the facts when it holds, else the sentence and the code."""
    keyids = None if trusted is None else {TOOL.Key(key).keyid for key in trusted}
    try:
        told = TOOL.check(data, keyids)
    except TOOL.Refused as refused:
        told = str(refused)
    try:
        found = check(copy_of(Container(data)), trusted).to_dict()
    except IntegrityError as error:
        found = error
    return told, found


def refused(data, trusted=None):
    """The sentence with which both refuse."""
    told, found = judged(data, trusted)
    assert isinstance(told, str), f"the verifier accepts it: {told}"
    assert isinstance(found, IntegrityError), f"the library accepts it: {found}"
    return told, found


def test_both_find_the_same_in_a_copy_that_holds(exported):
    told, found = judged(exported.data)
    assert told == found
    assert told["status"] == "done"
    assert (told["rows"], told["unsigned"], told["unknown_inputs"]) == (6, 0, 0)
    assert told["effects"] == {"done": 1}
    assert told["gone"] == {}
    assert told["trusted"] is False


def test_a_root_key_from_outside_is_what_all_hangs_on(exported):
    root = judged(exported.data)[0]["root_key"]
    told, found = judged(exported.data, [root])
    assert told == found
    assert told["trusted"] is True
    stranger = SigningKey.generate().public.raw.hex()
    told, found = refused(exported.data, [stranger])
    assert "no root that you trust" in told
    assert found.code == "key.untrusted_root"


def test_a_copy_without_bodies_says_what_cannot_be_shown(exported):
    data = file_of(copy_from(exported.settings, exported.run, lambda _: False))
    told, found = judged(data)
    assert told == found
    assert told["bodies"] == 0
    assert told["gone"]["output"] >= 3
    assert told["gone"]["error"] == 2
    assert told["rows"] == 6, "signatures are checked without any body"
    assert b"Good day" not in data
    assert b"Good day" in exported.data
    some = file_of(copy_from(exported.settings, exported.run, lambda one: one.retention == "error"))
    assert judged(some)[0]["bodies"] == 2


def test_a_fresh_interpreter_checks_the_file_alone(exported, tmp_path):
    file, tool = tmp_path / "review.bundle", tmp_path / "verify.py"
    file.write_bytes(exported.data)
    shutil.copy(VERIFIER, tool)
    root = judged(exported.data)[0]["root_key"]

    def verify(*words):
        command = [sys.executable, "-I", str(tool), str(file), *words]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    done = verify("--root-key", root)
    assert done.returncode == 0
    assert done.stdout.startswith("UNCHANGED.")
    assert "does not mean true" in done.stdout
    assert root in verify().stdout, "without a key from outside it shows what to compare"
    spoilt = bytearray(exported.data)
    entries = exported.data.index(b"run/tile/entries")
    spoilt[exported.data.index(b"skill.raised", entries)] ^= 1
    file.write_bytes(spoilt)
    done = verify()
    assert done.returncode == 1
    assert done.stdout.startswith("REFUSED. Entry ")
    assert "of the run log was altered" in done.stdout
    file.unlink()
    assert verify().returncode == 2
    assert verify("--root-key", "zz").returncode == 2


def test_the_verifier_is_one_short_file_that_knows_nothing_of_ours():
    source = VERIFIER.read_text()
    assert len(source.splitlines()) <= 500
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(source))
        for name in (
            [one.name for one in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
    }
    assert imported - sys.stdlib_module_names == {"cryptography"}


# -- tampering with the file ---------------------------------------------------------------------


def test_any_flipped_byte_of_the_small_parts_is_noticed(exported):
    files = files_in(exported.data)
    for name in ("manifest.json", "index/checkpoint"):
        start = exported.data.index(files[name])
        for at in range(start, start + len(files[name])):
            spoilt = bytearray(exported.data)
            spoilt[at] ^= 1 + at % 255
            refused(bytes(spoilt))


def test_a_flipped_byte_in_every_part_and_header_is_noticed_by_both(exported):
    data, places, at = exported.data, [], 0
    chance = random.Random(4)
    for part in files_in(data).values():
        ends = [at, at + 100, at + 124, at + 148, at + 156, at + 257, at + 345, at + 511]
        ends += [at + 512, at + 511 + len(part), at + 512 + len(part) // 2]
        at += 512 + len(part) + -len(part) % 512
        places += [*ends, at - 1]
    places += [at, at + 1023, *(chance.randrange(len(data)) for _ in range(60))]
    for place in places:
        spoilt = bytearray(data)
        spoilt[place] ^= chance.randrange(1, 256)
        refused(bytes(spoilt))


@pytest.mark.parametrize("cut", [1, 512, 1024, 5_000])
def test_a_file_that_is_cut_or_grown_is_refused(exported, cut):
    refused(exported.data[:-cut])
    refused(exported.data + bytes(cut))
    refused(exported.data[: len(exported.data) // 2])
    refused(b"")


def test_missing_and_surplus_parts_are_refused(exported):
    files = files_in(exported.data)
    for name in files:
        if not name.startswith(("bodies/", "items/")):
            refused(packed({key: value for key, value in files.items() if key != name}))
    for name in ("more", "run/tile/1/000.p/1", "items/" + "0" * 32, "bodies/" + "0" * 64):
        refused(packed({**files, name: b"x" * 32}))
    refused(packed({**files, "anchors/1": b"x"}))


def test_a_body_under_another_name_is_refused(exported):
    files = files_in(exported.data)
    one, two = [name for name in files if name.startswith("bodies/")][:2]
    told, _ = refused(packed({**files, one: files[two], two: files[one]}))
    assert "altered" in told


# -- tampering with the logs, with hashes made anew ----------------------------------------------


def rebuilt(copy: Copy, **logs) -> Copy:
    """A copy with other entries and the hashes that belong to them."""
    found = {**copy.logs, **logs}
    return replace(
        copy,
        logs=found,
        leaves={name: [leaf_hash(one) for one in log] for name, log in found.items()},
    )


def altered(copy: Copy, log: str, seq: int, old: bytes, new: bytes) -> Copy:
    """A copy of which one entry says something else."""
    entries = list(copy.logs[log])
    assert old in entries[seq]
    entries[seq] = entries[seq].replace(old, new, 1)
    return rebuilt(copy, **{log: entries})


@pytest.mark.parametrize("log", ["run", "admin", "index"])
def test_dropped_swapped_repeated_and_inserted_entries_are_refused(exported, log):
    entries = list(exported.copy.logs[log])
    for changed in (
        entries[:-1],
        entries[1:],
        entries[:2] + entries[3:],
        [entries[0], entries[2], entries[1], *entries[3:]],
        [*entries, entries[-1]],
        [*entries[:2], entries[1], *entries[2:]],
        [],
    ):
        refused(file_of(rebuilt(exported.copy, **{log: changed})))


def test_the_first_bad_entry_is_named(exported):
    files = files_in(exported.data)
    name = next(name for name in files if name.startswith("run/tile/entries"))
    for seq in (0, 3, len(exported.copy.logs["run"]) - 1):
        entry = exported.copy.logs["run"][seq]
        spoilt = entry.replace(b'"epoch":1', b'"epoch":2')
        assert spoilt != entry
        told, error = refused(packed({**files, name: files[name].replace(entry, spoilt)}))
        assert told == f"Entry {seq} of the run log was altered after it was written."
        assert (error.code, error.fields["seq"]) == ("evidence.altered_entry", seq)


def resealed(copy: Copy, exported) -> Copy:
    """What somebody who holds the key of the log can make of altered logs: a whole new seal."""
    from swarm_ray.engine.key_files import open_ring

    index = []
    for data in copy.logs["index"]:
        record = decode(data)
        log = {"admin": "admin", copy.run: "run"}.get(record.get("log_id", ""))
        if log is not None:
            size = min(record["size"], len(copy.leaves[log]))
            record |= {"size": size, "root": Tree(copy.leaves[log][:size]).root().hex()}
        index.append(encode(record))
    made = rebuilt(copy, index=index)
    origin = copy.checkpoint.decode().split("\n")[0]
    head = Checkpoint(origin, len(index), Tree.over(index).root())
    note = sign_checkpoint(head, open_ring(exported.settings).log_key)
    return replace(made, checkpoint=note.to_bytes())


def settled_at(copy: Copy, text: bytes) -> int:
    return next(
        seq
        for seq, data in enumerate(copy.logs["run"])
        if b'"kind":"attempts.settled"' in data and text in data
    )


def test_a_resealed_copy_without_changes_holds(exported):
    told, found = judged(file_of(resealed(exported.copy, exported)))
    assert told == found
    assert told["rows"] == 6


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b'"tokens":7', b'"tokens":8'),
        (b'"microusd":20', b'"microusd":21'),
        (b'"status":"ok"', b'"status":"input"'),
        (b'"output":"', b'"output":"0'),
        (b'"sequence":', b'"sequence":1'),
        (b'"isolation":"scripted"', b'"isolation":"vm-kvm"'),
        (b'"model":"echo@', b'"model":"gpt@'),
        (b',"model":"echo@http://127.0.0.1/v1"', b""),
        (b'"keyid":"', b'"keyid":"0'),
        (b'"envelope":"', b'"envelope":"00'),
        (b'"start_us":', b'"start_us":1'),
        (b'"duration_us":', b'"duration_us":1'),
        (b'"batch":', b'"batch":1'),
        (b'"item":', b'"item":1'),
        (b'"attempt":1', b'"attempt":2'),
        (b'"host":"eu-', b'"host":"eu-9'),
    ],
)
def test_who_holds_the_log_key_cannot_change_what_hosts_signed(exported, old, new):
    copy = exported.copy
    seq = settled_at(copy, b'"status":"ok"')
    changed = altered(copy, "run", seq, old, new)
    if old == b'"output":"':
        changed = altered(copy, "run", seq, *_other_output(copy.logs["run"][seq]))
    told, _ = refused(file_of(resealed(changed, exported)))
    assert f"Entry {seq} of the run log" in told


def _other_output(entry):
    at = entry.index(b'"output":"') + 10
    return entry[at : at + 64], bytes(reversed(entry[at : at + 64]))


def test_who_holds_the_log_key_cannot_change_the_items_of_an_order(exported):
    copy = exported.copy
    seq = next(n for n, data in enumerate(copy.logs["run"]) if b'"kind":"dispatched"' in data)
    entry = decode(copy.logs["run"][seq])
    entry["event"]["nonce"] = "0" * 32
    entries = list(copy.logs["run"])
    entries[seq] = encode(entry)
    refused(file_of(resealed(rebuilt(copy, run=entries), exported)))


def test_a_stripped_certificate_or_a_foreign_host_key_is_refused(exported):
    copy = exported.copy
    admin = [decode(data) for data in copy.logs["admin"]]
    hosts = [one for one in admin if one["event"].get("role") == "host"]
    for one in hosts:
        one["event"] = {
            key: value
            for key, value in one["event"].items()
            if key not in ("issuer", "signature", "serial", "not_before_us", "not_after_us")
        }
    told, error = refused(
        file_of(resealed(rebuilt(copy, admin=[encode(x) for x in admin]), exported))
    )
    assert "vouche" in told
    assert "nobody vouches" in error.message


@pytest.mark.parametrize(
    "entry",
    [
        b'{"epoch":1,"event":{"key":"a","key":"b"},"kind":"timer","time_us":9007199254740991}',
        b'{"epoch":1,"event":{"key":"a"},"kind":"timer","time_us":1.0}',
        b'{"epoch":1,"event":{"key":"a"},"kind":"timer","time_us":9007199254740992}',
        b'{"epoch":1,"event":{"key":"a"},"kind":"timer","time_us":12345678901234567890}',
        b'{"epoch":1,"event":{"key":"a"}, "kind":"timer","time_us":9007199254740991}',
        b'{"kind":"timer","epoch":1,"event":{"key":"a"},"time_us":9007199254740991}',
        b'{"epoch":1,"event":{"key":NaN},"kind":"timer","time_us":9007199254740991}',
        b'{"epoch":1,"event":{"key":"\\u0061"},"kind":"timer","time_us":9007199254740991}',
        b'{"epoch":1,"event":{"key":"\\ud800"},"kind":"timer","time_us":9007199254740991}',
        '{"epoch":1,"event":{"key":"a"},"kind":"timer","time_us":9007199254740991,"kіnd":1}'.encode(),
        b'{"epoch":1,"event":' + b"[" * 5_000 + b"]" * 5_000 + b',"kind":"timer","time_us":1}',
        b"\xff",
        b"[]",
        b"1",
    ],
    ids=range(14),
)
def test_an_entry_outside_the_profile_is_refused_even_when_it_is_sealed(exported, entry):
    for log in ("run", "admin"):
        entries = [*exported.copy.logs[log], entry]
        copy = rebuilt(exported.copy, **{log: entries})
        index = [decode(data) for data in copy.logs["index"]]
        last = max(
            n
            for n, one in enumerate(index)
            if one.get("log_id") == {"run": copy.run, "admin": "admin"}[log]
        )
        index[last]["size"] = len(entries)
        sealed = resealed(rebuilt(copy, index=[encode(one) for one in index]), exported)
        told, _ = refused(file_of(sealed))
        assert told.startswith(f"Entry {len(entries) - 1} of the {log} log"), told


def test_a_tail_that_is_hidden_behind_an_old_seal_is_visible_by_its_time(exported):
    """Whoever shows an older seal shows less, and its time says so."""
    told, _ = judged(exported.data)
    times = [decode(data)["time_us"] for data in exported.copy.logs["index"]]
    assert told["sealed_us"] == max(times)


def test_silence_of_a_living_coordinator_is_told(exported):
    index = [decode(data) for data in exported.copy.logs["index"]]
    late = 3 * 300_000_000
    for one in index[1:]:
        one["time_us"] += late
    copy = resealed(rebuilt(exported.copy, index=[encode(one) for one in index]), exported)
    told, found = judged(file_of(copy))
    assert told == found
    assert told["silences"] == 1


def test_an_effect_without_an_outcome_is_unknown(exported):
    effects = [one for one in exported.copy.effects if b'"kind":"effect.ended"' not in one.entry]
    run = [data for data in exported.copy.logs["run"] if b'"kind":"effect.settled"' not in data]
    copy = rebuilt(replace(exported.copy, effects=effects, bodies=()), run=run)
    told, found = judged(file_of(resealed(copy, exported)))
    assert told == found
    assert told["effects"] == {"unknown": 1}
    refused(file_of(replace(exported.copy, effects=effects)))


def test_effects_of_others_out_of_order_or_altered_are_refused(exported):
    effects = list(exported.copy.effects)
    for changed in (effects[::-1], effects[1:], effects + effects[-1:]):
        refused(file_of(replace(exported.copy, effects=changed)))
    first = effects[0]
    for one in (
        replace(first, entry=first.entry.replace(b"files.publish", b"files.destroy")),
        replace(first, seq=first.seq + 1),
        replace(first, path=first.path[:-1]),
        replace(first, path=(*first.path, bytes(32))),
        replace(first, path=tuple(node[:-1] for node in first.path)),
    ):
        told, _ = refused(file_of(replace(exported.copy, effects=[one, *effects[1:]])))
        assert "effects" in told


# -- the ledger ----------------------------------------------------------------------------------


def ledger_check(settings, run, trusted=None):
    shelf = BundleShelf(settings.folder / "bundles")
    with open_reader(settings) as reader:
        return check_ledger(reader, settings.folder, shelf.plan_of, run, trusted)


def test_the_ledger_itself_checks_like_its_copy(exported):
    found, unsealed = ledger_check(exported.settings, exported.run)
    assert found.to_dict() == judged(exported.data)[0]
    assert unsealed == 0
    text = "\n".join(sentences(found))
    assert "Unchanged: run" in text
    assert "does not mean true" in text


@pytest.fixture
def own(exported, tmp_path):
    """A ledger of one's own to spoil."""
    home = tmp_path / "home"
    shutil.copytree(exported.settings.home, home)
    return replace(exported.settings, home=home)


def spoil(settings, sql, *values):
    connection = sqlite3.connect(settings.folder / "ledger.sqlite3")
    connection.execute(sql, values)
    connection.commit()
    connection.close()


OF_RUN = " AND log = (SELECT log FROM logs WHERE log_id = ?)"


def test_a_spoilt_entry_of_the_ledger_is_named(exported, own):
    spoil(
        own,
        f"UPDATE entries SET data = CAST(data || ' ' AS BLOB) WHERE seq = 4{OF_RUN}",
        exported.run,
    )
    with pytest.raises(IntegrityError) as caught:
        ledger_check(own, exported.run)
    assert (caught.value.code, caught.value.fields["seq"]) == ("ledger.corrupt_entry", 4)


def test_a_ledger_that_was_rewritten_whole_does_not_fit_its_seal(exported, own):
    """Entries, hashes, roots and frontiers made anew; only the key of the log is not at hand."""
    entries = list(exported.copy.logs["run"])
    entries[-1] = entries[-1].replace(b'"status":"done"', b'"status":"failed"')
    with open_ledger(own) as store:
        spoil(own, f"DELETE FROM entries WHERE 1=1{OF_RUN}", exported.run)
        spoil(own, "DELETE FROM logs WHERE log_id = ?", exported.run)
        from swarm_ray.ports.log import Append

        store.commit([Append(exported.run, store.epoch(), 0, entries, closes=True)])
    with pytest.raises(IntegrityError) as caught:
        ledger_check(own, exported.run)
    assert caught.value.code == "evidence.not_sealed"


def test_a_deleted_body_is_gone_and_all_else_holds(exported, own):
    with open_ledger(own) as store:
        output = next(one for one in exported.copy.bodies if b"Good day" in exported.copy.read(one))
        store.delete_body(output)
    found, _ = ledger_check(own, exported.run)
    assert sum(found.gone.values()) == 1
    data = file_of(copy_from(own, exported.run))
    told, library = judged(data)
    assert told == library == found.to_dict()
    assert any("Gone" in line for line in sentences(found))


def test_results_whose_items_are_gone_cannot_be_shown(exported, own):
    fan_out = next(
        decode(data)["event"] for data in exported.copy.logs["run"] if b'"kind":"fan_out"' in data
    )
    with open_ledger(own) as store:
        store.delete_body(fan_out["manifest"])
    data = file_of(copy_from(own, exported.run))
    told, library = judged(data)
    assert told == library
    assert (told["rows"], told["unknown_inputs"]) == (0, 6)


def test_a_spoilt_body_is_named(exported, own):
    output = next(one for one in exported.copy.bodies if b"Good day" in exported.copy.read(one))
    spoil(
        own,
        "UPDATE bodies SET data = CAST('x' AS BLOB) WHERE commitment = ?",
        bytes.fromhex(output),
    )
    with pytest.raises(IntegrityError) as caught:
        ledger_check(own, exported.run)
    assert caught.value.code == "ledger.body_mismatch"


def test_a_run_that_was_never_sealed_is_not_exported(exported, own):
    (own.folder / "index.checkpoint").unlink()
    with pytest.raises(UsageError) as caught:
        copy_from(own, exported.run)
    assert caught.value.code == "export.not_sealed"


def test_a_second_run_and_other_keys_do_not_disturb_the_first(exported, own, tmp_path):
    second = run_once(own, ["Eve"], tmp_path / "out")
    for run in (exported.run, second):
        told, found = judged(file_of(copy_from(own, run)))
        assert told == found
        assert told["run"] == run


def test_no_private_key_is_in_a_copy(exported):
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    for path in Path(exported.settings.home).rglob("*.pem"):
        raw = load_pem_private_key(path.read_bytes(), None).private_bytes_raw()
        for secret in (raw, raw.hex().encode(), path.read_bytes().splitlines()[1]):
            assert secret not in exported.data


# -- what was signed ------------------------------------------------------------------------------


def statements_of(exported):
    """Every statement of the run as the stand-alone verifier builds it."""
    files = TOOL.read_container(exported.data)
    entries, _ = TOOL.read_log(files, "run", len(exported.copy.logs["run"]))
    admin, _ = TOOL.read_log(files, "admin", len(exported.copy.logs["admin"]))
    roster = TOOL.Roster(admin)
    roster.believe({keyid for keyid, roots in roster.above.items() if roots == (keyid,)})
    run = TOOL.Run(dict(exported.copy.items), entries, roster)
    for seq in run.settled:
        _, event, time_us, _ = TOOL.read_entry("run", seq, entries[seq])
        _, _, sent = run.sent[f"{event['swarm']}/{event['batch']}"]
        by, _ = roster.signer(event["keyid"], "host", time_us)
        yield from (json.loads(one) for one in run.statements(event, sent, by))


def test_the_statements_of_a_run_are_those_that_the_schema_describes(exported):
    import jsonschema

    schema = Path(__file__).parents[3] / "docs" / "formats" / "schemas" / "execution.schema.json"
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    found = list(statements_of(exported))
    assert len(found) == 6
    for statement in found:
        validator.validate(statement)
    assert {one["predicate"]["status"] for one in found} == {"ok", "transient", "input"}
    spoilt = found[0]
    spoilt["predicate"]["more"] = 1
    assert not validator.is_valid(spoilt)


def test_a_certificate_is_an_envelope_that_others_read(exported):
    import base64

    from securesystemslib.dsse import Envelope
    from securesystemslib.signer import SSlibKey

    events = [decode(data)["event"] for data in exported.copy.logs["admin"]]
    keys = {one["keyid"]: one["public_key"] for one in events if "public_key" in one}
    for event in (one for one in events if one.get("issuer")):
        payload = {**TOOL.CERTIFICATE, **event}
        del payload["signature"]
        signature = base64.b64encode(bytes.fromhex(event["signature"])).decode()
        envelope = Envelope.from_dict(
            {
                "payload": base64.b64encode(encode(payload)).decode(),
                "payloadType": "application/vnd.swarm-ray.certificate.v1+json",
                "signatures": [{"keyid": event["issuer"], "sig": signature}],
            }
        )
        public = {"public": keys[event["issuer"]]}
        key = SSlibKey(event["issuer"], "ed25519", "ed25519", public)
        assert event["issuer"] in envelope.verify([key], 1)


def test_a_receipt_proves_an_entry_of_the_index_against_the_seal(exported):
    from swarm_ray.attestation.note import NoteKey
    from swarm_ray.attestation.receipt import Receipt, parse_receipt
    from swarm_ray.engine.key_files import open_ring

    entries = exported.copy.logs["index"]
    tree, origin = Tree.over(entries), exported.copy.checkpoint.decode().split("\n")[0]
    keys = [NoteKey(origin, open_ring(exported.settings).log_key.public)]
    for seq, entry in enumerate(entries):
        made = Receipt(seq, tuple(tree.inclusion(seq)), exported.copy.checkpoint)
        assert parse_receipt(made.to_bytes()).verify(entry, keys).size == len(entries)


def test_other_admin_entries_pass_and_unknown_words_about_keys_do_not(exported):
    """Anchors and hosts that left decide nothing about keys; what might, must be understood."""
    left = {
        "epoch": 1,
        "kind": "host.left",
        "time_us": 2**52,
        "event": {"name": "x", "reason": "y"},
    }
    for kind, holds in (("host.left", True), ("key.forgiven", False)):
        copy = exported.copy
        admin = [*copy.logs["admin"], encode({**left, "kind": kind})]
        index = [decode(data) for data in copy.logs["index"]]
        last = max(n for n, one in enumerate(index) if one.get("log_id") == "admin")
        index[last]["size"] = len(admin)
        made = rebuilt(copy, admin=admin, index=[encode(one) for one in index])
        told, found = judged(file_of(resealed(made, exported)))
        assert isinstance(told, dict) is holds
        assert isinstance(found, dict) is holds


def test_every_field_that_names_a_body_is_known():
    from swarm_ray.evidence.naming import COMMITMENTS

    page = (Path(__file__).parents[3] / "docs" / "formats" / "events.md").read_text()
    named = set(re.findall(r"^\| `(\w+)` \| text \|.*\| commitment to", page, re.M))
    assert len(named) > 10
    assert named | {"arguments"} == set(COMMITMENTS)
