"""A zygote as a host holds it: children at once, exits from one descriptor.

Decides where a child comes from: from the reserve when the attempt asks for nothing special, forked
on demand when it only needs a wider policy, from a sandbox of its own where the driver says so.
"""

import selectors
import socket
from collections import deque
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Protocol

from swarm_ray.errors import Busy, UsageError, WorkerError
from swarm_ray.ports.sandbox import AttemptPolicy, Exit, Isolation, ZygotePolicy
from swarm_ray.sandbox.frames import encode_frame
from swarm_ray.sandbox.wire import MOST_FDS, ExitRow
from swarm_ray.sandbox.zygote_process import Launch, ZygoteProcess

_PATIENCE_S = 3.0


class Launcher(Protocol):
    """What a driver does for its zygotes."""

    def launch(self, bundle: Path, policy: ZygotePolicy, attempt: AttemptPolicy | None) -> Launch:
        """Prepare a zygote; for one attempt alone when `attempt` is given."""
        ...

    def alone(self, attempt: AttemptPolicy) -> bool:
        """Whether this attempt needs a sandbox of its own."""
        ...


@dataclass(slots=True)
class _Line:
    """A running zygote process and the sockets of its waiting children."""

    process: ZygoteProcess
    waiting: deque[tuple[int, socket.socket]]


class ChildSocket:
    """A child as the host holds it."""

    __slots__ = ("_front", "sock", "token")

    def __init__(self, front: "ZygoteFront", token: int, sock: socket.socket) -> None:
        self._front = front
        self.token = token
        self.sock = sock

    @property
    def pid(self) -> int:
        """Same as `token`: the process id is known inside the namespace only."""
        return self.token

    def kill(self) -> None:
        """Have the child and all it started killed; its `Exit` follows."""
        self._front.kill(self.token)

    def close(self) -> None:
        """Close this end of the socket."""
        self.sock.close()


