"""The broker: one short process per granted effect, outside Ray, that touches the world.

Decides which tools there are and what arguments each takes, nothing about permission; it is only
started for granted effects. It reads one request from stdin and writes one answer to stdout. Exit code 0 says that the answer is true; any other
end leaves the outcome unknown.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PUBLISH_ARGUMENTS: dict[str, Any] = {
    "type": "object",
    "properties": {
        "folder": {"type": "string"},
        "files": {
            "type": "object",
            # A plain file name: no separator, and none of the two names every folder has.
            "propertyNames": {"pattern": r"^(?!\.{1,2}$)[^/\x00]+$"},
        },
    },
    "required": ["folder", "files"],
    "additionalProperties": False,
}


class Failed(Exception):
    """The effect was not done and nothing changed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def publish_files(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Write files into a folder, each whole or not at all; doing it again changes nothing.

    Args:
        arguments: as `PUBLISH_ARGUMENTS` says: `folder` (made if missing) and `files`, a mapping
            of plain names to text or JSON values.

    Raises:
        Failed: `effect.not_writable`.
    """
    files, target = arguments["files"], Path(arguments["folder"])
    try:
        target.mkdir(parents=True, exist_ok=True)
        folders = [name for name in files if (target / name).is_dir()]
        if folders:
            raise Failed("effect.not_writable", f"{target / folders[0]} is a folder")
        parts = {name: target / f".{name}.part" for name in files}
        for name, part in parts.items():
            with part.open("w", encoding="utf-8") as written:
                written.write(_text(files[name]))
                written.flush()
                os.fsync(written.fileno())
    except OSError as error:
        raise Failed("effect.not_writable", str(error)) from error
    # From the first replacement on an error leaves the outcome unknown: some files are there.
    for name, part in parts.items():
        part.replace(target / name)
    return {"folder": str(target), "files": sorted(files)}


def _text(content: Any) -> str:
    if isinstance(content, str):
        return content
    return json.dumps(content, indent=2, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Tool:
    """What an effect can do to the world. `arguments` is the JSON Schema of what it takes; linking
    and the broker both hold a process to it."""

    act: Callable[[Mapping[str, Any]], Any]
    arguments: Mapping[str, Any]


TOOLS = {"files.publish": Tool(publish_files, PUBLISH_ARGUMENTS)}


def perform(tool: Tool, arguments: Any) -> Any:
    """Return the outcome of a tool.

    Raises:
        Failed: `effect.bad_arguments`, or what the tool raises.
    """
    from jsonschema import Draft202012Validator  # loads slowly, and only the broker itself needs it

    error = next(Draft202012Validator(tool.arguments).iter_errors(arguments), None)
    if error is not None:
        raise Failed("effect.bad_arguments", f"{error.json_path}: {error.message}")
    return tool.act(arguments)


def main() -> int:
    """Perform the one request on stdin."""
    request = json.load(sys.stdin)
    try:
        outcome = perform(TOOLS[request["tool"]], request["arguments"])
        answer = {"status": "done", "outcome": outcome}
    except Failed as error:
        answer = {"status": "failed", "code": error.code, "message": str(error)}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
