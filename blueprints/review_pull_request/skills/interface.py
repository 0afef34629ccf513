"""The interface of a whole change: decides which names are really gone once all files are seen.

Puts the compact surfaces of all review comments into an old and a new world, finds the losses,
searches their uses, and rewrites the files' provisional findings accordingly.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apidiff import finding, loss_finding
from codetree import CodeTree, ModuleLoader, open_tree, source_prefixes
from losses import Loss, find_losses
from resolve import World
from usagesearch import Target, Uses, search

PROVISIONAL = frozenset(
    {"api.removed", "api.maybe_removed", "api.moved", "api.relocated", "api.module_removed"}
)
_WEIGHTS = {"member": 1, "value": 2, "import": 2}  # a lost constant is told after a lost class
CALL_RULES = ("api.parameter", "api.async", "api.flavour")

Comment = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Interface:
    """What the change does to the interface: losses, uses, findings, and what limits the answer."""

    losses: list[Loss]
    uses: dict[str, Uses]
    findings: list[dict[str, Any]]
    notes: list[str]


def examine(comments: list[Comment], root: Path | None, bundled: Path) -> Interface:
    """Return the interface of a change set.

    Args:
        comments: the review comments of its files.
        root: the repository as declared, None when none was given.
        bundled: the change set file of the blueprint, searched when `root` holds no code.
    """
    tree = open_tree(root, bundled)
    surfaces = [c["surface"] for c in comments if c["surface"] is not None]
    surfaces = [s for s in surfaces if s["role"] == "library"]
    old, new, homes = _worlds(surfaces, tree)
    losses = find_losses(old, new, [s["old_module"] for s in surfaces if s["old"] is not None])
    uses = search(tree, _targets(losses, comments), homes)
    gone = {s["old_module"] for s in surfaces if new.module(s["old_module"]) is None}
    findings = _loss_findings(losses, gone, homes, uses)
    findings += _file_findings(comments, uses)
    return Interface(losses, uses, findings, tree.notes)


def _worlds(surfaces: list[dict[str, Any]], tree: CodeTree) -> tuple[World, World, dict[str, str]]:
    loader = ModuleLoader(tree, source_prefixes([s["path"] for s in surfaces]))
    old, new = World({}, loader), World({}, loader)
    homes: dict[str, str] = {}
    for surface in surfaces:
        for world, other in ((old, surface["module"]), (new, surface["old_module"])):
            world.modules.setdefault(other, None)
    for surface in surfaces:
        if surface["old"] is not None:
            old.modules[surface["old_module"]] = surface["old"]
            homes[surface["old_module"]] = surface["path"]
        if surface["new"] is not None:
            new.modules[surface["module"]] = surface["new"]
    return old, new, homes


def _targets(losses: list[Loss], comments: list[Comment]) -> list[Target]:
    targets = [
        Target(loss.module, loss.name, "removed", loss.exported_by)
        for loss in losses
        if loss.certain
    ]
    for comment in comments:
        for row in comment["changed_names"]:
            if row["severity"] == "major" and row["rule"].startswith(CALL_RULES):
                module = row["qualname"][: -len(row["name"]) - 1]
                targets.append(Target(module, row["name"], "changed"))
    return list({target.qualname: target for target in reversed(targets)}.values())[::-1]


def _loss_findings(
    losses: list[Loss], gone: set[str], homes: Mapping[str, str], uses: Mapping[str, Uses]
) -> list[dict[str, Any]]:
    found = []
    for module in sorted({loss.module for loss in losses if loss.module in gone}):
        names = [loss.name for loss in losses if loss.module == module]
        more = f" and {len(names) - 8} more" if len(names) > 8 else ""
        text = f"module `{module}` is gone with {', '.join(names[:8])}{more}"
        row = finding("api.module_removed", "major", 1, text, module, side="old")
        found.append({**row, "file": homes.get(module, module), "uses": 0})
    for loss in losses:
        certain = uses[loss.qualname].counts["certain"] if loss.qualname in uses else 0
        if loss.module in gone and not certain:
            continue
        row = loss_finding(loss)
        if certain and loss.certain:
            first = uses[loss.qualname].to_dict()["uses"][0]
            row["severity"] = "blocker"
            place = f"{first['file']}:{first['line']}"
            row["message"] += f"; still used in {_places(certain)}, first {place}"
        weight = _WEIGHTS.get(loss.kind, 0)
        home = homes.get(loss.module, loss.module)
        found.append({**row, "file": home, "uses": certain, "weight": weight})
    return found


def _places(count: int) -> str:
    return "1 place" if count == 1 else f"{count} places"


def _file_findings(comments: list[Comment], uses: Mapping[str, Uses]) -> list[dict[str, Any]]:
    found = []
    for comment in comments:
        for row in comment["findings"]:
            if row["rule"] in PROVISIONAL:
                continue
            known = uses.get(row["evidence"]) if row["rule"].startswith("api.") else None
            count = known.counts["certain"] if known else 0
            message = row["message"]
            if count:
                message += f"; {_places(count)} to check"
            found.append({**row, "message": message, "file": comment["file_path"], "uses": count})
    return found
