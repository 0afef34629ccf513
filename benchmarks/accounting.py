"""Processor time and memory of processes, exact also for children that lived for a millisecond.

Reads the cpuacct controller (cgroup v1) where root may make a group there, and /proc otherwise. It
decides nothing about what is measured.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CPUACCT = Path("/sys/fs/cgroup/cpuacct")
GROUP_VARIABLE = "SWARM_BENCHMARK_GROUP"
TICK_MS = 1000 / os.sysconf("SC_CLK_TCK")
OWN = (11, 12)
REAPED = (13, 14)
RSS_PERIOD_S = 0.05


@contextmanager
def group(name: str) -> Iterator[Path | None]:
    """Make a cpuacct group while the block runs; None where that is not possible."""
    path = CPUACCT / f"swarm-benchmark-{os.getpid()}-{name}"
    try:
        path.mkdir()
        (path / "cpuacct.usage").read_text()
    except OSError:
        yield None
        return
    try:
        yield path
    finally:
        for pid in (path / "cgroup.procs").read_text().split():
            (CPUACCT / "cgroup.procs").write_text(pid)
        path.rmdir()


def _fields(pid: int) -> list[str]:
    text = Path(f"/proc/{pid}/stat").read_text()
    return text[text.rindex(")") + 2 :].split()


def parents() -> dict[int, int]:
    """Return the parent of every living process."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int(_fields(int(entry.name))[1])
            except (OSError, ValueError):
                continue  # it ended while we looked
    return found


def descendants(root: int) -> list[int]:
    """Return the living children of a process, their children, and so on."""
    children: dict[int, list[int]] = {}
    for pid, parent in parents().items():
        children.setdefault(parent, []).append(pid)
    found: list[int] = []
    waiting = list(children.get(root, ()))
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        waiting += children.get(pid, ())
    return found


def own_ms(pid: int) -> float:
    """Return the processor time of a process itself, milliseconds; 0 when it is gone.

    The scheduler's figures are exact but lack threads that ended; the clock ticks have those.
    """
    exact_ns = 0
    for file in Path(f"/proc/{pid}/task").glob("*/schedstat"):
        try:
            exact_ns += int(file.read_text().split()[0])
        except (OSError, IndexError):
            continue  # the thread ended while we looked
    return max(exact_ns / 1e6, _sum_ms(pid, OWN))


def with_reaped_ms(pid: int) -> float:
    """Return the processor time of a process and of all children that it waited for."""
    return own_ms(pid) + _sum_ms(pid, REAPED)


def _sum_ms(pid: int, places: tuple[int, ...]) -> float:
    try:
        fields = _fields(pid)
    except OSError:
        return 0.0
    return sum(int(fields[place]) for place in places) * TICK_MS


def everything_ms() -> float:
    """Return the processor time of this process's group, or of its tree where it has none."""
    path = os.environ.get(GROUP_VARIABLE)
    if path:
        return int((Path(path) / "cpuacct.usage").read_text()) / 1e6
    here = os.getpid()
    return with_reaped_ms(here) + sum(with_reaped_ms(pid) for pid in descendants(here))


def command_of(pid: int) -> str:
    """Return the command line of a process, empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def rss_bytes(pid: int) -> int:
    """Return the resident memory of a process, 0 when it is gone."""
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGE_SIZE")


class PeakMemory:
    """Watches how far a process's resident memory grows beyond its start."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self.start_bytes = self.peak_bytes = rss_bytes(pid)
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        while not self._over.wait(RSS_PERIOD_S):
            self.peak_bytes = max(self.peak_bytes, rss_bytes(self._pid))

    def growth_bytes(self) -> int:
        """Stop watching and return the largest growth seen."""
        self._over.set()
        self._thread.join()
        return max(self.peak_bytes, rss_bytes(self._pid)) - self.start_bytes
