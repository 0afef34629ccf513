"""One attempt on a host: a child, its frames, and the row that comes of it.

Decides what a frame of a worker means: a request that is checked against the attempt's scope and
slice and answered, or the result. Everything a worker says is a claim of untrusted code.
"""

import base64
import json
import os
import re
import selectors
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from swarm_ray.core.events import Row, Status
from swarm_ray.core.host import Key
from swarm_ray.core.plan import FULL_PPM
from swarm_ray.core.tree import DelegateLimits, Scope, grant_delegate, refuse_swarm
from swarm_ray.engine.orders import scope_token
from swarm_ray.engine.workshop import FRAME_LIMIT_BYTES, Workshop
from swarm_ray.errors import Busy, SwarmError, UsageError, WorkerError
from swarm_ray.models.slice import Slice
from swarm_ray.ports.hosts import Parcel
from swarm_ray.ports.log import Body, Retention
from swarm_ray.ports.sandbox import Child, Exit, Zygote
from swarm_ray.sandbox.frames import FrameReader, framed
from swarm_ray.values.codec import encode_json

LABEL_CHARS = 48
RECEIVE_BYTES = 262_144
CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+", re.ASCII)
CODE_CHARS = 64
DETAIL_BYTES = 4_096
MAX_ARTIFACT_BYTES = 16 * 2**20
MAX_MEMORY_RECORDS = 1_000
MAX_MEMORY_BYTES = 16 * 2**20
MAX_UNREAD_BYTES = 64 * 2**20
MAX_RETRY_AFTER_MS = 3_600_000
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a field of a frame can raise: a worker may write anything."""
STATUSES: frozenset[str] = frozenset(
    {"transient", "rate_limited", "input", "structural", "containment", "budget"}
)

Later = Callable[[Callable[[], None]], None]


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt is over: its row and the bodies that the row names."""

    key: Key
    row: Row
    bodies: tuple[Body, ...] = ()


@dataclass(slots=True)
class Said:
    """What a worker produced besides its result; visible only if the attempt is accepted."""

    memory: list[dict[str, Any]] = field(default_factory=list)
    artifacts: list[dict[str, Any]] = field(default_factory=list)
    artifact_bytes: int = 0
    memory_bytes: int = 0
    agents: int = 0


