"""What a skill may ask for: the `ctx` argument of every skill function.

Decides the surface of `ctx`. Every request leaves as a frame that the host checks and records; this
class itself grants nothing and, running inside the sandbox, could not.
"""

from __future__ import annotations

from swarm_ray.sandbox import failures
from swarm_ray.sandbox.channel import Channel

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_SWARM_TOOLS = ("swarm.open", "swarm.join")


class Attempt:
    """What is the same for every step and sub-agent of one attempt.

    Args:
        channel: the way to the host.
        run: the run frame.
        tmp: the child's own folder.
        limits: the outermost task's `delegate` limits, which bind everything below it.
    """

    __slots__ = (
        "channel", "correlation", "delegated", "memory", "most_count", "most_depth", "reads",
        "scope", "seed", "tmp",
    )  # fmt: skip

    def __init__(
        self, channel: Channel, run: dict[str, Any], tmp: str, limits: dict[str, int]
    ) -> None:
        self.channel = channel
        self.memory: list[Any] = run.get("memory") or []
        self.correlation = str(run.get("correlation", ""))
        self.scope = str(run.get("scope", ""))
        self.reads: dict[str, str] = run.get("reads") or {}
        self.seed: int | None = run.get("seed")
        self.tmp = tmp
        self.delegated = 0
        self.most_depth = limits.get("depth", 0)
        self.most_count = limits.get("count", 0)


class Context:
    """The `ctx` of one step.

    Attributes:
        knowledge: texts the task declared, by name.
        memory: results of the memory queries, pinned at fan-out; empty in a sub-agent.
        with_: the step's `with:` mapping.
        reads: absolute paths the child may read, by the name of the input.
        correlation, scope: opaque ids of the run and of what this attempt may do.
        seed: the attempt's seed, already given to the random generators that are loaded.
        tmp: folder of its own, removed after the attempt.
    """

    __slots__ = (
        "_attempt", "_run_task", "correlation", "depth", "knowledge", "memory", "reads", "scope",
        "seed", "tmp", "with_",
    )  # fmt: skip

    InputError = failures.InputError
    TransientError = failures.TransientError
    RateLimited = failures.RateLimited
    StructuralError = failures.StructuralError
    ContainmentError = failures.ContainmentError
    BudgetError = failures.BudgetError

    def __init__(
        self,
        attempt: Attempt,
        knowledge: dict[str, str],
        depth: int,
        run_task: Callable[[Attempt, str, dict[str, Any], int], Any],
    ) -> None:
        self._attempt = attempt
        self._run_task = run_task
        self.depth = depth
        self.knowledge = knowledge
        self.memory = attempt.memory if depth == 0 else []
        self.reads = attempt.reads
        self.correlation = attempt.correlation
        self.scope = attempt.scope
        self.tmp = attempt.tmp
        self.seed = attempt.seed
        self.with_: dict[str, Any] = {}

    def remember(self, chain: str, payload: Any) -> Any:
        """Append `payload` to the worker's own memory chain."""
        return self._attempt.channel.ask(
            {"frame": "memory", "op": "append", "chain": chain, "payload": payload}
        )

    def recall(self, chain: str) -> Any:
        """Return the worker's own records of `chain`."""
        return self._attempt.channel.ask(
            {"frame": "memory", "op": "query", "chain": chain, "payload": None}
        )

    def model(self, messages: list[dict[str, Any]], **options: Any) -> Any:
        """Have the host ask a model; returns `{"text", "parsed", "usage"}`."""
        return self._attempt.channel.ask(
            {"frame": "model", "request": {"messages": messages, **options}}
        )

    def tool(self, name: str, **args: Any) -> Any:
        """Have the host perform a tool, or propose it where it changes the outside world.

        Raises:
            ContainmentError: `containment.nested_swarm` for a swarm within a worker, always.
        """
        value = self._attempt.channel.ask({"frame": "tool", "name": name, "args": args})
        if name in _SWARM_TOOLS:
            raise failures.ContainmentError(
                "a worker cannot open or join a swarm", code="containment.nested_swarm"
            )
        return value

    def delegate(self, task: str, inputs: dict[str, Any]) -> Any:
        """Run another task of the bundle as a sub-agent within this very process.

        Raises:
            ContainmentError: `containment.delegate_limit` beyond the declared depth or count.
        """
        attempt, depth = self._attempt, self.depth + 1
        if depth > attempt.most_depth or attempt.delegated >= attempt.most_count:
            raise failures.ContainmentError(
                f"sub-agent {attempt.delegated + 1} at depth {depth}; declared are at most "
                f"{attempt.most_count} down to depth {attempt.most_depth}",
                code="containment.delegate_limit",
            )
        attempt.delegated += 1
        attempt.channel.ask({"frame": "delegate", "task": task, "depth": depth})
        return self._run_task(attempt, task, inputs, depth)

    def artifact(self, name: str, media_type: str, data: bytes) -> Any:
        """Hand a file to the host, which stores it beside the result."""
        from binascii import b2a_base64  # else its libraries would be mapped into every child

        return self._attempt.channel.ask(
            {
                "frame": "artifact",
                "name": name,
                "media_type": media_type,
                "data": b2a_base64(data, newline=False).decode(),
            }
        )

    def progress(self, text: str) -> None:
        """Say how far the work is; nothing waits for it."""
        self._attempt.channel.write({"frame": "progress", "text": str(text)})
