"""A Python function as the source text of a skill.

Decides what a function needs to run on its own: the imports, the sibling functions and classes,
and the constants that its code names. Anything else (a closure, an open file, a client) is refused
by name. Never pickles and never runs the function.
"""

import ast
import builtins
import dis
import inspect
import re
import sys
import textwrap
import types
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib.util import find_spec
from typing import Any, Final

from swarm_ray.errors import UsageError

_LITERALS: Final = (str, int, float, bool, bytes, tuple, list, dict, set, frozenset, type(None))
MAX_CONSTANT_CHARACTERS: Final = 100_000


@dataclass(slots=True)
class SkillSource:
    """Text of a skill module and the libraries that it imports besides the standard library."""

    text: str
    libraries: tuple[str, ...]


def skill_source(function: Callable[..., Any]) -> SkillSource:
    """Return a module that holds the function and what it names.

    Raises:
        UsageError: `definition.unportable_function`, naming the variable that cannot travel.
    """
    _refuse_shape(function)
    gathering = _Gathering()
    gathering.add(function.__name__, function, function.__name__)
    parts = [
        '"""Made from a function of a program."""',
        "from __future__ import annotations",
        *sorted(gathering.imports),
        *gathering.constants.values(),
        *gathering.definitions.values(),
    ]
    return SkillSource("\n\n".join(parts) + "\n", tuple(sorted(gathering.libraries)))


def arguments_of(function: Callable[..., Any]) -> int:
    """Return how many positional arguments a worker passes: 1 (item) or 2 (item, ctx).

    Raises:
        UsageError: `definition.unportable_function` for any other signature.
    """
    parameters = inspect.signature(function).parameters.values()
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    needed = [p for p in parameters if p.default is p.empty and p.kind in kinds]
    strange = [p.name for p in parameters if p.kind == p.KEYWORD_ONLY and p.default is p.empty]
    admitted = sum(p.kind in kinds for p in parameters)
    if strange or len(needed) > 2 or not admitted:
        raise _unportable(_name(function), "its signature", "define it as f(item) or f(item, ctx)")
    return 2 if len(needed) == 2 else 1


@dataclass(slots=True)
class _Gathering:
    """What has been found to travel with the function, in the order of need."""

    imports: set[str] = field(default_factory=set)
    constants: dict[str, str] = field(default_factory=dict)
    definitions: dict[str, str] = field(default_factory=dict)
    libraries: set[str] = field(default_factory=set)
    _seen: dict[str, Any] = field(default_factory=dict)

    def add(self, name: str, value: Any, root: str) -> None:
        """Add what `name` means; names that were added stay as they are."""
        if name in self._seen:
            if self._seen[name] is not value:
                raise _unportable(root, name, "two modules use this name; rename one")
            return
        self._seen[name] = value
        if isinstance(value, types.ModuleType):
            self._module(name, value, root)
        elif _is_imported(value, self._home(value, root)):
            self._imported(name, value, root)
        elif isinstance(value, types.FunctionType | type):
            self._definition(name, value, root)
        elif _is_exported(name, value):
            self.imports.add(f"from {value.__module__} import {name}")
        elif (text := _constant(value)) is not None:
            self.constants[name] = f"{name} = {text}"
            if isinstance(value, re.Pattern):
                self.imports.add("import re")
        else:
            raise _unportable(root, name, f"a {type(value).__name__} cannot travel to a worker")

    def _home(self, value: Any, root: str) -> str:
        first = self._seen.get(root)
        return str(getattr(first if first is not None else value, "__module__", ""))

    def _module(self, name: str, value: types.ModuleType, root: str) -> None:
        full = value.__name__
        self._library(full, name, root)
        head = full.split(".")[0]
        self.imports.add(f"import {full}" if name == head else f"import {full} as {name}")

    def _imported(self, name: str, value: Any, root: str) -> None:
        module, original = value.__module__, value.__qualname__
        if "." in original:
            raise _unportable(root, name, "call the method on its class inside the function")
        self._library(module, name, root)
        alias = "" if original == name else f" as {name}"
        self.imports.add(f"from {module} import {original}{alias}")

    def _library(self, module: str, name: str, root: str) -> None:
        head = module.split(".")[0]
        if head in sys.stdlib_module_names:
            return
        spec = find_spec(head)
        place = (spec.origin or "") if spec else ""
        if "site-packages" not in place and "dist-packages" not in place:
            raise _unportable(
                root, name, f"{head} is a module of yours; put it beside a process as a skill"
            )
        self.libraries.add(module)

    def _definition(self, name: str, value: Any, root: str) -> None:
        value = inspect.unwrap(value)
        if isinstance(value, types.FunctionType):
            _refuse_shape(value, root)
        text = _source(value, name, root)
        scope = _globals_of(value)
        for needed in sorted(_names(text, value)):
            if needed in scope and needed != name:
                self.add(needed, scope[needed], root)
        self.definitions[name] = text