class ZygoteFront:
    """Implements `ports.sandbox.Zygote` for every driver.

    Args:
        launcher: the driver.
        bundle: folder of the unpacked bundle.
        policy: limits of every child.

    Raises:
        UsageError: the driver refuses the bundle.
    """

    def __init__(self, launcher: Launcher, bundle: Path, policy: ZygotePolicy) -> None:
        self._launcher = launcher
        self._bundle = bundle
        self._policy = policy
        self._tokens = count(1)
        self._selector = selectors.DefaultSelector()
        self._own: dict[int, _Line] = {}  # sandboxes of one attempt, by token
        self._out: set[int] = set()
        self._unkilled: list[int] = []
        self._ending: list[ZygoteProcess] = []
        self._line = self._start(None)
        self._top_up()

    def _start(self, attempt: AttemptPolicy | None) -> _Line:
        process = ZygoteProcess(self._launcher.launch(self._bundle, self._policy, attempt))
        line = _Line(process, deque())
        self._selector.register(process, selectors.EVENT_READ, line)
        return line

    @property
    def pid(self) -> int | None:
        """Process id in the host's view; None until the zygote is ready."""
        return self._line.process.pid if self.ready else None

    @property
    def alive(self) -> bool:
        """Whether the zygote can still hand out children."""
        return not self._line.process.gone

    @property
    def ready(self) -> bool:
        """Whether the zygote has said what isolation holds."""
        return self.isolation is not None

    @property
    def failure(self) -> str:
        """Why the zygote is not alive; empty while it is."""
        return self._line.process.failure

    @property
    def isolation(self) -> Isolation | None:
        """What holds around the children; None until `exits` has read it."""
        return self._line.process.isolation

    def fileno(self) -> int:
        """Descriptor that is readable whenever `exits()` has something to say."""
        return self._selector.fileno()

    def take(self, attempt: AttemptPolicy) -> ChildSocket:
        """Hand out a child at once and top the reserve up.

        Raises:
            UsageError: the driver cannot grant this policy.
            Busy: the zygote is behind; try again after `exits()`.
            WorkerError: the zygote is gone.
        """
        if not self.alive:
            raise WorkerError("sandbox.zygote_gone", f"the zygote is gone: {self.failure}")
        self._reap()
        if self._launcher.alone(attempt) or self._too_large(attempt):
            token, sock = self._alone(attempt)
        elif attempt.is_default:
            token, sock = self._ready_made()
        else:
            token, sock = self._special(attempt)
        self._out.add(token)
        return ChildSocket(self, token, sock)

    def _too_large(self, attempt: AttemptPolicy) -> bool:
        """A child inherits its zygote's address-space limit and can only lower it."""
        return (attempt.memory_bytes or 0) > self._policy.memory_bytes

    def _ready_made(self) -> tuple[int, socket.socket]:
        waiting = self._line.waiting
        if not waiting and not self._fork(self._line, 1):
            raise Busy("sandbox.zygote_busy", "the zygote is behind with forking")
        taken = waiting.popleft()
        if len(waiting) <= self._policy.reserve // 2:
            self._top_up()
        return taken

    def _top_up(self) -> None:
        """Ask for the reserve; a zygote that is behind gets it with the next take."""
        missing = min(self._policy.reserve - len(self._line.waiting), MOST_FDS)
        if missing > 0:
            self._fork(self._line, missing)

    def _fork(self, line: _Line, wanted: int, *, special: bool = False) -> bool:
        pairs = [socket.socketpair() for _ in range(wanted)]
        tokens = [next(self._tokens) for _ in range(wanted)]
        sent = line.process.fork(tokens, [end.fileno() for _, end in pairs], special=special)
        for token, (ours, theirs) in zip(tokens, pairs, strict=True):
            theirs.close()
            if sent:
                ours.setblocking(False)
                line.waiting.append((token, ours))
            else:
                ours.close()
        return sent

    def _special(self, attempt: AttemptPolicy) -> tuple[int, socket.socket]:
        line = _Line(self._line.process, deque())
        if not self._fork(line, 1, special=True):
            raise Busy("sandbox.zygote_busy", "the zygote is behind with forking")
        token, sock = line.waiting.popleft()
        frame = {
            "frame": "policy",
            "reads": [str(path) for path in attempt.reads],
            "memory_bytes": attempt.memory_bytes,
            "cpu_s": attempt.cpu_s,
        }
        sock.send(encode_frame(frame, self._policy.frame_limit_bytes))
        return token, sock

    def _alone(self, attempt: AttemptPolicy) -> tuple[int, socket.socket]:
        line = self._start(attempt)
        self._fork(line, 1)
        token, sock = line.waiting.popleft()
        self._own[token] = line
        return token, sock

    def kill(self, token: int) -> None:
        """Have a child killed; one that has ended already is left alone."""
        line = self._own.get(token, self._line)
        if token in self._out and not line.process.kill(token):
            self._unkilled.append(token)

    def _end(self, token: int, line: _Line) -> None:
        """End a sandbox of one attempt; everything in it goes with it."""
        del self._own[token]
        self._selector.unregister(line.process)
        line.process.hang_up()
        self._ending.append(line.process)

    def _reap(self) -> None:
        self._ending = [process for process in self._ending if not process.finish(0)]

    def exits(self) -> list[Exit]:
        """Take every exit reported since the last call; never blocks."""
        ended: list[Exit] = []
        for key, _ in self._selector.select(0):
            line: _Line = key.data
            for row in line.process.drain():
                ended += self._ended(row)
            if line.process.gone:
                ended += self._line_lost(line)
        for token in [token for token in self._own if token not in self._out]:
            self._end(token, self._own[token])
        self._reap()
        self._kill_again()
        return ended

    def _kill_again(self) -> None:
        again, self._unkilled = self._unkilled, []
        for token in again:
            self.kill(token)

    def _ended(self, row: ExitRow) -> list[Exit]:
        token, status, cpu_us, max_rss_bytes = row
        if token not in self._out:
            self._forget_waiting(token)
            return []
        self._out.discard(token)
        signal = status & 0x7F
        code = None if signal else status >> 8
        return [Exit(token, code, signal or None, cpu_us, max_rss_bytes)]

    def _forget_waiting(self, token: int) -> None:
        """A child of the reserve ended before it was taken: it could not be confined."""
        kept = deque(pair for pair in self._line.waiting if pair[0] != token)
        for number, sock in self._line.waiting:
            if number == token:
                sock.close()
        self._line.waiting = kept

    def _line_lost(self, line: _Line) -> list[Exit]:
        """A zygote has hung up: every child of it that was handed out is lost."""
        own = [token for token, each in self._own.items() if each is line]
        if own:
            lost = [token for token in own if token in self._out]
            self._end(own[0], line)
        else:
            lost = [token for token in self._out if token not in self._own]
            self._selector.unregister(line.process)
            line.process.hang_up()
            self._ending.append(line.process)
            self._drop_waiting()
        self._out.difference_update(lost)
        reason = line.process.failure
        return [Exit(token, None, None, 0, 0, lost=True, reason=reason) for token in lost]

    def _drop_waiting(self) -> None:
        for _, sock in self._line.waiting:
            sock.close()
        self._line.waiting.clear()

    def close(self) -> None:
        """End the zygote and every child; waits a moment for their end."""
        for token, own in list(self._own.items()):
            self._end(token, own)
        self._drop_waiting()
        if self._line.process not in self._ending:
            self._line.process.hang_up()
            self._ending.append(self._line.process)
        for process in self._ending:
            process.finish(_PATIENCE_S)
        self._ending = []
        self._selector.close()


def refuse_processes(driver: str, why: str) -> UsageError:
    """Make the error for an attempt whose processes nothing could count."""
    return UsageError(
        "sandbox.processes_unavailable",
        f"the {driver} sandbox cannot limit the processes of an attempt here: {why}",
        hint="run the host as an ordinary user with user namespaces, or give it a pids cgroup",
    )
