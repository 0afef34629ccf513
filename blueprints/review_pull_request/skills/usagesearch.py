"""Usage search: decides where code still uses a name that the change removed or altered.

A use is *certain* when imports lead to the name, *possible* when an attribute of that name is read
from an unknown object, and a *mention* in text that is not Python. It never runs anything.
"""

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from codetree import CodeTree, parse_quietly
from paths import absolute_module, is_package_file, is_python, module_name

TARGET_LIMIT = 400
SHOWN_LIMIT = 20  # uses of one name that are listed; the rest is counted
LINE_LIMIT = 2000
DISTINCT_LENGTH = 6  # a shorter member name is too common a word to count as mentioned
CERTAINTIES = ("certain", "possible", "mention")


@dataclass(frozen=True, slots=True)
class Target:
    """A name to look for: its module, its name there (`Class.member` for members), and why.

    `exported_by` is the package through which the name stays importable: uses through it, or
    through packages above it, still work and are not sought.
    """

    module: str
    name: str
    why: str
    exported_by: str = ""

    @property
    def word(self) -> str:
        """The word that any use must contain."""
        last = self.name.rpartition(".")[2]
        return self.name.split(".")[-2] if last in ("__init__", "__new__") else last

    @property
    def qualname(self) -> str:
        """Module and name."""
        return f"{self.module}.{self.name}"


@dataclass(slots=True)
class Uses:
    """Uses of one target: those listed and how many of each certainty there are."""

    target: Target
    listed: list[dict[str, Any]] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CERTAINTIES, 0))

    def add(self, path: str, line: int, certainty: str, text: str) -> None:
        """Take one use; beyond the limit it is only counted."""
        place = {"file": path, "line": line, "certainty": certainty, "text": text}
        if any(u["file"] == path and u["line"] == line for u in self.listed):
            return
        self.counts[certainty] += 1
        self.listed.append(place)

    def to_dict(self) -> dict[str, Any]:
        """Return the uses as plain data, certain ones first."""
        self.listed.sort(key=lambda u: (CERTAINTIES.index(u["certainty"]), u["file"], u["line"]))
        return {
            "qualname": self.target.qualname,
            "why": self.target.why,
            "uses": self.listed[:SHOWN_LIMIT],
            "total": sum(self.counts.values()),
            **self.counts,
        }


def search(tree: CodeTree, targets: Iterable[Target], homes: Mapping[str, str]) -> dict[str, Uses]:
    """Return the uses of each target that has any, by qualified name.

    Args:
        tree: the files to search.
        targets: the names; at most `TARGET_LIMIT` are searched.
        homes: module -> path of the file that defined it; a name is not sought in its own file.
    """
    wanted: dict[str, list[Target]] = {}
    for target in list(targets)[:TARGET_LIMIT]:
        wanted.setdefault(target.word, []).append(target)
    if not wanted:
        return {}
    words = re.compile(r"\b(?:" + "|".join(map(re.escape, sorted(wanted))) + r")\b")
    found: dict[str, Uses] = {}
    for path, text in tree.files():
        present = set(words.findall(text))
        here = [t for w in sorted(present) for t in wanted[w] if homes.get(t.module) != path]
        if not here:
            continue
        syntax = parse_quietly(text) if is_python(path) else None
        lines = text.split("\n")
        if syntax is None:
            _mentions(path, lines, here, found)
        else:
            _Reader(path, lines, here, found).read(syntax)
    return found


def _uses(found: dict[str, Uses], target: Target) -> Uses:
    return found.setdefault(target.qualname, Uses(target))


def _mentions(path: str, lines: list[str], here: list[Target], found: dict[str, Uses]) -> None:
    for target in here:
        if "." in target.name and len(target.word) < DISTINCT_LENGTH:
            continue
        word = re.compile(rf"\b{re.escape(target.word)}\b")
        for number, line in enumerate(lines, 1):
            if word.search(line[:LINE_LIMIT]):
                _uses(found, target).add(path, number, "mention", line.strip()[:160])


