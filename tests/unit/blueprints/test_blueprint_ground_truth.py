"""The review finds what libraries say they removed, and claims nothing that is still there.

Recall is measured against names written down from each package's own changelog. Whether a claimed
removal is false is decided by an independent oracle: the new release is imported in a process of
its own and asked for the name.
"""

import json
import shutil
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

RELEASES = json.loads((Path(__file__).parent / "documented_removals.json").read_text())["releases"]
ORACLE = """
import importlib, inspect, json, re, sys
sys.path[:0] = json.loads(sys.argv[1])

def reachable(name):
    parts = name.split(".")
    for at in range(len(parts), 0, -1):
        try:
            value = importlib.import_module(".".join(parts[:at]))
        except ModuleNotFoundError:
            continue
        except Exception as flaw:
            return f"cannot import: {flaw!r}"
        for here, part in enumerate(parts[at:], at):
            try:
                value = getattr(value, part)
            except AttributeError:
                last = here == len(parts) - 1
                return bool(last and inspect.isclass(value) and assigned(value, part))
        return True
    return False

def assigned(cls, name):
    for home in cls.__mro__:
        try:
            source = inspect.getsource(home)
        except (OSError, TypeError):
            continue
        if re.search(rf"self\\.{name}\\b\\s*(?::[^=]+)?=[^=]", source):
            return True
    return False

print(json.dumps({name: reachable(name) for name in json.load(sys.stdin)}))
"""


def pip(*args: str) -> None:
    subprocess.run([sys.executable, "-m", "pip", "-q", *args], check=True, capture_output=True)


def fetch(release: dict[str, Any], version: str, into: Path, work: Path) -> None:
    """Put the package's folders of one release under `into`."""
    kind = "--only-binary" if release["binary"] else "--no-binary"
    pip("download", "--no-deps", kind, ":all:", "-d", str(work), f"{release['package']}=={version}")
    archive = next(iter(work.iterdir()))
    unpacked = work / "unpacked"
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            wheel.extractall(unpacked)
        root = unpacked
    else:
        with tarfile.open(archive) as sdist:
            sdist.extractall(unpacked, filter="data")
        root = next(iter(unpacked.iterdir()))
    for folder in release["folders"]:
        shutil.copytree(root / folder, into / folder)


def ask(names: list[str], *places: Path) -> dict[str, Any]:
    where = json.dumps([str(place) for place in places])
    command = [sys.executable, "-I", "-W", "ignore", "-c", ORACLE, where]
    done = subprocess.run(
        command, input=json.dumps(names).encode(), capture_output=True, check=True
    )
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def told_by(name: str, claims: list[dict[str, Any]]) -> bool:
    """A documented name is told when a claim names it, what is in it, or its definition below.

    Changelogs name things as users import them (`flask.Flask.env`), claims where they are defined
    (`flask.app.Flask.env`): the part from the first class on, or the last word, must be equal, and
    the claim's module must lie in the documented one.
    """
    parts = name.split(".")
    first = next((at for at, part in enumerate(parts) if part[:1].isupper()), len(parts) - 1)
    module, tail = ".".join(parts[:first]), ".".join(parts[first:])
    for claim in claims:
        for qualname in (claim["qualname"], *inherited(claim)):
            if qualname == name or qualname.startswith(f"{name}."):
                return True
            home = qualname.removesuffix(f".{tail}")
            if home != qualname and f"{home}.".startswith(f"{module}."):
                return True
    return False


def inherited(claim: dict[str, Any]) -> list[str]:
    member = claim["name"].rpartition(".")[2]
    return [f"{holder}.{member}" for holder in claim["affected"]]


LAZY_FACE = """
from importlib import import_module

_HOMES = {homes}
__all__ = {names}

def __getattr__(name):
    if name not in {known}:
        raise AttributeError(name)
    return getattr(import_module("." + _HOMES.get(name, "core"), __name__), name)
"""


@pytest.mark.parametrize("known", ["_HOMES", "__all__", "set(dir(import_module('.core', 'lazy')))"])
@pytest.mark.parametrize("kept", [["Alpha", "beta"], ["Alpha"]])
def test_a_package_with_lazy_exports_loses_what_the_oracle_misses(
    known: str, kept: list[str], tmp_path: Path, review_folder: Callable[..., dict[str, Any]]
) -> None:
    core = {"Alpha": "class Alpha: pass\n", "beta": "def beta(): return 1\n"}
    for side, names in (("old", [*core]), ("new", kept)):
        package = tmp_path / "change" / side / "lazy"
        package.mkdir(parents=True)
        homes = dict.fromkeys(names, "core")
        face = LAZY_FACE.format(homes=homes, names=names, known=known)
        (package / "__init__.py").write_text(f"# {side}{face}")
        (package / "core.py").write_text("".join(core[name] for name in names))
    claims = {row["qualname"] for row in review_folder(tmp_path / "change")["breaking"]}
    faces = [f"lazy.{name}" for name in core]
    there = ask(faces, tmp_path / "change" / "old")
    still = ask(faces, tmp_path / "change" / "new")
    assert all(there.values())
    assert claims & set(faces) == {name for name in faces if not still[name]}


@pytest.mark.network
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: str(release["package"]))
def test_documented_removals_are_found_and_few_are_false(
    release: dict[str, Any],
    tmp_path: Path,
    review_folder: Callable[..., dict[str, Any]],
    record_property: Callable[[str, Any], None],
) -> None:
    tree = tmp_path / "change"
    for side in ("old", "new"):
        work = tmp_path / f"work-{side}"
        work.mkdir()
        fetch(release, release[side], tree / side, work)
        if release[f"needs_{side}"]:
            target = str(tmp_path / f"deps-{side}")
            pip("install", "--target", target, *release[f"needs_{side}"])
    before = ask(release["absent_before"], tree / "old", tmp_path / "deps-old")
    assert not any(value is True for value in before.values())

    review = review_folder(tree)
    claims = [row for row in review["breaking"] if row["certain"]]
    missed = [name for name in release["removed"] if not told_by(name, claims)]
    recall = 1 - len(missed) / len(release["removed"])
    answers = ask([claim["qualname"] for claim in claims], tree / "new", tmp_path / "deps-new")
    false = [name for name, answer in answers.items() if answer is not False]
    ratio = len(false) / len(claims)
    record_property("recall", recall)
    record_property("false_ratio", ratio)
    told = [f"{name} ({answers[name]})" for name in false]
    sys.stdout.write(
        f"\n{release['package']} {release['old']} -> {release['new']} ({release['role']}):"
        f" {len(release['removed'])} documented, recall {recall:.3f}, missed {missed};"
        f" {len(claims)} claimed, false ratio {ratio:.3f} {told}\n"
    )
    assert recall >= 0.95, missed
    assert ratio <= 0.05, {name: answers[name] for name in false}
    assert review["verdict"] in ("comment", "request_changes")
    assert review["markdown"].count("\n") < 400