def _names(text: str, value: Any) -> set[str]:
    """Global names that the body, decorators, defaults and parent classes use."""
    found: set[str] = set()
    for code in _codes(value):
        found |= {
            str(i.argval)
            for i in dis.get_instructions(code)
            if i.opname.startswith(("LOAD_GLOBAL", "LOAD_NAME"))
        }
    node = ast.parse(text).body[0]
    outside: list[ast.AST] = list(getattr(node, "decorator_list", ()))
    if isinstance(node, ast.ClassDef):
        outside += [*node.bases, *(k.value for k in node.keywords), *node.body]
    if isinstance(node, ast.FunctionDef):
        outside += [*node.args.defaults, *(d for d in node.args.kw_defaults if d is not None)]
    for part in outside:
        found |= {n.id for n in ast.walk(part) if isinstance(n, ast.Name)}
    return found - set(dir(builtins))


def _codes(value: Any) -> Iterator[types.CodeType]:
    if isinstance(value, types.FunctionType):
        stack = [value.__code__]
        while stack:
            code = stack.pop()
            yield code
            stack += [c for c in code.co_consts if isinstance(c, types.CodeType)]


def _globals_of(value: Any) -> dict[str, Any]:
    if isinstance(value, types.FunctionType):
        return value.__globals__
    return vars(sys.modules[value.__module__])


def _source(value: Any, name: str, root: str) -> str:
    try:
        return textwrap.dedent(inspect.getsource(value)).rstrip()
    except (OSError, TypeError) as error:
        raise _unportable(root, name, "its source text cannot be found") from error


def _is_imported(value: Any, home: str) -> bool:
    module = getattr(value, "__module__", None)
    named = isinstance(value, types.FunctionType | types.BuiltinFunctionType | type)
    return named and module not in (None, home)


def _is_exported(name: str, value: Any) -> bool:
    """Tell whether the value is a name of the standard library, such as `typing.Optional`."""
    module = getattr(value, "__module__", None)
    known = isinstance(module, str) and module.split(".")[0] in sys.stdlib_module_names
    return known and getattr(sys.modules.get(str(module)), name, None) is value


def _constant(value: Any) -> str | None:
    if isinstance(value, re.Pattern):
        return f"re.compile({value.pattern!r}, {value.flags})"
    if not isinstance(value, _LITERALS):
        return None
    text = repr(value)
    try:
        same = len(text) <= MAX_CONSTANT_CHARACTERS and ast.literal_eval(text) == value
    except (ValueError, SyntaxError):
        return None
    return text if same else None


def _refuse_shape(function: Any, root: str = "") -> None:
    name = _name(function)
    root = root or name
    plain = inspect.unwrap(function) if callable(function) else function
    if not isinstance(plain, types.FunctionType) or plain.__name__ == "<lambda>":
        raise _unportable(root, name, "only functions made with `def` can travel")
    if inspect.iscoroutinefunction(plain) or inspect.isgeneratorfunction(plain):
        raise _unportable(root, name, "it must be a plain function, neither async nor a generator")
    if plain.__code__.co_freevars:
        variable = plain.__code__.co_freevars[0]
        raise _unportable(root, variable, "pass the value in the item, or make it a constant")


def _name(function: Any) -> str:
    return str(getattr(function, "__name__", type(function).__name__))


def _unportable(function: str, variable: str, hint: str) -> UsageError:
    return UsageError(
        "definition.unportable_function",
        f"{function!r} cannot be sent to a worker because of {variable!r}",
        hint=hint,
        function=function,
        variable=variable,
    )
