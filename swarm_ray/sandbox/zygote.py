"""The zygote: forks confined children on request and reports how each ended.

Decides when a child is forked and when one is killed. It is single-threaded, runs no tenant code and
sees no item: items travel on the children's own sockets, which it closes as soon as it has forked.
"""

from __future__ import annotations

import gc
import os
import select
import signal
from _socket import CMSG_SPACE

from swarm_ray.sandbox import wire
from swarm_ray.sandbox.channel import Channel
from swarm_ray.sandbox.confinement import Confinement
from swarm_ray.sandbox.settings import Settings
from swarm_ray.sandbox.slots import Slot, Slots, remove
from swarm_ray.sandbox.worker import Worker

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from _socket import socket
    from typing import Any, NoReturn

CHILD_FD = 3
_COLLECT_AFTER = 100_000  # container objects made and not freed
_HIGHEST_FD = 1 << 16
_LOST = 120  # exit code of a child that could not be confined


def _ignore(signum: int, frame: object) -> None:
    """The wake byte says it all; without a handler there would be none."""


class HostGone(Exception):
    """The host has closed the control socket."""


class Zygote:
    """The loop of one zygote.

    Args:
        control: datagram socket to the host.
        settings: the start-up orders.
        confinement: the locks; the zygote's own are already closed.
        worker: what children run.
        folder: where children get a folder each.
    """

    def __init__(
        self,
        control: socket,
        settings: Settings,
        confinement: Confinement,
        worker: Worker,
        folder: str,
    ) -> None:
        self._control = control
        self._settings = settings
        self._confinement = confinement
        self._worker = worker
        self._slots = Slots(folder, confinement.ruleset)
        self._children: dict[int, tuple[int, Slot]] = {}
        self._pids: dict[int, int] = {}
        self._rows: list[wire.ExitRow] = []
        self._wake, self._wake_end = os.pipe()
        for end in (self._wake, self._wake_end):
            os.set_blocking(end, False)
        self._channel = Channel(CHILD_FD, settings.frame_limit_bytes)
        # The interpreter writes the wake byte itself, inside the signal: a Python handler would run
        # only after the poll that it should end, if the signal came just before it.
        signal.set_wakeup_fd(self._wake_end, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, _ignore)

    def serve(self) -> None:
        """Serve the host until it closes the control socket."""
        control = self._control
        control.setblocking(False)
        poll = select.poll()
        poll.register(control.fileno(), select.POLLIN)
        poll.register(self._wake, select.POLLIN)
        gc.collect()
        gc.freeze()
        # High enough that neither the zygote nor a small task ever collects, which would touch, and
        # so copy, the pages of every object; a task that makes much rubbish still gets rid of it.
        gc.set_threshold(_COLLECT_AFTER)
        try:
            while True:
                for fd, _ in poll.poll(10 if self._rows else None):
                    if fd == self._wake:
                        self._reap()
                    else:
                        self._listen()
                self._report()
        except HostGone:
            self._end_all()

    def _listen(self) -> None:
        try:
            message, ancillary, _, _ = self._control.recvmsg(
                wire.LARGEST_BYTES, CMSG_SPACE(4 * wire.MOST_FDS)
            )
        except BlockingIOError:
            return
        except ConnectionResetError as error:
            raise HostGone from error
        if not message:
            raise HostGone
        fds: list[int] = []
        for _, _, data in ancillary:
            fds += memoryview(data).cast("i")
        kind, tokens = message[:1], wire.unpack_tokens(message)
        if kind == wire.KILL:
            for token in tokens:
                self._kill(token)
            return
        for token, fd in zip(tokens, fds, strict=True):
            self._fork(token, fd, special=kind == wire.FORK_SPECIAL)

    def _fork(self, token: int, fd: int, *, special: bool) -> None:
        slot = self._slots.take()
        pid = os.fork()
        if pid == 0:
            self._become_child(fd, slot, special=special)
        os.close(fd)
        self._children[pid] = (token, slot)
        self._pids[token] = pid

    def _become_child(self, fd: int, slot: Slot, *, special: bool) -> NoReturn:
        """Confine this process, then answer one run frame. Never returns."""
        code = _LOST
        try:
            os.dup2(fd, CHILD_FD)
            settings, channel = self._settings, self._channel
            os.fchdir(slot.folder)
            if special:
                self._lock_special(channel, slot)
            else:
                self._confinement.lock_child(slot.ruleset, settings.cpu_s)
            os.closerange(CHILD_FD + 1, _HIGHEST_FD)
            if settings.processes or not settings.confined:
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.set_wakeup_fd(-1)
                os.environ.update(
                    TMPDIR=slot.path,
                    HOME=slot.path,
                    PATH=settings.program_path,
                    LC_ALL="C.UTF-8",
                )
            code = 1
            while self._worker.serve(channel, slot.path) and not settings.confined:
                continue  # unconfined children have nothing to lose by serving again
            code = 0
        finally:
            # The interpreter's own end would flush and finalise what belongs to the zygote.
            os._exit(code)

    def _lock_special(self, channel: Channel, slot: Slot) -> None:
        """Read the policy frame: it names paths of an item, which the zygote must not see."""
        frame = channel.read()
        if frame is None:
            os._exit(0)
        reads = tuple(str(path) for path in frame.get("reads") or ())
        self._confinement.lock_child(
            self._confinement.ruleset(slot.path, reads),
            int(frame.get("cpu_s") or self._settings.cpu_s),
            int(frame.get("memory_bytes") or 0),
        )

    def _kill(self, token: int) -> None:
        pid = self._pids.get(token)
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        try:
            while os.read(self._wake, 4096):
                continue
        except BlockingIOError:
            pass
        while self._children or self._settings.processes:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            ended = self._children.pop(pid, None)
            if ended is not None:
                self._ended(*ended, status, usage)

    def _ended(self, token: int, slot: Slot, status: int, usage: Any) -> None:
        del self._pids[token]
        if self._settings.processes:
            _end_everything()
        if not self._slots.give_back(slot):
            self._clean(slot.path)
        cpu_us = int((usage.ru_utime + usage.ru_stime) * 1e6)
        self._rows.append((token, status, cpu_us, usage.ru_maxrss << 10))

    def _clean(self, path: str) -> None:
        pid = os.fork()
        if pid == 0:
            try:
                remove(path)
            finally:
                os._exit(0)

    def _report(self) -> None:
        if not self._rows:
            return
        try:
            self._control.send(wire.pack_exits(self._rows[:512]))
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError) as error:
            raise HostGone from error
        del self._rows[:512]

    def _end_all(self) -> None:
        for pid in self._children:
            os.kill(pid, signal.SIGKILL)


def _end_everything() -> None:
    """Kill whatever a child with processes has left; this process is 1 of its namespace."""
    try:
        os.kill(-1, signal.SIGKILL)
    except ProcessLookupError:
        return
