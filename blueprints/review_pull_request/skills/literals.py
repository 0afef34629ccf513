"""Names that a module spells out as strings: decides what can be read off the syntax alone.

Serves `__all__` and module `__getattr__` functions. It never evaluates an expression.
"""

import ast


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


def served_names(node: ast.FunctionDef) -> set[str]:
    """Return the names that a module `__getattr__` compares its argument with."""
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
