"""The main job with and without evidence, and with its functions on a stopwatch.

Coordinator and host are in this process, workers in sandboxes of their own. Without evidence:
nothing is signed or verified, the log is written without waiting for the disk, nobody cosigns; the
entries stay, since they drive the run. On the stopwatch an inner function is counted once.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from functools import wraps
from pathlib import Path
from typing import Any
from unittest.mock import patch

from swarm_ray.anchors.witnessed import WitnessAnchor
from swarm_ray.attestation.checkpoint import read_checkpoint
from swarm_ray.attestation.keys import SIGNATURE_BYTES, PublicKey, SigningKey, load_signing_key
from swarm_ray.attestation.note import NoteKey, parse_note
from swarm_ray.client.session import Session, using
from swarm_ray.client.starting import run as swarm_run
from swarm_ray.config import Settings, read_settings
from swarm_ray.engine import desk, hosting
from swarm_ray.engine.vigil import CHECKPOINT_FILE, Vigil
from swarm_ray.ledger import opening
from swarm_ray.ledger.database import SqliteDatabase, open_database
from swarm_ray.ledger.store import Store
from swarm_ray.testing.local import local_service
from swarm_ray.testing.servers import witness_server
from swarm_ray.witness.folder import WitnessFolder

WATCHED: dict[str, list[tuple[Any, str]]] = {
    "signatures": [
        (desk, "sign_batch"),
        (desk, "verify_batch"),
        (hosting, "sign_batch"),
        (hosting, "verify_batch"),
        (desk, "result_statements"),
        (hosting, "result_statements"),
    ],
    "logs": [(Store, "commit"), (Store, "put_body"), (Vigil, "seal"), (Vigil, "beat")],
    "anchor": [(WitnessAnchor, "keep")],
}


class Stopwatch:
    """Seconds per kind of work, wall time of the thread that does it."""

    def __init__(self) -> None:
        self.seconds: Counter[str] = Counter()
        self._inside = threading.local()

    def on(self, kind: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return the function with its time taken, unless it is called inside of another one."""

        @wraps(function)
        def timed(*arguments: Any, **named: Any) -> Any:
            if getattr(self._inside, "busy", False):
                return function(*arguments, **named)
            self._inside.busy, began_s = True, time.perf_counter()
            try:
                return function(*arguments, **named)
            finally:
                self._inside.busy = False
                self.seconds[kind] += time.perf_counter() - began_s

        return timed


def measure(rounds: int) -> dict[str, Any]:
    """Run the main job over the last commits of this repository so many times."""
    settings = read_settings(os.environ)
    _review(settings)  # makes keys and the first checkpoint, and warms caches
    _bare(settings)
    place = WitnessFolder(settings.home / "witness")
    key = place.make("example.org/witness")
    place.follow(_log_key(settings).to_text())
    with witness_server(place.open()) as url:
        watched = replace(settings, witness=url, witness_key=key.to_text())
        runs = [{**_timed(watched), "bare_s": _bare(settings)} for _ in range(rounds)]
    return {"runs": runs}


def _bare(settings: Settings) -> float:
    """Return the wall time of the main job without evidence, in seconds."""

    def hasty(*arguments: Any, **named: Any) -> SqliteDatabase:
        database = open_database(*arguments, **named)
        if not database.readonly:
            database.connection.execute("PRAGMA synchronous=OFF")
        return database

    with ExitStack() as stack:
        for owner, name, instead in (
            (opening, "open_database", hasty),
            (SigningKey, "sign", lambda _key, _data: bytes(SIGNATURE_BYTES)),
            (PublicKey, "verifies", lambda _key, _signature, _data: True),
        ):
            stack.enter_context(patch.object(owner, name, instead))
        began_s = time.perf_counter()
        _review(replace(settings, tenant="bare"))
        return time.perf_counter() - began_s


def _timed(settings: Settings) -> dict[str, float]:
    watch = Stopwatch()
    with ExitStack() as stack:
        for kind, places in WATCHED.items():
            for owner, name in places:
                stack.enter_context(patch.object(owner, name, watch.on(kind, getattr(owner, name))))
        began_s = time.perf_counter()
        attempts = _review(settings)
        wall_s = time.perf_counter() - began_s
    return {"wall_s": wall_s, "attempts": attempts, **watch.seconds}


def _review(settings: Settings) -> int:
    service = local_service(settings)
    try:
        with using(Session(settings, service)):
            handle = swarm_run("review_pull_request", {"output_dir": str(settings.home / "out")})
            handle.result(300)
            return sum(len(swarm.attempts) for swarm in handle.view().swarms)
    finally:
        service.shut_down()


def _log_key(settings: Settings) -> NoteKey:
    note = parse_note((settings.folder / CHECKPOINT_FILE).read_bytes())
    key = load_signing_key(Path(settings.folder) / "keys" / "log.pem")
    return NoteKey(read_checkpoint(note).origin, key.public)
