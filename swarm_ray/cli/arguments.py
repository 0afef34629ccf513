"""Inputs on the command line: `name=value`, `name=@file.json`, `@file.json`.

Decides how a text becomes the value of a declared input: as it is for texts and paths, as JSON
for everything else. Never checks a value against its schema; the engine does.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from swarm_ray.errors import UsageError


def read_inputs(texts: Sequence[str], types: Mapping[str, str]) -> dict[str, Any]:
    """Return the inputs by name; of a repeated name the last one counts.

    Args:
        texts: what stood behind `--input`, in order.
        types: type name of each declared input.

    Raises:
        UsageError: `cli.bad_input`, `cli.input_file`.
    """
    found: dict[str, Any] = {}
    for text in texts:
        if text.startswith("@"):
            found |= _mapping(Path(text[1:]))
            continue
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(
                "cli.bad_input",
                f"--input {text!r} is neither name=value nor @file.json",
                hint="write --input name=value, --input name=@file.json or --input @file.json",
            )
        found[name] = _value(name, value, types.get(name, "any"))
    return found


def _value(name: str, text: str, kind: str) -> Any:
    if text.startswith("@") and kind != "path":
        return _json_file(Path(text[1:]))
    if kind in ("string", "path"):
        return text
    try:
        return json.loads(text)
    except ValueError:
        if kind == "any":
            return text
        raise UsageError(
            "cli.bad_input",
            f"--input {name}: {text!r} is no {kind}",
            hint=f"write the {kind} as JSON, or {name}=@file.json",
        ) from None


def _mapping(path: Path) -> dict[str, Any]:
    value = _json_file(path)
    if not isinstance(value, dict):
        raise UsageError(
            "cli.input_file",
            f"{path} holds {type(value).__name__}, not an object with the inputs by name",
            hint="name the input: --input name=@file.json",
            file=str(path),
        )
    return value


def _json_file(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes().decode("utf-8"))
    except OSError as error:
        raise UsageError(
            "cli.input_file",
            f"it cannot be read: {error.strerror}",
            hint="check the path behind the @",
            file=str(path),
        ) from None
    except UnicodeDecodeError:
        raise UsageError(
            "cli.input_file", "it is not UTF-8", hint="convert it to UTF-8", file=str(path)
        ) from None
    except ValueError as error:
        raise UsageError(
            "cli.input_file",
            f"it is not JSON: {error}",
            hint="write one JSON value; rows of other forms are given with --items",
            file=str(path),
        ) from None
