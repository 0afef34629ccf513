"""One operating-system process that is a zygote, as the host sees it.

Decides how it is started, spoken to and ended. The host never forks Python: it spawns a bare
interpreter with an empty environment and one inherited socket. Nothing here blocks except `finish`.
"""

import os
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from array import array
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from swarm_ray.errors import WorkerError
from swarm_ray.ports.sandbox import Isolation
from swarm_ray.sandbox import wire
from swarm_ray.sandbox.cgroups import PidsGroup
from swarm_ray.sandbox.settings import Settings

# Number crunchers start a thread per core at import unless told otherwise; a zygote must have one.
_CRUNCHERS = ("OMP", "OPENBLAS", "MKL", "NUMEXPR", "VECLIB")
_ONE_THREAD = {
    f"{name}_{'MAXIMUM' if name == 'VECLIB' else 'NUM'}_THREADS": "1" for name in _CRUNCHERS
}
_LOADER_PATHS = ("LD_LIBRARY_PATH",)  # some interpreters find their own library by it
_MOST_COMPLAINT_BYTES = 2000
_LOOK_AGAIN_S = 0.01


@dataclass(frozen=True, slots=True)
class Launch:
    """How to start one zygote process.

    Args:
        argv: command to which the control descriptor's number is appended.
        settings: the orders it is sent.
        tmp_root: folder of this host to remove at the end; empty for none.
        group: cgroup to remove at the end.
    """

    argv: list[str]
    settings: Settings
    tmp_root: str = ""
    group: PidsGroup | None = None


@dataclass(slots=True)
class _Told:
    """What the zygote has said so far."""

    isolation: Isolation | None = None
    failure: str = ""
    gone: bool = False


def _isolation(report: dict[str, Any]) -> Isolation:
    return Isolation(
        label=str(report["label"]),
        driver=str(report["driver"]),
        namespaces=tuple(report["namespaces"]),
        landlock_abi=int(report["landlock_abi"]),
        seccomp=bool(report["seccomp"]),
        limits=tuple(report["limits"]),
        notes=tuple(report["notes"]),
    )


