"""Writes benchmarks/README.md from the results of benchmarks.

    python -m benchmarks.write_readme benchmarks/results/*.json

Figures of a `--quick` run are marked preliminary, and those that depend on time if the machine was
not idle before it. Why a figure was not reached stands in `reasons.toml`; an unreached figure without a
reason says so.
"""

import ast
import json
import sys
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
QUIET_LOAD = 0.5
HEAD = """# Figures

Written by `python -m benchmarks.write_readme benchmarks/results/*.json`; change the benchmarks or
`reasons.toml`, not this page. Every figure is a median (worst case where it must be 0) of whole runs
with fixed seeds; whatever is compared ran in the same call. Raw samples stand in the JSON files.

    python -m benchmarks list
    python -m benchmarks NAME [--quick] [--peers] --json benchmarks/results/NAME.json

`--peers` installs other projects (Dask, Parsl, LangGraph, DBOS) into an environment of their own in
the temporary folder; without it only Ray and the standard library stand beside a figure. None of
these peers confines an item, signs results, or keeps a tamper-evident log of them.
"""


def main() -> int:
    """Read the results named in the arguments and write the page."""
    results = [json.loads(Path(name).read_text()) for name in sys.argv[1:]]
    if not results:
        print(__doc__, file=sys.stderr)
        return 2
    reasons = tomllib.loads((HERE / "reasons.toml").read_text())
    (HERE / "README.md").write_text(page(results, reasons))
    return 0


def page(results: list[dict[str, Any]], reasons: dict[str, str]) -> str:
    """Return the whole page as Markdown."""
    ordered = sorted(results, key=lambda one: str(one["name"]))
    parts = [HEAD, "## At a glance\n\n" + overview(ordered)]
    parts += [section(one, reasons) for one in ordered]
    return "\n".join(parts)


def overview(results: list[dict[str, Any]]) -> str:
    """Return the table of all figures that have something to reach."""
    rows = [
        f"| [{one['name']}](#{one['name']}) | {figure['what']} | {measured(figure)} "
        f"| {goal(figure)} | {verdict(figure, one)} |"
        for one in results
        for figure in one["figures"]
        if figure["reach"] is not None
    ]
    head = "| benchmark | what | measured | reach | |\n|---|---|---|---|---|\n"
    return head + "\n".join(rows) + "\n"


def section(result: dict[str, Any], reasons: dict[str, str]) -> str:
    """Return everything about one benchmark."""
    name, machine = result["name"], result["machine"]
    summary, _, conditions = docstring(name).partition("\n")
    options = "".join(f" --{name}" for name in ("quick", "peers") if result[name])
    lines = [
        f"## {name}\n",
        f"{summary.strip()} {conditions.strip()}\n",
        f"`python -m benchmarks {name}{options}`; {result['seconds']:.0f} s on {machine['cores']} "
        f"cores, Python {machine['python']}, Linux {machine['kernel']}, load {machine['load']} "
        f"before it, commit {result['commit'] or 'unknown'}."
        f"{' **Preliminary.**' if preliminary(result) else ''}\n",
        "| what | measured | reach | beside it |",
        "|---|---|---|---|",
    ]
    for figure in result["figures"]:
        peers = "; ".join(f"{peer} {number(value)}" for peer, value in figure["peers"].items())
        note = f" ({figure['note']})" if figure["note"] else ""
        mark = "" if figure["met"] is None else (" ✓" if figure["met"] else " ✗")
        lines.append(
            f"| {figure['what']}{note} | {measured(figure)} | {goal(figure)}{mark} | {peers} |"
        )
    if any(figure["met"] is False for figure in result["figures"]):
        why = reasons.get(name, "no reason is known yet.").strip()
        lines.append(f"\nNot reached: {why}")
    return "\n".join(lines) + "\n"


def docstring(name: str) -> str:
    """Return the docstring of a suite without importing it."""
    tree = ast.parse((HERE / "suites" / f"{name}.py").read_text())
    return ast.get_docstring(tree) or ""


def preliminary(result: dict[str, Any]) -> bool:
    """Say whether small sizes or other work on the machine make a result a mere indication."""
    busy = result.get("timed", True) and result["machine"]["load"] > QUIET_LOAD
    return bool(result["quick"] or busy)


def verdict(figure: dict[str, Any], result: dict[str, Any]) -> str:
    """Return whether a figure is reached, and how sure that is."""
    return ("met" if figure["met"] else "**not met**") + (
        ", preliminary" if preliminary(result) else ""
    )


def measured(figure: dict[str, Any]) -> str:
    """Return a value with its unit."""
    return f"{number(figure['value'])} {figure['unit']}"


def goal(figure: dict[str, Any]) -> str:
    """Return what is to be reached, empty for mere information."""
    if figure["reach"] is None:
        return ""
    return f"{'≤' if figure['sense'] == 'most' else '≥'} {number(figure['reach'])}"


def number(value: float) -> str:
    """Return three significant digits, whole numbers in full."""
    if value == int(value) or abs(value) >= 1_000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


if __name__ == "__main__":
    sys.exit(main())
