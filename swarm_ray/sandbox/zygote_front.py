"""A zygote as a host holds it: children at once, exits from one descriptor.

Decides where a child comes from: from the reserve when the attempt asks for nothing special, forked
on demand when it only needs a wider policy, from a sandbox of its own where the driver says so.
"""

import selectors
import socket
from collections import deque
from contextlib import suppress
from dataclasses import replace
from itertools import count
from pathlib import Path

from swarm_ray.errors import Busy, UsageError, WorkerError
from swarm_ray.ports.sandbox import AttemptPolicy, Exit, Isolation, ZygotePolicy
from swarm_ray.sandbox.frames import encode_frame
from swarm_ray.sandbox.own_sandboxes import Launcher, OwnSandboxes
from swarm_ray.sandbox.wire import MOST_FDS, ExitRow
from swarm_ray.sandbox.zygote_control import ZygoteControl, isolation_of
from swarm_ray.sandbox.zygote_process import ZygoteProcess

_PATIENCE_S = 3.0

Waiting = tuple[int, socket.socket]  # a child's token and the host's end of its socket


class ChildSocket:
    """A child as the host holds it.

    Args:
        front: where it was taken.
        token: names it.
        sock: the host's end of its socket.
        control: of the zygote that forks it; None while its own sandbox has still to be made.
    """

    __slots__ = ("_front", "control", "sock", "token")

    def __init__(
        self,
        front: "ZygoteFront",
        token: int,
        sock: socket.socket,
        control: ZygoteControl | None,
    ) -> None:
        self._front = front
        self.token = token
        self.sock = sock
        self.control = control

    @property
    def pid(self) -> int:
        """Same as `token`: the process id is known inside the namespace only."""
        return self.token

    @property
    def isolation(self) -> Isolation | None:
        """What holds around this child; None until its zygote has said so."""
        return isolation_of(self.control.report) if self.control and self.control.report else None

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
        self._policy = policy
        self._tokens = count(1)
        self._selector = selectors.DefaultSelector()
        self._own = OwnSandboxes(launcher, bundle, policy, self._selector)
        self._reserve: deque[Waiting] = deque()
        self._out: dict[int, ChildSocket] = {}
        self._unkilled: list[int] = []
        self._process = ZygoteProcess(launcher.launch(bundle, policy, None))
        self._selector.register(self._process, selectors.EVENT_READ, self._process)
        self._top_up()

    @property
    def pid(self) -> int | None:
        """Process id in the host's view; None until the zygote is ready."""
        return self._process.pid if self.ready else None

    @property
    def alive(self) -> bool:
        """Whether the zygote can still hand out children."""
        return not self._process.gone

    @property
    def ready(self) -> bool:
        """Whether the zygote has said what isolation holds."""
        return bool(self._process.report)

    @property
    def failure(self) -> str:
        """Why the zygote is not alive; empty while it is."""
        return self._process.failure

    @property
    def isolation(self) -> Isolation | None:
        """What holds around the children; None until `exits` has read it."""
        if not self.ready:
            return None
        isolation = isolation_of(self._process.report)
        if not self._own.refusal:
            return isolation
        note = f"attempts with processes start slowly, in a zygote each ({self._own.refusal})"
        return replace(isolation, notes=(*isolation.notes, note))

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
        self._own.reap(0)
        if self._launcher.alone(attempt) or self._too_large(attempt):
            token, sock = self._alone(attempt)
        elif attempt.is_default:
            token, sock = self._ready_made()
        else:
            token, sock = self._special(attempt)
        own = self._own.owns(token)
        control = self._own.control_of(token) if own else self._process
        self._out[token] = ChildSocket(self, token, sock, control)
        return self._out[token]

    def _too_large(self, attempt: AttemptPolicy) -> bool:
        """A child inherits its zygote's address-space limit and can only lower it."""
        return (attempt.memory_bytes or 0) > self._policy.memory_bytes

    def _alone(self, attempt: AttemptPolicy) -> Waiting:
        ours, theirs = socket.socketpair()
        ours.setblocking(False)
        token = next(self._tokens)
        try:
            self._own.open(token, attempt, theirs)
        except BaseException:
            ours.close()
            theirs.close()
            raise
        return token, ours

    def _ready_made(self) -> Waiting:
        if not self._reserve:
            self._reserve += self._fork(1)
        taken = self._reserve.popleft()
        if len(self._reserve) <= self._policy.reserve // 2:
            self._top_up()
        return taken

    def _top_up(self) -> None:
        """Ask for the reserve; a zygote that is behind gets it with the next take."""
        missing = min(self._policy.reserve - len(self._reserve), MOST_FDS)
        if missing > 0:
            with suppress(Busy):
                self._reserve += self._fork(missing)

    def _fork(self, wanted: int, *, special: bool = False) -> list[Waiting]:
        pairs = [socket.socketpair() for _ in range(wanted)]
        tokens = [next(self._tokens) for _ in range(wanted)]
        ends = [theirs.fileno() for _, theirs in pairs]
        sent = self._process.fork(tokens, ends, special=special)
        for ours, theirs in pairs:
            theirs.close()
            if sent:
                ours.setblocking(False)
            else:
                ours.close()
        if not sent:
            raise Busy("sandbox.zygote_busy", "the zygote is behind with forking")
        return [(token, ours) for token, (ours, _) in zip(tokens, pairs, strict=True)]

    def _special(self, attempt: AttemptPolicy) -> Waiting:
        [(token, sock)] = self._fork(1, special=True)
        frame = {
            "frame": "policy",
            "reads": [str(path) for path in attempt.reads],
            "memory_bytes": attempt.memory_bytes,
            "cpu_s": attempt.cpu_s,
        }
        sock.send(encode_frame(frame, self._policy.frame_limit_bytes))
        return token, sock

    def kill(self, token: int) -> None:
        """Have a child killed; one that has ended already is left alone."""
        if token in self._out and not self._told_to_kill(token):
            self._unkilled.append(token)

    def _told_to_kill(self, token: int) -> bool:
        control = self._own.control_of(token) if self._own.owns(token) else self._process
        return control is not None and control.kill(token)

    def exits(self) -> list[Exit]:
        """Take every exit reported since the last call; never blocks."""
        ended: list[Exit] = []
        for key, _ in self._selector.select(0):
            control: ZygoteControl = key.data
            for token in self._own.tokens_of(control):
                self._out[token].control = control
            for row in control.drain():
                ended += self._ended(row)
            if control.gone:
                ended += self._lost(control)
        self._own.advance()
        self._own.reap(0)
        again, self._unkilled = self._unkilled, []
        for token in again:
            self.kill(token)
        return ended

    def _ended(self, row: ExitRow) -> list[Exit]:
        token, status, cpu_us, max_rss_bytes = row
        if token not in self._out:
            self._forget_reserved(token)
            return []
        del self._out[token]
        if self._own.owns(token):
            self._own.end(token)
        signal = status & 0x7F
        code = None if signal else status >> 8
        return [Exit(token, code, signal or None, cpu_us, max_rss_bytes)]

    def _forget_reserved(self, token: int) -> None:
        """A child of the reserve ended before it was taken: it could not be confined."""
        for pair in [pair for pair in self._reserve if pair[0] == token]:
            self._reserve.remove(pair)
            pair[1].close()

    def _lost(self, control: ZygoteControl) -> list[Exit]:
        """A zygote has hung up: every child of it that was handed out is lost."""
        if control is self._process:
            lost = [token for token in self._out if not self._own.owns(token)]
            self._selector.unregister(control)
            control.hang_up()
            self._drop_reserve()
        else:
            lost = self._own.tokens_of(control)
            for token in lost:
                self._own.end(token)
        for token in lost:
            self._out.pop(token, None)
        reason = control.failure
        return [Exit(token, None, None, 0, 0, lost=True, reason=reason) for token in lost]

    def _drop_reserve(self) -> None:
        for _, sock in self._reserve:
            sock.close()
        self._reserve.clear()

    def close(self) -> None:
        """End the zygote and every child; waits a moment for their end."""
        self._drop_reserve()
        self._process.hang_up()
        self._own.close(_PATIENCE_S)
        self._process.finish(_PATIENCE_S)
        self._selector.close()


def refuse_processes(driver: str, why: str) -> UsageError:
    """Make the error for an attempt whose processes nothing could count."""
    return UsageError(
        "sandbox.processes_unavailable",
        f"the {driver} sandbox cannot limit the processes of an attempt here: {why}",
        hint="run the host as an ordinary user with user namespaces, or give it a pids cgroup",
    )
