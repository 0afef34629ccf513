"""How a model is called in a row: nothing secret gets in, and no two names become one."""

from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from swarm_ray.config import Settings
from swarm_ray.errors import UsageError, WorkerError
from swarm_ray.models.naming import (
    MAX_MODEL_CHARS,
    MAX_NAME_CHARS,
    address,
    is_models,
    joined,
    model_name,
    weights_digest,
)
from swarm_ray.models.service import Endpoint
from swarm_ray.models.slice import MAX_MODELS, Slice
from swarm_ray.testing.endpoint import Said, endpoint
from swarm_ray.values.digests import sha256

WHERE = "https://api.example.org/v1"
MESSAGES = [{"role": "user", "content": "hi"}]


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:sk-secret@api.example.org/v1", WHERE),
        ("https://sk-secret@api.example.org/v1/", WHERE),
        ("https://api.example.org/v1?key=sk-secret#sk-secret", WHERE),
        ("HTTPS://API.Example.org/v1", WHERE),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("http://a:sk-secret@[::1]:8000/v1", "http://[::1]:8000/v1"),
        ("http://host/ein pfad/@x", "http://host/ein%20pfad/%40x"),
        ("http://höst/v1", "http://h%C3%B6st/v1"),
    ],
)
def test_an_address_shows_where_and_no_secret(url: str, shown: str) -> None:
    assert address(url) == shown
    assert is_models(model_name("m", shown))


@pytest.mark.parametrize(
    "url", ["user:sk-secret@host/v1", "", "ftp://h/", "http://:1", "http://h:x"]
)
def test_what_is_no_address_of_a_service_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(UsageError) as refused:
        address(url)
    assert refused.value.code == "model.bad_url"
    assert "secret" not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("gpt-4o", "gpt-4o"),
        ("org/model:7b", "org/model:7b"),
        ("a b\n@c", "a%20b%0A%40c"),
        ("a%20b", "a%2520b"),
        ("gрt", "g%D1%80t"),  # the second letter is Cyrillic
        ("", ""),
    ],
)
def test_a_name_is_visible_ascii_without_an_at(name: str, shown: str) -> None:
    assert model_name(name, WHERE) == f"{shown}@{WHERE}"


@pytest.mark.parametrize("name", ["x" * (MAX_NAME_CHARS + 1), "\ud800", 7, ["gpt"], {"a": 1}])
def test_what_is_no_name_is_refused(name: object) -> None:
    with pytest.raises(UsageError) as refused:
        model_name(name, WHERE)
    assert refused.value.code == "model.bad_request"


NAMES = st.text(st.characters(exclude_categories=("Cs",)), max_size=20)


@settings(max_examples=60)
@given(one=NAMES, two=NAMES)
@example(one="a%40", two="a@")
def test_different_names_stay_different_and_can_stand_in_a_row(one: str, two: str) -> None:
    assert (model_name(one, WHERE) == model_name(two, WHERE)) == (one == two)
    assert is_models(joined([model_name(one, WHERE), model_name(two, WHERE)]))


def test_more_than_fits_becomes_a_digest_that_no_model_has() -> None:
    models = [f"{'m' * 40}{n}@{WHERE}" for n in range(4)]
    assert joined(models) == f"sha256:{sha256(' '.join(models).encode())}"
    assert joined(models[:1]) == models[0]
    assert joined([]) == ""
    assert "@" not in joined(models)
    assert all(map(is_models, (joined(models), joined(models[:3]), "")))


@pytest.mark.parametrize(
    "text", ["x" * (MAX_MODEL_CHARS + 1), "a\x00", "a  b", " a", "a ", "ä", "a\nb", "a\n"]
)
def test_other_texts_are_no_models(text: str) -> None:
    assert not is_models(text)


def test_weights_are_named_by_their_digest(tmp_path: Path) -> None:
    file = tmp_path / "weights"
    file.write_bytes(b"weights")
    assert weights_digest(file) == f"sha256:{sha256(b'weights')}"


