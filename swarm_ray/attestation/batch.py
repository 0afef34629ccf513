"""One signature for a batch of statements, and the evidence of one item taken from it.

Decides what a batch envelope signs: who, which batch, how many statements, and the RFC 6962 root
over their bytes in row order. Statements are not transported; the verifier rebuilds them from the
rows. It never decides which keys or batches to expect.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any, Final, Literal

from swarm_ray.attestation import dsse
from swarm_ray.attestation.keys import PublicKey, SigningKey
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values import merkle
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.digests import Digest
from swarm_ray.values.tree import Tree

BATCH_TYPE: Final = "application/vnd.swarm-ray.batch.v1+json"
CLOCK_SKEW_US: Final = 60_000_000
"""How far the clocks of two organisations may differ."""


@dataclass(frozen=True, slots=True)
class BatchHeader:
    """Which batch a signature is about.

    `kind` says whose word it is: the coordinator's order or the host's results. `batch` counts the
    dispatches of a swarm; `sequence` counts a host's answers to it. `expires_us` is absolute Unix
    time in microseconds, 0 when the batch does not expire.
    """

    kind: Literal["dispatch", "results"]
    run: str
    swarm: str
    epoch: int
    batch: int
    host: str
    bundle: str
    sequence: int = 0
    expires_us: int = 0


_FIRST: Final = ("host", "kind", "bundle")
"""Fields that say what an envelope is, whatever else of it differs."""
_FIELD_TYPES: Final = {one.name: int if one.type is int else str for one in fields(BatchHeader)}


def sign_batch(key: SigningKey, header: BatchHeader, statements: Sequence[bytes]) -> bytes:
    """Return the envelope over a batch as canonical bytes.

    Args:
        key: the coordinator's key for a dispatch, the host's for results.
        header: which batch.
        statements: the bytes of each statement, in row order, at least one.

    Raises:
        UsageError: `attestation.empty_batch`, or a codec error for a field outside the profile.
    """
    return dsse.sign([key], BATCH_TYPE, _payload(header, _leaves(statements))).to_bytes()


def assemble_batch(
    header: BatchHeader, statements: Sequence[bytes], keyid: str, signature: bytes
) -> bytes:
    """Return the envelope that `sign_batch` made, from the signature that a log keeps of it.

    Raises:
        UsageError: as `sign_batch`.
    """
    signed = dsse.Signature(Digest(keyid), signature)
    payload = _payload(header, _leaves(statements))
    return dsse.Envelope(BATCH_TYPE, payload, (signed,)).to_bytes()


def batch_signature(envelope: bytes) -> dsse.Signature:
    """Return the one signature of a batch envelope, to be kept in a log.

    Raises:
        IntegrityError: `attestation.malformed`.
    """
    return _parse(envelope).signatures[0]


def verify_batch(
    envelope: bytes,
    keys: Mapping[str, PublicKey],
    expected: BatchHeader,
    statements: Sequence[bytes],
    *,
    now_us: int | None = None,
    skew_us: int = CLOCK_SKEW_US,
) -> None:
    """Check that an accepted key signed exactly these statements for exactly this batch.

    Args:
        envelope: canonical envelope bytes.
        keys: the accepted keys by keyid; never taken from a message.
        expected: the header that the receiver expects, field by field.
        statements: the statements rebuilt from the rows, in row order.
        now_us: Unix time of the receipt; None when reading old evidence, which cannot expire.
        skew_us: how much later than `expires_us` is still accepted.

    Raises:
        IntegrityError: `attestation.malformed`, `.truncated`, `.not_canonical`, `.unknown_key`,
            `.bad_signature`; `.replayed`, `.wrong_site`, `.wrong_kind` or `.wrong_bundle` (with the
            `field`) for the envelope of something else; `.root_mismatch`, `.expired`.
        UsageError: `attestation.empty_batch`.
    """
    header, count, root = _open(envelope, keys)
    if header != expected:
        ours, theirs = asdict(expected), asdict(header)
        field = next(name for name in (*_FIRST, *ours) if ours[name] != theirs[name])
        raise _of_something_else(field, theirs[field], ours[field])
    if count != len(statements) or merkle.root(_leaves(statements)) != root:
        raise IntegrityError(
            "attestation.root_mismatch",
            f"the {len(statements)} rows are not the {count} statements that were signed",
        )
    if now_us is not None and header.expires_us and now_us > header.expires_us + skew_us:
        raise IntegrityError(
            "attestation.expired",
            f"the envelope expired {now_us - header.expires_us} us ago",
            hint="compare the clocks of both sides",
        )


def verify_rows(
    key: PublicKey, signature: bytes, header: BatchHeader, statements: Sequence[bytes]
) -> None:
    """Check the signature that a log keeps of a batch against the statements rebuilt from its rows.

    Raises:
        IntegrityError: `attestation.bad_signature`.
        UsageError: `attestation.empty_batch`.
    """
    if not key.verifies(signature, dsse.pae(BATCH_TYPE, _payload(header, _leaves(statements)))):
        raise IntegrityError(
            "attestation.bad_signature",
            f"the rows of batch {header.batch} are not those that {header.host} signed",
            keyid=key.keyid,
        )


@dataclass(frozen=True, slots=True)
class ItemEvidence:
    """A checked statement: which batch it stands in, where, and its exact bytes."""

    header: BatchHeader
    index: int
    count: int
    statement: bytes
    keyid: Digest


def item_evidence(envelope: bytes, statements: Sequence[bytes], index: int) -> bytes:
    """Return the evidence of one row for anybody: statement, inclusion path and envelope.

    Raises:
        IntegrityError: `attestation.malformed`.
        UsageError: `merkle.out_of_range`.
    """
    _parse(envelope)
    path = Tree(_leaves(statements)).inclusion(index)
    return encode(
        {
            "envelope": envelope.decode("utf-8"),
            "index": index,
            "path": [node.hex() for node in path],
            "statement": statements[index].decode("utf-8"),
        },
        max_bytes=None,
    )


def verify_item_evidence(evidence: bytes, keys: Mapping[str, PublicKey]) -> ItemEvidence:
    """Check the evidence of one row; return what it proves.

    Raises:
        IntegrityError: `attestation.malformed`, `.unknown_key`, `.bad_signature`,
            `.root_mismatch` when the path does not lead from statement to signed root.
    """
    envelope, index, path, statement = _parse_evidence(evidence)
    header, count, root = _open(envelope, keys)
    try:
        merkle.verify_inclusion(merkle.leaf_hash(statement), index, count, path, root)
    except IntegrityError as error:
        raise IntegrityError("attestation.root_mismatch", error.message, index=index) from error
    return ItemEvidence(header, index, count, statement, _parse(envelope).signatures[0].keyid)


def _leaves(statements: Sequence[bytes]) -> list[bytes]:
    if not statements:
        raise UsageError(
            "attestation.empty_batch", "a batch has no statements", hint="send no empty batches"
        )
    return [merkle.leaf_hash(statement) for statement in statements]


def _payload(header: BatchHeader, leaves: Sequence[bytes]) -> bytes:
    return encode({**asdict(header), "count": len(leaves), "root": merkle.root(leaves).hex()})


def _parse(envelope: bytes) -> dsse.Envelope:
    parsed = dsse.parse(envelope, canonical=True)
    if len(parsed.signatures) != 1 or parsed.payload_type != BATCH_TYPE:
        raise IntegrityError("attestation.malformed", "this is not the envelope of a batch")
    return parsed


def _open(envelope: bytes, keys: Mapping[str, PublicKey]) -> tuple[BatchHeader, int, bytes]:
    parsed = _parse(envelope)
    dsse.verify(parsed, keys)
    try:
        signed = decode(parsed.payload)
        count, root = signed.pop("count"), bytes.fromhex(signed.pop("root"))
        header = BatchHeader(**signed)
    except (IntegrityError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            "attestation.malformed", f"the signed header cannot be read: {error}"
        ) from error
    typed = all(type(signed[name]) is kind for name, kind in _FIELD_TYPES.items() if name in signed)
    if not typed or type(count) is not int or header.kind not in ("dispatch", "results"):
        raise IntegrityError("attestation.malformed", "the signed header has wrong fields")
    return header, count, root


def _of_something_else(field: str, found: object, expected: object) -> IntegrityError:
    what = f"{found!r}, expected {expected!r}"
    match field:
        case "host":
            return IntegrityError(
                "attestation.wrong_site", f"the envelope is that of host {what}", field=field
            )
        case "kind":
            return IntegrityError(
                "attestation.wrong_kind", f"the envelope is of {what}", field=field
            )
        case "bundle":
            return IntegrityError(
                "attestation.wrong_bundle", f"the envelope is about the code {what}", field=field
            )
        case _:
            return IntegrityError(
                "attestation.replayed",
                f"the envelope is of another occasion: {field} {what}",
                field=field,
            )


def _parse_evidence(evidence: bytes) -> tuple[bytes, int, list[bytes], bytes]:
    try:
        found: Any = decode(evidence)
        envelope, statement = found["envelope"].encode(), found["statement"].encode()
        index, path = found["index"], [bytes.fromhex(node) for node in found["path"]]
    except (IntegrityError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise IntegrityError(
            "attestation.malformed", f"the evidence cannot be read: {error}"
        ) from error
    # `fromhex` also reads capitals and spaces, which would give one path several spellings.
    if len(found) != 4 or type(index) is not int or [node.hex() for node in path] != found["path"]:
        raise IntegrityError("attestation.malformed", "the evidence has other fields")
    return envelope, index, path, statement
