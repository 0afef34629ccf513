"""Losses: decides which public names a change takes away, over all modules known to it.

A name that is still reachable where it was (kept by an import, served by `__getattr__`, inherited
from another base) is not lost, nor is one that was never there. A lost name that now lives elsewhere is relocated, and it counts
as moved only when a package above exports it before and after. It never looks at signatures.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from compact import is_public
from paths import is_private_module
from resolve import World


@dataclass(frozen=True, slots=True)
class Loss:
    """One public name that is gone.

    `name` is the name within `module` (`Class.member` for members); `certain` is False when an
    unknown base or star import may still provide it; `moved_to` is the new home, `exported_by`
    the package through which it stays importable; `affected` are classes that inherited it.
    """

    module: str
    name: str
    kind: str
    line: int
    certain: bool
    moved_to: str = ""
    exported_by: str = ""
    affected: tuple[str, ...] = ()

    @property
    def qualname(self) -> str:
        """The dotted name by which importers knew it."""
        return f"{self.module}.{self.name}"

    def to_dict(self) -> dict[str, Any]:
        """Return the loss as plain data."""
        return {
            "name": self.name,
            "qualname": self.qualname,
            "kind": self.kind,
            "line": self.line,
            "certain": self.certain,
            "moved_to": self.moved_to,
            "exported_by": self.exported_by,
            "affected": list(self.affected),
        }


def find_losses(old: World, new: World, modules: Iterable[str]) -> list[Loss]:
    """Return the public names of `modules` that the new world no longer offers, by name."""
    known = [name for name in modules if old.module(name) is not None]
    public = [name for name in known if not is_private_module(name)]
    found: dict[str, Loss] = {}
    for module in public:
        for loss in _name_losses(old, new, module):
            found[loss.qualname] = loss
    for module, name in _public_classes(old, known, public):
        for loss in _member_losses(old, new, module, name):
            _merge(found, loss)
    return [_located(loss, old, new) for _, loss in sorted(found.items())]


def _name_losses(old: World, new: World, module: str) -> list[Loss]:
    compact = old.module(module) or {"public": [], "names": {}}
    found = []
    for name in compact["public"]:
        if old.binds(module, name) is False and not old.promises(module, name):
            continue
        bound = new.binds(module, name)
        if bound is not True and not _still_promised(old, new, module, name):
            kind, line = compact["names"].get(name, ["value", 1])
            kind = _defined_kind(old, module, name) if ":" in kind else kind
            found.append(Loss(module, name, kind, line, bound is False))
    return found


def _still_promised(old: World, new: World, module: str, name: str) -> bool:
    """A name that left the table of `__getattr__` is gone, whatever `__all__` says."""
    before, after = old.module(module), new.module(module)
    left = before and after and name in before["served"] and after["served"]
    return new.promises(module, name) and not left


def _defined_kind(world: World, module: str, name: str) -> str:
    home = world.find(module, name)
    compact = world.module(home[0]) if home else None
    return str(compact["names"][home[1]][0]) if home and compact else "import"


def _public_classes(world: World, known: list[str], public: list[str]) -> list[tuple[str, str]]:
    """Return the classes that importers can reach, by place of definition, nested ones too."""
    found = set()
    for module in public:
        compact = world.module(module)
        for name in compact["public"] if compact else ():
            home = world.find(module, name)
            if home is not None and home[0] in known:
                found.add(home)
    result = []
    for module, name in sorted(found):
        compact = world.module(module)
        result += [
            (module, key)
            for key in (compact["classes"] if compact else ())
            if key == name or (key.startswith(f"{name}.") and _all_public(key))
        ]
    return result


def _all_public(dotted: str) -> bool:
    return all(not part.startswith("_") for part in dotted.split("."))


def _member_losses(old: World, new: World, module: str, name: str) -> list[Loss]:
    home = _new_home(new, module, name)
    if home is None:
        return []
    before, after = old.members(module, name), new.members(*home)
    found = []
    for member, origin in before.origins.items():
        if member in after.origins or not is_public(member):
            continue
        if origin.startswith("builtins.") or origin.split(".")[0] not in _roots(old):
            continue
        found.append(_member_loss(old, f"{module}.{name}", origin, member, certain=after.complete))
    return found


def _new_home(new: World, module: str, name: str) -> tuple[str, str] | None:
    outer, _, inner = name.partition(".")
    home = new.find(module, outer)
    if home is None:
        return None
    key = f"{home[1]}.{inner}" if inner else home[1]
    compact = new.module(home[0])
    return (home[0], key) if compact and key in compact["classes"] else None


def _roots(world: World) -> set[str]:
    return {name.split(".")[0] for name, compact in world.modules.items() if compact is not None}


def _member_loss(old: World, holder: str, origin: str, member: str, *, certain: bool) -> Loss:
    module, name = _split(old, origin)
    compact = old.module(module) or {"classes": {}}
    line = compact["classes"].get(name, {"members": {}})["members"].get(member, 1)
    affected = () if holder == origin else (holder,)
    return Loss(module, f"{name}.{member}", "member", line, certain, affected=affected)


def _split(world: World, origin: str) -> tuple[str, str]:
    parts = origin.split(".")
    for at in range(len(parts) - 1, 0, -1):
        module = ".".join(parts[:at])
        if world.modules.get(module) is not None:
            return module, ".".join(parts[at:])
    return ".".join(parts[:-1]), parts[-1]


def _merge(found: dict[str, Loss], loss: Loss) -> None:
    if loss.module in {f.module for f in found.values()} and _holder_lost(found, loss):
        return
    before = found.get(loss.qualname)
    if before is None:
        found[loss.qualname] = loss
        return
    affected = tuple(sorted({*before.affected, *loss.affected}))
    found[loss.qualname] = replace(
        before, affected=affected, certain=before.certain or loss.certain
    )


def _holder_lost(found: dict[str, Loss], loss: Loss) -> bool:
    """A member of a class that is gone itself is told only when subclasses lose it too."""
    return loss.qualname.rpartition(".")[0] in found and not loss.affected


def _located(loss: Loss, old: World, new: World) -> Loss:
    if loss.kind == "member":
        return loss
    before = old.find(loss.module, loss.name)
    for module, compact in sorted(new.modules.items()):
        if compact is None or module == loss.module:
            continue
        entry = compact["names"].get(loss.name)
        if entry is None or ":" in entry[0] or _had(old, module, loss.name, before):
            continue
        return replace(loss, moved_to=module, exported_by=_exporter(loss, old, new))
    return loss


def _had(old: World, module: str, name: str, origin: tuple[str, str] | None) -> bool:
    """A definition that stood there before is another thing, unless the lost name meant it."""
    compact = old.module(module)
    stood = compact is not None and name in compact["names"]
    return stood and origin != (module, name)


def _exporter(loss: Loss, old: World, new: World) -> str:
    parts = loss.module.split(".")
    for at in range(len(parts) - 1, 0, -1):
        package = ".".join(parts[:at])
        offered = [w.module(package) for w in (old, new)]
        if all(c is not None and loss.name in c["public"] for c in offered):
            return package
    return ""
