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
from swarm_ray.sandbox.confinement import Confinement
from swarm_ray.sandbox.departure import hide_processes, settle_mounts
from swarm_ray.sandbox.settings import Settings
from swarm_ray.sandbox.slots import remove
from swarm_ray.sandbox.warmth import warm_up
from swarm_ray.sandbox.zygote import CHILD_FD, Zygote, compile_confined, fatal

_CONTROL_FD = 10


def _high(control: socket) -> socket:
    """Move the control socket away from the descriptor that children use."""
    fd = os.dup2(control.fileno(), _CONTROL_FD, inheritable=False)
    control.close()
    null = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2, CHILD_FD):
        os.dup2(null, number)
    if null > CHILD_FD:
        os.close(null)
    return socket(fileno=fd)


def _folder(settings: Settings, left: list[str], notes: list[str]) -> tuple[str, bool]:
    """Return the folder for temporary files, and whether all mounts are this zygote's own."""
    if "mnt" in left:
        needed = [settings.bundle, *(path for path, _ in settings.rules)]
        place, trouble = settle_mounts(needed, settings.tmp_bytes)
        notes += trouble
        if place:
            return place, True
    if "mnt" not in settings.inside:
        notes.append("temporary files are limited one by one, not together")
    os.mkdir(settings.tmp_root, 0o700)
    return settings.tmp_root, "mnt" in settings.inside


def run_zygote(control: socket, settings: Settings, left: list[str], notes: list[str]) -> None:
    """Load the bundle, lock the door, tell the host, and serve until it hangs up."""
    if left or settings.inside:
        kernel.die_with_parent()
    control = _high(control)
    try:
        zygote, report = _ready(control, settings, left, [*settings.notes, *notes])
    except BundleError as error:
        fatal(control, error, error.code)
    except Exception as error:  # noqa: BLE001 - told to the host, which knows what to do
        fatal(control, error, "sandbox.start_failed")
    else:
        control.send(wire.pack_json(wire.READY, report))
        zygote.serve()
    finally:
        remove(settings.tmp_root)


def _ready(
    control: socket, settings: Settings, left: list[str], notes: list[str]
) -> tuple[Zygote, dict[str, object]]:
    sys.path[:] = settings.sys_path
    if settings.cpu >= 0:
        os.sched_setaffinity(0, {settings.cpu})
    own_pids = "pid" in left or "pid" in settings.inside
    folder, own_mounts = _folder(settings, left, notes)
    worker = load_image(settings.bundle, settings.libraries)
    os.environ.clear()  # preloads have read what was meant for them
    if threads() != 1:
        raise BundleError("bundle.preload_threads", "a preload has started threads; it cannot fork")
    if own_mounts and "mnt" in left:
        notes += hide_processes()
    if settings.processes and not own_pids:
        raise BundleError("sandbox.processes_unavailable", "processes need a PID namespace")
    confinement = Confinement(settings, own_pids=own_pids, own_mounts=own_mounts)
    confinement.lock_zygote()
    tmp = os.path.join(folder, "compile")
    os.mkdir(tmp)
    compiled = compile_confined(confinement, settings, tmp)
    os.rmdir(tmp)
    warm_up()
    skill_code.install(compiled, settings.bundle)
    zygote = Zygote(control, settings, confinement, worker, folder)
    report: dict[str, object] = {
        "label": settings.label,
        "driver": settings.driver,
        "namespaces": [*left, *settings.inside],
        "landlock_abi": kernel.landlock_abi() if settings.landlock else 0,
        "seccomp": settings.confined,
        "limits": confinement.limits(),
        "notes": notes,
    }
    return zygote, report
