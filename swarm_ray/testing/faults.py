"""How often the simulated world goes wrong.

Decides nothing: the world draws from these odds with its seed. All probabilities are per
mille, all times microseconds of virtual time.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Odds of one simulated world; the default is a bad day with everything in it."""

    lose_message: int = 20
    duplicate_message: int = 20
    slow_message: int = 50
    crash_host: int = 2
    partition_host: int = 2
    crash_coordinator: int = 4
    lose_unsynced: int = 500
    write_error: int = 4
    transient: int = 40
    rate_limited: int = 20
    bad_input: int = 10
    structural: int = 0
    hang: int = 5

    @staticmethod
    def none() -> "Faults":
        """A world in which everything works."""
        return Faults(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
