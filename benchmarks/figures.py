"""Figures: what was measured, what was to be reached, and what stood beside it in the same run."""

import json
import os
import platform
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

LOOK_S = 2.0


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value.

    `reach` is what it must be: at most (`most`) or at least (`least`) that, None for
    information. `samples` are the raw values behind a median; `peers` were measured beside it;
    `note` says what else must be known to read it.
    """

    what: str
    value: float
    unit: str
    reach: float | None = None
    sense: Literal["most", "least"] = "most"
    peers: dict[str, float] = field(default_factory=dict)
    samples: list[float] = field(default_factory=list)
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the figure is reached; None when nothing was to be reached."""
        if self.reach is None:
            return None
        return self.value <= self.reach if self.sense == "most" else self.value >= self.reach


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of one benchmark."""

    name: str
    figures: list[Figure]
    quick: bool = False
    load_before: float = 0.0
    seconds: float = 0.0
    peers: bool = False
    timed: bool = True
    """Whether figures depend on how fast and how busy the machine is."""


def median(samples: list[float]) -> float:
    """Return the median of some samples."""
    return statistics.median(samples)


def load() -> float:
    """Return how many processors were busy during the two seconds before, on average.

    The system's load average remembers a minute, and with it the benchmark before this one.
    """
    began_s, before = time.monotonic(), _busy_s()
    time.sleep(LOOK_S)
    return round((_busy_s() - before) / (time.monotonic() - began_s), 1)


def _busy_s() -> float:
    """Return the processor time that was used on this machine, in seconds since it started."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def machine(load_before: float) -> dict[str, str | int | float]:
    """Describe where this runs; the load is that of before the benchmark."""
    return {
        "cores": os.cpu_count() or 0,
        "python": platform.python_version(),
        "kernel": platform.release().partition("-")[0],
        "machine": platform.machine(),
        "load": load_before,
    }


def commit() -> str:
    """Return the commit of the checkout, empty outside of one."""
    done = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent,
    )
    return done.stdout.strip()


def print_table(report: Report) -> None:
    """Print the figures for people."""
    for one in report.figures:
        verdict = {True: "met", False: "NOT met", None: ""}[one.met]
        sign = "<=" if one.sense == "most" else ">="
        goal = f"{sign} {one.reach:g}" if one.reach is not None else ""
        print(f"{one.what:<58} {one.value:>12.4g} {one.unit:<12} {goal:<10} {verdict}")
        for peer, value in one.peers.items():
            print(f"    {peer:<54} {value:>12.4g} {one.unit}")
        if one.note:
            print(f"    ({one.note})")


def write_json(report: Report, path: Path) -> None:
    """Write the figures for machines."""
    document = {
        "name": report.name,
        "timed": report.timed,
        "machine": machine(report.load_before),
        "commit": commit(),
        "quick": report.quick,
        "peers": report.peers,
        "seconds": report.seconds,
        "figures": [
            {
                "what": one.what,
                "value": one.value,
                "unit": one.unit,
                "reach": one.reach,
                "sense": one.sense,
                "met": one.met,
                "peers": one.peers,
                "samples": one.samples,
                "note": one.note,
            }
            for one in report.figures
        ],
    }
    path.write_text(json.dumps(document, indent=2, allow_nan=False) + "\n")
