"""One entry point for all benchmarks.

    python -m benchmarks list
    python -m benchmarks NAME [--quick] [--peers] [--trace FILE] [--json FILE]

Prints a table and writes figures with the machine and the commit beside them. `--peers` installs
other projects into an environment of their own, in the temporary folder, and measures them as well;
`--trace` gives a recorded workload to the suite that can use one.
"""

import argparse
import importlib
import inspect
import pkgutil
import signal
import sys
import time
from pathlib import Path
from types import ModuleType

from benchmarks.figures import Figure, Report, load, print_table, write_json
from swarm_placement.errors import UsageError

SUITES = Path(__file__).parent / "suites"


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(module.name for module in pkgutil.iter_modules([str(SUITES)]))


def takes(suite: ModuleType, option: str) -> bool:
    """Say whether a suite can use an option: `peers`, or `trace` with its `columns`."""
    return option in inspect.signature(suite.run).parameters


def measure(suite: ModuleType, **options: object) -> list[Figure]:
    """Run a suite with those of the options that it can use."""
    used = {name: value for name, value in options.items() if takes(suite, name)}
    figures: list[Figure] = suite.run(**used)
    return figures


def main() -> int:
    """Run one benchmark, or list all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["list", *names()])
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work?")
    parser.add_argument("--peers", action="store_true", help="install and measure other projects")
    parser.add_argument("--trace", type=Path, help="a CSV file with one task per line")
    parser.add_argument("--columns", default="work_s=duration", help="what its columns mean")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if arguments.name == "list":
        for name in names():
            doc = importlib.import_module(f"benchmarks.suites.{name}").__doc__ or ""
            print(f"{name:<20} {doc.strip().splitlines()[0]}")
        return 0
    suite = importlib.import_module(f"benchmarks.suites.{arguments.name}")
    if arguments.peers and not takes(suite, "peers"):
        parser.error(f"{arguments.name} compares with nothing that has to be installed")
    if arguments.trace and not takes(suite, "trace"):
        parser.error(f"{arguments.name} uses no trace; placement_trace does")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that probes are ended as well
    before, began_s = load(), time.monotonic()
    try:
        figures = measure(suite, **vars(arguments))
    except (UsageError, FileNotFoundError) as error:
        if not arguments.trace:
            raise
        parser.error(str(error))
    seconds = round(time.monotonic() - began_s, 1)
    report = Report(
        arguments.name,
        figures,
        arguments.quick,
        before,
        seconds,
        arguments.peers,
        getattr(suite, "TIMED", True),
    )
    print_table(report)
    if arguments.json:
        write_json(report, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
