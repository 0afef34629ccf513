"""Which files of this machine a sandbox needs to see, read-only.

Decides the roots from the running interpreter, wherever its prefix lives (system, venv, pyenv,
conda): its library folder, the shared libraries, the bundle. It never opens what it names.
"""

import os
import sys
from collections.abc import Iterable
from pathlib import Path

from swarm_ray.sandbox import kernel

_SYSTEM_LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
_SYSTEM_PROGRAMS = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/alternatives")
_SMALL_FILES = ("/etc/ld.so.cache", "/etc/localtime", "/dev/zero", "/dev/urandom")
_ZONES = "/usr/share/zoneinfo"

Rule = tuple[str, int]


def interpreter() -> str:
    """Return the real interpreter behind this one, not a venv's link to it."""
    started: str = getattr(sys, "_base_executable", "") or sys.executable
    return os.path.realpath(started)


def standard_path() -> list[str]:
    """Return the import path of the bare interpreter: the standard library alone."""
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    library = os.path.dirname(os.path.realpath(os.__file__))
    compiled = os.path.join(sys.base_exec_prefix, sys.platlibdir, version, "lib-dynload")
    return [library, os.path.realpath(compiled)]


def installed_libraries() -> list[str]:
    """Return the folders of this interpreter's import path that hold installed packages."""
    own = set(standard_path())
    found = []
    for entry in sys.path:
        folder = os.path.realpath(entry) if entry else ""
        named = os.path.basename(folder) in ("site-packages", "dist-packages")
        if named and folder not in own and os.path.isdir(folder) and folder not in found:
            found.append(folder)
    return found


def _outermost(paths: Iterable[str]) -> list[str]:
    """Resolve links and drop what lies below another path of the list."""
    real = sorted({os.path.realpath(path) for path in paths if os.path.exists(path)})
    kept: list[str] = []
    for path in real:
        if not any(path == root or path.startswith(root.rstrip("/") + "/") for root in kept):
            kept.append(path)
    return kept


def library_roots(libraries: list[str]) -> list[str]:
    """Return the folders from which a child may import and load shared libraries."""
    prefix = [os.path.join(sys.base_prefix, name) for name in {"lib", sys.platlibdir}]
    own = prefix if sys.base_prefix != "/usr" else []
    return _outermost([*standard_path(), *own, *_SYSTEM_LIBRARIES, *libraries])


def program_roots() -> list[str]:
    """Return the folders whose programs a child with declared processes may execute."""
    return _outermost([*_SYSTEM_PROGRAMS, sys.base_prefix, sys.prefix])


def program_path() -> str:
    """Return where programs are looked for: beside this interpreter (a venv's tools), then the
    system's."""
    return os.pathsep.join((os.path.join(sys.prefix, "bin"), "/usr/bin", "/bin"))


def landlock_rules(bundle: Path, libraries: list[str], *, processes: bool) -> list[Rule]:
    """Return the rules that all children of a zygote have in common."""
    readable = _outermost([*library_roots(libraries), os.fspath(bundle), _ZONES])
    rules: dict[str, int] = dict.fromkeys(readable, kernel.READ)
    if processes:
        for path in program_roots():
            rules[path] = kernel.READ | kernel.EXECUTE
        for path in _SMALL_FILES:
            rules[path] = kernel.READ
    rules[os.devnull] = kernel.READ_FILE | kernel.WRITE_FILE
    return list(rules.items())


def system_links() -> list[tuple[str, str]]:
    """Return the links at the root that a merged /usr needs: (link, target)."""
    names = ("/bin", "/sbin", "/lib", "/lib32", "/lib64")
    return [(name, os.readlink(name)) for name in names if os.path.islink(name)]


def visible_paths(
    bundle: Path, libraries: list[str], reads: list[str], *, processes: bool
) -> list[str]:
    """Return what a sandbox with a file system of its own must mount, read-only.

    Args:
        bundle: folder of the unpacked bundle.
        libraries: folders on the children's import path.
        reads: what the attempt declared.
        processes: whether programs may be executed.
    """
    own_code = os.path.dirname(os.path.abspath(__file__))
    seen = [interpreter(), *library_roots(libraries), os.fspath(bundle), _ZONES, own_code, *reads]
    seen += installed_libraries()
    if processes:
        seen += [*program_roots(), "/etc/ld.so.cache", "/etc/localtime"]
    return _outermost(seen)
