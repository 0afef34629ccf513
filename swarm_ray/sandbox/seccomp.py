"""The system-call filters of a sandbox, assembled as classic BPF.

Decides which calls a zygote and its children may make. Two programs: a long one that the zygote
installs once and every child inherits, and a short one that each child adds for what only the
zygote may still do (fork, signal others). It never installs a filter; `kernel` does.
"""

from __future__ import annotations

import errno
import struct

from swarm_ray.sandbox.syscalls import (
    ABSENT,
    ARCHITECTURES,
    FIRST_UNKNOWN,
    JUDGED,
    METADATA,
    NUMBERS,
    SPAWN,
    number,
)

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from collections.abc import Iterable

_LOAD, _JEQ, _JGE, _JSET, _AND, _RET = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF0000, 0x00050000, 0x80000000
_NR, _ARCH, _ARG = 0, 4, 16  # offsets in struct seccomp_data; arguments are 8 bytes each
_X32_BIT = 0x40000000
_CLONE_THREAD, _CLONE_NAMESPACES = 0x00010000, 0x7E020080
_SOCK_TYPE_MASK, _SOCK_STREAM = 0xF, 1

Instruction = tuple[int, int, int, int]


def _refuse(code: int) -> Instruction:
    return (_RET, 0, 0, _ERRNO | code)


def _load_argument(index: int) -> Instruction:
    return (_LOAD, 0, 0, _ARG + 8 * index)  # the low word; both machines are little-endian


_PERMIT: Instruction = (_RET, 0, 0, _ALLOW)
_DENY = _refuse(errno.EPERM)


def _when(nr: int, body: list[Instruction]) -> list[Instruction]:
    """Run `body`, which always returns, when the loaded number is `nr`."""
    return [] if nr == ABSENT else [(_JEQ, 0, len(body), nr), *body]


def _head(machine: str) -> list[Instruction]:
    start: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_JEQ, 1, 0, ARCHITECTURES[machine][1]),
        (_RET, 0, 0, _KILL_PROCESS),
        (_LOAD, 0, 0, _NR),
    ]
    if machine == "x86_64":
        start += [(_JGE, 0, 1, _X32_BIT), (_RET, 0, 0, _KILL_PROCESS)]
    return [*start, (_JGE, 0, 1, FIRST_UNKNOWN), _refuse(errno.ENOSYS)]


def _pack(program: Iterable[Instruction]) -> bytes:
    return b"".join(struct.pack("HBBI", *instruction) for instruction in program)


def denied_names(*, processes: bool, metadata: bool) -> list[str]:
    """Return the calls that the zygote's filter refuses whatever their arguments."""
    spared = [*JUDGED, *(SPAWN if processes else []), *(METADATA if metadata else [])]
    return [name for name in NUMBERS if name not in spared]


def shared_filter(machine: str, *, processes: bool, metadata: bool) -> bytes:
    """Assemble the filter that the zygote installs for itself and all children.

    Args:
        machine: `x86_64` or `aarch64`; calls of any other architecture kill the caller.
        processes: leave fork and exec open (a sandbox of one attempt that declared processes).
        metadata: leave chmod and its kin open (only where every other file is mounted read-only).
    """
    program = _head(machine)
    # clone3 hides its flags behind a pointer; libc falls back to clone when it is unknown.
    program += _when(number("clone3", machine), [_refuse(errno.ENOSYS)])
    program += _when(
        number("clone", machine),
        [_load_argument(0), (_JSET, 0, 1, _CLONE_NAMESPACES), _DENY, _PERMIT],
    )
    # Only one's own limits: a sibling of the same uid could otherwise lower another's.
    program += _when(
        number("prlimit64", machine), [_load_argument(0), (_JEQ, 0, 1, 0), _PERMIT, _DENY]
    )
    # Event loops need a pair; a datagram pair could still address a named socket.
    program += _when(
        number("socketpair", machine),
        [
            _load_argument(1),
            (_AND, 0, 0, _SOCK_TYPE_MASK),
            (_JEQ, 0, 1, _SOCK_STREAM),
            _PERMIT,
            _refuse(errno.EACCES),
        ],
    )
    for name in denied_names(processes=processes, metadata=metadata):
        program += _when(number(name, machine), [_DENY])
    return _pack([*program, _PERMIT])


def child_filter(machine: str) -> bytes:
    """Assemble the short filter of one child: threads but no processes, and no `kill`.

    `tgkill`, by which a process signals itself, stays open: Landlock keeps it inside the child's
    own domain, and without Landlock a child shares its namespace with nobody but the zygote, which
    as process 1 is out of its reach.

    Args:
        machine: as for `shared_filter`, which is already in force and has judged the architecture.
    """
    threads: list[Instruction] = [_load_argument(0), (_JSET, 0, 1, _CLONE_THREAD), _PERMIT, _DENY]
    program: list[Instruction] = [(_LOAD, 0, 0, _NR)]
    program += _when(number("clone", machine), threads)
    program += _when(number("kill", machine), [_DENY])
    return _pack([*program, _PERMIT])
