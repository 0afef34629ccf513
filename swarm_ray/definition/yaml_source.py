"""YAML text to plain JSON values with the line of every key.

Decides which YAML is admitted: UTF-8, one document, mappings with unique text keys, JSON types
only (`yes`, dates and octal numbers stay text), bounded in size, depth and number of values.
Never interprets a key and never builds anything but dict, list, str, int, float, bool and None.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from swarm_ray.definition.flaws import Flaw
from swarm_ray.errors import UsageError

MAX_SOURCE_BYTES: Final = 1_000_000
MAX_DEPTH: Final = 40
MAX_VALUES: Final = 50_000

Path = tuple[str | int, ...]

# libyaml is an order of magnitude faster; both give the same nodes and marks.
_Base: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PREFIX: Final = "tag:yaml.org,2002:"
_RESOLVERS: Final = (
    ("bool", r"true|false", "tf"),
    ("null", r"null|~|", ["n", "~", ""]),
    ("int", r"[-+]?[0-9]+", "-+0123456789"),
    (
        "float",
        r"[-+]?(?:\.[0-9]+|[0-9]+\.[0-9]*|[0-9]+(?=[eE]))(?:[eE][-+]?[0-9]+)?",
        "-+.0123456789",
    ),
)


class _Loader(_Base):  # type: ignore[misc]  # the class is chosen at import
    """YAML's own loader with the scalar rules of the YAML 1.2 core schema."""

    yaml_implicit_resolvers: Mapping[str, Any] = {}  # filled below, then constant


for _name, _pattern, _first in _RESOLVERS:
    _Loader.add_implicit_resolver(_PREFIX + _name, re.compile(f"(?:{_pattern})$"), list(_first))


@dataclass(frozen=True, slots=True)
class Text:
    """A parsed source: its name as shown to people, its value, and the line of every path."""

    file: str
    value: Any
    lines: Mapping[Path, int]
    flaws: tuple[Flaw, ...] = ()

    def line(self, *path: str | int) -> int:
        """Return the line of the deepest known part of the path; unknown parts are skipped."""
        at: Path = ()
        for part in path:
            if (*at, part) in self.lines:
                at = (*at, part)
        return self.lines.get(at, 1)


def read_text(file: str, data: bytes) -> Text:
    """Parse one YAML document.

    Raises:
        UsageError: `definition.source_too_large`, `definition.not_utf8` or
            `definition.malformed_yaml`, with the fields file, line and column.
    """
    try:
        text = _decoded(file, data)
        _bound(file, text)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _malformed(
            file,
            error.problem or "the text is not YAML",
            mark.line + 1 if mark else 1,
            mark.column + 1 if mark else 1,
        ) from error
    except yaml.YAMLError as error:
        raise _malformed(file, str(error).splitlines()[0], 1, 1) from error
    if node is None:
        raise _malformed(file, "the file is empty", 1, 1)
    reader = _Reader(file)
    value = reader.value(node, (), node.start_mark.line + 1)
    return Text(file, value, reader.lines, tuple(reader.flaws))


def _decoded(file: str, data: bytes) -> str:
    if len(data) > MAX_SOURCE_BYTES:
        raise UsageError(
            "definition.source_too_large",
            f"the file has {len(data)} bytes, the limit is {MAX_SOURCE_BYTES}",
            hint="a definition holds words, not data; pass data as an input",
            file=file,
            line=1,
            size_bytes=len(data),
        )
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise UsageError(
            "definition.not_utf8",
            f"byte {error.start} is not UTF-8 text",
            hint="save the file as UTF-8",
            file=file,
            line=line,
            column=column,
        ) from error


def _bound(file: str, text: str) -> None:
    """Refuse deep or endless nesting before anything recursive sees it."""
    depth = 0
    for count, event in enumerate(yaml.parse(text, Loader=_Loader)):
        if isinstance(event, yaml.MappingStartEvent | yaml.SequenceStartEvent):
            depth += 1
        elif isinstance(event, yaml.MappingEndEvent | yaml.SequenceEndEvent):
            depth -= 1
        if depth > MAX_DEPTH or count > 4 * MAX_VALUES:
            what = f"deeper than {MAX_DEPTH} levels" if depth > MAX_DEPTH else "too many values"
            mark: Any = event.start_mark
            raise _malformed(file, f"the document is {what}", mark.line + 1, mark.column + 1)


def _malformed(file: str, problem: str, line: int, column: int) -> UsageError:
    return UsageError(
        "definition.malformed_yaml",
        f"{problem} (column {column})",
        hint="check indentation, quotes and colons at that place",
        file=file,
        line=line,
        column=column,
    )


class _Reader:
    """Turns nodes into values; aliases are expanded and counted each time they are used."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.lines: dict[Path, int] = {}
        self.flaws: list[Flaw] = []
        self._count = 0
        self._open: set[int] = set()

    def value(self, node: yaml.Node, path: Path, line: int) -> Any:
        self.lines[path] = line
        self._count += 1
        if self._count > MAX_VALUES or len(path) > MAX_DEPTH or id(node) in self._open:
            raise self._refuse(node, "aliases repeat or nest more than is admitted")
        match node:
            case yaml.ScalarNode():
                return self._scalar(node)
            case yaml.SequenceNode() if node.tag == _PREFIX + "seq":
                return self._inside(node, lambda: self._sequence(node, path))
            case yaml.MappingNode() if node.tag == _PREFIX + "map":
                return self._inside(node, lambda: self._mapping(node, path))
            case _:
                raise self._refuse(node, f"the tag {node.tag!r} is not admitted")

    def _inside(self, node: yaml.Node, read: Any) -> Any:
        self._open.add(id(node))
        try:
            return read()
        finally:
            self._open.discard(id(node))

    def _sequence(self, node: yaml.SequenceNode, path: Path) -> list[Any]:
        return [
            self.value(item, (*path, index), item.start_mark.line + 1)
            for index, item in enumerate(node.value)
        ]

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key_node, item in node.value:
            line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                raise self._refuse(key_node, "a key must be plain text")
            key = key_node.value
            if key in found:
                first = self.lines[(*path, key)]
                self.flaws.append(
                    Flaw(
                        self.file,
                        line,
                        "definition.duplicate_key",
                        f"the key {key!r} stands here and in line {first}",
                        "keep one of the two",
                    )
                )
                continue
            found[key] = self.value(item, (*path, key), line)
        return found

    def _scalar(self, node: yaml.ScalarNode) -> Any:
        text: str = node.value
        match node.tag.removeprefix(_PREFIX):
            case "str":
                return text
            case "bool":
                return text == "true"
            case "null":
                return None
            case "int" if len(text) <= 20:
                return int(text)
            case "float" if math.isfinite(float(text)):
                return float(text)
            case _:
                raise self._refuse(node, f"the value {text[:40]!r} is not a JSON value")

    def _refuse(self, node: yaml.Node, problem: str) -> UsageError:
        mark = node.start_mark
        return _malformed(self.file, problem, mark.line + 1, mark.column + 1)
