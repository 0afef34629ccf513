"""Functions as their callers see them: decides what a signature promises and how it changed.

A signature is its parameters with kind and default, whether it is awaited, and how it is reached
(function, method, property). It never looks at what a body does.
"""

import ast
from dataclasses import dataclass

_FLAVOURS = {"staticmethod": "static method", "classmethod": "class method"}
_PROPERTY_NAMES = {"property", "cached_property", "functools.cached_property", "abstractproperty"}
_ACCESSORS = ("setter", "getter", "deleter")


@dataclass(frozen=True, slots=True)
class Parameter:
    """One parameter; `default` is the source of its default, None when there is none."""

    name: str
    kind: str
    default: str | None


@dataclass(frozen=True, slots=True)
class Function:
    """One function or method as callers see it."""

    name: str
    line: int
    parameters: tuple[Parameter, ...]
    awaited: bool
    flavour: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One way in which two signatures differ; `severity` as in a finding."""

    rule: str
    severity: str
    message: str


def function_of(
    node: ast.FunctionDef | ast.AsyncFunctionDef, before: object, *, in_class: bool
) -> Function:
    """Return the function that a definition binds.

    Args:
        node: the definition.
        before: what the same name was bound to; a property's setter leaves it a property.
        in_class: whether the definition is a member of a class.
    """
    decorators = [_decorator_name(d) for d in node.decorator_list]
    if isinstance(before, Function) and any(d.endswith(_ACCESSORS) for d in decorators):
        return before
    flavour = "method" if in_class else "function"
    for name in decorators:
        flavour = _FLAVOURS.get(name, flavour)
        if name in _PROPERTY_NAMES or name.endswith("property"):
            flavour = "property"
    parameters = _parameters(node.args)
    if in_class and flavour != "static method" and parameters:
        parameters = parameters[1:]
    awaited = isinstance(node, ast.AsyncFunctionDef)
    return Function(node.name, node.lineno, tuple(parameters), awaited, flavour)


def _decorator_name(node: ast.expr) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    parts: list[str] = []
    while isinstance(target, ast.Attribute):
        parts.append(target.attr)
        target = target.value
    return ".".join([getattr(target, "id", ""), *reversed(parts)])


def _parameters(args: ast.arguments) -> list[Parameter]:
    plain = args.posonlyargs + args.args
    defaults: list[ast.expr | None] = [None] * (len(plain) - len(args.defaults))
    found = []
    for at, (arg, default) in enumerate(zip(plain, [*defaults, *args.defaults], strict=True)):
        kind = "positional only" if at < len(args.posonlyargs) else "positional"
        found.append(Parameter(arg.arg, kind, _text(default)))
    if args.vararg:
        found.append(Parameter(args.vararg.arg, "*", None))
    for arg, default in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        found.append(Parameter(arg.arg, "keyword only", _text(default)))
    if args.kwarg:
        found.append(Parameter(args.kwarg.arg, "**", None))
    return found


def _text(default: ast.expr | None) -> str | None:
    return None if default is None else ast.unparse(default)[:200]


def differences(old: Function, new: Function) -> list[Difference]:
    """Return what callers of `old` notice when they meet `new`."""
    if old.flavour != new.flavour:
        hard = "property" in (old.flavour, new.flavour)
        return [
            Difference(
                "api.flavour_changed",
                "major" if hard else "minor",
                f"was a {old.flavour}, is a {new.flavour}",
            )
        ]
    found: list[Difference] = []
    if old.awaited != new.awaited:
        text = "must now be awaited" if new.awaited else "is no longer awaited"
        found.append(Difference("api.async_changed", "major", text))
    if old.flavour == "property":
        return found
    return found + _parameter_differences(old, new)


def _parameter_differences(old: Function, new: Function) -> list[Difference]:
    renamed = _renames(old, new)
    found = [
        Difference("api.parameter_renamed", "major", f"parameter `{a}` is now called `{b}`")
        for a, b in renamed.items()
    ]
    after = {p.name: p for p in new.parameters}
    before = {p.name: p for p in old.parameters}
    for parameter in old.parameters:
        if parameter.name in renamed:
            continue
        match = _same(parameter, after, new)
        if match is None:
            found.append(_removed(parameter, new))
        else:
            found += _changed(parameter, match)
    for parameter in new.parameters:
        if parameter.name not in before and parameter.name not in renamed.values():
            found += _added(parameter)
    return found + _reordered(old, new)


def _same(parameter: Parameter, after: dict[str, Parameter], new: Function) -> Parameter | None:
    if parameter.kind in ("*", "**"):
        return next((p for p in new.parameters if p.kind == parameter.kind), None)
    match = after.get(parameter.name)
    return None if match is None or match.kind in ("*", "**") else match


def _renames(old: Function, new: Function) -> dict[str, str]:
    old_names = {p.name for p in old.parameters}
    new_names = {p.name for p in new.parameters}
    found = {}
    for a, b in zip(_positional(old), _positional(new), strict=False):
        fresh = a.name not in new_names and b.name not in old_names
        alike = (a.default is None) == (b.default is None) and a.kind == b.kind == "positional"
        if fresh and alike:
            found[a.name] = b.name
    return found


def _positional(function: Function) -> list[Parameter]:
    return [p for p in function.parameters if p.kind in ("positional only", "positional")]


def _removed(parameter: Parameter, new: Function) -> Difference:
    name = parameter.name if parameter.kind not in ("*", "**") else parameter.kind + parameter.name
    absorbed = any(p.kind == "**" for p in new.parameters) and parameter.kind != "*"
    if absorbed:
        text = f"parameter `{name}` is gone from the signature; `**` may still accept it"
        return Difference("api.parameter_absorbed", "minor", text)
    return Difference("api.parameter_removed", "major", f"parameter `{name}` was removed")


def _changed(old: Parameter, new: Parameter) -> list[Difference]:
    found = []
    if old.default is not None and new.default is None and old.kind not in ("*", "**"):
        text = f"parameter `{old.name}` is now required"
        found.append(Difference("api.parameter_required", "major", text))
    elif old.default is not None and old.default != new.default:
        text = f"default of `{old.name}` was `{old.default}`, is `{new.default}`"
        found.append(Difference("api.default_changed", "minor", text))
    if old.kind == "positional" and new.kind in ("keyword only", "positional only"):
        text = f"parameter `{old.name}` is now {new.kind}"
        found.append(Difference("api.parameter_kind", "major", text))
    if {old.kind, new.kind} == {"keyword only", "positional only"}:
        text = f"parameter `{old.name}` was {old.kind}, is {new.kind}"
        found.append(Difference("api.parameter_kind", "major", text))
    return found


def _added(parameter: Parameter) -> list[Difference]:
    if parameter.kind in ("*", "**") or parameter.default is not None:
        return []
    text = f"new parameter `{parameter.name}` is required"
    return [Difference("api.parameter_required", "major", text)]


def _reordered(old: Function, new: Function) -> list[Difference]:
    shared = {p.name for p in _positional(old)} & {p.name for p in _positional(new)}
    before = [p.name for p in _positional(old) if p.name in shared]
    after = [p.name for p in _positional(new) if p.name in shared]
    if before == after:
        return _inserted(old, new, shared)
    text = f"positional parameters were ({', '.join(before)}), are ({', '.join(after)})"
    return [Difference("api.parameters_reordered", "major", text)]


def _inserted(old: Function, new: Function, shared: set[str]) -> list[Difference]:
    """Report optional parameters put before others: positional callers then hit the wrong one."""
    if len(_renames(old, new)) or not shared:
        return []
    names = [p.name for p in _positional(new)]
    old_names = [p.name for p in _positional(old)]
    last_shared = max(names.index(name) for name in shared)
    early = [n for n in names[:last_shared] if n not in old_names]
    optional = [p.name for p in _positional(new) if p.name in early and p.default is not None]
    text = f"new optional `{', '.join(optional)}` stands before older positional parameters"
    return [Difference("api.parameters_reordered", "major", text)] if optional else []
