"""Names that a module spells out as strings: decides what can be read off the syntax alone.

Serves `__all__`, module `__getattr__` functions (PEP 562) and the tables that they look names up
in. It never evaluates an expression.
"""

import ast
from collections.abc import Iterable, Mapping


def strings_of(value: ast.expr) -> list[str] | None:
    """Return the strings of a literal list, tuple, set or sum of such; None when not literal."""
    if isinstance(value, ast.BinOp) and isinstance(value.op, ast.Add):
        left, right = strings_of(value.left), strings_of(value.right)
        return None if left is None or right is None else left + right
    if not isinstance(value, ast.List | ast.Tuple | ast.Set):
        return None
    items = [e.value for e in value.elts if isinstance(e, ast.Constant)]
    texts = [item for item in items if isinstance(item, str)]
    return texts if len(texts) == len(value.elts) else None


def table_of(node: ast.stmt) -> dict[str, set[str]]:
    """Return the names in a literal table that a statement binds, by the table's own name.

    A list, tuple or set holds names; a mapping has them as keys, or as values when each value is a
    list (`{"module": ["A", "B"]}`). Any other statement gives nothing.
    """
    match node:
        case ast.Assign(targets=[ast.Name(id=table)], value=value):
            pass
        case ast.AnnAssign(target=ast.Name(id=table), value=ast.expr() as value):
            pass
        case _:
            return {}
    if isinstance(value, ast.Call) and len(value.args) == 1:
        value = value.args[0]  # frozenset({...}), MappingProxyType({...})
    if not isinstance(value, ast.Dict):
        return {table: _identifiers(strings_of(value) or ())}
    if value.values and all(isinstance(listed, ast.List) for listed in value.values):
        lists = [strings_of(listed) or [] for listed in value.values]
        return {table: _identifiers(name for names in lists for name in names)}
    keys = [key.value for key in value.keys if isinstance(key, ast.Constant)]
    return {table: _identifiers(key for key in keys if isinstance(key, str))}


def _identifiers(names: Iterable[str]) -> set[str]:
    return {name for name in names if name.isidentifier()}


def served_names(node: ast.FunctionDef, tables: Mapping[str, set[str]]) -> set[str]:
    """Return the names that a module `__getattr__` spells out.

    Args:
        node: the function.
        tables: the literal tables of its module; those that the function mentions are taken.
    """
    found = _compared_names(node)
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            found |= tables.get(child.id, set())
    return found


def _compared_names(node: ast.FunctionDef) -> set[str]:
    found: set[str] = set()
    for child in ast.walk(node):
        if isinstance(child, ast.Compare):
            parts = [child.left, *child.comparators]
        elif isinstance(child, ast.MatchValue):
            parts = [child.value]
        elif isinstance(child, ast.Dict):
            parts = [key for key in child.keys if key is not None]
        else:
            continue
        for part in parts:
            leaves = part.elts if isinstance(part, ast.Tuple | ast.List | ast.Set) else [part]
            found |= {
                leaf.value
                for leaf in leaves
                if isinstance(leaf, ast.Constant)
                and isinstance(leaf.value, str)
                and leaf.value.isidentifier()
            }
    return found
