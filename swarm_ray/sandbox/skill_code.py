"""The tenant's skill modules: compiled once, executed in children only.

Decides how `skills/*.py` becomes modules. The zygote holds the compiled bytes and never loads them;
compiling happens in a confined child too, since a source text may attack the compiler.
"""

from __future__ import annotations

import marshal
import os
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

from swarm_ray.sandbox.failures import StructuralError

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Any

# name -> compiled bytes, or why there are none
Compiled = dict[str, bytes | str]


def compile_skills(bundle: str) -> Compiled:
    """Compile every `skills/*.py` of a bundle without executing any.

    Returns:
        By module name, the marshalled code, or the error text of a module that does not compile.
    """
    folder = os.path.join(bundle, "skills")
    compiled: Compiled = {}
    for entry in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
        name, suffix = os.path.splitext(entry)
        if suffix != ".py":
            continue
        with open(os.path.join(folder, entry), "rb") as file:
            source = file.read()
        try:
            code = compile(source, f"skills/{entry}", "exec", dont_inherit=True)
            compiled[name] = marshal.dumps(code)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            compiled[name] = f"{type(error).__name__}: {error}"
    return compiled


class Skills:
    """The compiled skills of a bundle: finder and loader for imports between them.

    Module and spec objects are made here, ahead of the fork; only executing is left to the child.

    Args:
        compiled: what `compile_skills` returned.
        bundle: folder of the bundle, so that a skill finds the data beside it by `__file__`.
    """

    def __init__(self, compiled: Compiled, bundle: str = "") -> None:
        self._compiled = compiled
        self._modules = {name: ModuleType(name) for name in compiled}
        self._executed: set[str] = set()
        for name, module in self._modules.items():
            module.__file__ = os.path.join(bundle, "skills", f"{name}.py")
        # A skill named like a library module must not replace it for that library's users.
        self._specs = {
            name: ModuleSpec(name, self, origin=module.__file__)  # type: ignore[arg-type]
            for name, module in self._modules.items()
            if not any(finder.find_spec(name, None) for finder in sys.meta_path)
        }

    @property
    def names(self) -> Iterable[str]:
        """Names of the skill modules."""
        return self._modules

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a skill module that no library hides."""
        return self._specs.get(name)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return the module that was made ahead."""
        return self._modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """Execute the code of a skill in its module."""
        name = module.__name__
        code = self._compiled[name]
        if isinstance(code, str):
            raise StructuralError(f"skills/{name}.py: {code}", code="skill.does_not_compile")
        # In a confined child only: this is the tenant's code, and its bytes came from a child too.
        exec(marshal.loads(code), module.__dict__)  # noqa: S102, S302
        self._executed.add(name)

    def function(self, uses: str) -> Any:
        """Return the function that `uses`, a `module:function`, names; import it if needed.

        Raises:
            StructuralError: no such module or function, or its import failed.
        """
        name, _, attribute = uses.partition(":")
        module = self._modules.get(name)
        if module is None:
            raise StructuralError(f"the bundle has no skills/{name}.py", code="skill.missing")
        if name not in self._executed:
            sys.modules.setdefault(name, module)
            try:
                self.exec_module(module)
            except StructuralError:
                raise
            except BaseException as error:
                raise StructuralError(
                    f"importing skills/{name}.py failed: {type(error).__name__}: {error}",
                    code="skill.import_failed",
                ) from error
        found = getattr(module, attribute, None)
        if not callable(found):
            raise StructuralError(
                f"skills/{name}.py has no function {attribute!r}", code="skill.missing"
            )
        return found


loaded = Skills({})


def install(compiled: Compiled, bundle: str) -> None:
    """Make `compiled` the skills of this process, in place of those it had."""
    global loaded
    forget()
    loaded = Skills(compiled, bundle)
    # Ahead of the finders that would search folders for it in every child.
    sys.meta_path.insert(0, loaded)


def forget() -> None:
    """Take the installed skills, imported or not, out of the process again."""
    global loaded
    if loaded in sys.meta_path:
        sys.meta_path.remove(loaded)
    for name in loaded.names:
        sys.modules.pop(name, None)
    loaded = Skills({})


def function(uses: str) -> Any:
    """Return the function that `uses` names, from the installed skills."""
    return loaded.function(uses)