class _Reader:
    """Reads one syntax tree for uses of a few targets."""

    def __init__(
        self, path: str, lines: list[str], here: list[Target], found: dict[str, Uses]
    ) -> None:
        self.path, self.lines, self.found = path, lines, found
        self.targets: dict[str, list[Target]] = {}
        for target in here:
            self.targets.setdefault(target.word, []).append(target)
        self.imports: dict[str, str] = {}
        self.made: dict[str, str] = {}

    def read(self, tree: ast.Module) -> None:
        """Find the uses in a module."""
        nodes = list(ast.walk(tree))
        for node in nodes:
            if isinstance(node, ast.Import):
                for alias in node.names:
                    top = alias.name.split(".")[0]
                    self.imports[alias.asname or top] = alias.name if alias.asname else top
            elif isinstance(node, ast.ImportFrom):
                self._import_from(node)
        self._note_instances(nodes)
        for node in nodes:
            if isinstance(node, ast.Attribute) and node.attr in self.targets:
                self._attribute(node)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load):
                self._name(node)
            elif isinstance(node, ast.ClassDef):
                self._overrides(node)

    def _import_from(self, node: ast.ImportFrom) -> None:
        own, package = module_name(self.path), is_package_file(self.path)
        source = absolute_module(own, node.level, node.module or "", package=package)
        for alias in node.names:
            self.imports[alias.asname or alias.name] = f"{source}.{alias.name}"
            for target in self.targets.get(alias.name, []):
                if _leads_to(f"{source}.{alias.name}", target):
                    self._note(target, node.lineno, "certain")

    def _note_instances(self, nodes: list[ast.AST]) -> None:
        """Learn what a name holds when its only assignment calls something imported."""
        stored = [n.id for n in nodes if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)]
        for node in nodes:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
                maker = node.value.func
                dotted = self.imports.get(getattr(maker, "id", "")) or self._dotted(maker)
                name = getattr(node.targets[0], "id", "")
                if dotted and stored.count(name) == 1:
                    self.made[name] = dotted

    def _name(self, node: ast.Name) -> None:
        dotted = self.imports.get(node.id)
        if dotted is None:
            return
        for target in self.targets.get(dotted.rpartition(".")[2], []):
            if _leads_to(dotted, target):
                self._note(target, node.lineno, "certain")

    def _attribute(self, node: ast.Attribute) -> None:
        dotted = self._dotted(node)
        for target in self.targets[node.attr]:
            if dotted and _leads_to(dotted, target):
                self._note(target, node.lineno, "certain")
            elif "." in target.name and not dotted:
                self._note(target, node.lineno, "possible")

    def _overrides(self, node: ast.ClassDef) -> None:
        bases = {self.imports.get(getattr(base, "id", ""), "") for base in node.bases}
        for child in node.body:
            name = getattr(child, "name", "")
            for target in self.targets.get(name, []):
                holder = target.qualname.rpartition(".")[0]
                if any(base and _same(base, holder) for base in bases):
                    self._note(target, child.lineno, "certain")

    def _dotted(self, node: ast.expr) -> str:
        parts: list[str] = []
        while isinstance(node, ast.Attribute):
            parts.append(node.attr)
            node = node.value
        name = getattr(node, "id", "")
        root = self.made.get(name) or self.imports.get(name, "")
        return ".".join([root, *reversed(parts)]) if root else ""

    def _note(self, target: Target, line: int, certainty: str) -> None:
        text = self.lines[line - 1].strip()[:160] if line <= len(self.lines) else ""
        _uses(self.found, target).add(self.path, line, certainty, text)


def _leads_to(dotted: str, target: Target) -> bool:
    """Say whether a dotted path names the target, directly or through a package above it."""
    holder, _, last = target.name.rpartition(".")
    wanted = target.name if target.word == last else holder
    if not dotted.endswith(f".{wanted}"):
        return False
    source = dotted[: -len(wanted) - 1]
    if target.exported_by and _above(source, target.exported_by):
        return False
    return _above(source, target.module)


def _same(dotted: str, qualname: str) -> bool:
    name = dotted.rpartition(".")[2]
    module = dotted.rpartition(".")[0]
    return qualname.rpartition(".")[2] == name and _above(module, qualname.rpartition(".")[0])


def _above(source: str, module: str) -> bool:
    return bool(source) and (module == source or module.startswith(f"{source}."))
