"""What a path tells: decides a file's role, its module name and whether that module is private.

It looks at the path alone, never at the disk.
"""

from pathlib import PurePosixPath

_SOURCE_ROOTS = ("src", "lib", "python")
_TEST_FOLDERS = {"tests", "test", "testing_data", "testdata"}
_DOC_FOLDERS = {"docs", "doc", "examples", "example", "benchmarks"}


def role_of(path: str) -> str:
    """Return `test`, `docs`, `script` or `library`."""
    pure = PurePosixPath(path)
    folders, name = set(pure.parts[:-1]), pure.name
    if folders & _TEST_FOLDERS or name.startswith("test_") or name.endswith("_test.py"):
        return "test"
    if name == "conftest.py":
        return "test"
    if folders & _DOC_FOLDERS:
        return "docs"
    if name in {"setup.py", "noxfile.py", "tasks.py"} or path.startswith(("scripts/", "tools/")):
        return "script"
    return "library"


def is_python(path: str) -> bool:
    """Say whether the file holds Python source."""
    return path.endswith((".py", ".pyi"))


def is_package_file(path: str) -> bool:
    """Say whether the file is the face of a package."""
    return PurePosixPath(path).stem == "__init__"


def module_name(path: str) -> str:
    """Return the dotted name by which the module is imported, as far as the path shows it."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    for at in range(len(parts) - 2, -1, -1):
        if parts[at] in _SOURCE_ROOTS:
            parts = parts[at + 1 :]
            break
    if parts and parts[-1] == "__init__" and len(parts) > 1:
        parts.pop()
    return ".".join(parts)


def is_private_module(module: str) -> bool:
    """Say whether any part of a dotted module name starts with an underscore."""
    return any(part.startswith("_") and not part.endswith("__") for part in module.split("."))


def absolute_module(module: str, level: int, target: str, *, package: bool) -> str:
    """Return the dotted module that a `from ... import` statement in `module` names."""
    if level == 0:
        return target
    parts = module.split(".")
    keep = len(parts) - level + (1 if package else 0)
    stem = ".".join(parts[: max(keep, 0)])
    return f"{stem}.{target}".strip(".") if target else stem
