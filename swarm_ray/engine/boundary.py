"""What a worker may ask its host for: memory, artifacts, sub-agents, tools, the model.

Decides each request against the attempt's scope, limits and budget slice. What it collects becomes
visible only if the attempt is accepted.
"""

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from swarm_ray.core.tree import Agents, DelegateLimits, Scope, refuse_swarm
from swarm_ray.errors import SwarmError, UsageError
from swarm_ray.models.slice import Slice
from swarm_ray.values.codec import encode_json

MAX_ARTIFACT_BYTES = 16 * 2**20
MAX_MEMORY_RECORDS = 1_000
MAX_MEMORY_BYTES = 16 * 2**20


@dataclass(slots=True)
class Said:
    """What a worker produced besides its result; visible only if the attempt is accepted."""

    memory: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    artifact_bytes: int = 0
    memory_bytes: int = 0
    agents: int = 0
    """Number of sub-agents."""


class Boundary:
    """Answers the requests of one worker.

    Args:
        scope: the boundary that the worker lives in.
        services: what workers may ask for, by name: `model`, `embed-classify`.
        slice_: what the attempt may still spend.
        limits: how many sub-agents it may have, and how deep.
    """

    def __init__(
        self,
        scope: Scope,
        services: Mapping[str, Callable[..., Any]],
        slice_: Slice,
        limits: DelegateLimits,
    ) -> None:
        self.said = Said()
        self._scope = scope
        self._services = services
        self._slice = slice_
        self._agents = Agents(limits)

    def request(self, frame: Mapping[str, Any], kind: object) -> Any:
        """Return the answer, or a function that takes its time to find it.

        Raises:
            SwarmError: the request is refused; the code says why.
        """
        match kind:
            case "memory":
                return self._memory(frame)
            case "artifact":
                return self._artifact(frame)
            case "delegate":
                return self._delegate(frame)
            case "tool":
                return self._tool(str(frame.get("name")), frame.get("args"))
            case "model":
                return self._service("model", frame.get("request"))
            case _:
                raise UsageError(
                    "worker.bad_frame",
                    f"a worker sent a frame {kind!r}",
                    hint="ask through `ctx` only",
                )

    def _tool(self, name: str, args: Any) -> Any:
        if name.startswith("swarm."):
            refuse_swarm(self._scope, name.removeprefix("swarm."))
        if name not in self._services or name == "model":
            raise UsageError(
                "worker.unknown_tool",
                f"there is no tool {name!r}",
                hint="effects are declared as steps of the process",
            )
        return self._service(name, args)

    def _service(self, name: str, request: Any) -> Callable[[], Any]:
        service = self._services.get(name)
        if service is None:
            raise UsageError(
                "model.none",
                "no model endpoint is configured",
                hint="set SWARM_RAY_MODEL_URL and SWARM_RAY_MODEL_NAME",
            )
        return lambda: service(request, self._slice)

    def _memory(self, frame: Mapping[str, Any]) -> Any:
        chain = str(frame.get("chain"))
        if frame.get("op") == "append":
            if len(self.said.memory) >= MAX_MEMORY_RECORDS:
                raise _memory_full(f"{MAX_MEMORY_RECORDS} records")
            self.said.memory_bytes += len(encode_json(frame.get("payload")))
            if self.said.memory_bytes > MAX_MEMORY_BYTES:
                raise _memory_full(f"{MAX_MEMORY_BYTES} bytes")
            self.said.memory.append({"chain": chain, "payload": frame.get("payload")})
            return len(self.said.memory)
        return [one["payload"] for one in self.said.memory if one["chain"] == chain]

    def _artifact(self, frame: Mapping[str, Any]) -> int:
        data = str(frame.get("data", ""))
        size = len(base64.b64decode(data))
        self.said.artifact_bytes += size
        if self.said.artifact_bytes > MAX_ARTIFACT_BYTES:
            raise UsageError(
                "artifact.too_large",
                f"a worker may make {MAX_ARTIFACT_BYTES} bytes",
                hint="make fewer or smaller artifacts",
            )
        self.said.artifacts.append(
            {
                "name": str(frame.get("name")),
                "media_type": str(frame.get("media_type")),
                "data": data,
            }
        )
        return size

    def _delegate(self, frame: Mapping[str, Any]) -> int:
        self.said.agents = self._agents.admit(int(frame.get("depth", 1)))
        return self.said.agents


def _memory_full(most: str) -> UsageError:
    return UsageError(
        "memory.full",
        f"a worker may remember {most}",
        hint="remember less, or return it as part of the output",
    )


def refusal(number: Any, error: SwarmError) -> dict[str, Any]:
    """Return the reply frame that tells a worker why its request was refused."""
    return {
        "frame": "reply",
        "id": number,
        "ok": False,
        "class": _class_of(error),
        "code": error.code,
        "message": error.message,
        "retry_after_ms": int(error.fields.get("retry_after_ms", 0)),
    }


def _class_of(error: SwarmError) -> str:
    area = error.code.split(".")[0]
    if area in ("containment", "budget"):
        return area
    return str(error.fields.get("status", "input"))
