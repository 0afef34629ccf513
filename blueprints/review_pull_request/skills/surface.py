"""The surface of one Python source: decides which names a module binds and what each one is.

Reads a syntax tree and yields plain values: functions with parameters, classes with members and
bases, constants, imports, `__all__`, and names served by a module `__getattr__`. It never imports
or runs the source.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field

from callables import Function, function_of
from literals import served_names, strings_of, table_of

VALUE_LIMIT = 120  # characters of a constant's source that are kept for comparison

PROTOCOL_METHODS = frozenset(
    {
        "__init__", "__new__", "__call__", "__iter__", "__next__", "__len__", "__getitem__",
        "__setitem__", "__delitem__", "__contains__", "__enter__", "__exit__", "__aenter__",
        "__aexit__", "__await__", "__aiter__", "__anext__",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Value:
    """A constant, an attribute or a plain name; `text` is the source of its value."""

    name: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Import:
    """A name bound by an import; `explicit` marks the re-export form `import x as x`."""

    name: str
    line: int
    module: str
    attribute: str
    level: int
    explicit: bool


@dataclass(frozen=True, slots=True)
class Class:
    """A class with the source of its bases and its own members."""

    name: str
    line: int
    bases: tuple[str, ...]
    metaclasses: tuple[str, ...]
    members: "dict[str, Member]"


Member = Function | Value | Class
Entry = Member | Import


@dataclass(slots=True)
class Surface:
    """All names of one module version.

    `served` are names that a module `__getattr__` spells out; `lazy` says that there is one.
    """

    names: dict[str, Entry] = field(default_factory=dict)
    exported: list[str] | None = None
    stars: list[tuple[str, int]] = field(default_factory=list)
    served: set[str] = field(default_factory=set)
    lazy: bool = False


def surface_of(tree: ast.Module) -> Surface:
    """Return the surface of a module.

    Args:
        tree: the parsed module.

    Raises:
        RecursionError: an expression is nested deeper than the interpreter follows.
    """
    surface = Surface()
    known_all = True
    getters: list[ast.FunctionDef] = []
    tables: dict[str, set[str]] = {}
    for node in flat(tree.body):
        match node:
            case ast.ImportFrom():
                _take_import_from(surface, node)
            case ast.FunctionDef(name="__getattr__"):
                getters.append(node)
            case ast.Assign() | ast.AnnAssign() | ast.AugAssign() | ast.Expr():
                known_all = _take_all(surface, node) and known_all
                tables |= table_of(node)
                for name, value in _values(node).items():
                    _bind_value(surface.names, name, value)
            case ast.Delete(targets=targets):
                for target in targets:
                    surface.names.pop(getattr(target, "id", ""), None)
            case _:
                _take(surface.names, node)
    if not known_all:
        surface.exported = None
    # A table may stand below the function that looks names up in it.
    surface.served = {name for node in getters for name in served_names(node, tables)}
    surface.lazy = bool(getters) or "__getattr__" in surface.names
    return surface


def _bind_value(names: dict[str, Entry], name: str, value: Value) -> None:
    """Bind a name to a value; what a class or function was before stays what callers see.

    `f = wrapped(f)` keeps the signature, and `if not ssl: Connection = Dummy` keeps the class.
    """
    if not isinstance(names.get(name), Class | Function):
        names[name] = value


def flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements that run at this level, also inside if, try, with, loops and match.

    Bodies guarded by `TYPE_CHECKING` do not run and are left out.
    """
    pending = list(reversed(body))
    while pending:
        node = pending.pop()
        if isinstance(node, ast.If):
            inner = ([] if _typing_only(node.test) else node.body) + node.orelse
        elif isinstance(node, ast.Try):
            handled = [s for handler in node.handlers for s in handler.body]
            inner = handled + node.body + node.orelse + node.finalbody
        elif isinstance(node, ast.With | ast.For | ast.While):
            inner = node.body + getattr(node, "orelse", [])
            yield node
        elif isinstance(node, ast.Match):
            inner = [s for case in node.cases for s in case.body]
        else:
            yield node
            continue
        pending += reversed(inner)


def _typing_only(test: ast.expr) -> bool:
    name = getattr(test, "id", getattr(test, "attr", ""))
    return name == "TYPE_CHECKING"


