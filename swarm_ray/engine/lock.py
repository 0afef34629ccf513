"""The lock of a ledger: who holds it is the only coordinator, and it dies with its process.

Decides how long one waits for a coordinator that was just killed, and tells whether one lives.
"""

import fcntl
import os
import time
from pathlib import Path
from typing import Final

from swarm_ray.errors import SwarmError

LOCK_PATIENCE_S: Final = 5.0
"""A process that was just killed may need a moment to end."""
LOCK_PAUSE_S: Final = 0.1
_NAME: Final = "coordinator.lock"


def take_lock(folder: Path, patience_s: float = LOCK_PATIENCE_S) -> int:
    """Take the lock of the ledger in a tenant's folder; closing the descriptor gives it back.

    Raises:
        SwarmError: `runtime.ledger_in_use`.
    """
    handle = os.open(folder / _NAME, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until_s = time.monotonic() + patience_s
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() < until_s:
                time.sleep(LOCK_PAUSE_S)
                continue
            os.close(handle)
            raise SwarmError(
                "runtime.ledger_in_use",
                f"another coordinator works on {folder}",
                hint="wait for it, stop it with `swarm-ray down`, or set SWARM_RAY_TENANT",
            ) from None
        return handle


def is_coordinated(folder: Path) -> bool:
    """Say whether a coordinator lives that works on the ledger in a tenant's folder."""
    try:
        handle = os.open(folder / _NAME, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        # shared: two who look at once must not take each other for a coordinator
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False
