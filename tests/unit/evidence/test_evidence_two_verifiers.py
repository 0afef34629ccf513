"""The two verifiers agree: on the fields of every kind of entry, and on what strangers make of them."""

import copy
import json
import types
from dataclasses import MISSING, fields, replace
from typing import Literal, Union, get_args, get_origin, get_type_hints

import pytest
from evidence_story import file_of, files_in, packed, stand_alone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from test_evidence_attacks import sealed
from test_evidence_bundles import judged, rebuilt, refused, resealed, settled_at

from benchmarks.probes import evidence as probe
from swarm_ray.attestation.checkpoint import Checkpoint, sign_checkpoint
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.core.events import KINDS, Row
from swarm_ray.core.supervisor import EFFECT_KINDS
from swarm_ray.effects.supervising import read_effect
from swarm_ray.engine.admin import ADMIN_KINDS, read_admin_entry
from swarm_ray.engine.history import read_entry
from swarm_ray.errors import IntegrityError, SwarmError
from swarm_ray.evidence.anchored import check_anchors
from swarm_ray.evidence.file_check import check_file
from swarm_ray.evidence.index import _FIELDS, read_index
from swarm_ray.evidence.naming import COMMITMENTS
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.tree import Tree

TOOL = stand_alone()
ODD = [{}, [], None, 1, -1, "", "x", True, [1], [None], {"a": {}}, [[1, "a"]], [{}], "0" * 64]
PYTHON = ("NoneType", "object", "has no attribute", "codec can't", "unhashable", "('", "argument")
LISTS = {tuple[int, ...]: "ints", tuple[tuple[int, str], ...]: "pairs", tuple[Row, ...]: "rows"}
KINDS_OF = {"run": KINDS, "admin": ADMIN_KINDS, "effects": EFFECT_KINDS}


def word_of(kind, field):
    """A field of a dataclass as the table of the stand-alone file writes it."""
    hint = get_type_hints(kind)[field.name]
    sign = {int: "#", bool: ":bool"}.get(hint, "")
    if get_origin(hint) is Literal:
        sign = ":" + "|".join(get_args(hint))
    assert get_origin(hint) not in (Union, types.UnionType)
    sign = f":{LISTS[hint]}" if hint in LISTS else sign
    named = field.name in COMMITMENTS and kind.__name__ not in ("HostLost", "HostLeft")
    sign = "@" if named and kind.__name__ != "KeyRevoked" else sign
    return f"{field.name}{sign}{'' if field.default is MISSING else '?'}"


def test_the_table_of_the_stand_alone_file_is_that_of_the_library():
    kinds = [(log, name, kind) for log, some in KINDS_OF.items() for name, kind in some.items()]
    ours = {
        f"{log} {name} " + " ".join(word_of(kind, field) for field in fields(kind))
        for log, name, kind in [*kinds, ("part", "row", Row)]
    }
    ours |= {
        f"index {name} "
        + " ".join(f"{field}{'#' if of is int else ''}" for field, of in row.items())
        for name, row in _FIELDS.items()
    }
    told = {" ".join(line.split()) for line in TOOL.TABLE.split(";")}
    assert {line for line in told if not line.startswith(("frame", "part effect"))} == ours


def sample(kind):
    """A record of a kind with all of its fields."""
    record = {}
    for field in fields(kind):
        hint = get_type_hints(kind)[field.name]
        if get_origin(hint) is Literal:
            record[field.name] = get_args(hint)[0]
        else:
            row = {"attempt": 1, "item": 0, "status": "ok"}
            lists = {"ints": [1], "pairs": [[2, "eu"]], "rows": [row]}
            plain = {int: 7, str: "x", bool: False}
            record[field.name] = plain[hint] if hint in plain else lists[LISTS[hint]]
    return record


def bent(record):
    """A record, and it with one field, at any depth, that is missing, surplus or of another type."""
    yield record
    for path in list(paths(record)):
        for odd in ODD:
            yield changed(record, path, odd)
        yield changed(record, path, None, drop=True)
    yield from ({**record, "zz": 1}, {**record, "acted": [1, "a"]}, {**record, "acted": [1]})


def paths(value, before=()):
    for key in value if isinstance(value, dict) else range(len(value)):
        yield (*before, key)
        if isinstance(value[key], dict | list):
            yield from paths(value[key], (*before, key))


def changed(record, path, odd, *, drop=False):
    found = copy.deepcopy(record)
    place = found
    for key in path[:-1]:
        place = place[key]
    if drop:
        del place[path[-1]]
    else:
        place[path[-1]] = odd
    return found


def accepts(read):
    try:
        read()
    except (SwarmError, *TOOL.FLAWS):
        return False
    return True


@pytest.mark.parametrize("log", KINDS_OF)
def test_both_accept_the_same_fields_and_types_of_every_kind(log):
    ours = {"run": read_entry, "admin": read_admin_entry, "effects": read_effect}[log]
    frame = {"time_us": 1, "epoch": 1}
    for name, kind in KINDS_OF[log].items():
        accepted = 0
        for record in bent({**frame, "kind": name, "event": sample(kind)}):
            data = encode(record)
            library = accepts(lambda data=data: ours(data))
            assert library == accepts(lambda data=data: TOOL.read_entry(log, 0, data)), record
            accepted += library
        assert accepted
    for odd in ODD:
        assert not accepts(lambda odd=odd: ours(encode(odd)))


def test_both_accept_the_same_entries_of_an_index(exported):
    for data in exported.copy.logs["index"]:
        for record in bent(decode(data)):
            one = encode(record)
            assert accepts(lambda one=one: read_index([one])) == accepts(
                lambda one=one: TOOL.read_index([one])
            ), record


