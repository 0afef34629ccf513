"""The full offline check of an exported run of a million rows on two cores.

Container, trees, seal, roster, every statement and every signature; bodies are left out. The
stand-alone verifier in two processes and in one, and the library in one.
"""

from benchmarks.children import measure
from benchmarks.figures import Figure

ROWS = 1_000_000


def run(*, quick: bool) -> list[Figure]:
    """Measure all three ways."""
    rows = ROWS // 50 if quick else ROWS
    one = measure("benchmarks.probes.evidence", what="offline", count=rows)
    names = {
        "two": "stand-alone, two processes",
        "one": "stand-alone, one process",
        "library": "library, one process",
    }
    return [
        Figure(
            f"{told}, {rows:,} rows",
            one[name]["wall_s"],
            "s",
            10 if name == "two" else None,
            note=f"{one[name]['cpu_s']:.1f} s of processor time; {one['bytes'] / 1e6:.0f} MB",
        )
        for name, told in names.items()
    ]