def _take(names: dict[str, Entry], node: ast.stmt) -> None:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            names[node.name] = function_of(node, names.get(node.name), in_class=False)
        case ast.ClassDef():
            names[node.name] = _class_of(node)
        case ast.Import(names=aliases):
            for alias in aliases:
                bound = alias.asname or alias.name.split(".")[0]
                target = alias.name if alias.asname else bound
                explicit = alias.asname == alias.name
                names[bound] = Import(bound, node.lineno, target, "", 0, explicit)
        case ast.With() | ast.For():
            names.update(_values(node))
        case _:
            return


def _take_import_from(surface: Surface, node: ast.ImportFrom) -> None:
    for alias in node.names:
        if alias.name == "*":
            surface.stars.append((node.module or "", node.level))
            continue
        bound = alias.asname or alias.name
        explicit = alias.asname == alias.name
        before = surface.names.get(bound)
        if isinstance(before, Value) and before.line < node.lineno:
            continue  # `HAS_X = False`, then an import that refines it: the module's own name
        surface.names[bound] = Import(
            bound, node.lineno, node.module or "", alias.name, node.level, explicit
        )


def _class_of(node: ast.ClassDef) -> Class:
    members: dict[str, Member] = {}
    for child in flat(node.body):
        match child:
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                before = members.get(child.name)
                members[child.name] = function_of(child, before, in_class=True)
                if child.name in ("__init__", "__new__", "__attrs_post_init__"):
                    for name, value in _instance_values(child).items():
                        members.setdefault(name, value)
            case ast.ClassDef():
                members[child.name] = _class_of(child)
            case ast.Delete(targets=targets):
                for target in targets:
                    members.pop(getattr(target, "id", ""), None)
            case _:
                members.update(_values(child, declared=True))
    bases = tuple(ast.unparse(b) for b in node.bases if getattr(b, "id", "") != "object")
    return Class(node.name, node.lineno, bases, tuple(_metaclasses(node)), members)


def _metaclasses(node: ast.ClassDef) -> list[str]:
    """Return metaclasses, whether given by keyword or by a decorator that adds one."""
    named = [k.value for k in node.keywords if k.arg == "metaclass"]
    for decorator in node.decorator_list:
        if isinstance(decorator, ast.Call) and "metaclass" in ast.unparse(decorator.func):
            named += decorator.args
    return [ast.unparse(value) for value in named]


def _instance_values(node: ast.FunctionDef | ast.AsyncFunctionDef) -> dict[str, Value]:
    if not node.args.args:
        return {}
    own = node.args.args[0].arg
    found: dict[str, Value] = {}
    for child in flat(node.body):
        if not isinstance(child, ast.Assign | ast.AnnAssign):
            continue
        for target in child.targets if isinstance(child, ast.Assign) else [child.target]:
            if isinstance(target, ast.Attribute) and getattr(target.value, "id", "") == own:
                found[target.attr] = Value(target.attr, child.lineno, "")
    return found


def _values(node: ast.stmt, *, declared: bool = False) -> dict[str, Value]:
    match node:
        case ast.Assign(targets=targets, value=value):
            text = _source(value)
        case ast.AnnAssign(target=target, value=value) if value is not None or declared:
            targets, text = [target], _source(value)
        case ast.For(target=target):
            targets, text = [target], ""
        case ast.With(items=items):
            targets, text = [i.optional_vars for i in items if i.optional_vars], ""
        case _:
            return {}
    names = [n for target in targets for n in _target_names(target)]
    return {name: Value(name, node.lineno, text) for name in names}


def _target_names(target: ast.expr) -> list[str]:
    if isinstance(target, ast.Name):
        return [target.id]
    if isinstance(target, ast.Tuple | ast.List):
        return [n.id for n in target.elts if isinstance(n, ast.Name)]
    return []


def _source(value: ast.expr | None) -> str:
    if isinstance(value, ast.Constant | ast.UnaryOp | ast.Tuple | ast.Name):
        return ast.unparse(value)[:VALUE_LIMIT]
    return ""


def _take_all(surface: Surface, node: ast.stmt) -> bool:
    """Fold one statement into `__all__`; False when it makes `__all__` unknowable."""
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")], value=value):
            listed, fresh = strings_of(value), True
        case ast.AnnAssign(target=ast.Name(id="__all__"), value=ast.expr() as value):
            listed, fresh = strings_of(value), True
        case ast.AugAssign(target=ast.Name(id="__all__"), value=value):
            listed, fresh = strings_of(value), False
        case ast.Expr(
            value=ast.Call(
                func=ast.Attribute(value=ast.Name(id="__all__"), attr="extend"), args=[value]
            )
        ):
            listed, fresh = strings_of(value), False
        case _:
            return True
    if listed is None:
        return False
    surface.exported = listed if fresh else (surface.exported or []) + listed
    return True
