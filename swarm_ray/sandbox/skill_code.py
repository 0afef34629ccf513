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
    from collections.abc import Sequence
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


class _Loader:
    """Executes a skill module in the child that imports it."""

    def __init__(self, skills: Skills) -> None:
        self._skills = skills

    def create_module(self, spec: ModuleSpec) -> None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        self._skills.fill(module, module.__name__)


class Skills:
    """The compiled skills of a bundle, and a finder for imports between them.

    Args:
        compiled: what `compile_skills` returned.
        bundle: folder of the bundle, so that a skill finds the data beside it by `__file__`.
    """

    def __init__(self, compiled: Compiled, bundle: str = "") -> None:
        self._compiled = compiled
        self._bundle = bundle
        self._modules: dict[str, ModuleType] = {}
        self._loader = _Loader(self)

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Find a sibling skill module; the standard library was asked before."""
        if path is None and name in self._compiled:
            spec = ModuleSpec(name, self._loader, origin=self._file(name))  # type: ignore[arg-type]
            spec.has_location = True
            return spec
        return None

    def _file(self, name: str) -> str:
        return os.path.join(self._bundle, "skills", f"{name}.py")

    def fill(self, module: ModuleType, name: str) -> None:
        """Execute the code of skill `name` in `module`."""
        code = self._compiled[name]
        if isinstance(code, str):
            raise StructuralError(f"skills/{name}.py: {code}", code="skill.does_not_compile")
        self._modules[name] = module
        # In a confined child only: this is the tenant's code, and its bytes came from a child too.
        exec(marshal.loads(code), module.__dict__)  # noqa: S102, S302

    def function(self, uses: str) -> Any:
        """Return the function that `uses`, a `module:function`, names; import it if needed.

        Raises:
            StructuralError: no such module or function, or its import failed.
        """
        name, _, attribute = uses.partition(":")
        if name not in self._compiled:
            raise StructuralError(f"the bundle has no skills/{name}.py", code="skill.missing")
        module = self._modules.get(name)
        if module is None:
            module = ModuleType(name)
            module.__file__ = self._file(name)
            # A skill named like a library module must not replace it for that library's users.
            sys.modules.setdefault(name, module)
            try:
                self.fill(module, name)
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
    """Make `compiled` the skills of this process, behind every other finder."""
    global loaded
    loaded = Skills(compiled, bundle)
    sys.meta_path.append(loaded)


def forget(name: str) -> None:
    """Take an imported skill module out of the process again."""
    sys.modules.pop(name, None)


def function(uses: str) -> Any:
    """Return the function that `uses` names, from the installed skills."""
    return loaded.function(uses)
