"""Kind `skill`: a plain Python function of the bundle.

Decides how a skill function is called and that random state is the attempt's own. It never judges
the value; the channel refuses what is not JSON.
"""

from __future__ import annotations

import sys

from swarm_ray.sandbox import skill_code
from swarm_ray.sandbox.skill_context import Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any


def reseed(seed: int | None) -> None:
    """Give the random generators that are loaded the attempt's seed.

    Children of one zygote share its memory, so a generator that was loaded ahead would otherwise
    yield the same numbers in each. The `random` module reseeds itself on fork.
    """
    generator = sys.modules.get("random")
    if generator is not None and seed is not None:
        generator.seed(seed)
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed(None if seed is None else seed % (1 << 32))


def _run(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    found = skill_code.function(str(step.get("uses", "")))
    reseed(ctx.seed)
    return found(given, ctx)


EXECUTORS = {"skill": _run}
