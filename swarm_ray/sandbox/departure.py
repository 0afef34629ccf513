"""Leaving the host's namespaces at the start of a zygote.

Decides which namespaces can be left here: all at once as root, through a user namespace otherwise,
and none where the machine forbids both. It reports what it could not do; it never pretends.
"""

import os

from swarm_ray.sandbox import kernel


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


def settle_mounts(folder: str, tmp_bytes: int) -> list[str]:
    """Freeze all mounts and give the zygote a memory file system for temporary files.

    Args:
        folder: existing folder to mount it on; it may be the same one for every zygote.
        tmp_bytes: its size.

    Returns:
        Notes on what was not possible; empty when everything holds.
    """
    try:
        kernel.freeze_mounts()
        kernel.mount_tmpfs(folder, tmp_bytes)
    except OSError as error:
        return [f"mounts stay writable apart from Landlock ({error})"]
    return []


def hide_processes() -> list[str]:
    """Cover /proc, so that not even the numbers of the host's processes can be read."""
    try:
        kernel.mount_tmpfs("/proc", 1 << 12)
    except OSError as error:
        return [f"/proc stays visible to stat ({error})"]
    return []