class ZygoteProcess:
    """A started zygote.

    Args:
        launch: how to start it.

    Raises:
        WorkerError: it cannot be spawned.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._told = _Told()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        kind = getattr(socket, "SOCK_SEQPACKET", socket.SOCK_DGRAM)
        self._control, theirs = socket.socketpair(socket.AF_UNIX, kind)
        with theirs:
            self._process = self._spawn(theirs.fileno())
        self._control.setblocking(False)
        self._control.send(wire.pack_json(wire.CONFIG, launch.settings.to_dict()))

    def _spawn(self, control: int) -> subprocess.Popen[bytes]:
        paths = {name: os.environ[name] for name in _LOADER_PATHS if name in os.environ}
        try:
            return subprocess.Popen(  # noqa: S603 - our own argv, made by a driver
                [*self._launch.argv, str(control)],
                pass_fds=(control,),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=self._complaints,
                env={**_ONE_THREAD, **paths},
                cwd="/",
            )
        except OSError as error:
            self._control.close()
            self._complaints.close()
            raise WorkerError(
                "sandbox.spawn_failed", f"cannot start {self._launch.argv[0]}: {error}"
            ) from error

    @property
    def pid(self) -> int:
        """Process id of the launcher; the zygote ends with it."""
        return self._process.pid

    @property
    def isolation(self) -> Isolation | None:
        """What holds; None until the zygote has said so."""
        return self._told.isolation

    @property
    def failure(self) -> str:
        """Why it is gone; empty while it is there."""
        return self._told.failure

    @property
    def gone(self) -> bool:
        """Whether it has hung up."""
        return self._told.gone

    def fileno(self) -> int:
        """Descriptor of the control socket."""
        return self._control.fileno()

    def fork(self, tokens: list[int], fds: list[int], *, special: bool = False) -> bool:
        """Ask for children on the given sockets; False when the zygote is too far behind.

        Args:
            tokens: one per child.
            fds: the children's ends; the caller closes them.
            special: the children wait for a policy frame.
        """
        kind = wire.FORK_SPECIAL if special else wire.FORK
        rights = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array("i", fds))]
        return self._send(wire.pack_tokens(kind, tokens), rights)

    def kill(self, token: int) -> bool:
        """Ask to kill a child; False when the zygote is too far behind."""
        return self._send(wire.pack_tokens(wire.KILL, [token]), [])

    def _send(self, message: bytes, rights: list[Any]) -> bool:
        if self._told.gone:
            return True  # its children are gone as well; `exits` says so
        try:
            self._control.sendmsg([message], rights)
        except BlockingIOError:
            return False
        except (BrokenPipeError, ConnectionResetError):
            return True  # `drain` finds out
        return True

    def drain(self) -> list[wire.ExitRow]:
        """Read what the zygote has said and return the exits among it."""
        rows: list[wire.ExitRow] = []
        while not self._told.gone:
            try:
                message = self._receive()
            except BlockingIOError:
                break
            if not message:
                self._hung_up()
            elif message[:1] == wire.EXITS:
                rows += wire.unpack_exits(message)
            elif message[:1] == wire.READY:
                self._told.isolation = _isolation(wire.unpack_json(message))
            else:
                told = wire.unpack_json(message)
                self._told.failure = f"[{told['code']}] {told['message']}"
        return rows

    def _receive(self) -> bytes:
        """Read one message; empty when the zygote has hung up.

        A zygote that ends with orders unread resets the connection, and the reset is reported
        before its last words, which say why: hence the second look.
        """
        try:
            return self._control.recv(wire.LARGEST_BYTES)
        except ConnectionResetError:
            try:
                return self._control.recv(wire.LARGEST_BYTES)
            except ConnectionResetError:
                return b""

    def _hung_up(self) -> None:
        self._told.gone = True
        if not self._told.failure:
            self._complaints.seek(0, os.SEEK_END)
            self._complaints.seek(max(0, self._complaints.tell() - _MOST_COMPLAINT_BYTES))
            said = self._complaints.read().decode(errors="replace").strip()
            self._told.failure = f"[sandbox.zygote_gone] {said or 'the zygote ended'}"

    def hang_up(self) -> None:
        """Tell the zygote to end with all its children; `finish` follows."""
        if not self._told.gone:
            self._told.gone = True
            self._told.failure = self._told.failure or "[sandbox.closed] the zygote was closed"
        self._control.close()

    def finish(self, patience_s: float) -> bool:
        """Wait for the end and remove what is left; kill when `patience_s` is over.

        Args:
            patience_s: 0 only looks, and returns False while something still ends.
        """
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            if patience_s == 0:
                return False
            self._process.kill()
            self._process.wait()
        if not self._group_removed(patience_s):
            return False
        self._complaints.close()
        if self._launch.tmp_root:
            remove_tree(self._launch.tmp_root)
        return True

    def _group_removed(self, patience_s: float) -> bool:
        """Remove the cgroup; the last process leaves it a moment after its end was reported."""
        group = self._launch.group
        until = time.monotonic() + patience_s
        while group is not None and not group.remove():
            if time.monotonic() >= until:
                return patience_s > 0  # a later start sweeps it
            time.sleep(_LOOK_AGAIN_S)
        return True


def remove_tree(path: str) -> None:
    """Remove a folder that hostile code has filled, modes notwithstanding."""

    def open_up(action: Callable[..., Any], blocked: str, _: object) -> None:
        for folder in (os.path.dirname(blocked), blocked):
            with suppress(OSError):
                if stat.S_ISDIR(os.lstat(folder).st_mode):
                    os.chmod(folder, stat.S_IRWXU)
        with suppress(OSError):
            if action is os.open or action is os.scandir or action is os.lstat:
                shutil.rmtree(blocked, ignore_errors=True)
            else:
                action(blocked)

    if os.path.isdir(path):
        shutil.rmtree(path, onerror=cast("Any", open_up))
