"""Finding a run by what a person typed, in the ledger on this machine or through the service.

Decides that looking needs no cluster when the ledger is here.
"""

from getpass import getuser
from typing import TYPE_CHECKING

from swarm_ray.client.archive import Archive, RunSource, resolve_run

if TYPE_CHECKING:
    from swarm_ray.client.session import Session


def source_of(session: "Session") -> "tuple[RunSource | None, Archive | None]":
    """Return where runs can be read without starting anything: the service when it is connected
    already, else the ledger here; None when nothing has run here yet."""
    if session.connected:
        return session.service(), Archive.of(session.settings)
    archive = Archive.of(session.settings)
    return archive, archive


def find_run(session: "Session", text: str) -> str:
    """Return the full id of a run.

    Raises:
        UsageError: `run.unknown` with near matches, `run.ambiguous`.
    """
    source, _ = source_of(session)
    if source is None and session.settings.address:
        source = session.service()
    return resolve_run(text, source.runs() if source is not None else [])


def person() -> str:
    """Return who acts here."""
    try:
        return getuser()
    except (KeyError, OSError):  # no name for this user id, as in many containers
        return "somebody"
