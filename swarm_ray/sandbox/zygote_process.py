"""The processes that are zygotes, as the host sees them: started by it, or branched off a template.

Decides how they are started and ended. The host never forks Python: it spawns a bare interpreter
with an empty environment and one inherited socket. Nothing here blocks except `finish`.
"""

import os
import select
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, cast

from typing_extensions import override

from swarm_ray.errors import Busy, WorkerError
from swarm_ray.sandbox.cgroups import PidsGroup
from swarm_ray.sandbox.settings import Settings
from swarm_ray.sandbox.zygote_control import ZygoteControl, control_pair

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


class ZygoteProcess(ZygoteControl):
    """A zygote that the host has started.

    Args:
        launch: how to start it.

    Raises:
        WorkerError: it cannot be spawned.
    """

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the process
        ours, theirs = control_pair()
        with theirs:
            try:
                self._process = self._spawn(theirs.fileno())
            except OSError as error:
                ours.close()
                self._complaints.close()
                raise WorkerError(
                    "sandbox.spawn_failed", f"cannot start {launch.argv[0]}: {error}"
                ) from error
        super().__init__(ours, launch.settings)

    def _spawn(self, control: int) -> subprocess.Popen[bytes]:
        paths = {name: os.environ[name] for name in _LOADER_PATHS if name in os.environ}
        return subprocess.Popen(  # noqa: S603 - our own argv, made by a driver
            [*self._launch.argv, str(control)],
            pass_fds=(control,),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=self._complaints,
            env={**_ONE_THREAD, **paths},
            cwd="/",
        )

    @property
    def pid(self) -> int:
        """Process id of the launcher; the zygote ends with it."""
        return self._process.pid

    @override
    def _last_words(self) -> str:
        self._complaints.seek(0, os.SEEK_END)
        self._complaints.seek(max(0, self._complaints.tell() - _MOST_COMPLAINT_BYTES))
        said = self._complaints.read().decode(errors="replace").strip()
        return f"[sandbox.zygote_gone] {said or 'the zygote ended'}"

    @override
    def hang_up(self) -> None:
        super().hang_up()
        self._control.close()

    @override
    def finish(self, patience_s: float) -> bool:
        try:
            self._process.wait(patience_s)
        except subprocess.TimeoutExpired:
            if patience_s == 0:
                return False
            self._process.kill()
            self._process.wait()
        if not discard(self._launch, patience_s):
            return False
        self._complaints.close()
        return True


class BranchedZygote(ZygoteControl):
    """A zygote that a template has branched off for one attempt.

    Args:
        launch: its orders; what concerns the start of a process is not used.
        template: where it comes from, told at once; it takes care of the branch when it can.

    Raises:
        Busy: the template is behind.
    """

    def __init__(self, launch: Launch, template: ZygoteControl) -> None:
        self._launch = launch
        ours, theirs = control_pair()
        procs = [] if launch.group is None else [os.open(launch.group.procs, os.O_WRONLY)]
        try:
            taken = template.branch([theirs.fileno(), *procs])
        finally:
            theirs.close()
            for fd in procs:
                os.close(fd)
        if not taken:
            ours.close()
            raise Busy("sandbox.zygote_busy", "the template is behind with branching")
        super().__init__(ours, launch.settings)

    @override
    def hang_up(self) -> None:
        super().hang_up()
        self._control.shutdown(socket.SHUT_WR)

    @override
    def finish(self, patience_s: float) -> bool:
        """As told there: its launcher holds the control socket until everything in it has ended. A
        branch that outlives `patience_s` ends with its template."""
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        while poll.poll(patience_s * 1000):
            if not self._receive():
                break
        else:
            if patience_s == 0:
                return False
        if not discard(self._launch, patience_s):
            return False
        self._control.close()
        return True


def discard(launch: Launch, patience_s: float) -> bool:
    """Remove a launch's cgroup and folder.

    Args:
        launch: what was started, or was to be.
        patience_s: how long to wait for the last process to leave the group, which happens a moment
            after its end was reported; 0 only looks, and returns False while one is there.
    """
    until = time.monotonic() + patience_s
    while launch.group is not None and not launch.group.remove():
        if time.monotonic() >= until:
            if patience_s == 0:
                return False
            break  # a later start sweeps it
        time.sleep(_LOOK_AGAIN_S)
    if launch.tmp_root:
        remove_tree(launch.tmp_root)
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
