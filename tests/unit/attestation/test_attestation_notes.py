"""Notes, checkpoints, cosignatures and receipts, against published keys and texts."""

import base64

import pytest

from swarm_ray.attestation import checkpoint as cp
from swarm_ray.attestation import note as nt
from swarm_ray.attestation.keys import SigningKey
from swarm_ray.attestation.receipt import Receipt, parse_receipt
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.tree import Tree

# Key and note of the documentation of the Go package golang.org/x/mod/sumdb/note.
PUBLISHED_KEY = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PUBLISHED_SECRET = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
PUBLISHED_TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
PUBLISHED_NOTE = (
    PUBLISHED_TEXT + "\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()

# The example of C2SP tlog-cosignature; its keys are not published.
PUBLISHED_CHECKPOINT = (
    "example.com/behind-the-sofa\n"
    "20852163\n"
    "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    "\n"
    "— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    "— witness.example.com/w1 jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA==\n"
).encode()

ORIGIN = "example.com/log"
KEY = SigningKey.from_seed(b"\x11" * 32)
OTHER = SigningKey.from_seed(b"\x12" * 32)
WITNESS = SigningKey.from_seed(b"\x13" * 32)
LOG_KEY = nt.NoteKey(ORIGIN, KEY.public)
WITNESS_KEY = nt.NoteKey("witness.example/w", WITNESS.public, nt.COSIGNATURE)
ENTRIES = [b"%d" % n for n in range(11)]
TREE = Tree.over(ENTRIES)
HEAD = cp.Checkpoint(ORIGIN, 11, TREE.root())
SIGNED = cp.sign_checkpoint(HEAD, KEY)


def refused(check, *arguments):
    with pytest.raises(IntegrityError) as caught:
        check(*arguments)
    return caught.value.code


def test_the_published_note_is_signed_and_verified_byte_for_byte():
    key = nt.NoteKey.from_text(PUBLISHED_KEY)
    assert key.to_text() == PUBLISHED_KEY
    note = nt.parse_note(PUBLISHED_NOTE)
    assert nt.verify_note(note, [key]) == ("PeterNeumann",)
    signer = SigningKey.from_seed(PUBLISHED_SECRET)
    again = nt.Note(PUBLISHED_TEXT, (nt.sign_text(PUBLISHED_TEXT, "PeterNeumann", signer),))
    assert again.to_bytes() == note.to_bytes() == PUBLISHED_NOTE


def test_the_published_checkpoint_is_read_and_written_byte_for_byte():
    note = nt.parse_note(PUBLISHED_CHECKPOINT)
    found = cp.read_checkpoint(note)
    assert (found.origin, found.size) == ("example.com/behind-the-sofa", 20_852_163)
    assert note.to_bytes() == PUBLISHED_CHECKPOINT
    assert refused(nt.verify_note, note, [LOG_KEY]) == "note.unknown_signers"
    cosigned = note.signatures[1]
    assert int.from_bytes(cosigned.data[:8], "big") == 1_679_315_147
    assert len(cosigned.data) == 72


def test_a_text_may_hold_empty_lines():
    text = "one\n\ntwo\n"
    note = nt.Note(text, (nt.sign_text(text, ORIGIN, KEY),))
    assert nt.parse_note(note.to_bytes()) == note


def test_a_key_under_another_name_has_another_id():
    other = nt.NoteKey("example.com/other", KEY.public)
    assert other.key_id != LOG_KEY.key_id
    assert refused(nt.verify_note, SIGNED, [other]) == "note.unknown_signers"


def test_a_stranger_neither_helps_nor_harms_and_need_not_come_last():
    stranger = nt.sign_text(HEAD.text(), "stranger.example", OTHER)
    both = nt.Note(SIGNED.text, (stranger, *SIGNED.signatures))
    assert nt.verify_note(nt.parse_note(both.to_bytes()), [LOG_KEY]) == (ORIGIN,)


def test_a_signature_of_a_known_key_that_does_not_fit_refuses_the_note():
    text = cp.Checkpoint(ORIGIN, 12, TREE.root()).text()
    forged = nt.Note(text, SIGNED.signatures)
    assert refused(nt.verify_note, forged, [LOG_KEY]) == "note.bad_signature"
    assert refused(cp.open_checkpoint, forged.to_bytes(), [LOG_KEY]) == "note.bad_signature"


def test_a_hundred_signatures_are_read_and_no_more():
    signed = nt.Note(SIGNED.text, SIGNED.signatures * 100)
    assert len(nt.parse_note(signed.to_bytes()).signatures) == 100
    more = nt.Note(SIGNED.text, SIGNED.signatures * 101)
    assert refused(nt.parse_note, more.to_bytes()) == "note.malformed"


LINE = SIGNED.signatures[0].line()
BASE64 = LINE.rpartition(" ")[2]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"text\n",
        b"text\n\n",
        b"\n\n" + LINE.encode() + b"\n",
        f"text\n\n{LINE}".encode(),
        f"text\n{LINE}\n".encode(),
        f"text\n\n{LINE}\n\n".encode(),
        f"text\n\n{LINE}\nmore\n".encode(),
        f"te\txt\n\n{LINE}\n".encode(),
        f"text\r\n\n{LINE}\n".encode(),
        f"text\n\n{LINE}\n".encode("utf-16"),
        f"text\n\n- {ORIGIN} {BASE64}\n".encode(),
        f"text\n\n—{ORIGIN} {BASE64}\n".encode(),
        f"text\n\n—  {BASE64}\n".encode(),
        f"text\n\n— {ORIGIN}\n".encode(),
        f"text\n\n— a+b {BASE64}\n".encode(),
        f"text\n\n— a\u00a0b {BASE64}\n".encode(),
        f"text\n\n— {ORIGIN} AAAA\n".encode(),
        f"text\n\n— {ORIGIN} {BASE64} \n".encode(),
        f"text\n\n— {ORIGIN} {BASE64[:-1]}\n".encode(),
        f"text\n\n— {ORIGIN} {BASE64.replace('/', '_').replace('+', '-')}-\n".encode(),
    ],
)
def test_a_malformed_note_is_refused(data):
    assert refused(nt.parse_note, data) == "note.malformed"


