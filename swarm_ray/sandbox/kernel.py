"""The Linux calls that Python does not offer, through libc.

Decides how Landlock, seccomp, namespaces, mounts and capabilities are asked for. It holds no
policy: callers say what is allowed. Every failed call raises OSError with the call's name.
"""

from __future__ import annotations

import ctypes
import os
import struct

_LANDLOCK_CREATE, _LANDLOCK_ADD, _LANDLOCK_RESTRICT = 444, 445, 446  # same on every architecture
_MOUNT_SETATTR = 442
_PR_SET_PDEATHSIG, _PR_CAPBSET_DROP, _PR_SET_NO_NEW_PRIVS = 1, 24, 38
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4
_SECCOMP_SET_MODE_FILTER = 1
_SECCOMP = {"x86_64": 317, "aarch64": 277}.get(os.uname().machine, -1)
_SIGKILL = 9
_CAP_VERSION_3, _CAP_SETS_BYTES = 0x20080522, 24
_RULE_PATH, _ALL_TCP, _ALL_SCOPES = 1, 3, 3
_AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = -100, 0x8000, 0x1
_MS_NOSUID, _MS_NODEV, _MS_REC, _MS_PRIVATE = 2, 4, 0x4000, 1 << 18

NAMESPACES = {
    "mnt": 0x00020000,
    "uts": 0x04000000,
    "ipc": 0x08000000,
    "user": 0x10000000,
    "pid": 0x20000000,
    "net": 0x40000000,
}

# Landlock rights, by the ABI that brought them.
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
_ABI1_RIGHTS, _REFER, _TRUNCATE, _IOCTL_DEV = (1 << 13) - 1, 1 << 13, 1 << 14, 1 << 15
ALL_RIGHTS = _ABI1_RIGHTS | _REFER | _TRUNCATE | _IOCTL_DEV
FILE_RIGHTS = EXECUTE | WRITE_FILE | READ_FILE | _TRUNCATE | _IOCTL_DEV
READ = READ_FILE | READ_DIR
OWN = ALL_RIGHTS & ~(EXECUTE | _IOCTL_DEV)
NEEDED_ABI = 6

_libc = ctypes.CDLL(None, use_errno=True)
_syscall = _libc.syscall
_syscall.restype = ctypes.c_long


class Program:
    """A filter program in memory, as the kernel takes it; must live as long as it is used."""

    __slots__ = ("_code", "_head", "address")

    def __init__(self, code: bytes) -> None:
        self._code = ctypes.create_string_buffer(code, len(code))
        head = struct.pack("@HP", len(code) // 8, ctypes.addressof(self._code))
        self._head = ctypes.create_string_buffer(head, len(head))
        self.address = ctypes.c_void_p(ctypes.addressof(self._head))


def _check(result: int, call: str) -> int:
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{call}: {os.strerror(code)}")
    return result


def landlock_abi() -> int:
    """Return the Landlock version of the running kernel; 0 when it has none or it is off."""
    return max(0, int(_syscall(_LANDLOCK_CREATE, None, ctypes.c_size_t(0), 1)))


def landlock_ruleset(rules: list[tuple[str, int]]) -> int:
    """Build a ruleset that denies every file, every TCP port, signals and abstract sockets.

    Args:
        rules: paths with the rights below them that stay allowed; a path that does not exist is
            left out, since nothing below it can be reached.

    Returns:
        A descriptor for `landlock_restrict`.
    """
    attributes = struct.pack("=QQQ", ALL_RIGHTS, _ALL_TCP, _ALL_SCOPES)
    size = ctypes.c_size_t(len(attributes))
    ruleset = _check(_syscall(_LANDLOCK_CREATE, attributes, size, 0), "landlock_create")
    for path, rights in rules:
        landlock_allow(ruleset, path, rights)
    return ruleset


def landlock_allow(ruleset: int, path: str, rights: int) -> None:
    """Allow `rights` on a file or below a folder."""
    try:
        target = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        if not os.path.isdir(path):
            rights &= FILE_RIGHTS
        rule = struct.pack("=Qi", rights, target)
        _check(_syscall(_LANDLOCK_ADD, ruleset, _RULE_PATH, rule, 0), "landlock_add")
    finally:
        os.close(target)


def landlock_restrict(ruleset: int) -> None:
    """Put the calling process into a new domain of its own, for good."""
    if _syscall(_LANDLOCK_RESTRICT, ruleset, 0) < 0:
        _check(-1, "landlock_restrict_self")


def seccomp(program: Program) -> None:
    """Install a filter for the calling process and all it forks, for good."""
    if _syscall(_SECCOMP, _SECCOMP_SET_MODE_FILTER, 0, program.address) < 0:
        _check(-1, "seccomp")


def no_new_privileges() -> None:
    """Forbid gaining privileges by exec, for good."""
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs")


def die_with_parent() -> None:
    """Have the kernel kill the calling process when the thread that forked it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, _SIGKILL, 0, 0, 0), "pdeathsig")


def drop_capabilities() -> None:
    """Give up every capability, and the means to regain one; fine without any as well."""
    _libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    capability = 0
    while _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0) == 0:
        capability += 1
    header = struct.pack("=Ii", _CAP_VERSION_3, 0)
    _check(_libc.capset(header, bytes(_CAP_SETS_BYTES)), "capset")


def unshare(names: tuple[str, ...]) -> None:
    """Leave the named namespaces; for `pid` it is the next child that becomes process 1."""
    flags = 0
    for name in names:
        flags |= NAMESPACES[name]
    _check(_libc.unshare(flags), "unshare")


def freeze_mounts() -> None:
    """Make every mount of this mount namespace private and read-only."""
    _check(_libc.mount(b"none", b"/", None, _MS_REC | _MS_PRIVATE, None), "mount private")
    attributes = struct.pack("=QQQQ", _MOUNT_ATTR_RDONLY, 0, 0, 0)
    size = ctypes.c_size_t(len(attributes))
    _check(
        _syscall(_MOUNT_SETATTR, _AT_FDCWD, b"/", _AT_RECURSIVE, attributes, size),
        "mount_setattr",
    )


def mount_tmpfs(path: str, size_bytes: int) -> None:
    """Mount an empty memory file system of at most `size_bytes` on a folder."""
    options = f"size={size_bytes},mode=0700".encode()
    _check(
        _libc.mount(b"tmpfs", path.encode(), b"tmpfs", _MS_NOSUID | _MS_NODEV, options),
        f"mount tmpfs on {path}",
    )
