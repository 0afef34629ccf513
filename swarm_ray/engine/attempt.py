"""One attempt on a host: a child, its frames, and the row that comes of it.

Decides what a frame of a worker means: a request that is checked against the attempt's scope and
slice and answered, or the result. Everything a worker says is a claim of untrusted code.
"""

import selectors
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from swarm_ray.core.host import Key
from swarm_ray.core.tree import DelegateLimits, Scope
from swarm_ray.engine.boundary import Boundary, refusal
from swarm_ray.engine.orders import scope_token
from swarm_ray.engine.verdicts import Ended, Verdicts
from swarm_ray.engine.workshop import FRAME_LIMIT_BYTES, Workshop
from swarm_ray.errors import Busy, SwarmError, WorkerError
from swarm_ray.models.slice import Slice
from swarm_ray.ports.hosts import Parcel
from swarm_ray.ports.sandbox import Child, Exit, Zygote
from swarm_ray.sandbox.frames import FrameReader, framed
from swarm_ray.values.codec import encode_json

RECEIVE_BYTES = 262_144
_UNREADABLE = (ArithmeticError, AttributeError, LookupError, RecursionError, TypeError, ValueError)
"""What reading a field of a frame can raise: a worker may write anything."""

Later = Callable[[Callable[[], None]], None]


class Attempt:
    """Runs one item of a parcel in one child.

    Args:
        key: run, swarm, item, attempt.
        parcel: the verified order.
        index: the item's row in the parcel.
        workshop: the bundle's sandboxes on this host.
        services: what workers may ask the host for, by frame kind: `model`, `embed-classify`.
    """

    def __init__(
        self,
        key: Key,
        parcel: Parcel,
        index: int,
        workshop: Workshop,
        services: Mapping[str, Callable[..., Any]],
    ) -> None:
        self.key = key
        self._parcel = parcel
        self._payload = parcel.payloads[index]
        self._workshop = workshop
        self._scope = Scope(scope_token(parcel.nonce, key[2], key[3]), *key)
        slice_ = Slice(parcel.slice_tokens, parcel.slice_microusd)
        limits = DelegateLimits(**workshop.delegate_limits(parcel.task))
        self._boundary = Boundary(self._scope, services, slice_, limits)
        self._write = Verdicts(key, parcel, slice_, self._boundary.said)
        self._verdict: Ended | None = None
        self._child: Child | None = None
        self._listening = self._writing = self._ended = False
        self._outgoing = b""
        self._reader = FrameReader(FRAME_LIMIT_BYTES)

    # -- life -------------------------------------------------------------------------------

    def begin(
        self,
        selector: selectors.BaseSelector,
        later: Later,
        reported: Callable[[Key], None],
    ) -> tuple[Zygote, Child] | None:
        """Take a child and send it the run frame. None: it cannot start, see `ended`.

        Raises:
            Busy: no child is to be had just now; nothing has happened.
        """
        self._later = later
        self._reported = reported
        self._selector = selector
        misfit = self._parcel.misfits.get(self.key[2])
        if misfit is not None:
            self._verdict = self._write.failure("input", "input.mismatch", misfit)
            return None
        try:
            zygote, child = self._workshop.take(self._parcel)
        except Busy:
            raise
        except SwarmError as error:
            self._verdict = self._write.failure("transient", error.code, str(error))
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
        self._ended = True
        self._drain()
        self._let_go()
        verdict = self._verdict or self._write.died(exit_)
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
        self._decide(self._write.failure("transient", "attempt.deadline", text))

    def withdraw(self) -> None:
        """The coordinator does not want it any more."""
        self._decide(self._write.withdrawn())

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

    def release(self) -> Child | None:
        """Give the child back unclosed, for the next attempt; None if it is gone."""
        child = self._child
        if child is None or not self._listening:
            return None
        self._selector.unregister(child.sock)
        self._child, self._listening = None, False
        return child

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
            self._decide(self._write.failure("input", error.code, str(error)))
        except _UNREADABLE as error:
            text = f"a worker sent a frame that cannot be read: {type(error).__name__}: {error}"
            self._decide(self._write.failure("input", "worker.bad_frame", text))
        return True

    def _frame(self, frame: Mapping[str, Any]) -> None:
        kind = frame.get("frame")
        if self._verdict is not None or kind == "progress":
            return
        if kind == "result":
            self._verdict = self._write.result(frame, self._workshop)
            if not self._ended:
                self._reported(self.key)
        else:
            self._answer(frame, kind)

    def _answer(self, frame: Mapping[str, Any], kind: object) -> None:
        number = frame.get("id")
        try:
            value = self._boundary.request(frame, kind)
        except SwarmError as error:
            self._refuse(number, error)
            return
        if callable(value):
            self._workshop.serve(lambda: self._served(number, value))
        else:
            self._reply({"frame": "reply", "id": number, "ok": True, "value": value})

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
        self._reply(refusal(number, error))

    def _reply(self, reply: Mapping[str, Any]) -> None:
        if self._child is not None:
            self._outgoing += framed(encode_json(reply))
            self._flush()
