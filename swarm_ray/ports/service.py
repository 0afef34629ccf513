"""What a client asks of a tenant's coordinator, wherever it lives."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from swarm_ray.ports.log import Retention


@dataclass(frozen=True, slots=True)
class Page:
    """Entries of a run log from a cursor on. `closed` says that no more will follow unless the
    run is resumed; `waiting` that only a person can move it; `coordinated` that a coordinator lives
    that works on it."""

    entries: tuple[bytes, ...]
    closed: bool
    waiting: bool
    coordinated: bool = True


class Service(Protocol):
    """A tenant's coordinator. All calls block; all may raise `SwarmError`."""

    @property
    def private(self) -> bool:
        """True when the coordinator ends with this process: nobody else can reach it."""

    def open_run(self, run: str, bundle: bytes, digest: str, inputs: Mapping[str, Any]) -> None:
        """Start a run under an id that the caller minted (a UUIDv7). Durable on return; the same
        id again changes nothing. `inputs` are completed by the declared defaults and checked.

        Raises:
            UsageError: `run.unknown_input`, `run.missing_input`, `run.bad_input`.
        """

    def entries(self, run: str, start: int, wait_s: float) -> Page:
        """Return the entries from `start` on, waiting up to `wait_s` for the first new one.

        Raises:
            UsageError: `run.unknown`.
        """

    def bodies(self, commitments: Sequence[str]) -> list[bytes]:
        """Return bodies by commitment.

        Raises:
            IntegrityError: `ledger.body_deleted`, `ledger.body_mismatch`, `ledger.body_unknown`.
        """

    def plan(self, run: str) -> Mapping[str, Any]:
        """Return the linked process of a run (`plan.json` of its bundle)."""

    def runs(self) -> list[str]:
        """Return the ids of all runs, oldest first."""

    def decide(self, run: str, question: str, choice: str, by: str, reason: str) -> None:
        """Answer a question of a run; durable on return."""

    def cancel(self, run: str, by: str, swarm: str, item: int) -> None:
        """Cancel a run, or with `item` >= 0 one item of a swarm."""

    def resume(self, run: str, by: str, *, failed: bool) -> None:
        """Reopen a closed run that did not end well; `failed` tries its failed items again."""

    def hosts(self) -> list[Mapping[str, Any]]:
        """Return the hosts that can be used now: name, site, slots, isolation."""

    def erase_bodies(
        self, classes: Sequence[Retention], keep_days: int, run: str, *, dry_run: bool = False
    ) -> Sequence[str]:
        """Delete bodies of these retention classes of closed runs older than so many days, or of the
        one run that is named, whatever its age; entries stay. Returns the commitments."""

    def collect_garbage(
        self, keep_days: int, *, dry_run: bool = False
    ) -> Mapping[str, Sequence[str]]:
        """Delete what nobody needs any more, or only say what; returns the names by kind."""
