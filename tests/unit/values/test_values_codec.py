"""What may enter an entry, what its bytes are, and how a flaw is named."""

import json

import pytest

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values import codec


def test_keys_are_sorted_and_nothing_is_padded():
    entry = {"time_us": 5, "kind": "timer", "rows": [{"b": True, "a": None}, ()]}
    assert codec.encode(entry) == b'{"kind":"timer","rows":[{"a":null,"b":true},[]],"time_us":5}'


def test_what_was_encoded_comes_back_with_lists_for_tuples():
    assert codec.decode(codec.encode({"items": (1, "zwölf", None)})) == {
        "items": [1, "zwölf", None]
    }


@pytest.mark.parametrize(
    ("value", "code", "path"),
    [
        ({"cost": 1.5}, "codec.float", "$.cost"),
        ({"rows": [{"ok": 1}, {"p": float("nan")}]}, "codec.float", "$.rows[1].p"),
        ({"size": 2**53}, "codec.integer", "$.size"),
        ({"size": -(2**53)}, "codec.integer", "$.size"),
        ({"huge": 2**70}, "codec.integer", "$.huge"),
        ({"camelCase": 1}, "codec.key", "$"),
        ({"outer": {"ümlaut": 1}}, "codec.key", "$.outer"),
        ({"a\n": 1}, "codec.key", "$"),
        ({"": 1}, "codec.key", "$"),
        ({1: 1}, "codec.key", "$"),
        ({"text": "\ud800"}, "codec.string", "$.text"),
        ({"when": {1, 2}}, "codec.type", "$.when"),
        ({"raw": b"x"}, "codec.type", "$.raw"),
    ],
)
def test_a_refused_value_is_named_by_its_path(value, code, path):
    with pytest.raises(UsageError) as caught:
        codec.encode(value)
    assert (caught.value.code, caught.value.fields["path"]) == (code, path)


def test_the_largest_integers_pass():
    limits = [codec.MAX_INTEGER, -codec.MAX_INTEGER]
    assert codec.decode(codec.encode(limits)) == limits


def test_subclasses_are_refused_because_their_bytes_could_differ_from_their_value():
    class Label(str):
        __slots__ = ()

    with pytest.raises(UsageError) as caught:
        codec.encode({"label": Label("a")})
    assert caught.value.code == "codec.type"


def test_endless_nesting_is_refused():
    value = {}
    value["again"] = value
    with pytest.raises(UsageError) as caught:
        codec.encode(value)
    assert caught.value.code == "codec.depth"


def test_an_entry_has_a_size_limit_and_a_snapshot_state_has_none():
    large = {"text": "x" * codec.MAX_ENTRY_BYTES}
    with pytest.raises(UsageError) as caught:
        codec.encode(large)
    assert caught.value.code == "codec.too_large"
    assert codec.decode(codec.encode(large, max_bytes=None)) == large


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a":1,"a":1}', "codec.duplicate_key"),
        (b'{"a":{"b":1,"b":2}}', "codec.duplicate_key"),
        (b'{"b":1,"a":2}', "codec.not_canonical"),
        (b'{"a": 1}', "codec.not_canonical"),
        (b'{"a":1}\n', "codec.not_canonical"),
        (b'{"a":"\\u0041"}', "codec.not_canonical"),
        (b'{"a":-0}', "codec.not_canonical"),
        (b'{"a":1.0}', "codec.not_canonical"),
        (b'{"a":1e2}', "codec.not_canonical"),
        (b'{"aB":1}', "codec.not_canonical"),
        (b'{"a":9007199254740992}', "codec.not_canonical"),
        (b'{"a":"\\ud800"}', "codec.malformed"),
        (b'{"a":"\xff"}', "codec.malformed"),
        (b'{"a":NaN}', "codec.malformed"),
        (b"", "codec.malformed"),
        (b'{"a":1', "codec.malformed"),
    ],
)
def test_only_the_bytes_that_encode_writes_are_read(data, code):
    with pytest.raises(IntegrityError) as caught:
        codec.decode(data)
    assert caught.value.code == code


def test_published_formats_may_use_camel_case():
    assert codec.encode_standard({"predicateType": "x", "_type": "y"}) == (
        b'{"_type":"y","predicateType":"x"}'
    )


def test_a_body_may_hold_floats_and_free_keys():
    body = {"Größe": 1.5, "b": [2**63, -0.0]}
    assert json.loads(codec.encode_json(body)) == body
    assert codec.decode_json(codec.encode_json(body)) == body


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ({"x": float("inf")}, "codec.float"),
        ({"x": [float("nan")]}, "codec.float"),
        ({"x": 2**64}, "codec.integer"),
        ({2: "x"}, "codec.key"),
        ({"\ud800": 1}, "codec.key"),
        ({"x": object()}, "codec.type"),
    ],
)
def test_a_body_that_json_cannot_carry_is_refused(value, code):
    with pytest.raises(UsageError) as caught:
        codec.encode_json(value)
    assert caught.value.code == code


def test_a_malformed_body_is_refused():
    with pytest.raises(UsageError) as caught:
        codec.decode_json(b"{")
    assert caught.value.code == "codec.malformed"
