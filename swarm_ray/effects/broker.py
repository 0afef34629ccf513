"""The broker: one short process per granted effect, outside Ray, that touches the world.

Decides nothing about permission; it is only started for granted effects. It reads one request
from stdin and writes one answer to stdout. Exit code 0 says that the answer is true; any other
end leaves the outcome unknown.
"""

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any


class Failed(Exception):
    """The effect was not done and nothing changed."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def publish_files(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Write files into a folder, each whole or not at all; doing it again changes nothing.

    Args:
        arguments: `folder` (made if missing) and `files`, a mapping of plain names to text or
            JSON values.

    Raises:
        Failed: `effect.bad_arguments`, `effect.not_writable`.
    """
    folder, files = arguments.get("folder"), arguments.get("files")
    if not isinstance(folder, str) or not isinstance(files, Mapping):
        raise Failed("effect.bad_arguments", "files.publish needs `folder` and `files`")
    names = [name for name in files if Path(name).name != name or name in ("", ".", "..")]
    if names:
        raise Failed("effect.bad_arguments", f"{names[0]!r} is not a plain file name")
    target = Path(folder)
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


TOOLS: dict[str, Callable[[Mapping[str, Any]], Any]] = {"files.publish": publish_files}


def main() -> int:
    """Perform the one request on stdin."""
    request = json.load(sys.stdin)
    try:
        answer = {"status": "done", "outcome": TOOLS[request["tool"]](request["arguments"])}
    except Failed as error:
        answer = {"status": "failed", "code": error.code, "message": str(error)}
    json.dump(answer, sys.stdout)
    return 0


if __name__ == "__main__":
    sys.exit(main())
