"""Component kinds: decides which new imports go against the direction of the taxonomy.

A module's kind is the ending of its name; modules without a known ending are left alone.
"""

import ast
from typing import Any

from apidiff import finding
from guide import Guide, Kind
from paths import module_name


def layer_findings(
    path: str, tree: ast.Module, touched: frozenset[int], guide: Guide
) -> list[dict[str, Any]]:
    """Return findings on imports on changed lines that point upwards or sideways."""
    own = kind_of(module_name(path).rpartition(".")[2], guide)
    if own is None:
        return []
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom) and node.lineno in touched:
            for target in _targets(node):
                found += _judge(own, target, node.lineno, guide)
    return found


def kind_of(name: str, guide: Guide) -> Kind | None:
    """Return the kind that a module name shows, None when it shows none."""
    return next((kind for kind in guide.kinds if name.endswith(kind.endings)), None)


def _targets(node: ast.Import | ast.ImportFrom) -> list[str]:
    names = [alias.name.rpartition(".")[2] for alias in node.names]
    if isinstance(node, ast.ImportFrom) and node.module:
        names.append(node.module.rpartition(".")[2])
    return names


def _judge(own: Kind, target: str, line: int, guide: Guide) -> list[dict[str, Any]]:
    other = kind_of(target, guide)
    if other is None or other.name in own.may_import:
        return []
    way = "sideways" if other.name == own.name else "against the call direction"
    text = f"{own.name} imports {other.name} `{target}`: {way}"
    rule = "vbd.sideways_import" if other.name == own.name else "vbd.upward_import"
    return [finding(rule, "minor", line, text, target)]
