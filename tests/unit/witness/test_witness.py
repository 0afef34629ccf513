"""A witness over real HTTP: it cosigns what grows, and says what does not."""

import contextlib
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from swarm_ray.anchors.witnessed import WitnessAnchor
from swarm_ray.attestation.checkpoint import Checkpoint, sign_checkpoint
from swarm_ray.attestation.cosigning import CosignRequest, parse_request
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.note import COSIGNATURE, NoteKey, parse_note
from swarm_ray.errors import IntegrityError, StorageError, UsageError
from swarm_ray.testing.servers import witness_server
from swarm_ray.values.merkle import leaf_hash
from swarm_ray.values.tree import Tree
from swarm_ray.witness.app import Witness
from swarm_ray.witness.latest import Latest

ORIGIN, NAME = "example.org/log", "example.org/witness"
LOG, OTHER, WITNESS = (SigningKey.from_seed(bytes([one]) * 32) for one in (1, 2, 3))
LEAVES = [leaf_hash(bytes([one])) for one in range(40)]
KEY = NoteKey(NAME, WITNESS.public, COSIGNATURE)


class Grove:
    """One history of a log, of any size."""

    def __init__(self, leaves: list[bytes]) -> None:
        self.leaves = leaves

    def note(self, size: int, key: SigningKey = LOG) -> bytes:
        root = Tree(self.leaves[:size]).root()
        return sign_checkpoint(Checkpoint(ORIGIN, size, root), key).to_bytes()

    def prove(self, size: int):
        return lambda old: Tree(self.leaves[:size]).consistency(old)


TRUE = Grove(LEAVES)
FORGED = Grove([leaf_hash(b"forged"), *LEAVES[1:]])


@contextlib.contextmanager
def serving(path: Path, *, new: bool = True) -> Iterator[str]:
    latest = Latest.create(path) if new else Latest(path)
    witness = Witness(NAME, WITNESS, [NoteKey(ORIGIN, LOG.public)], latest)
    with witness_server(witness) as url:
        yield url


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(tmp_path_factory.mktemp("witness") / "w.sqlite3") as url:
        WitnessAnchor(url, KEY).keep(TRUE.note(20), TRUE.prove(20))
        yield url


def posted(url: str, old: int, proof: list[bytes], note: bytes) -> httpx.Response:
    body = CosignRequest(old, tuple(proof), parse_note(note)).to_bytes()
    return httpx.post(f"{url}/add-checkpoint", content=body)


def test_a_log_that_grows_is_cosigned_each_time(tmp_path: Path):
    with serving(tmp_path / "w.sqlite3") as url:
        anchor = WitnessAnchor(url, KEY)
        for size in (1, 2, 7, 7, 33):
            kept = anchor.keep(TRUE.note(size), TRUE.prove(size))
            assert (kept.size, kept.root) == (size, Tree(LEAVES[:size]).root().hex())


def test_a_witness_that_starts_again_remembers_and_an_asker_that_forgot_is_told(tmp_path: Path):
    with serving(tmp_path / "w.sqlite3") as url:
        WitnessAnchor(url, KEY).keep(TRUE.note(9), TRUE.prove(9))
    with serving(tmp_path / "w.sqlite3", new=False) as url:
        assert WitnessAnchor(url, KEY).keep(TRUE.note(12), TRUE.prove(12)).size == 12
        with pytest.raises(IntegrityError) as refused:
            WitnessAnchor(url, KEY).keep(FORGED.note(14), FORGED.prove(14))
        assert refused.value.code == "anchor.split_view"


def test_a_second_view_of_one_size_and_a_shorter_log_are_a_split_view(tmp_path: Path):
    with serving(tmp_path / "w.sqlite3") as url:
        anchor = WitnessAnchor(url, KEY)
        anchor.keep(TRUE.note(9), TRUE.prove(9))
        for size, grove in ((9, FORGED), (5, TRUE)):
            with pytest.raises(IntegrityError) as refused:
                anchor.keep(grove.note(size), grove.prove(size))
            assert refused.value.code == "anchor.split_view"


def test_a_witness_that_has_seen_more_is_asked_again_the_next_time(tmp_path: Path):
    with serving(tmp_path / "w.sqlite3") as url:
        WitnessAnchor(url, KEY).keep(TRUE.note(9), TRUE.prove(9))
        anchor = WitnessAnchor(url, KEY)
        for _ in range(2):
            with pytest.raises(IntegrityError) as refused:
                anchor.keep(TRUE.note(5), TRUE.prove(5))
            assert refused.value.code == "anchor.split_view"
            assert "9 entries" in refused.value.message
        assert anchor.keep(TRUE.note(12), TRUE.prove(12)).size == 12


