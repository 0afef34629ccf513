"""One entry point for all benchmarks.

    python -m benchmarks list
    python -m benchmarks NAME [--quick] [--json FILE]

Prints a table and writes figures with the machine and the commit beside them.
"""

import argparse
import importlib
import pkgutil
import sys
from pathlib import Path

from benchmarks.figures import Report, print_table, write_json

SUITES = Path(__file__).parent / "suites"


def names() -> list[str]:
    """Return the names of all benchmarks."""
    return sorted(module.name for module in pkgutil.iter_modules([str(SUITES)]))


def main() -> int:
    """Run one benchmark, or list all."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("name", choices=["list", *names()])
    parser.add_argument("--quick", action="store_true", help="small sizes: does it work?")
    parser.add_argument("--json", type=Path, help="write the figures here")
    arguments = parser.parse_args()
    if arguments.name == "list":
        for name in names():
            doc = importlib.import_module(f"benchmarks.suites.{name}").__doc__ or ""
            print(f"{name:<20} {doc.strip().splitlines()[0]}")
        return 0
    suite = importlib.import_module(f"benchmarks.suites.{arguments.name}")
    report = Report(arguments.name, suite.run(quick=arguments.quick))
    print_table(report)
    if arguments.json:
        write_json(report, arguments.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
