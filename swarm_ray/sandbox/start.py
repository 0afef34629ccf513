"""The start of a zygote after it has left the host's namespaces.

Decides what is loaded and locked, in which order, before the first child; and tells the host what
holds, or why nothing does.
"""

from __future__ import annotations

import os
import sys
from _socket import socket

from swarm_ray.sandbox import kernel, skill_code, wire
from swarm_ray.sandbox.bundle_image import BundleError, load_image, threads
from swarm_ray.sandbox.compiling import compile_confined
from swarm_ray.sandbox.confinement import Confinement
from swarm_ray.sandbox.departure import hide_processes, settle_mounts
from swarm_ray.sandbox.failures import failed
from swarm_ray.sandbox.settings import Settings
from swarm_ray.sandbox.slots import remove
from swarm_ray.sandbox.warmth import warm_up
from swarm_ray.sandbox.zygote import CHILD_FD, Zygote

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from swarm_ray.sandbox.worker import Worker

_CONTROL_FD = 10


def high(control: socket) -> socket:
    """Move the control socket away from the descriptor that children use."""
    fd = os.dup2(control.fileno(), _CONTROL_FD, inheritable=False)
    control.close()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2, CHILD_FD):
        os.dup2(null, number)
    if null > CHILD_FD:
        os.close(null)
    return socket(fileno=fd)


def folder_for(settings: Settings, left: list[str], notes: list[str]) -> tuple[str, bool]:
    """Return the folder for temporary files, and whether all mounts are this zygote's own."""
    if "mnt" in left:
        needed = [settings.bundle, *(path for path, _ in settings.rules)]
        place, trouble = settle_mounts(needed, settings.tmp_bytes, settings.scratch)
        notes += trouble
        if place:
            return place, True
    if "mnt" not in settings.inside:
        notes.append("temporary files are limited one by one, not together")
    os.mkdir(settings.tmp_root, 0o700)
    return settings.tmp_root, "mnt" in settings.inside


def load(settings: Settings) -> Worker:
    """Load what all children share and runs none of the bundle's code.

    Raises:
        BundleError: a part is missing, or a preload cannot be imported or has started threads.
    """
    sys.path[:] = settings.sys_path
    if settings.cpu >= 0:
        os.sched_setaffinity(0, {settings.cpu})
    worker = load_image(settings.bundle, settings.libraries)
    os.environ.clear()  # preloads have read what was meant for them
    if threads() != 1:
        raise BundleError("bundle.preload_threads", "a preload has started threads; it cannot fork")
    return worker


def take_skills(confinement: Confinement, settings: Settings, folder: str) -> None:
    """Have the skills compiled in a confined child, and walk the children's path once."""
    tmp = os.path.join(folder, "compile")
    os.mkdir(tmp)
    compiled = compile_confined(confinement, settings, tmp)
    os.rmdir(tmp)
    warm_up()
    skill_code.install(compiled, settings.bundle)


def run_zygote(
    control: socket,
    settings: Settings,
    left: list[str],
    notes: list[str],
    worker: Worker | None = None,
    procs: int = -1,
) -> None:
    """Load the bundle, lock the door, tell the host, and serve until it hangs up.

    Args:
        control: datagram socket to the host.
        settings: the start-up orders.
        left: namespaces that this process has left.
        notes: what was not possible in that.
        worker: what a template has loaded already, its skills included.
        procs: descriptor of the cgroup's list of processes; -1 where `settings` names its path.
    """
    if left or settings.inside:
        kernel.die_with_parent()
    control = high(control)
    try:
        _join(settings, procs)
        zygote, report = _ready(control, settings, left, [*settings.notes, *notes], worker)
    except BundleError as error:
        fatal(control, error, error.code)
    except Exception as error:  # noqa: BLE001 - told to the host, which knows what to do
        fatal(control, error, "sandbox.start_failed")
    else:
        control.send(wire.pack_json(wire.READY, report))
        zygote.serve()
    finally:
        remove(settings.tmp_root)


def _join(settings: Settings, procs: int) -> None:
    """Enter the cgroup that counts this zygote's processes, if there is one."""
    if settings.cgroup_procs:
        opened = procs if procs >= 0 else os.open(settings.cgroup_procs, os.O_WRONLY)
        os.write(opened, b"0")
        os.close(opened)


def _ready(
    control: socket,
    settings: Settings,
    left: list[str],
    notes: list[str],
    worker: Worker | None,
) -> tuple[Zygote, dict[str, object]]:
    own_pids = "pid" in left or "pid" in settings.inside
    folder, own_mounts = folder_for(settings, left, notes)
    loaded = worker or load(settings)
    if own_mounts and "mnt" in left:
        notes += hide_processes()
    if settings.processes and not own_pids:
        raise BundleError("sandbox.processes_unavailable", "processes need a PID namespace")
    confinement = Confinement(
        settings, own_pids=own_pids, own_mounts=own_mounts, launched="pid" in left
    )
    if worker is None:
        take_skills(confinement, settings, folder)
    confinement.lock_zygote()
    zygote = Zygote(control, settings, confinement, loaded, folder)
    report: dict[str, object] = {
        "label": settings.label,
        "driver": settings.driver,
        "namespaces": list(dict.fromkeys([*left, *settings.inside])),
        "landlock_abi": kernel.landlock_abi() if settings.landlock else 0,
        "seccomp": settings.confined,
        "limits": confinement.limits(),
        "notes": notes,
    }
    return zygote, report


def fatal(control: socket, error: BaseException, code: str) -> None:
    """Tell the host why the zygote cannot start."""
    told = failed(error)
    control.send(wire.pack_json(wire.FATAL, {"code": code, "message": told["message"]}))