def test_a_signature_that_is_dated_long_before_it_was_asked_for_is_refused(tmp_path: Path):
    with serving(tmp_path / "w.sqlite3") as url:
        ahead = WitnessAnchor(url, KEY, lambda: time.time() + 300)
        with pytest.raises(IntegrityError) as refused:
            ahead.keep(TRUE.note(9), TRUE.prove(9))
        assert refused.value.code == "anchor.wrong_clock"
        assert WitnessAnchor(url, KEY, lambda: time.time() + 30).keep(TRUE.note(9), TRUE.prove(9))


@pytest.mark.parametrize(
    ("old", "proof", "note", "status"),
    [
        (20, Tree(LEAVES[:30]).consistency(20), TRUE.note(30, OTHER), 403),
        (20, Tree(LEAVES[:30]).consistency(20)[:-1], TRUE.note(30), 422),
        (20, [*Tree(LEAVES[:30]).consistency(20), LEAVES[0]], TRUE.note(30), 422),
        (20, Tree(FORGED.leaves[:30]).consistency(20), FORGED.note(30), 422),
        (0, [], TRUE.note(30), 409),
        (19, Tree(LEAVES[:30]).consistency(19), TRUE.note(30), 409),
        (20, [LEAVES[0]], TRUE.note(20), 409),
        (30, [], TRUE.note(20), 400),
    ],
)
def test_what_is_not_a_continuation_is_refused(shared: str, old, proof, note, status):
    answer = posted(shared, old, proof, note)
    assert answer.status_code == status, answer.text
    if status == 409:
        assert (answer.text, answer.headers["content-type"]) == ("20\n", "text/x.tlog.size")


def test_a_log_that_it_does_not_follow_is_unknown(shared: str):
    note = sign_checkpoint(Checkpoint("example.org/else", 1, LEAVES[0]), LOG).to_bytes()
    assert posted(shared, 0, [], note).status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 1\n\n",
        b"old -1\n\n" + TRUE.note(30),
        b"old 01\n\n" + TRUE.note(30),
        b"young 1\n\n" + TRUE.note(30),
        b"old 20\nAAAA\n\n" + TRUE.note(30),
        b"old 20\n" + b"A" * 43 + b"=\n" * 64 + b"\n" + TRUE.note(30),
        b"old 20\n\xff\n\n" + TRUE.note(30),
        b"old 20\n\nno note",
    ],
)
def test_what_is_no_request_is_refused(shared: str, body: bytes):
    assert httpx.post(f"{shared}/add-checkpoint", content=body).status_code == 400


def test_a_request_without_end_is_cut_off(shared: str):
    endless = (b"x" * 10_000 for _ in range(100))
    assert httpx.post(f"{shared}/add-checkpoint", content=endless).status_code == 413


def test_of_many_at_once_only_one_history_is_cosigned(tmp_path: Path):
    with serving(tmp_path / "w.sqlite3") as url:
        found: list[int] = []

        def ask(grove: Grove) -> None:
            found.append(posted(url, 0, [], grove.note(20)).status_code)

        threads = [threading.Thread(target=ask, args=(one,)) for one in [TRUE, FORGED] * 8]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert found.count(200) >= 1
        first = posted(url, 20, [], TRUE.note(20)).status_code
        second = posted(url, 20, [], FORGED.note(20)).status_code
        assert {first, second} == {200, 409}


def test_a_witness_is_never_made_in_passing(tmp_path: Path):
    with pytest.raises(UsageError, match="no file"):
        Latest(tmp_path / "w.sqlite3")
    Latest.create(tmp_path / "w.sqlite3")
    with pytest.raises(UsageError, match="there is a witness"):
        Latest.create(tmp_path / "w.sqlite3")


def test_an_answer_under_another_key_does_not_count(shared: str):
    stranger = NoteKey(NAME, OTHER.public, COSIGNATURE)
    with pytest.raises(IntegrityError) as refused:
        WitnessAnchor(shared, stranger).keep(TRUE.note(20), TRUE.prove(20))
    assert refused.value.code == "anchor.refused"


def test_a_witness_out_of_reach_is_no_split_view():
    with pytest.raises(StorageError) as refused:
        WitnessAnchor("http://127.0.0.1:9", KEY).keep(TRUE.note(20), TRUE.prove(20))
    assert refused.value.code == "anchor.out_of_reach"


def test_a_request_reads_back_as_it_was_written():
    request = CosignRequest(7, tuple(Tree(LEAVES[:30]).consistency(7)), parse_note(TRUE.note(30)))
    assert parse_request(request.to_bytes()) == request
