"""What policies are told must be numbers that mean something; a NaN would decide silently."""

import math

from swarm_placement.errors import UsageError


def require(policy: str, *, least: float = 0.0, is_open: bool = False, **values: float) -> None:
    """Accept finite numbers of at least `least`, above it if `is_open`.

    Raises:
        UsageError: `policy.<policy>` with the name of the first other one.
    """
    for name, value in values.items():
        if not least <= value < math.inf or (is_open and value == least):
            bound = f"{'more than' if is_open else 'at least'} {least:g}"
            kind = "a finite number" if least == -math.inf else f"a finite number of {bound}"
            raise UsageError(f"policy.{policy}", name, f"Is {value}.", f"Give {kind}.")
