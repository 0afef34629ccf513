"""Kinds `lint` and `ast`: findings over Python source that is given as text.

Decides what counts as a finding and how functions are measured. It parses and never executes the
source. Cyclomatic complexity as McCabe (1976): decisions plus one, per function.
"""

from __future__ import annotations

import ast

from swarm_ray.sandbox.failures import InputError
from swarm_ray.sandbox.skill_context import Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

_DECISIONS = (
    ast.If, ast.For, ast.AsyncFor, ast.While, ast.IfExp, ast.ExceptHandler, ast.Assert,
    ast.comprehension, ast.match_case,
)  # fmt: skip
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_RISKY_CALLS = {"eval", "exec", "compile", "__import__"}
_MUTABLE = (ast.List, ast.Dict, ast.Set)


def _finding(rule: str, line: int, message: str) -> dict[str, Any]:
    return {"rule": rule, "line": line, "message": message}


def complexity(function: ast.AST) -> int:
    """Return the cyclomatic complexity of a function, nested functions not included."""
    total, waiting = 1, list(ast.iter_child_nodes(function))
    while waiting:
        node = waiting.pop()
        if isinstance(node, _FUNCTIONS):
            continue
        total += isinstance(node, _DECISIONS)
        if isinstance(node, ast.BoolOp):
            total += len(node.values) - 1
        waiting.extend(ast.iter_child_nodes(node))
    return total


def _judge_function(
    node: ast.FunctionDef | ast.AsyncFunctionDef, most: int
) -> Iterator[dict[str, Any]]:
    measured = complexity(node)
    if measured > most:
        yield _finding(
            "complexity", node.lineno, f"{node.name} has complexity {measured}; the limit is {most}"
        )
    for default in [*node.args.defaults, *node.args.kw_defaults]:
        if isinstance(default, _MUTABLE):
            yield _finding("mutable-default", default.lineno, f"{node.name} shares a default value")


def _judge(node: ast.AST, most: int) -> Iterator[dict[str, Any]]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from _judge_function(node, most)
        case ast.ExceptHandler(type=None):
            yield _finding("bare-except", node.lineno, "catches everything, even an interrupt")
        case ast.ExceptHandler(body=[ast.Pass()]):
            yield _finding("silent-except", node.lineno, "hides the error it catches")
        case ast.Call(func=ast.Name(id=name)) if name in _RISKY_CALLS:
            yield _finding("runs-code", node.lineno, f"{name}() runs text as code")
        case ast.Call(keywords=keywords):
            if any(_is_true_shell(keyword) for keyword in keywords):
                yield _finding("shell", node.lineno, "passes a command line to a shell")
        case ast.ImportFrom(names=[ast.alias(name="*")]):
            yield _finding("star-import", node.lineno, "imports names nobody can see")
        case _:
            return


def _is_true_shell(keyword: ast.keyword) -> bool:
    value = keyword.value
    return keyword.arg == "shell" and isinstance(value, ast.Constant) and value.value is True


def _source(given: dict[str, Any], ctx: Context) -> tuple[str, str]:
    field = ctx.with_.get("field")
    texts = {name: value for name, value in given.items() if isinstance(value, str)}
    if field is None and len(texts) == 1:
        field = next(iter(texts))
    source = texts.get(str(field if field is not None else "source"))
    if source is None:
        raise InputError(
            "name the input that holds the source by `with: {field: ...}`", code="lint.no_source"
        )
    return source, str(given.get("file_path") or ctx.with_.get("file_path") or "source.py")


def _parse(source: str, path: str) -> ast.Module | list[dict[str, Any]]:
    try:
        return ast.parse(source, filename=path)
    except SyntaxError as error:
        return [_finding("syntax", error.lineno or 1, str(error.msg))]
    except (ValueError, RecursionError, MemoryError) as error:
        return [_finding("syntax", 1, f"cannot be parsed: {type(error).__name__} {error}")]


def _lint(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    source, path = _source(given, ctx)
    parsed = _parse(source, path)
    if isinstance(parsed, list):
        return {"file_path": path, "findings": parsed}
    most = int(ctx.with_.get("max_complexity", 10))
    findings = [finding for node in ast.walk(parsed) for finding in _judge(node, most)]
    findings.sort(key=lambda finding: (finding["line"], finding["rule"]))
    return {"file_path": path, "findings": findings}


def _imports(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, level=level):
            return ["." * level + (module or "")]
        case _:
            return []


def _ast(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    source, path = _source(given, ctx)
    parsed = _parse(source, path)
    if isinstance(parsed, list):
        return {
            "file_path": path,
            "findings": parsed,
            "functions": [],
            "classes": [],
            "imports": [],
        }
    nodes = list(ast.walk(parsed))
    functions = [
        {
            "name": node.name,
            "line": node.lineno,
            "lines": (node.end_lineno or node.lineno) - node.lineno + 1,
            "arguments": len(node.args.args) + len(node.args.kwonlyargs),
            "complexity": complexity(node),
            "documented": ast.get_docstring(node) is not None,
        }
        for node in nodes
        if isinstance(node, _FUNCTIONS)
    ]
    return {
        "file_path": path,
        "findings": [],
        "functions": sorted(functions, key=lambda function: int(str(function["line"]))),
        "classes": sorted(node.name for node in nodes if isinstance(node, ast.ClassDef)),
        "imports": sorted({name for node in nodes for name in _imports(node)}),
    }


EXECUTORS = {"lint": _lint, "ast": _ast}
