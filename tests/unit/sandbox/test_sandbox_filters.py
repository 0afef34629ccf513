"""The system-call filters, judged by an interpreter of the same machine language."""

import struct
from typing import Any

import pytest

from swarm_ray.sandbox import syscalls
from swarm_ray.sandbox.seccomp import child_filter, denied_names, shared_filter

ALLOW, EPERM, ENOSYS, KILL = 0x7FFF0000, 0x00050001, 0x00050026, 0x80000000
ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
MACHINES = ["x86_64", "aarch64"]


def verdict(program: bytes, arch: int, nr: int, *args: int) -> int:
    """Run a classic BPF program over one system call."""
    data = struct.pack("<IIQ6Q", nr, arch, 0, *(args + (0,) * (6 - len(args))))
    code = list(struct.iter_unpack("HBBI", program))
    at = accumulator = 0
    while True:
        operation, yes, no, value = code[at]
        at += 1
        match operation:
            case 0x20:
                accumulator = struct.unpack_from("<I", data, value)[0]
            case 0x15:
                at += yes if accumulator == value else no
            case 0x35:
                at += yes if accumulator >= value else no
            case 0x45:
                at += yes if accumulator & value else no
            case 0x54:
                accumulator &= value
            case 0x06:
                return value
            case _:
                raise AssertionError(f"operation {operation:#x}")


class Judge:
    def __init__(self, machine: str, program: bytes) -> None:
        self._machine = machine
        self._program = program

    def __call__(self, name: str, *args: int) -> int:
        return verdict(
            self._program, ARCH[self._machine], syscalls.number(name, self._machine), *args
        )


def shared(machine: str, **granted: bool) -> Judge:
    given = {"processes": False, "metadata": False, **granted}
    return Judge(machine, shared_filter(machine, **given))


@pytest.mark.parametrize("machine", MACHINES)
def test_every_listed_call_is_refused_and_ordinary_ones_pass(machine: str) -> None:
    judge = shared(machine)
    for name in denied_names(processes=False, metadata=False):
        if syscalls.number(name, machine) != syscalls.ABSENT:
            assert judge(name) == EPERM, name
    program = shared_filter(machine, processes=False, metadata=False)
    ordinary = [0, 1, 3, 9, 60] if machine == "x86_64" else [56, 57, 63, 64, 93]
    assert [verdict(program, ARCH[machine], nr) for nr in ordinary] == [ALLOW] * 5


@pytest.mark.parametrize("machine", MACHINES)
def test_a_foreign_architecture_kills_and_an_unknown_call_is_not_there(machine: str) -> None:
    program = shared_filter(machine, processes=False, metadata=False)
    for arch in (0x40000003, ARCH["aarch64" if machine == "x86_64" else "x86_64"]):
        assert verdict(program, arch, 1) == KILL
    assert verdict(program, ARCH[machine], syscalls.FIRST_UNKNOWN) == ENOSYS
    assert verdict(program, ARCH[machine], 9999) == ENOSYS


def test_the_second_numbering_of_x86_is_closed() -> None:
    program = shared_filter("x86_64", processes=False, metadata=False)
    assert verdict(program, ARCH["x86_64"], 0x40000000 | 101) == KILL


@pytest.mark.parametrize("machine", MACHINES)
def test_arguments_are_judged(machine: str) -> None:
    judge = shared(machine)
    assert judge("clone", 17) == ALLOW  # the zygote forks; children have a filter of their own
    for flag in (
        0x00020000,
        0x02000000,
        0x04000000,
        0x08000000,
        0x10000000,
        0x20000000,
        0x40000000,
    ):
        assert judge("clone", flag | 17) == EPERM
    assert judge("clone3", 0) == ENOSYS
    assert judge("prlimit64", 0) == ALLOW
    assert judge("prlimit64", 4711) == EPERM
    assert judge("socketpair", 1, 1 | 0o2000000) == ALLOW
    assert judge("socketpair", 1, 2) != ALLOW


@pytest.mark.parametrize("machine", MACHINES)
def test_a_child_has_threads_but_no_processes_and_no_signals(machine: str) -> None:
    judge = Judge(machine, child_filter(machine))
    assert judge("clone", 0x003D0F00) == ALLOW  # what pthread_create asks for
    assert judge("clone", 17) == EPERM
    assert judge("clone", 0x4111) == EPERM  # vfork
    assert judge("kill", 1, 9) == EPERM
    assert judge("ptrace") == ALLOW  # judged by the shared filter, which is in force as well


@pytest.mark.parametrize("machine", MACHINES)
def test_grants_open_exactly_what_they_name(machine: str) -> None:
    granted = shared(machine, processes=True, metadata=True)
    for name in ("execve", "fchmodat", "utimensat"):
        assert shared(machine)(name) == EPERM
        assert granted(name) == ALLOW
    assert granted("ptrace") == EPERM
    assert shared(machine, processes=True)("fchmodat") == EPERM


def test_no_number_is_listed_twice() -> None:
    for column in (0, 1):
        numbers = [pair[column] for pair in syscalls.NUMBERS.values() if pair[column] >= 0]
        assert len(numbers) == len(set(numbers))


def test_the_numbers_are_those_of_the_running_kernel() -> None:
    """A call that exists answers EBADF, EINVAL or the like; a wrong number would say ENOSYS."""
    import ctypes
    import os

    libc: Any = ctypes.CDLL(None, use_errno=True)
    machine = os.uname().machine
    harmless = ("setpriority", "sched_setparam", "socket", "fchmod", "shmat", "inotify_init1")
    for name in harmless:
        assert (
            libc.syscall(syscalls.number(name, machine), -1, -1, -1) == -1
            or name == "inotify_init1"
        )
        assert ctypes.get_errno() != 38, name
