"""The template: a loaded zygote that is not locked yet and branches into sandboxes of one attempt.

Decides when a branch is forked and what it shares. An attempt that declares processes, or more
memory than others, needs namespaces and limits that no child of a locked zygote can get; forked from
here it need not load the bundle again. The template runs no tenant code and sees no item, nor what
an attempt may read: each branch reads its own orders from its own socket.
"""

from __future__ import annotations

import gc
import os
import signal
from _socket import CMSG_SPACE, socket

from swarm_ray.sandbox import kernel, wire
from swarm_ray.sandbox.bundle_image import BundleError
from swarm_ray.sandbox.confinement import Confinement
from swarm_ray.sandbox.departure import (
    go_on_as_first,
    hide_processes,
    leave_namespaces,
    settle_mounts,
)
from swarm_ray.sandbox.settings import Settings
from swarm_ray.sandbox.slots import remove
from swarm_ray.sandbox.start import fatal, folder_for, high, load, run_zygote, take_skills

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import NoReturn

    from swarm_ray.sandbox.worker import Worker

_OWN = ("mnt", "pid")  # namespaces that each branch leaves for itself


def run_template(control: socket, settings: Settings) -> None:
    """Load the bundle, tell the host whether branches hold here, and branch until it hangs up."""
    if settings.inside:
        kernel.die_with_parent()  # the driver's launcher; else the parent is a thread of the host
    control = high(control)
    try:
        left, notes = leave_namespaces([kind for kind in settings.leave if kind not in _OWN])
        settings = settings.changed(
            leave=[kind for kind in settings.leave if kind in _OWN],
            inside=[*left, *(kind for kind in settings.inside if kind not in _OWN)],
            cpu=-1,  # programs of an attempt may well run side by side
        )
        worker = load(settings)
        folder, _ = folder_for(settings, [], notes)
        confinement = Confinement(settings, own_pids=False, own_mounts=False, launched=False)
        take_skills(confinement, settings, folder)
        os.rmdir(folder)  # branches have their own; a template that is killed leaves nothing behind
        refusal = _try_out(settings)
    except BundleError as error:
        fatal(control, error, error.code)
    except Exception as error:  # noqa: BLE001 - told to the host, which knows what to do
        fatal(control, error, "sandbox.start_failed")
    else:
        control.send(wire.pack_json(wire.READY, {"refusal": refusal}))
        _serve(control, settings, worker)
    finally:
        remove(settings.tmp_root)


def _try_out(settings: Settings) -> str:
    """Try in a child what every branch will do; return why it cannot, empty when it can."""
    ours, theirs = os.pipe()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            left, notes = leave_namespaces(settings.leave)
            if "mnt" in left:
                notes += settle_mounts([settings.bundle], settings.tmp_bytes, settings.scratch)[1]
                notes += hide_processes()
            os.write(theirs, "; ".join(notes).encode())
            code = 0
        finally:
            os._exit(code)
    os.close(theirs)
    with os.fdopen(ours, encoding="utf-8") as told:
        refusal = told.read()
    _, status = os.waitpid(pid, 0)
    return refusal or ("" if status == 0 else f"the trial ended with status {status}")


def _serve(control: socket, settings: Settings, worker: Worker) -> None:
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody asks how a branch's launcher ended
    gc.collect()
    gc.freeze()
    while True:
        try:
            message, ancillary, _, _ = control.recvmsg(1, CMSG_SPACE(4 * 2))
        except ConnectionResetError:
            return
        if not message:
            return
        fds = [fd for _, _, data in ancillary for fd in memoryview(data).cast("i")]
        if os.fork() == 0:
            control.close()
            _branch(socket(fileno=fds[0]), settings, worker, *fds[1:])
        for fd in fds:
            os.close(fd)


def _branch(control: socket, template: Settings, worker: Worker, procs: int = -1) -> NoReturn:
    """Become the launcher of one sandbox, and in it its zygote. Never returns."""
    code = 1
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        kernel.die_with_parent()
        message = control.recv(wire.LARGEST_BYTES)
        if message:
            orders = Settings(**wire.unpack_json(message))
            _run_branch(control, orders, template, worker, procs)
        code = 0
    finally:
        os._exit(code)


def _run_branch(
    control: socket, orders: Settings, template: Settings, worker: Worker, procs: int
) -> None:
    left, notes = leave_namespaces(template.leave)
    missing = [kind for kind in template.leave if kind not in left]
    if missing:
        # Without them the branch would share what its attempt must have for itself.
        fatal(control, OSError("; ".join(notes)), "sandbox.no_namespaces")
        return
    kernel.die_with_parent()  # a change of credentials has made the kernel forget it
    go_on_as_first(left)
    settings = orders.changed(leave=template.leave, inside=template.inside)
    run_zygote(control, settings, left, notes, worker, procs)
