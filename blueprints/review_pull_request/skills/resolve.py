"""Names across modules: decides whether a name is still reachable and what a class inherits.

Works on compact surfaces of one version of a code tree, follows imports, re-exports, star imports
and base classes. It never imports the code under review; of the standard library it looks only at
a short list of modules that are safe to import.
"""

import builtins
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

FOLLOW_LIMIT = 20  # re-exports followed before a cycle is assumed
_STDLIB = frozenset(
    {
        "abc", "argparse", "builtins", "collections", "collections.abc", "contextlib",
        "dataclasses", "datetime", "decimal", "enum", "html.parser", "http.client", "http.server",
        "io", "json", "logging", "pathlib", "queue", "socketserver", "string", "threading",
        "typing", "types", "unittest",
    }
)  # fmt: skip
_PLAIN = frozenset({"Generic", "Protocol", "ABC", "object", "NamedTuple", "TypedDict", "Any"})

Compact = dict[str, Any]


def nothing_more(module: str) -> Compact | None:
    """Stand in for a loader where only the modules at hand are known."""
    del module
    return None


@dataclass(slots=True)
class World:
    """One version of a code tree: compact surfaces by module, others loaded on demand."""

    modules: dict[str, Compact | None]
    load: Callable[[str], Compact | None] = nothing_more
    _members: dict[tuple[str, str], "Members"] = field(default_factory=dict)

    def module(self, name: str) -> Compact | None:
        """Return a module's compact surface, None when it does not exist or is not ours."""
        if name not in self.modules:
            self.modules[name] = self.load(name)
        return self.modules[name]

    def find(self, module: str, name: str) -> tuple[str, str] | None:
        """Return (module, name) of the definition behind a name, None when not known."""
        for _ in range(FOLLOW_LIMIT):
            home = self.module(module)
            if home is None:
                return None
            if name not in home["names"]:
                star = self._through_stars(home, name)
                if star is None:
                    return None
                module = star
                continue
            kind = home["names"][name][0]
            if ":" not in kind:
                return module, name
            module, _, attribute = kind.partition(":")
            if not attribute:
                return None
            name = attribute
        return None

    def _through_stars(self, home: Compact, name: str) -> str | None:
        for target in home["stars"]:
            compact = self.module(target)
            if compact is not None and name in compact["public"]:
                return str(target)
        return None

    def binds(self, module: str, name: str) -> bool | None:
        """Say whether `module.name` exists; None when a star import hides the answer."""
        home = self.module(module)
        if home is None:
            return False
        if name in home["names"] or name in home["served"]:
            return True
        if self.module(f"{module}.{name}") is not None:
            return True
        if self._through_stars(home, name) is not None:
            return True
        unknown = any(self.module(target) is None for target in home["stars"])
        return None if unknown else False

    def promises(self, module: str, name: str) -> bool:
        """Say whether `__all__` names `name` in a module whose `__getattr__` can serve it.

        What such a function serves need not be spelled out anywhere; `__all__` is believed then.
        """
        home = self.module(module)
        return home is not None and name in home["promised"]

    def members(self, module: str, name: str) -> "Members":
        """Return the public members of a class, inherited ones included."""
        key = (module, name)
        if key not in self._members:
            self._members[key] = Members({})  # a class that inherits from itself ends here
            self._members[key] = self._collect(module, name)
        return self._members[key]

    def _collect(self, module: str, name: str) -> "Members":
        home = self.module(module)
        if home is None or name not in home["classes"]:
            return Members({}, complete=False)
        info = home["classes"][name]
        own = dict.fromkeys(info["members"], f"{module}.{name}")
        complete = True
        for base in info["bases"]:
            above = self._base(module, base)
            complete = complete and above.complete
            own = {**above.origins, **own}
        for metaclass in info["metaclasses"]:
            # what a metaclass offers is reachable on the class; an unknown one hides nothing
            own = {**self._base(module, metaclass).origins, **own}
        return Members(own, complete)

    def _base(self, module: str, base: str) -> "Members":
        dotted = base.partition("[")[0]
        if dotted.rpartition(".")[2] in _PLAIN:
            return Members({})
        outside = self._outside(module, dotted)
        if outside is not None:
            return outside
        head, _, rest = dotted.partition(".")
        found = self._find_dotted(module, head, rest)
        return Members({}, complete=False) if found is None else self.members(*found)

    def _find_dotted(self, module: str, head: str, rest: str) -> tuple[str, str] | None:
        if not rest:
            return self.find(module, head)
        home = self.module(module)
        kind = home["names"].get(head, [""])[0] if home else ""
        if ":" not in kind:
            return None
        target, _, attribute = kind.partition(":")
        whole = f"{target}.{attribute}".strip(".") if attribute else target
        path, _, last = rest.rpartition(".")
        return self.find(f"{whole}.{path}".strip("."), last)

    def _outside(self, module: str, dotted: str) -> "Members | None":
        home = self.module(module)
        head, _, rest = dotted.partition(".")
        kind = home["names"].get(head, [""])[0] if home else ""
        if not kind:
            target, attribute = "builtins", dotted
        else:
            target, _, attribute = kind.partition(":")
            attribute = ".".join(part for part in (attribute, rest) if part)
        if target not in _STDLIB or (target == "builtins" and not hasattr(builtins, attribute)):
            return None
        value: Any = importlib.import_module(target)
        for part in attribute.split("."):
            value = getattr(value, part, None)
        names = [name for name in dir(value) if name not in dir(object)]
        return Members(dict.fromkeys(names, f"{target}.{attribute}"), complete=value is not None)


@dataclass(frozen=True, slots=True)
class Members:
    """Members of a class, each with the class that defines it; `complete`: no base is unknown."""

    origins: dict[str, str]
    complete: bool = True
