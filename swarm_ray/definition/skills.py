"""Skill files checked by their syntax tree.

Decides whether `module:function` names a function that takes what it will be given and whether
the module imports only what a worker has. Never imports or runs a skill.
"""

import ast
import sys
from collections.abc import Iterator
from typing import Final

from swarm_ray.definition.files import Files
from swarm_ray.definition.flaws import suggest

Problem = tuple[str, str, str]
"""Code, message, hint."""

ARGUMENTS: Final = {
    "skill": ("inputs", "ctx"),
    "merge": ("results", "ctx"),
    "reduce": ("acc", "result", "ctx"),
}
_USES_HINT: Final = "write `uses: module:function` for skills/module.py"


class Skills:
    """The skills of one definition; each file is parsed once."""

    def __init__(self, files: Files) -> None:
        self._files = files
        self._names = {
            name.removeprefix("skills/").removesuffix(".py"): name
            for name in files.names()
            if name.startswith("skills/") and name.endswith(".py")
        }
        self._trees: dict[str, ast.Module | Problem] = {}

    def check(self, uses: str, kind: str, libraries: frozenset[str]) -> Problem | None:
        """Return the first problem of `module:function` called as a `kind`, None if it holds.

        `libraries` are the top-level modules that workers have besides the standard library.
        Codes: `definition.bad_uses`, `definition.unknown_skill`, `definition.skill_syntax`,
        `definition.unknown_function`, `definition.skill_arguments`, `definition.skill_import`.
        """
        module, _, function = uses.partition(":")
        if not module.isidentifier() or not function.isidentifier():
            return "definition.bad_uses", f"{uses!r} is not module:function", _USES_HINT
        if module not in self._names:
            message = f"there is no skills/{module}.py"
            return "definition.unknown_skill", message, suggest(module, self._names)
        tree = self._tree(module)
        if not isinstance(tree, ast.Module):
            return tree
        functions = {
            node.name: node
            for node in tree.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        if function not in functions:
            message = f"skills/{module}.py has no function {function!r}"
            return "definition.unknown_function", message, suggest(function, functions)
        return _arguments(functions[function], kind) or self._imports(module, libraries, set())

    def _tree(self, module: str) -> ast.Module | Problem:
        if module not in self._trees:
            name = self._names[module]
            try:
                self._trees[module] = ast.parse(self._files.read(name), filename=name)
            except (SyntaxError, ValueError) as error:
                line = getattr(error, "lineno", None) or 1
                self._trees[module] = (
                    "definition.skill_syntax",
                    f"{name}:{line} is not Python: {getattr(error, 'msg', error)}",
                    "correct the syntax of the skill",
                )
        return self._trees[module]

    def _imports(self, module: str, libraries: frozenset[str], seen: set[str]) -> Problem | None:
        """Return the first import that fails in a worker, here or in the siblings it imports."""
        seen.add(module)
        tree = self._tree(module)
        if not isinstance(tree, ast.Module):
            return tree
        packages = {name.split("/")[0] for name in self._names}
        for line, name in _top_level_imports(tree):
            if name in self._names:
                problem = None if name in seen else self._imports(name, libraries, seen)
                if problem:
                    return problem
            elif name not in sys.stdlib_module_names | packages | libraries:
                return (
                    "definition.skill_import",
                    f"skills/{module}.py:{line} imports {name!r}, which a worker does not have",
                    f"add {name} to `preload:` in the bindings, or use the standard library",
                )
        return None


def _top_level_imports(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in tree.body:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.lineno, node.module.split(".")[0]


def _arguments(node: ast.FunctionDef | ast.AsyncFunctionDef, kind: str) -> Problem | None:
    wanted = ARGUMENTS[kind]
    code = "definition.skill_arguments"
    shown = f"{node.name}({', '.join(wanted)})"
    if isinstance(node, ast.AsyncFunctionDef):
        return code, f"{node.name} is async", "a worker runs one plain function at a time"
    spec = node.args
    positional = len(spec.posonlyargs) + len(spec.args)
    least = positional - len(spec.defaults)
    keywords = [a.arg for a, d in zip(spec.kwonlyargs, spec.kw_defaults, strict=True) if d is None]
    if least > len(wanted) or (positional < len(wanted) and not spec.vararg) or keywords:
        return code, f"{node.name} does not take ({', '.join(wanted)})", f"define {shown}"
    return None
