"""Reference pages that cannot rot: error codes and settings, read off the source.

Decides the form of `docs/errors.md` and `docs/settings.md`; a test compares them with the files.
`python -m swarm_ray.testing.reference` writes them anew.
"""

import ast
import re
import sys
from collections.abc import Iterator
from dataclasses import MISSING, fields
from pathlib import Path

from swarm_ray.config import PREFIX, Settings

PACKAGE = Path(__file__).resolve().parents[1]
CLASSES = {
    "UsageError": "the caller's input",
    "StructuralError": "the process definition",
    "WorkerError": "a worker, model or tool",
    "ContainmentError": "a worker that left its boundary",
    "IntegrityError": "evidence",
    "InternalError": "a bug of ours",
    "SwarmError": "the surroundings",
    "StorageError": "the surroundings",
    "Busy": "nobody; try again later",
}
CODE = re.compile(r"^[a-z_]+\.[a-z_]+$")


def error_codes() -> dict[str, tuple[str, str]]:
    """Return class and a first message of every code that is raised by name in the package."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_blueprints" not in path.parts:
            for code, kind, message in _raised(ast.parse(path.read_text())):
                found.setdefault(code, (kind, message))
    return dict(sorted(found.items()))


def _raised(tree: ast.AST) -> Iterator[tuple[str, str, str]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.id if isinstance(node.func, ast.Name) else ""
        code = node.args[0]
        if name in CLASSES and isinstance(code, ast.Constant) and CODE.match(str(code.value)):
            yield str(code.value), name, _text(node.args[1]) if len(node.args) > 1 else ""


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else "…" for part in node.values
        )
    return "…"


def errors_page() -> str:
    """Return `docs/errors.md`."""
    lines = [
        "# Error codes",
        "",
        "Every error carries a stable code, says whose fault it is and names the remedy. Flaws of",
        "definitions (`definition.*`) are explained in `docs/formats/definition.md` as well.",
        "This page is written by `python -m swarm_ray.testing.reference`.",
        "",
        "| code | fault of | message |",
        "|---|---|---|",
    ]
    for code, (kind, message) in error_codes().items():
        shown = message.replace("|", "\\|").replace("\n", " ")
        lines.append(f"| `{code}` | {CLASSES[kind]} | {shown} |")
    return "\n".join(lines) + "\n"


def settings_page() -> str:
    """Return `docs/settings.md`."""
    text = Settings.__doc__ or ""
    meaning = dict(re.findall(r"^        (\w+): (.+(?:\n            .+)*)", text, re.MULTILINE))
    lines = [
        "# Settings",
        "",
        "Environment variables, read once when a command starts; an unknown one is refused.",
        "This page is written by `python -m swarm_ray.testing.reference`.",
        "",
        "| variable | default | meaning |",
        "|---|---|---|",
    ]
    for field in fields(Settings):
        default = "the platform's data folder" if field.default is MISSING else field.default
        said = " ".join(meaning[field.name].split())
        lines.append(f"| `{PREFIX}{field.name.upper()}` | {default!s} | {said} |")
    return "\n".join(lines) + "\n"


PAGES = {"errors.md": errors_page, "settings.md": settings_page}


def main() -> int:
    """Write the pages into the folder of the checkout."""
    for name, page in PAGES.items():
        (PACKAGE.parent / "docs" / name).write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
