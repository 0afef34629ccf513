"""Size and complexity of functions: decides which functions grew beyond what the guide allows.

Complexity is decisions plus one, counted on the syntax tree. It never looks at other files.
"""

import ast
from dataclasses import dataclass
from typing import Any

from apidiff import finding
from guide import Guide

_DECISIONS = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.ExceptHandler, ast.IfExp, ast.Assert,
    ast.comprehension,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Measure:
    """Numbers of one function."""

    line: int
    end_line: int
    complexity: int
    parameters: int
    documented: bool


def measure(tree: ast.Module | None) -> dict[str, Measure]:
    """Return the measures of all functions and methods by dotted name.

    Source of method: T. McCabe, "A Complexity Measure" (1976), boolean operators counted.
    """
    found: dict[str, Measure] = {}
    pending: list[tuple[str, ast.AST]] = [("", tree)] if tree is not None else []
    while pending:
        prefix, node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
                name = f"{prefix}{child.name}"
                found[name] = _measure(child)
                pending.append((f"{name}.", child))
            elif isinstance(child, ast.ClassDef):
                pending.append((f"{prefix}{child.name}.", child))
            elif isinstance(child, ast.stmt | ast.ExceptHandler):
                pending.append((prefix, child))
    return found


def _measure(node: ast.FunctionDef | ast.AsyncFunctionDef) -> Measure:
    arguments = node.args
    count = len(arguments.posonlyargs) + len(arguments.args) + len(arguments.kwonlyargs)
    own = arguments.args[:1] and arguments.args[0].arg in ("self", "cls")
    return Measure(
        line=node.lineno,
        end_line=node.end_lineno or node.lineno,
        complexity=_complexity(node),
        parameters=count - bool(own),
        documented=ast.get_docstring(node) is not None,
    )


def _complexity(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    total = 1
    pending: list[ast.AST] = list(node.body)
    while pending:
        child = pending.pop()
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            continue
        if isinstance(child, _DECISIONS):
            total += 1
        elif isinstance(child, ast.BoolOp):
            total += len(child.values) - 1
        elif isinstance(child, ast.match_case):
            total += not _matches_all(child)
        pending += ast.iter_child_nodes(child)
    return total


def _matches_all(case: ast.match_case) -> bool:
    pattern = case.pattern
    return isinstance(pattern, ast.MatchAs) and pattern.pattern is None and case.guard is None


def growth_findings(
    before: dict[str, Measure], after: dict[str, Measure], touched: frozenset[int], guide: Guide
) -> list[dict[str, Any]]:
    """Return findings on functions that the change made too complex, too long or too wide."""
    found = []
    for name, now in sorted(after.items(), key=lambda row: row[1].line):
        if touched.isdisjoint(range(now.line, now.end_line + 1)):
            continue
        was = before.get(name)
        found += _complexity_finding(name, was, now, guide)
        found += _size_findings(name, was, now, guide)
        if was is None and guide.public_docstrings and not now.documented and _shown(name):
            text = f"new public function `{name}` has no docstring"
            found.append(finding("docs.missing", "note", now.line, text, ""))
    return found


def _shown(name: str) -> bool:
    return not any(part.startswith("_") for part in name.split("."))


def _complexity_finding(
    name: str, was: Measure | None, now: Measure, guide: Guide
) -> list[dict[str, Any]]:
    old = was.complexity if was else 0
    grown = now.complexity - old
    limit = f"(limit {guide.complexity_limit})"
    if was is None and now.complexity > guide.complexity_limit:
        text = f"new function `{name}` has complexity {now.complexity} {limit}"
    elif was and now.complexity > guide.complexity_limit and grown > 0:
        text = f"complexity of `{name}` grew from {old} to {now.complexity} {limit}"
    elif was and grown >= guide.complexity_growth:
        text = f"complexity of `{name}` grew from {old} to {now.complexity}"
        return [finding("complexity.growth", "note", now.line, text, "")]
    else:
        return []
    severity = "major" if now.complexity > 2 * guide.complexity_limit else "minor"
    return [finding("complexity.high", severity, now.line, text, "")]


def _size_findings(
    name: str, was: Measure | None, now: Measure, guide: Guide
) -> list[dict[str, Any]]:
    found = []
    length = now.end_line - now.line + 1
    before = was.end_line - was.line + 1 if was else 0
    if length > guide.function_lines >= before:
        text = f"`{name}` is {length} lines long (limit {guide.function_lines})"
        found.append(finding("size.function", "note", now.line, text, ""))
    if now.parameters > guide.parameters >= (was.parameters if was else 0):
        text = f"`{name}` takes {now.parameters} parameters (limit {guide.parameters})"
        found.append(finding("size.parameters", "note", now.line, text, ""))
    return found
