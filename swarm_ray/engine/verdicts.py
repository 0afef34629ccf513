"""What became of an attempt, as the row and bodies that the coordinator gets.

Decides the failure class of every kind of end, the projection of an output, and which bodies are
named. Everything a worker says is a claim of untrusted code and is bounded here.
"""

import json
import os
import re
import signal
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from swarm_ray.core.events import Row, Status
from swarm_ray.core.host import Key
from swarm_ray.core.plan import FULL_PPM
from swarm_ray.engine.boundary import Said
from swarm_ray.engine.workshop import Workshop
from swarm_ray.models.slice import Slice
from swarm_ray.ports.hosts import Parcel
from swarm_ray.ports.log import Body, Retention
from swarm_ray.ports.sandbox import Exit
from swarm_ray.values.codec import encode_json
from swarm_ray.values.digests import sha256

LABEL_CHARS = 48
LABEL_HEAD_CHARS = 23
LEAST_CONFIDENCE_PPM = 1
"""In a row 0 says that no confidence is declared."""
CODE = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)+", re.ASCII)
CODE_CHARS = 64
DETAIL_BYTES = 4_096
MAX_RETRY_AFTER_MS = 3_600_000
STATUSES: frozenset[str] = frozenset(
    {"transient", "rate_limited", "input", "structural", "containment", "budget"}
)


@dataclass(frozen=True, slots=True)
class Ended:
    """An attempt is over: its row and the bodies that the row names."""

    key: Key
    row: Row
    bodies: tuple[Body, ...] = ()


class Verdicts:
    """Writes the rows of one attempt; the clock of its duration starts here."""

    def __init__(self, key: Key, parcel: Parcel, slice_: Slice, said: Said) -> None:
        self._key = key
        self._parcel = parcel
        self._slice = slice_
        self._said = said
        self._start_us = time.time_ns() // 1000
        self._started = time.monotonic_ns()

    def result(self, frame: Mapping[str, Any], workshop: Workshop) -> Ended:
        """Return what a result frame says, checked against the task's output schema."""
        if frame.get("status") != "ok":
            status = str(frame.get("class"))
            known: Status = status if status in STATUSES else "input"  # type: ignore[assignment]  # one of them
            retry_us = max(0, min(int(frame.get("retry_after_ms") or 0), MAX_RETRY_AFTER_MS)) * 1000
            text = f"{frame.get('message', '')}\n{frame.get('detail', '')}"
            claimed = str(frame.get("code"))
            code = claimed if CODE.fullmatch(claimed) else "worker.failed"
            return self.failure(known, code, text, retry_us, _cpu_us(frame))
        output = frame.get("output")
        flaw = workshop.output_flaw(self._parcel.task, output)
        if flaw:
            return self.failure("input", "output.schema", flaw, 0, _cpu_us(frame))
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
        return Ended(self._key, row, (body, extras) if extras else (body,))

    def _extras(self) -> Body | None:
        said = self._said
        if not (said.memory or said.artifacts):
            return None
        data = encode_json({"memory": said.memory, "artifacts": said.artifacts})
        return self._seal("extras", data, "artifact")

    def failure(
        self, status: Status, code: str, text: str, retry_us: int = 0, cpu_us: int = 0
    ) -> Ended:
        """Return a failed attempt; `text` becomes the error body, cut to 4 KB."""
        body = self._seal("error", text.encode(errors="replace")[:DETAIL_BYTES], "error")
        row = self._row(
            status,
            code=code[:CODE_CHARS],
            error=body.commitment,
            retry_after_us=retry_us,
            cpu_us=cpu_us,
        )
        return Ended(self._key, row, (body,))

    def _row(self, status: Status, **fields: Any) -> Row:
        tokens, microusd, models = self._slice.close()
        return Row(
            self._key[2],
            self._key[3],
            status,
            tokens=tokens,
            microusd=microusd,
            start_us=self._start_us,
            duration_us=(time.monotonic_ns() - self._started) // 1000,
            sub_agents=self._said.agents,
            model=models,
            **fields,
        )

    def _seal(self, tag: str, data: bytes, retention: Retention) -> Body:
        return Body.seal(tag, os.urandom(32), data, retention, self._key[0])

    def died(self, exit_: Exit | None) -> Ended:
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
        return self.failure(status, code, f"the worker ended without a result ({name})")

    def withdrawn(self) -> Ended:
        """Return an attempt that the coordinator did not want any more."""
        return Ended(self._key, self._row("cancelled", code="attempt.withdrawn"))


def _how(exit_: Exit | None) -> str:
    if exit_ is None or exit_.lost:
        return "its zygote is gone"
    return signal.Signals(exit_.signal).name if exit_.signal else f"exit code {exit_.code}"


def _cpu_us(frame: Mapping[str, Any]) -> int:
    claimed = frame.get("cpu_us")
    return claimed if isinstance(claimed, int) and 0 <= claimed < 2**52 else 0


def project(output: Any, fields: Mapping[str, str]) -> tuple[str, int]:
    """Return label and confidence (ppm) of an output by the declared fields.

    A label of more than 48 characters is its first 23, a tilde and 24 hexadecimal digits of its
    digest: long ones that begin alike stay different. A declared confidence that is none from 0 to
    1 is the least there is.
    """
    name = fields.get("label")
    if name is None:
        return "", 0
    fielded = isinstance(output, Mapping)
    value = output.get(name) if name and fielded else output
    label = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    if len(label) > LABEL_CHARS:
        digest = sha256(label.encode(errors="surrogatepass"))
        label = f"{label[:LABEL_HEAD_CHARS]}~{digest[: LABEL_CHARS - LABEL_HEAD_CHARS - 1]}"
    if "confidence" not in fields:
        return label, 0
    weight = output.get(fields["confidence"]) if fielded else None
    number = weight if isinstance(weight, int | float) and 0 <= weight <= 1 else 0
    return label, max(LEAST_CONFIDENCE_PPM, round(number * FULL_PPM))
