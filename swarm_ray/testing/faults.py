"""How often the simulated world goes wrong.

Decides nothing: the world draws from these odds with its seed. All probabilities are per
mille, all times microseconds of virtual time.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Faults:
    """Odds of one simulated world; the default is a bad day with everything in it, except that a
    host that is given up has its successor at once; with `late_host` only after up to two minutes.

    Messages, hosts and attempts are drawn per message, per host and heartbeat, and per attempt;
    coordinator and disk per commit; refusals per answer; people per heartbeat; lies per attempt
    at a host that lies.
    """

    lose_message: int = 20
    duplicate_message: int = 20
    slow_message: int = 50
    crash_host: int = 2
    partition_host: int = 2
    new_host: int = 3
    late_host: int = 0
    crash_coordinator: int = 4
    rival_coordinator: int = 2
    lose_unsynced: int = 500
    write_error: int = 4
    transient: int = 40
    rate_limited: int = 20
    bad_input: int = 10
    structural: int = 0
    hang: int = 5
    refuse_step: int = 10
    refuse_convergence: int = 10
    refuse_effect: int = 10
    cancel_item: int = 2
    cancel_run: int = 0
    lie: int = 0

    @staticmethod
    def none() -> "Faults":
        """A world in which everything works."""
        return Faults(**dict.fromkeys(Faults.__slots__, 0))

    @staticmethod
    def heavy() -> "Faults":
        """A world in which little works: several things break within every second."""
        return Faults(
            lose_message=150,
            duplicate_message=150,
            slow_message=150,
            crash_host=15,
            partition_host=20,
            new_host=20,
            crash_coordinator=30,
            rival_coordinator=20,
            write_error=30,
            transient=120,
            rate_limited=60,
            bad_input=30,
            structural=1,
            hang=15,
            refuse_step=60,
            refuse_convergence=80,
            refuse_effect=100,
            cancel_item=10,
            cancel_run=1,
        )