# -- what a slice notes --------------------------------------------------------------------------


def test_a_slice_notes_each_model_once_in_the_order_of_first_use() -> None:
    slice_ = Slice(100, 0)
    slice_.reserve(10, 0, "b@x")
    slice_.asks("a@x")
    slice_.reserve(10, 0, "b@x")
    assert slice_.close()[2] == "b@x a@x"


def test_a_model_that_was_not_asked_is_not_noted() -> None:
    slice_ = Slice(10, 0)
    with pytest.raises(WorkerError):
        slice_.reserve(11, 0, "m@x")
    assert slice_.close()[2] == ""


def test_a_worker_cannot_make_the_host_remember_without_end() -> None:
    slice_ = Slice(100, 0)
    for number in range(MAX_MODELS):
        slice_.asks(f"m{number}@x")
    for ask in (slice_.asks, lambda name: slice_.reserve(1, 0, name)):
        with pytest.raises(UsageError) as refused:
            ask("another@x")
        assert refused.value.code == "model.too_many"
    assert slice_.used_tokens == 0
    slice_.asks("m0@x")


def test_a_call_that_was_still_waiting_when_the_attempt_ended_never_leaves(tmp_path: Path) -> None:
    slice_ = Slice(10_000, 0)
    slice_.reserve(10, 0, "m@x")
    assert slice_.close() == (10, 0, "m@x")
    with endpoint(lambda _: Said("yes", 1, 1)) as server:
        service = Endpoint(Settings(home=tmp_path, model_url=server.url, model_name="usual"))
        with pytest.raises(WorkerError) as refused:
            service.complete({"messages": MESSAGES}, slice_)
        assert server.requests == []
    assert refused.value.code == "attempt.over"
    with pytest.raises(WorkerError):
        slice_.asks("n@x")
    assert slice_.close() == (10, 0, "m@x")


# -- what an endpoint notes ----------------------------------------------------------------------


def asked(tmp_path: Path, said: Said, **request: object) -> tuple[Slice, int, str]:
    """The slice after a request, how many requests arrived, and the code of a refusal."""
    with endpoint(lambda _: said) as server:
        url = server.url.replace("http://", "http://user:sk-secret@")
        service = Endpoint(Settings(home=tmp_path, model_url=url, model_name="usual"))
        slice_, code = Slice(10_000, 0), ""
        try:
            service.complete({"messages": MESSAGES, **request}, slice_)
        except (UsageError, WorkerError) as error:
            code = error.code
        return slice_, len(server.requests), code


def port_free(text: str) -> str:
    head, _, tail = text.partition("127.0.0.1:")
    return f"{head}127.0.0.1{tail.lstrip('0123456789')}"


@pytest.mark.parametrize(
    ("said", "code"), [(Said("yes", 1, 1), ""), (Said(status=401, code="no"), "model.refused")]
)
def test_a_model_is_noted_whatever_it_answers(tmp_path: Path, said: Said, code: str) -> None:
    slice_, arrived, refused = asked(tmp_path, said)
    assert (arrived, refused) == (1, code)
    assert port_free(slice_.close()[2]) == "usual@http://127.0.0.1/v1"


def test_the_name_that_the_worker_chose_is_the_one_that_was_asked(tmp_path: Path) -> None:
    slice_, _, _ = asked(tmp_path, Said("yes", 1, 1), model="ot her")
    assert port_free(slice_.close()[2]) == "ot%20her@http://127.0.0.1/v1"


@pytest.mark.parametrize("model", ["x" * 100_000, 7, ["a"]])
def test_a_bad_name_never_leaves_and_costs_nothing(tmp_path: Path, model: object) -> None:
    slice_, arrived, code = asked(tmp_path, Said("yes", 1, 1), model=model)
    assert (arrived, code) == (0, "model.bad_request")
    assert (slice_.close()[2], slice_.used_tokens) == ("", 0)
