"""The comparison with anchors: is the index the one that others keep a checkpoint of.

Decides what is compared: the roots that the admin log says were kept, the lines of a witness whose
key is known, and what lies in a bucket. Whoever holds all keys of a coordinator can rewrite and sign
everything but this.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from swarm_ray.attestation.checkpoint import Checkpoint, read_checkpoint, witnesses
from swarm_ray.attestation.note import NoteKey, parse_note
from swarm_ray.engine.admin import read_admin_entry
from swarm_ray.errors import IntegrityError
from swarm_ray.evidence.copy import Copy
from swarm_ray.ports.anchors import Anchored
from swarm_ray.values.merkle import Frontier

Kept = Callable[[str], Mapping[int, bytes]]
"""Returns by size the oldest notes that a bucket keeps of the log of an origin."""


@dataclass(frozen=True, slots=True)
class AnchorFindings:
    """How far the index agrees with others: `told` checkpoints of which the admin log says that they
    were kept; the largest size that a known witness cosigned and that a bucket keeps, 0 for none;
    `first_kept`, the smallest size that the bucket keeps, 0 for none, None where no bucket was asked.
    """

    told: int = 0
    cosigned: int = 0
    in_bucket: int = 0
    first_kept: int | None = None

    def sentences(self, size: int) -> Iterator[str]:
        """Yield what was compared, for an index of so many entries."""
        if self.cosigned:
            yield f"A witness that you know saw {self.cosigned} of the {size} entries of the index."
        if self.in_bucket:
            yield f"The bucket keeps {self.in_bucket} of the {size} entries of the index unchanged."
        elif self.first_kept:
            yield (
                f"With the bucket compared with nothing: the file ends after {size} entries of the "
                f"index, before the first note there, which is of {self.first_kept}."
            )
        elif self.first_kept is not None:
            yield "With the bucket compared with nothing: it keeps no note of this index."
        if self.told and not self.cosigned and not self.in_bucket:
            yield f"{self.told} checkpoints are said to be kept elsewhere; none was compared."


def check_anchors(
    copy: Copy, keys: Sequence[NoteKey] = (), kept: Kept | None = None, *, whole: bool = False
) -> AnchorFindings:
    """Compare the index of a checked copy with what others keep of it.

    Args:
        copy: of a run.
        keys: of witnesses that are known from elsewhere.
        kept: reads a bucket; None compares with none.
        whole: the index is all there is, so that nobody can have seen more of it.

    Raises:
        IntegrityError: `evidence.anchor_mismatch`: somebody keeps another history; what reading a
            line or the bucket raises.
    """
    origin = read_checkpoint(parse_note(copy.checkpoint)).origin
    events = [read_admin_entry(entry)[0] for entry in copy.logs["admin"]]
    told = [one for one in events if isinstance(one, Anchored)]
    notes = dict(kept(origin)) if kept is not None else {}
    last = len(copy.leaves["index"])
    roots = _roots(copy.leaves["index"], {*(one.size for one in told), *notes})
    for one in told:
        _same(one.anchor, one.size, one.root, roots)
    for size, note in notes.items():
        found = read_checkpoint(parse_note(note))
        if found.size != size or found.origin != origin:
            raise _mismatch("the bucket", size)
        if size <= last or whole:
            _same("the bucket", size, found.root.hex(), roots)
    return AnchorFindings(
        len(told),
        max((one.size for one in told if _cosigned(origin, one, keys)), default=0),
        max((size for size in notes if size <= last), default=0),
        None if kept is None else min(notes, default=0),
    )


def _cosigned(origin: str, one: Anchored, keys: Sequence[NoteKey]) -> bool:
    """Say whether a known witness signed the line that an entry refers to."""
    names = [key for key in keys if one.anchor == f"witness {key.name}"]
    if not names:
        return False
    text = Checkpoint(origin, one.size, bytes.fromhex(one.root)).text()
    note = parse_note(f"{text}\n{one.reference}\n".encode())
    if not witnesses(note, names):
        raise _mismatch(one.anchor, one.size)
    return True


def _roots(leaves: Sequence[bytes], sizes: Iterable[int]) -> dict[int, str]:
    found, frontier, at = {}, Frontier(), 0
    for size in sorted(size for size in sizes if 0 <= size <= len(leaves)):
        for leaf in leaves[at:size]:
            frontier.append(leaf)
        found[size], at = frontier.root().hex(), size
    return found


def _same(anchor: str, size: int, root: str, roots: Mapping[int, str]) -> None:
    if roots.get(size) != root:
        raise _mismatch(anchor, size)


def _mismatch(anchor: str, size: int) -> IntegrityError:
    return IntegrityError(
        "evidence.anchor_mismatch",
        f"{anchor} keeps another history: its checkpoint of {size} entries does not fit this index",
        hint="the index was rewritten or cut after it was anchored; keep both and look why",
        size=size,
    )
