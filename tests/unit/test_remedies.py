"""Whoever is told that an input is wrong is told the remedy as well."""

import ast
from collections.abc import Iterator
from pathlib import Path

from swarm_ray import errors
from swarm_ray.client import outcomes

PACKAGE = Path(errors.__file__).parent
BLAMING = {
    name
    for module in (errors, outcomes)
    for name, kind in vars(module).items()
    if isinstance(kind, type) and issubclass(kind, errors.UsageError)
}
"""Errors for which the caller's input is at fault."""
OF_WORKERS = "swarm_ray.sandbox.failures"
"""Errors of the same names that never leave a worker; their words are their remedy."""


def blaming(tree: ast.Module) -> Iterator[ast.Call]:
    """Every place of a module that makes an error of `swarm_ray.errors` that blames its caller."""
    imported = {
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module == OF_WORKERS
        for alias in node.names
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
            continue
        if node.func.id in BLAMING - imported:
            yield node


def remedied(hint: ast.expr | None) -> bool:
    """False when the hint is missing, or empty in some case."""
    if isinstance(hint, ast.IfExp):
        return remedied(hint.body) and remedied(hint.orelse)
    return hint is not None and not (isinstance(hint, ast.Constant) and not hint.value)


def hint_of(call: ast.Call) -> ast.expr | None:
    return next((word.value for word in call.keywords if word.arg == "hint"), None)


def test_every_error_that_blames_its_caller_names_the_remedy() -> None:
    calls = [
        (path, call)
        for path in sorted(PACKAGE.rglob("*.py"))
        if "failures.py" not in path.name
        for call in blaming(ast.parse(path.read_text()))
    ]
    assert len(calls) > 100
    assert [
        f"{path.relative_to(PACKAGE)}:{call.lineno}"
        for path, call in calls
        if not remedied(hint_of(call))
    ] == []


def test_an_empty_remedy_is_none() -> None:
    told = [
        "UsageError('a.b', 'text')",
        "UsageError('a.b', 'text', hint='')",
        "UsageError('a.b', 'text', hint='do' if some else '')",
        "UsageError('a.b', 'text', hint='do this')",
    ]
    calls = [call for text in told for call in blaming(ast.parse(text))]
    assert [remedied(hint_of(call)) for call in calls] == [False, False, False, True]
