"""The same escapes where the host is an ordinary user: no root and no cgroup of its own."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Any

import pytest

NOBODY = 65534
HERE = Path(__file__).parent
ROOT = HERE.parents[2]
TESTS = (
    "sibling or writes_nowhere or reads_its or declared or socket or fork or program or metadata"
)


PACKAGES = sysconfig.get_path("purelib")


def places(folder: Path) -> dict[str, Path]:
    """Where interpreter, checkout and packages are seen: an ordinary user may not enter root's."""
    real = {"prefix": Path(sys.base_prefix), "repo": ROOT, "site-packages": Path(PACKAGES)}
    if os.geteuid() != 0:
        return real
    for name in real:
        (folder / name).mkdir()
    return {name: folder / name for name in real}


def command(seen: dict[str, Path]) -> list[str]:
    """The interpreter, entered as an ordinary user, with those folders bound to a public place."""
    name = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    if os.geteuid() != 0:
        return [sys.executable]
    prefix = seen["prefix"]
    enter = (
        f"mount --bind {sys.base_prefix} {prefix} && mount --bind {ROOT} {seen['repo']} && "
        f"mount --bind {PACKAGES} {seen['site-packages']} && cd {seen['repo']} && "
        f"export LD_LIBRARY_PATH={prefix}/lib && "
        f'exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups {prefix}/bin/{name} "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", enter, "sh"]


@pytest.mark.thorough
@pytest.mark.parametrize("name", ["landlock", "bwrap"])
def test_the_escapes_fail_for_an_ordinary_user_too(name: str, driver_named: Any) -> None:
    driver_named(name)
    folder = Path("/tmp") / f"swarm-ray-unprivileged-{os.getpid()}"
    folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folder, NOBODY, NOBODY)
    seen = places(folder)
    environment = {
        "HOME": str(folder),
        "PATH": "/usr/sbin:/usr/bin:/sbin:/bin",
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join([str(seen["repo"]), str(seen["site-packages"])]),
    }
    arguments = [
        "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--basetemp={folder}/tests",
        "-k", f"({TESTS}) and {name}", str(seen["repo"] / HERE.relative_to(ROOT) / "test_sandbox_escapes.py"),
    ]  # fmt: skip
    try:
        done = subprocess.run(
            [*command(seen), *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=250,
            check=False,
        )
    finally:
        subprocess.run(["rm", "-rf", str(folder)], check=True)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
    if " skipped" in done.stdout:
        pytest.skip(done.stdout[-1000:])
