"""One entry point for all benchmarks.

    python -m benchmarks list
    python -m benchmarks NAME [--quick] [--peers] [--json FILE]

Prints a table and writes figures with the machine and the commit beside them. `--peers` installs
other projects into an environment of their own, in the temporary folder, and measures them as well.
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

SUITES = Path(__file__).parent / "suites"


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(module.name for module in pkgutil.iter_modules([str(SUITES)]))


def takes_peers(suite: ModuleType) -> bool:
    """Say whether a suite can compare with projects that have to be installed first."""
    return "peers" in inspect.signature(suite.run).parameters


def measure(suite: ModuleType, *, quick: bool, peers: bool) -> list[Figure]:
    """Run a suite."""
    more = {"peers": peers} if takes_peers(suite) else {}
    figures: list[Figure] = suite.run(quick=quick, **more)
    return figures


def main() -> int:
    """Run one benchmark, or list all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["list", *names()])
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work?")
    parser.add_argument("--peers", action="store_true", help="install and measure other projects")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if arguments.name == "list":
        for name in names():
            doc = importlib.import_module(f"benchmarks.suites.{name}").__doc__ or ""
            print(f"{name:<20} {doc.strip().splitlines()[0]}")
        return 0
    suite = importlib.import_module(f"benchmarks.suites.{arguments.name}")
    if arguments.peers and not takes_peers(suite):
        parser.error(f"{arguments.name} compares with nothing that has to be installed")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that probes are ended as well
    before, began_s = load(), time.monotonic()
    figures = measure(suite, quick=arguments.quick, peers=arguments.peers)
    seconds = round(time.monotonic() - began_s, 1)
    report = Report(arguments.name, figures, arguments.quick, before, seconds, arguments.peers)
    print_table(report)
    if arguments.json:
        write_json(report, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
