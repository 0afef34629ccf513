"""The check of a file that a stranger gave: whatever is in it, there is a verdict.

Decides what is said when the check itself fails on what somebody made up.
"""

import traceback
from collections.abc import Collection

from swarm_ray.errors import IntegrityError, SwarmError
from swarm_ray.evidence.checking import Findings, check
from swarm_ray.evidence.container import Container
from swarm_ray.evidence.copy import Copy, copy_of


def check_file(data: bytes, trusted: Collection[str] | None = None) -> tuple[Copy, Findings]:
    """Check a bundle file; return the copy in it and what it shows.

    Args:
        data: of the file, or anything that can be sliced to bytes, an `mmap` for one.
        trusted: public root keys that are believed, hexadecimal; None takes the one in the copy.

    Raises:
        IntegrityError: what is wrong, as `Container`, `copy_of` and `check` say it; else
            `bundle_file.not_understood` with the `place` that the check had reached.
        OSError: the file cannot be read.
    """
    try:
        copy = copy_of(Container(data))
        return copy, check(copy, trusted)
    except (SwarmError, OSError, MemoryError):
        raise
    # The one boundary: a file that breaks the check must not pass for one that nobody could check.
    # What is raised here is a fault of ours as well, so the place and its cause go along.
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1].name.strip("_")
        raise IntegrityError(
            "bundle_file.not_understood",
            "this file is not a bundle that this version understands; the check of it ended in "
            f"{place!r}",
            hint="ask for another copy of it, or check it with the newest version",
            place=place,
        ) from error
