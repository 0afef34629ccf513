"""Signed notes: a text with the signatures of several keys, readable by people and programs.

Decides which bytes are a note and when a signature on it counts. It knows nothing about what a
note says; unknown signatures are passed over, as the published rules demand.

Source: C2SP signed-note v1.0.0, with a limit on the number of signatures.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from swarm_ray.attestation.keys import KEY_BYTES, SIGNATURE_BYTES, PublicKey
from swarm_ray.errors import IntegrityError, UsageError

ED25519: Final = 0x01
"""Signature type: Ed25519 over the text of the note."""
COSIGNATURE: Final = 0x04
"""Signature type: the timestamped word of a witness, see `checkpoint`."""
MAX_SIGNATURES: Final = 100
_DASH: Final = "— "
_ID_BYTES: Final = 4


class Signer(Protocol):
    """Whatever makes Ed25519 signatures without showing its key: a file, a key service."""

    @property
    def public(self) -> PublicKey:
        """The key that the signatures are verified with."""

    def sign(self, data: bytes) -> bytes:
        """Return the 64-byte signature over the data."""


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: name of the key, its 4-byte id, the signature as the key's type has it."""

    name: str
    key_id: bytes
    data: bytes

    def line(self) -> str:
        """Return the line without its end."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.data).decode()}"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a newline, and its signature lines in order."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def to_bytes(self) -> bytes:
        """Return the note in UTF-8."""
        lines = "".join(f"{one.line()}\n" for one in self.signatures)
        return f"{self.text}\n{lines}".encode()


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A key under its name, as whoever verifies notes is given it beforehand."""

    name: str
    public: PublicKey
    kind: int = ED25519

    @property
    def key_id(self) -> bytes:
        """The first 4 bytes of SHA-256(name || newline || type || public key)."""
        head = f"{self.name}\n".encode() + bytes((self.kind,))
        return hashlib.sha256(head + self.public.raw).digest()[:_ID_BYTES]

    def to_text(self) -> str:
        """Return the key as `name+id+key`, the form that other tools of these logs read."""
        material = base64.b64encode(bytes((self.kind,)) + self.public.raw).decode()
        return f"{self.name}+{self.key_id.hex()}+{material}"

    @classmethod
    def from_text(cls, text: str) -> "NoteKey":
        """Read what `to_text` wrote.

        Raises:
            UsageError: `note.bad_key`, `note.bad_name`, `key.malformed`, `key.low_order`.
        """
        name, _, rest = text.partition("+")
        key_id, _, material = rest.partition("+")
        try:
            raw = base64.b64decode(material, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != KEY_BYTES + 1 or raw[0] not in (ED25519, COSIGNATURE):
            raise _bad_key(text)
        check_name(name)
        found = cls(name, PublicKey(raw[1:]), raw[0])
        if found.key_id.hex() != key_id:
            raise _bad_key(text)
        return found


def check_name(name: str) -> str:
    """Return the name of a key.

    Raises:
        UsageError: `note.bad_name` for an empty one, or one with white space, a plus or a control
            character.
    """
    if not name or "+" in name or not name.isprintable() or any(map(str.isspace, name)):
        raise UsageError(
            "note.bad_name",
            f"{name!r} cannot name a key of signed notes",
            hint="use an address without scheme, such as example.com/log",
        )
    return name


def sign_text(text: str, name: str, signer: Signer) -> NoteSignature:
    """Return the signature of a key over the text of a note.

    Raises:
        UsageError: `note.bad_name`, `note.bad_text`.
    """
    _check_text(text)
    key = NoteKey(check_name(name), signer.public)
    return NoteSignature(name, key.key_id, signer.sign(text.encode()))


def parse_note(data: bytes) -> Note:
    """Read a note; nothing in it is trusted yet.

    Raises:
        IntegrityError: `note.malformed`: no UTF-8, a control character, no text, no signature or
            more than 100, a signature line that is none.
    """
    try:
        whole = data.decode()
    except UnicodeDecodeError as error:
        raise _malformed("it is not UTF-8") from error
    if any(letter < " " and letter != "\n" for letter in whole):
        raise _malformed("it holds a control character")
    text, blank, lines = whole.rpartition("\n\n")
    if not blank or not text or not lines.endswith("\n"):
        raise _malformed("no signatures follow a text and an empty line")
    found = lines[:-1].split("\n")
    if len(found) > MAX_SIGNATURES:
        raise _malformed(f"it has more than {MAX_SIGNATURES} signatures")
    return Note(text + "\n", tuple(_signature(line) for line in found))


def verify_note(note: Note, keys: Iterable[NoteKey]) -> tuple[str, ...]:
    """Check the signatures by known keys over the text; return the names that signed.

    Raises:
        IntegrityError: `note.bad_signature` when a known key's signature does not fit,
            `note.unknown_signers` when no known key signed.
    """
    known = {(key.name, key.key_id): key for key in keys if key.kind == ED25519}
    signers = []
    for one in note.signatures:
        key = known.get((one.name, one.key_id))
        if key is None:
            continue
        if len(one.data) != SIGNATURE_BYTES or not key.public.verifies(
            one.data, note.text.encode()
        ):
            raise bad_signature(one.name)
        signers.append(one.name)
    if not signers:
        raise unknown_signers(note.signatures)
    return tuple(signers)


def bad_signature(name: str) -> IntegrityError:
    """Return the error for the signature of a known key that does not fit."""
    return IntegrityError(
        "note.bad_signature", f"the signature of {name} does not fit the text", name=name
    )


def unknown_signers(signatures: Sequence[NoteSignature]) -> IntegrityError:
    """Return the error for a note that no known key signed."""
    names = ", ".join(one.name for one in signatures)
    return IntegrityError(
        "note.unknown_signers",
        f"none of the keys that signed is known here: {names}",
        hint="give the key of a signer that you trust",
    )


def _signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    try:
        raw = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("a signature is not base64") from error
    if len(raw) <= _ID_BYTES or not space:
        raise _malformed("a signature line is too short")
    try:
        found = NoteSignature(check_name(name), raw[:_ID_BYTES], raw[_ID_BYTES:])
    except UsageError as error:
        raise _malformed(error.message) from error
    # Spare bits of the base64 text, or another dash, would give one signature several spellings.
    if found.line() != line:
        raise _malformed("a signature line is not written as it should be")
    return found


def _check_text(text: str) -> None:
    controls = any(letter < " " and letter != "\n" for letter in text)
    if not text.strip("\n") or not text.endswith("\n") or controls:
        raise UsageError(
            "note.bad_text",
            "the text cannot be signed as a note",
            hint="end it with a newline and leave out control characters",
        )


def _malformed(why: str) -> IntegrityError:
    return IntegrityError("note.malformed", f"this is not a signed note: {why}")


def _bad_key(text: str) -> UsageError:
    return UsageError(
        "note.bad_key", f"{text!r} is not a key of signed notes", hint="write name+id+key"
    )
