"""The interface of one file before and after: decides what importers of this file will notice.

Compares two syntax trees: names that are gone, signatures, bases, kinds and values that changed.
What other files of the change do is left to the convergence, which gets a compact surface.
"""

import ast
from typing import Any

from callables import Function, differences
from compact import is_public, pack, public_names
from losses import Loss, find_losses
from paths import is_package_file, is_private_module, module_name, role_of
from resolve import Compact, World
from surface import Class, Entry, Import, Surface, Value, surface_of

Finding = dict[str, Any]


def compare(
    path: str, old_path: str, old: ast.Module | None, new: ast.Module | None
) -> dict[str, Any]:
    """Return what changed in a file's interface.

    Args:
        path: the path in the new version.
        old_path: the path in the old version; differs for a rename.
        old: the old tree, None when the file was added.
        new: the new tree, None when the file was deleted.

    Returns:
        `findings`, `removed_names`, `changed_names` and `surface` (for the convergence).

    Raises:
        RecursionError: an expression is nested deeper than the interpreter follows.
    """
    before = surface_of(old) if old is not None else None
    after = surface_of(new) if new is not None else None
    old_pack = _pack(before, old_path)
    new_pack = _pack(after, path)
    module = module_name(old_path)
    surface = {
        "module": module_name(path),
        "old_module": module,
        "path": path,
        "old_path": old_path,
        "role": role_of(path),
        "old": old_pack,
        "new": new_pack,
    }
    if role_of(old_path) != "library":
        return {"findings": [], "removed_names": [], "changed_names": [], "surface": surface}
    losses = find_losses(World({module: old_pack}), World({module_name(path): new_pack}), [module])
    findings = _loss_findings(losses, deleted=after is None)
    changed: list[dict[str, Any]] = []
    if before is not None and after is not None:
        changed = _changed(before, after, path)
        findings += [_change_finding(row) for row in changed]
        findings += _unexported(before, after, module, package=is_package_file(path))
    names = [loss.to_dict() for loss in losses]
    return {
        "findings": findings, "removed_names": names, "changed_names": changed, "surface": surface
    }  # fmt: skip


def _pack(surface: Surface | None, path: str) -> Compact | None:
    if surface is None:
        return None
    return pack(surface, module_name(path), package=is_package_file(path))


def _loss_findings(losses: list[Loss], *, deleted: bool) -> list[Finding]:
    if deleted and losses:
        names = ", ".join(loss.name for loss in losses[:8])
        more = f" and {len(losses) - 8} more" if len(losses) > 8 else ""
        text = f"module `{losses[0].module}` was deleted with {names}{more}"
        return [finding("api.module_removed", "major", 1, text, "", side="old")]
    return [loss_finding(loss) for loss in losses]


def loss_finding(loss: Loss) -> Finding:
    """Return the finding that tells one loss."""
    rule, severity = "api.removed", "major"
    text = f"public {loss.kind} `{loss.qualname}` was removed"
    if not loss.certain:
        rule, severity = "api.maybe_removed", "minor"
        text = f"`{loss.qualname}` is gone here; a base or star import may still provide it"
    elif loss.exported_by:
        rule, severity = "api.moved", "minor"
        text = (
            f"`{loss.qualname}` moved to `{loss.moved_to}`; `{loss.exported_by}` still exports it"
        )
    elif loss.moved_to:
        rule = "api.relocated"
        text = f"`{loss.qualname}` is gone; a definition now lives in `{loss.moved_to}`"
    if loss.affected:
        text += f" (inherited by {', '.join(loss.affected[:4])})"
    return finding(rule, severity, loss.line, text, loss.qualname, side="old")


def finding(
    rule: str, severity: str, line: int, message: str, evidence: str, side: str = "new"
) -> Finding:
    """Return one finding; `side` says in which version `line` counts."""
    return {
        "rule": rule, "severity": severity, "line": line, "side": side, "message": message,
        "evidence": evidence,
    }  # fmt: skip


def _changed(before: Surface, after: Surface, path: str) -> list[dict[str, Any]]:
    module = module_name(path)
    offered = set(public_names(before, module, package=is_package_file(path)))
    hidden = is_private_module(module)
    rows: list[dict[str, Any]] = []
    for name, entry in before.names.items():
        if name in after.names and (name in offered or (hidden and not name.startswith("_"))):
            _compare(name, entry, after.names[name], rows)
    for row in rows:
        row["qualname"] = f"{module}.{row['name']}"
        if hidden and row["severity"] == "major":
            row["severity"] = "minor"
    return rows


def _compare(name: str, old: Entry, new: Entry, rows: list[dict[str, Any]]) -> None:
    match old, new:
        case Function(), Function():
            rows += [
                _row(diff.rule, diff.severity, name, new.line, diff.message)
                for diff in differences(old, new)
            ]
        case Class(), Class():
            _compare_classes(name, old, new, rows)
        case Value(), Value():
            if old.text and new.text and old.text != new.text:
                text = f"value was `{old.text[:60]}`, is `{new.text[:60]}`"
                rows.append(_row("api.value_changed", "note", name, new.line, text))
        case (Import(), _) | (_, Import()):
            return
        case _:
            text = f"was a {_word(old)}, is a {_word(new)}"
            rows.append(_row("api.flavour_changed", _gravity(old, new), name, new.line, text))


def _gravity(old: Entry, new: Entry) -> str:
    swapped = {_word(old), _word(new)}
    return "minor" if swapped <= {"property", "attribute", "class"} else "major"


def _word(entry: Entry) -> str:
    match entry:
        case Function(flavour=flavour):
            return flavour
        case Class():
            return "class"
        case _:
            return "attribute"


def _compare_classes(name: str, old: Class, new: Class, rows: list[dict[str, Any]]) -> None:
    gone = [base for base in old.bases if base not in new.bases]
    if gone:
        text = f"no longer inherits from {', '.join(f'`{base}`' for base in gone)}"
        rows.append(_row("api.bases_changed", "minor", name, new.line, text))
    for key, member in old.members.items():
        if is_public(key) and key in new.members:
            _compare(f"{name}.{key}", member, new.members[key], rows)


def _row(rule: str, severity: str, name: str, line: int, text: str) -> dict[str, Any]:
    return {"rule": rule, "severity": severity, "name": name, "line": line, "change": text}


def _change_finding(row: dict[str, Any]) -> Finding:
    text = f"`{row['qualname']}`: {row['change']}"
    return finding(row["rule"], row["severity"], row["line"], text, row["qualname"])


def _unexported(before: Surface, after: Surface, module: str, *, package: bool) -> list[Finding]:
    old, new = (set(public_names(s, module, package=package)) for s in (before, after))
    kept = before.served.union(after.names, after.exported or ())
    served = sorted((old & after.served) - kept)
    found = [
        finding("api.deprecated", "minor", 1, f"`{module}.{n}` is now served by `__getattr__`", n)
        for n in served
    ]
    for name in sorted((old - new) & after.names.keys()):
        text = f"`{module}.{name}` is no longer offered to importers but still bound"
        found.append(finding("api.unexported", "minor", after.names[name].line, text, name))
    if after.exported is not None:
        for name in sorted(after.served.intersection(before.exported or ()) - {*after.exported}):
            text = f"`{module}.{name}` left `__all__`; `__getattr__` still serves it"
            found.append(finding("api.unexported", "minor", 1, text, name))
    return found
