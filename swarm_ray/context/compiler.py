"""Compiles the context package of a swarm from what its task declares, and nothing else.

Decides which knowledge, memory and paths the workers of one swarm see beside their item, and
counts the tokens of each part. It is handed the declared values only: a sibling's input, another
step's output, the parent's memory or the definition cannot enter, since they are not there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from swarm_ray.errors import UsageError
from swarm_ray.values.codec import encode_json

BYTES_PER_TOKEN = 3.5


@dataclass(frozen=True, slots=True)
class Memory:
    """One visible record of a memory chain, tagged with the swarm that wrote it."""

    chain: str
    correlation: str
    worker: str
    payload: Any

    def to_json(self) -> dict[str, Any]:
        """Return the record as a worker sees it."""
        return {
            "chain": self.chain,
            "correlation": self.correlation,
            "worker": self.worker,
            "payload": self.payload,
        }


def compile_context(
    task: Mapping[str, Any],
    *,
    knowledge: Mapping[str, str],
    memory: Sequence[Memory],
    values: Mapping[str, Any],
    projection: Mapping[str, str],
) -> dict[str, Any]:
    """Return the context body of a swarm: task, pinned memory, readable paths, token ledger.

    Args:
        task: the linked task.
        knowledge: all knowledge texts of the bundle; only the declared ones are counted.
        memory: the records that the declared chains held at fan-out.
        values: run inputs by name; only the declared `reads` are taken from them.
        projection: fields of the output that become label and confidence.

    Raises:
        UsageError: `context.unreadable` when a declared path is no text.
    """
    reads = {name: _path(name, values) for name in task.get("reads", ())}
    known = {name: knowledge[name] for name in task.get("knowledge", ())}
    pinned = [record.to_json() for record in memory]
    return {
        "task": task["name"],
        "memory": pinned,
        "reads": reads,
        "projection": dict(projection),
        "ledger": {
            "knowledge": {name: estimated_tokens(text) for name, text in known.items()},
            "memory": estimated_tokens(encode_json(pinned).decode()) if pinned else 0,
            "counted": "estimated",
        },
    }


def estimated_tokens(text: str) -> int:
    """Return the size of a text in tokens, estimated at 3.5 bytes each."""
    return -(-int(len(text.encode()) * 2) // int(BYTES_PER_TOKEN * 2))


def _path(name: str, values: Mapping[str, Any]) -> str:
    path = values.get(name)
    if not isinstance(path, str) or not path.startswith("/"):
        raise UsageError(
            "context.unreadable",
            f"`reads: {name}` needs an absolute path, not {path!r}",
            hint=f"give the run an input {name} that names a folder on the host",
        )
    return path