@pytest.mark.parametrize(
    "text",
    [
        f"{ORIGIN}\n11\n",
        f"{ORIGIN}\n011\n{'A' * 43}=\n",
        f"{ORIGIN}\n-1\n{'A' * 43}=\n",
        f"{ORIGIN}\n11\n{'A' * 43}\n",
        f"{ORIGIN}\n11\n{'A' * 42}B=\n",
        f"{ORIGIN}\n11\nAAAA\n",
        f"{ORIGIN}\n0\n{'A' * 43}=\n",
        f"{ORIGIN}\n11\n{'A' * 43}=\nextension\n",
        f"\n11\n{'A' * 43}=\n",
    ],
)
def test_a_text_that_is_no_checkpoint_is_refused(text):
    note = nt.Note(text, (nt.sign_text(text, ORIGIN, KEY),))
    assert refused(cp.read_checkpoint, note) == "checkpoint.malformed"


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\n", "a\u2003b"])
def test_a_name_that_no_line_can_carry_is_refused(name):
    with pytest.raises(UsageError):
        nt.sign_text(HEAD.text(), name, KEY)


@pytest.mark.parametrize(
    "text",
    [
        PUBLISHED_KEY[:-4],
        PUBLISHED_KEY.replace("c74f20a3", "c74f20a4"),
        "PeterNeumann",
        "a+00000000+" + base64.b64encode(b"\x02" + KEY.public.raw).decode(),
    ],
)
def test_a_key_text_that_does_not_fit_is_refused(text):
    with pytest.raises(UsageError) as caught:
        nt.NoteKey.from_text(text)
    assert caught.value.code == "note.bad_key"


def test_a_witness_says_when():
    seen = cp.cosign(SIGNED, "witness.example/w", WITNESS, 1_679_315_147)
    again = nt.parse_note(seen.to_bytes())
    assert cp.witnesses(again, [WITNESS_KEY]) == {"witness.example/w": 1_679_315_147}
    assert cp.witnesses(again, []) == {}
    assert cp.open_checkpoint(seen.to_bytes(), [LOG_KEY]) == HEAD
    signed = b"cosignature/v1\ntime 1679315147\n" + HEAD.text().encode()
    assert WITNESS.public.verifies(again.signatures[1].data[8:], signed)


def test_a_witness_whose_time_or_text_was_changed_is_refused():
    seen = cp.cosign(SIGNED, "witness.example/w", WITNESS, 1_679_315_147)
    line = seen.signatures[1]
    later = bytearray(line.data)
    later[7] ^= 1
    for data in (bytes(later), line.data[:-1], b""):
        changed = nt.NoteSignature(line.name, line.key_id, data)
        forged = nt.Note(seen.text, (seen.signatures[0], changed))
        assert refused(cp.witnesses, forged, [WITNESS_KEY]) == "note.bad_signature"
    with pytest.raises(UsageError):
        cp.cosign(SIGNED, "witness.example/w", WITNESS, 2**63)


def receipt(index):
    return Receipt(index, tuple(TREE.inclusion(index)), SIGNED.to_bytes())


def test_a_receipt_proves_its_entry_and_no_other():
    for index, entry in enumerate(ENTRIES):
        found = parse_receipt(receipt(index).to_bytes())
        assert found == receipt(index)
        assert found.verify(entry, [LOG_KEY]) == HEAD
        assert refused(found.verify, b"another", [LOG_KEY]) == "merkle.bad_proof"


def test_the_text_of_a_receipt_is_as_published():
    lines = Receipt(0, (bytes(32),), b"checkpoint\n", b"more").to_bytes().split(b"\n")
    assert lines == [
        b"c2sp.org/tlog-proof@v1",
        b"extra bW9yZQ==",
        b"index 0",
        base64.b64encode(bytes(32)),
        b"",
        b"checkpoint",
        b"",
    ]


GOOD = receipt(3).to_bytes()


@pytest.mark.parametrize(
    "data",
    [
        GOOD.replace(b"@v1", b"@v2"),
        GOOD.replace(b"index 3", b"index 03"),
        GOOD.replace(b"index 3\n", b""),
        GOOD.replace(b"index 3", b"extra ####\nindex 3"),
        GOOD.replace(b"=\n", b"\n", 1),
        GOOD.replace(b"index 3\n", b"index 3\nAAAA\n"),
        GOOD.replace(b"index", "ındex".encode()),
        GOOD.partition(b"\n\n")[0],
    ],
)
def test_a_malformed_receipt_is_refused(data):
    assert refused(parse_receipt, data) == "receipt.malformed"


def test_a_receipt_under_a_checkpoint_of_another_log_is_refused():
    other = nt.NoteKey(ORIGIN, OTHER.public)
    assert refused(receipt(3).verify, b"3", [other]) == "note.unknown_signers"
