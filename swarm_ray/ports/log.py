"""What the engine needs of a ledger: logs of opaque entries, and the bodies that they name.

Decides the contract (compare-and-set on epoch and size, one durable commit over many logs, bodies
before the entries that name them) and the values that cross it. It holds no storage.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, get_args

from swarm_ray.values.commitments import commit
from swarm_ray.values.digests import Digest

LogKind = Literal["run", "effects", "admin", "index"]
LogState = Literal["open", "closed", "dropped"]
Role = Literal["coordinator", "supervisor"]
Retention = Literal["input", "context", "output", "artifact", "error", "reason", "key"]

STATES: frozenset[LogState] = frozenset(get_args(LogState))

WRITERS: dict[LogKind, Role] = {
    "run": "coordinator",
    "admin": "coordinator",
    "index": "coordinator",
    "effects": "supervisor",
}
"""The one role that writes each kind of log; its epoch is compared on every append."""

NEEDED_BY_RESUME: frozenset[Retention] = frozenset({"input", "context", "output", "artifact"})
"""Bodies that cannot be deleted before their run is closed."""

INDEX_LOG = "index"
"""The log id of the index log."""

NowUs = Callable[[], int]
Random = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Body:
    """A deletable value beside the log. `run` is the log id of its run, empty for none."""

    commitment: Digest
    tag: str
    salt: bytes
    data: bytes
    retention: Retention
    run: str = ""

    @classmethod
    def seal(
        cls, tag: str, salt: bytes, data: bytes, retention: Retention, run: str = ""
    ) -> "Body":
        """Return the body with its commitment computed."""
        return cls(commit(tag, salt, data), tag, salt, data, retention, run)


@dataclass(frozen=True, slots=True)
class Append:
    """Entries for one log, stored if epoch and size are what the writer believes.

    A log comes into being with the first append at size 0. `closes` marks it closed afterwards;
    a closed log takes only an append that `reopens` it.
    """

    log_id: str
    epoch: int
    expected_size: int
    entries: Sequence[bytes]
    bodies: Sequence[Body] = ()
    kind: LogKind = "run"
    closes: bool = False
    reopens: bool = False


@dataclass(frozen=True, slots=True)
class Head:
    """Where a log stands. `indexed_size` is its size in the last checkpoint of the index log."""

    log_id: str
    kind: LogKind
    epoch: int
    size: int
    root: Digest
    state: LogState
    indexed_size: int


@dataclass(frozen=True, slots=True)
class Inclusion:
    """The proof that a leaf hash stands at `index` in the tree (`size`, `root`)."""

    index: int
    size: int
    leaf: bytes
    path: tuple[bytes, ...]
    root: bytes


@dataclass(frozen=True, slots=True)
class Consistency:
    """The proof that the tree (`size1`, `root1`) grew into (`size2`, `root2`)."""

    size1: int
    size2: int
    root1: bytes
    root2: bytes
    path: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A discardable state of a machine after `size` entries, under one `semantics` number."""

    log_id: str
    size: int
    root: Digest
    semantics: int
    state: bytes


class LogReader(Protocol):
    """Reading logs. `ledger.unknown_log` and `ledger.log_dropped` are `UsageError`s."""

    def head(self, log_id: str) -> Head:
        """Return where a log stands."""

    def logs(self, kind: LogKind | None = None) -> list[Head]:
        """Return the heads of all logs, or of one kind, in order of creation."""

    def entries(self, log_id: str, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """Yield entries `start` to `stop` (excluded; None is the size now).

        Raises `ledger.corrupt_entry` at the first bad one.
        """

    def check(self, log_id: str) -> Head:
        """Recompute everything; raise `ledger.corrupt_entry` or `ledger.root_mismatch`."""

    def inclusion(self, log_id: str, seq: int, size: int | None = None) -> Inclusion:
        """Prove that entry `seq` is in the log of `size` entries."""

    def consistency(self, log_id: str, size1: int, size2: int | None = None) -> Consistency:
        """Prove that the log of `size1` entries is a prefix of the log of `size2`."""

    def epoch(self, role: Role = "coordinator") -> int:
        """Return the current epoch of a writer, 0 before the first."""

    def get_snapshot(self, log_id: str) -> Snapshot | None:
        """Return the snapshot of a log; None when there is none. Raises
        `ledger.snapshot_mismatch` unless its root is the log's at its size."""


class Log(LogReader, Protocol):
    """Writing logs. Every failure leaves all logs as they were."""

    def acquire_epoch(
        self, owner: str, *, role: Role = "coordinator", expected: int | None = None
    ) -> int:
        """Take over a role: increment its epoch; refuse if it is not `expected`."""

    def commit(self, batch: Sequence[Append]) -> list[Head]:
        """Store all appends in one durable transaction; return the new head of each.

        Raises `ledger.stale_epoch`, `ledger.size_conflict`, `ledger.log_closed`,
        `ledger.write_failed`.
        """

    def index_checkpoint(self, epoch: int, log_ids: Sequence[str], time_us: int) -> Head:
        """Append the heads of these logs to the index log; return the head of the index."""

    def drop_run(self, run: str, epoch: int) -> None:
        """Delete entries, bodies and snapshot of a closed and indexed run; its head stays."""

    def put_snapshot(self, snapshot: Snapshot) -> None:
        """Keep the snapshot as the latest of its log, if its root is the log's."""

    def drop_snapshot(self, log_id: str) -> None:
        """Forget the snapshot of a log, if any."""


class Bodies(Protocol):
    """Storing, reading and deleting bodies."""

    def put_body(self, tag: str, data: bytes, retention: Retention, run: str) -> Digest:
        """Store a body under a fresh salt; it is durable with the next commit at the latest."""

    def get_body(self, commitment: str) -> bytes:
        """Return the bytes; raise `ledger.body_unknown`, `.body_deleted`, `.body_mismatch`."""

    def open_body(self, commitment: str) -> Body:
        """Return the body with its salt, for disclosure to a third party."""

    def delete_body(self, commitment: str) -> None:
        """Delete salt and bytes together; raise `ledger.body_needed` while a resume needs it."""


class Ledger(Log, Bodies, Protocol):
    """Logs and bodies of one tenant in one."""
