"""Definitions by path or by the name of a shipped blueprint.

Decides where a definition is looked for. Never opens it.
"""

from pathlib import Path
from typing import Final

from swarm_ray.definition.flaws import suggest
from swarm_ray.definition.load import PROCESS_FILE
from swarm_ray.errors import UsageError

_PACKAGE: Final = Path(__file__).resolve().parent.parent
# The wheel carries the blueprints inside the package; a checkout has them beside it.
SHIPPED: Final = (_PACKAGE / "_blueprints", _PACKAGE.parent / "blueprints")


def find_blueprint(name: str | Path) -> Path:
    """Return the process file of a folder, a file, or a shipped blueprint's name.

    A path that exists wins over a shipped name.

    Raises:
        UsageError: `definition.unknown_blueprint`.
    """
    path = Path(name)
    if path.is_file():
        return path
    if (path / PROCESS_FILE).is_file():
        return path / PROCESS_FILE
    shipped = shipped_blueprints()
    if str(name) in shipped:
        return shipped[str(name)]
    raise UsageError(
        "definition.unknown_blueprint",
        f"{str(name)!r} is no definition file, no folder with {PROCESS_FILE}, no shipped blueprint",
        hint=suggest(str(name), shipped),
        file=str(name),
    )


def shipped_blueprints() -> dict[str, Path]:
    """Return the process files of the blueprints that came with this installation, by name."""
    found: dict[str, Path] = {}
    for folder in reversed(SHIPPED):
        for path in sorted(folder.glob(f"*/{PROCESS_FILE}")):
            found[path.parent.name] = path
    return found
