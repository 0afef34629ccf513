"""Leaving the host's namespaces at the start of a zygote.

Decides which namespaces can be left here: all at once as root, through a user namespace otherwise,
and none where the machine forbids both. It reports what it could not do; it never pretends.
"""

import os

from swarm_ray.sandbox import kernel

# Where temporary files go: over the host's shared memory, which is hidden thereby; or over /sys,
# which no worker needs, when the bundle or a library lies in shared memory.
_SHARED_MEMORY, _UNUSED = "/dev/shm", "/sys"  # noqa: S108 - a mount of our own


def _map_own_user(uid: int, gid: int) -> None:
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{uid} {uid} 1"),
        ("gid_map", f"{gid} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
            file.write(text)


def leave_namespaces(wanted: list[str]) -> tuple[list[str], list[str]]:
    """Leave the wanted namespaces; the uid stays the same inside.

    Args:
        wanted: kinds of namespaces, without `user`, which is added where it is needed.

    Returns:
        The kinds left, and notes on what was not possible.
    """
    if not wanted:
        return [], []
    uid, gid = os.geteuid(), os.getegid()
    refusals = []
    for kinds in ([list(wanted)] if uid == 0 else []) + [["user", *wanted]]:
        try:
            kernel.unshare(tuple(kinds))
        except OSError as error:
            refusals.append(f"{'as root' if 'user' not in kinds else 'as a user'}: {error}")
            continue
        if "user" in kinds:
            _map_own_user(uid, gid)
        return kinds, []
    return [], [f"namespaces are not permitted here ({'; '.join(refusals)})"]


def go_on_as_first(left: list[str]) -> None:
    """Go on in a child, which is process 1, where the namespace of processes has been left.

    The caller itself waits for the end of that child and ends likewise: whoever waits for it, or
    for its descriptors to close, then knows that nothing is left.
    """
    if "pid" not in left:
        return
    pid = os.fork()
    if pid:
        _, status = os.waitpid(pid, 0)
        os._exit(os.waitstatus_to_exitcode(status) & 0xFF)
    kernel.die_with_parent()


def settle_mounts(needed: list[str], tmp_bytes: int, scratch: str) -> tuple[str, list[str]]:
    """Freeze all mounts and give the zygote a memory file system for temporary files.

    It covers a folder that is on every machine and that nobody removes: one of our own would be
    left behind by a killed host, and a cleaner that removes it would unmount it here too.

    Args:
        needed: paths that must stay visible.
        tmp_bytes: size of the memory file system.
        scratch: the folder to cover; empty for one that this machine has.

    Returns:
        The folder, empty when there is none, and notes on what was not possible.
    """
    taken = any(path.startswith(f"{_SHARED_MEMORY}/") for path in needed)
    found = _UNUSED if taken or not os.path.isdir(_SHARED_MEMORY) else _SHARED_MEMORY
    place = scratch or found
    try:
        kernel.freeze_mounts()
        kernel.mount_tmpfs(place, tmp_bytes)
    except OSError as error:
        return "", [f"mounts stay writable apart from Landlock ({error})"]
    return place, []


def hide_processes() -> list[str]:
    """Cover /proc, so that not even the numbers of the host's processes can be read."""
    try:
        kernel.mount_tmpfs("/proc", 1 << 12)
    except OSError as error:
        return [f"/proc stays visible to stat ({error})"]
    return []