class Attempt:
    """Runs one item of a parcel in one child.

    Args:
        key: run, swarm, item, attempt.
        parcel: the verified order.
        index: the item's row in the parcel.
        services: what workers may ask the host for, by frame kind: `model`, `embed-classify`.
    """

    def __init__(
        self, key: Key, parcel: Parcel, index: int, services: Mapping[str, Callable[..., Any]]
    ) -> None:
        self.key = key
        self._parcel = parcel
        self._payload = parcel.payloads[index]
        self._services = services
        self._slice = Slice(parcel.slice_tokens, parcel.slice_microusd)
        self._said = Said()
        self._scope = Scope(scope_token(parcel.nonce, key[2], key[3]), *key)
        self._start_us = time.time_ns() // 1000
        self._started = time.monotonic_ns()
        self._verdict: Ended | None = None
        self._child: Child | None = None
        self._listening = self._writing = False
        self._outgoing = b""
        self._reader = FrameReader(FRAME_LIMIT_BYTES)

    # -- life -------------------------------------------------------------------------------

    def begin(
        self,
        workshop: Workshop,
        selector: selectors.BaseSelector,
        later: Later,
        reported: Callable[[Key], None],
    ) -> tuple[Zygote, Child] | None:
        """Take a child and send it the run frame. None: it cannot start, see `ended`.

        Raises:
            Busy: no child is to be had just now; nothing has happened.
        """
        self._workshop = workshop
        self._later = later
        self._reported = reported
        self._selector = selector
        if not self._payload:
            self._verdict = self._failure("input", "input.mismatch", "the item lacks inputs")
            return None
        try:
            zygote, child = workshop.take(self._parcel)
        except Busy:
            raise
        except SwarmError as error:
            self._verdict = self._failure("transient", error.code, str(error))
            return None
        self._child = child
        self._outgoing = self._run_frame()
        selector.register(child.sock, selectors.EVENT_READ, self._ready)
        self._listening = True
        self._flush()
        return zygote, child

    def _run_frame(self) -> bytes:
        parcel = self._parcel
        head = {
            "frame": "run",
            "task": parcel.task,
            "correlation": f"{parcel.correlation}/worker-{self.key[2]:03d}",
            "scope": self._scope.token,
            "reads": dict(parcel.reads),
        }
        text = encode_json(head)[:-1] + b',"memory":' + parcel.memory
        return framed(text + b',"inputs":' + self._payload + b"}")

    def ended(self, exit_: Exit | None = None) -> Ended:
        """The child has ended (or never was): return what became of the attempt."""
        self._drain()
        self._let_go()
        verdict = self._verdict or self._died(exit_)
        if exit_ is None or exit_.lost:
            return verdict
        row = replace(
            verdict.row,
            cpu_us=exit_.cpu_us,
            duration_us=max(verdict.row.duration_us, 1),
        )
        return replace(verdict, row=row)

    def expire(self) -> None:
        """The deadline has passed; a child that outlives its result is killed as well."""
        if self._verdict is not None:
            self.kill()
            return
        text = "the attempt ran out of time"
        self._decide(self._failure("transient", "attempt.deadline", text))

    def withdraw(self) -> None:
        """The coordinator does not want it any more."""
        self._decide(Ended(self.key, self._row("cancelled", code="attempt.withdrawn")))

    def kill(self) -> None:
        """End the child; its exit follows."""
        if self._child is not None:
            self._child.kill()

    def abandon(self) -> None:
        """The host stops: end the child and let go of it; nobody hears of it."""
        self.kill()
        self._let_go()

    def _decide(self, ended: Ended) -> None:
        """The first verdict stands; a child that has given one has nothing more to say."""
        if self._verdict is None:
            self._verdict = ended
            self.kill()

    def _let_go(self) -> None:
        child, self._child = self._child, None
        if child is not None:
            if self._listening:
                self._selector.unregister(child.sock)
            child.close()

    # -- frames -----------------------------------------------------------------------------

    def _flush(self) -> None:
        if self._child is None or not self._listening:
            return
        while self._outgoing:
            try:
                sent = self._child.sock.send(self._outgoing)
            except BlockingIOError:
                break
            except OSError:
                return  # the child is gone; reading says how
            self._outgoing = self._outgoing[sent:]
        if self._outgoing or self._writing:
            self._writing = bool(self._outgoing)
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if self._writing else 0)
            self._selector.modify(self._child.sock, events, self._ready)

    def _drain(self) -> None:
        """The exit may be heard of before the last words: read what is still in the socket."""
        while self._verdict is None and self._listening and self._read():
            continue

    def _ready(self) -> None:
        if self._outgoing:
            self._flush()
        if self._child is not None:
            self._read()

    def _read(self) -> bool:
        assert self._child is not None
        try:
            data = self._child.sock.recv(RECEIVE_BYTES)
        except BlockingIOError:
            return False
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self._child.sock)  # the exit says why
            self._listening = False
            return False
        try:
            for frame in self._reader.feed(data):
                self._frame(frame)
        except SwarmError as error:
            self._decide(self._failure("input", error.code, str(error)))
        except _UNREADABLE as error:
            text = f"a worker sent a frame that cannot be read: {type(error).__name__}: {error}"
            self._decide(self._failure("input", "worker.bad_frame", text))
        return True

    def _frame(self, frame: Mapping[str, Any]) -> None:
        kind = frame.get("frame")
        if self._verdict is not None or kind == "progress":
            return
        if kind == "result":
            self._verdict = self._result(frame)
            self._reported(self.key)
        else:
            self._answer(frame, kind)

    def _died(self, exit_: Exit | None) -> Ended:
        """Classify an end without a result: by resource limits and filters it will happen again
        on the same input, anything else may not."""
        number = exit_.signal if exit_ is not None else None
        name = _how(exit_)
        status: Status
        match number:
            case signal.SIGSYS:
                code, status = "containment.system_call", "containment"
            case signal.SIGXCPU | signal.SIGXFSZ:
                code, status = f"worker.{name.lower()}", "input"
            case _:
                code, status = "worker.died", "transient"
        return self._failure(status, code, f"the worker ended without a result ({name})")

    def _answer(self, frame: Mapping[str, Any], kind: object) -> None:
        number = frame.get("id")
        try:
            value = self._request(frame, kind)
        except SwarmError as error:
            self._refuse(number, error)
            return
        if callable(value):
            self._workshop.serve(lambda: self._served(number, value))
        else:
            self._reply({"frame": "reply", "id": number, "ok": True, "value": value})

    def _request(self, frame: Mapping[str, Any], kind: object) -> Any:
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
                raise UsageError("worker.bad_frame", f"a worker sent a frame {kind!r}")

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
            if len(self._said.memory) >= MAX_MEMORY_RECORDS:
                raise UsageError("memory.full", f"a worker may write {MAX_MEMORY_RECORDS} records")
            self._said.memory_bytes += len(encode_json(frame.get("payload")))
            if self._said.memory_bytes > MAX_MEMORY_BYTES:
                raise UsageError("memory.full", f"a worker may remember {MAX_MEMORY_BYTES} bytes")
            self._said.memory.append({"chain": chain, "payload": frame.get("payload")})
            return len(self._said.memory)
        return [one["payload"] for one in self._said.memory if one["chain"] == chain]

    def _artifact(self, frame: Mapping[str, Any]) -> int:
        data = str(frame.get("data", ""))
        size = len(base64.b64decode(data))
        self._said.artifact_bytes += size
        if self._said.artifact_bytes > MAX_ARTIFACT_BYTES:
            raise UsageError("artifact.too_large", f"a worker may make {MAX_ARTIFACT_BYTES} bytes")
        self._said.artifacts.append(
            {
                "name": str(frame.get("name")),
                "media_type": str(frame.get("media_type")),
                "data": data,
            }
        )
        return size

    def _delegate(self, frame: Mapping[str, Any]) -> bool:
        limits = self._workshop.delegate_limits(self._parcel.task)
        depth = max(1, int(frame.get("depth", 1)))
        grant_delegate(DelegateLimits(**limits), depth, self._said.agents)
        self._said.agents += 1
        return True

    # -- answers from service threads -------------------------------------------------------

    def _served(self, number: Any, work: Callable[[], Any]) -> None:
        try:
            value = work()
        except SwarmError as error:
            refusal = error
            self._later(lambda: self._refuse(number, refusal))
            return
        except Exception as error:  # noqa: BLE001  # a worker must not wait for ever for an answer
            refusal = WorkerError("worker.service_failed", f"{type(error).__name__}: {error}")
            self._later(lambda: self._refuse(number, refusal))
            return
        reply = {"frame": "reply", "id": number, "ok": True, "value": value}
        self._later(lambda: self._reply(reply))

    def _refuse(self, number: Any, error: SwarmError) -> None:
        self._reply(
            {
                "frame": "reply",
                "id": number,
                "ok": False,
                "class": _class_of(error),
                "code": error.code,
                "message": error.message,
                "retry_after_ms": int(error.fields.get("retry_after_ms", 0)),
            }
        )

    def _reply(self, reply: Mapping[str, Any]) -> None:
        if self._child is not None:
            self._outgoing += framed(encode_json(reply))
            self._flush()

    # -- rows -------------------------------------------------------------------------------

    def _result(self, frame: Mapping[str, Any]) -> Ended:
        if frame.get("status") != "ok":
            status = str(frame.get("class"))
            known: Status = status if status in STATUSES else "input"  # type: ignore[assignment]  # one of them
            retry_us = max(0, min(int(frame.get("retry_after_ms") or 0), MAX_RETRY_AFTER_MS)) * 1000
            text = f"{frame.get('message', '')}\n{frame.get('detail', '')}"
            claimed = str(frame.get("code"))
            code = claimed if CODE.fullmatch(claimed) else "worker.failed"
            return self._failure(known, code, text, retry_us, _cpu_us(frame))
        output = frame.get("output")
        flaw = self._workshop.output_flaw(self._parcel.task, output)
        if flaw:
            return self._failure("input", "output.schema", flaw, 0, _cpu_us(frame))
        body = self._seal("output", encode_json(output), "output")
        label, confidence = project(output, self._parcel.projection)
        extras = self._extras()
        row = self._row(
            "ok",
            output=body.commitment,
            label=label,
            confidence_ppm=confidence,
            extras=extras.commitment if extras else "",
            cpu_us=_cpu_us(frame),
        )
        return Ended(self.key, row, (body, extras) if extras else (body,))

    def _extras(self) -> Body | None:
        said = self._said
        if not (said.memory or said.artifacts):
            return None
        data = encode_json({"memory": said.memory, "artifacts": said.artifacts})
        return self._seal("extras", data, "artifact")

    def _failure(
        self, status: Status, code: str, text: str, retry_us: int = 0, cpu_us: int = 0
    ) -> Ended:
        body = self._seal("error", text.encode(errors="replace")[:DETAIL_BYTES], "error")
        row = self._row(
            status,
            code=code[:CODE_CHARS],
            error=body.commitment,
            retry_after_us=retry_us,
            cpu_us=cpu_us,
        )
        return Ended(self.key, row, (body,))

    def _row(self, status: Status, **fields: Any) -> Row:
        return Row(
            self.key[2],
            self.key[3],
            status,
            tokens=self._slice.used_tokens,
            microusd=self._slice.used_microusd,
            start_us=self._start_us,
            duration_us=(time.monotonic_ns() - self._started) // 1000,
            sub_agents=self._said.agents,
            **fields,
        )

    def _seal(self, tag: str, data: bytes, retention: Retention) -> Body:
        return Body.seal(tag, os.urandom(32), data, retention, self.key[0])


def _how(exit_: Exit | None) -> str:
    if exit_ is None or exit_.lost:
        return "its zygote is gone"
    return signal.Signals(exit_.signal).name if exit_.signal else f"exit code {exit_.code}"


def _cpu_us(frame: Mapping[str, Any]) -> int:
    claimed = frame.get("cpu_us")
    return claimed if isinstance(claimed, int) and 0 <= claimed < 2**52 else 0


def _class_of(error: SwarmError) -> str:
    area = error.code.split(".")[0]
    if area in ("containment", "budget"):
        return area
    return str(error.fields.get("status", "input"))


def project(output: Any, fields: Mapping[str, str]) -> tuple[str, int]:
    """Return label and confidence (ppm) of an output by the declared fields."""
    name = fields.get("label")
    if name is None:
        return "", 0
    fielded = isinstance(output, Mapping)
    value = output.get(name) if name and fielded else output
    label = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    weight = output.get(fields["confidence"]) if "confidence" in fields and fielded else None
    number = weight if isinstance(weight, int | float) and 0 <= weight <= 1 else 0
    return label[:LABEL_CHARS], round(number * FULL_PPM)