@pytest.mark.parametrize("log", ["index", "admin", "run"])
@pytest.mark.parametrize("odd", ODD)
def test_a_kind_of_another_type_ends_in_a_verdict(exported, log, odd):
    entries = list(exported.copy.logs[log])
    entries[1] = encode({**decode(entries[1]), "kind": odd})
    told, _ = refused(file_of(rebuilt(exported.copy, **{log: entries})))
    assert not any(word in told for word in PYTHON), told


def test_items_that_were_emptied_are_refused(exported):
    files = files_in(exported.data)
    [name] = [one for one in files if one.startswith("items/")]
    refused(packed({**files, name: b""}))


def test_a_row_that_stands_twice_in_a_delivery_is_named(exported):
    run = list(exported.copy.logs["run"])
    seq = settled_at(exported.copy, b'"status":"ok"')
    entry = decode(run[seq])
    entry["event"]["rows"].append(entry["event"]["rows"][-1])
    run[seq] = encode(entry)
    told, error = refused(file_of(sealed(exported, run=run)))
    for words in (told, error.message):
        assert "twice" in words
        assert f"ntry {seq} of the run log" in words


def test_a_swarm_and_a_batch_begin_once(exported):
    run = list(exported.copy.logs["run"])
    for kind in (b'"kind":"dispatched"', b'"kind":"swarm.opened"'):
        seq = next(n for n, data in enumerate(run) if kind in data)
        told, _ = refused(file_of(sealed(exported, run=[*run[: seq + 1], *run[seq:]])))
        assert told.startswith(f"Entry {seq + 1} of the run log"), told


def test_the_reason_of_a_lost_host_is_no_body(exported):
    run = list(exported.copy.logs["run"])
    last = decode(run[-1])
    event = {"host": "eu-1", "reason": "silent"}
    lost = encode(
        {**{k: last[k] for k in ("epoch", "time_us")}, "kind": "host.lost", "event": event}
    )
    told, found = judged(file_of(sealed(exported, run=[*run[:-1], lost, run[-1]])))
    assert told == found
    assert told["gone"] == {}


def test_of_several_bad_results_the_first_is_named_however_many_processes_look():
    made = probe.copy_with(140 * probe.ROWS)
    run = list(made.logs["run"])
    settled = [n for n, data in enumerate(run) if b'"kind":"attempts.settled"' in data]
    for place in (63, 64):  # the end of one process's first share, the beginning of the next
        run[settled[place]] = run[settled[place]].replace(b'"tokens":120', b'"tokens":121', 1)
    index = [decode(data) for data in made.logs["index"]]
    index[1]["root"] = Tree.over(run).root().hex()
    spoilt = rebuilt(made, run=run, index=[encode(one) for one in index])
    head = Checkpoint(probe.ORIGIN, len(index), Tree(spoilt.leaves["index"]).root())
    note = sign_checkpoint(head, SigningKey.from_seed(bytes([3]) * 32)).to_bytes()
    data = file_of(replace(spoilt, checkpoint=note))
    for jobs in (1, 2):
        with pytest.raises(TOOL.Refused, match=rf"^Entry {settled[63]} of the run log"):
            TOOL.check(data, None, jobs)


def test_a_file_that_breaks_the_check_is_refused_with_the_place():
    class Torn(bytes):
        def __getitem__(self, place):
            raise ZeroDivisionError

    with pytest.raises(
        IntegrityError, match="not a bundle that this version understands"
    ) as caught:
        check_file(Torn(b"x"))
    assert caught.value.code == "bundle_file.not_understood"
    assert caught.value.fields["place"] == "getitem"


def test_a_file_that_ends_before_the_first_note_says_that_nothing_was_compared(exported):
    copied = exported.copy
    origin, size = copied.checkpoint.decode().split("\n")[0], len(copied.logs["index"])
    head = Checkpoint(origin, 10**6, bytes(32))
    notes = {10**6: sign_checkpoint(head, SigningKey.generate()).to_bytes()}
    [line] = check_anchors(copied, kept=lambda _: notes).sentences(size)
    assert "compared with nothing: the file ends" in line
    assert "1000000" in line
    [line] = check_anchors(copied, kept=lambda _: {}).sentences(size)
    assert "keeps no note" in line
    assert not list(check_anchors(copied).sentences(size))


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_whatever_is_changed_and_sealed_again_both_judge_alike(exported, data):
    logs = {name: list(entries) for name, entries in exported.copy.logs.items()}
    log = data.draw(st.sampled_from(["run", "run", "admin", "index"]))
    seq = data.draw(st.integers(0, len(logs[log]) - 1))
    record = decode(logs[log][seq])
    path = data.draw(st.sampled_from(list(paths(record))))
    odd = data.draw(st.sampled_from([*ODD, *logs[log]]))
    odd = json.loads(odd) if isinstance(odd, bytes) else odd
    record = changed(record, path, odd, drop=data.draw(st.booleans()))
    logs[log][seq] = encode(record)
    made = rebuilt(exported.copy, **logs)
    if log != "index":
        made = resealed(made, exported)
    else:
        origin = made.checkpoint.decode().split("\n")[0]
        from swarm_ray.engine.key_files import open_ring

        head = Checkpoint(origin, len(logs["index"]), Tree.over(logs["index"]).root())
        note = sign_checkpoint(head, open_ring(exported.settings).log_key)
        made = replace(made, checkpoint=note.to_bytes())
    told, found = judged(file_of(made))
    if isinstance(told, str):
        assert isinstance(found, IntegrityError), (told, found)
        assert not any(word in told for word in PYTHON), told
    else:
        assert told == found
