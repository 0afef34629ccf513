"""The wheel: it carries the blueprints and nothing of ours to test with, and runs where it is put."""

import json
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", "-w", "-o", str(out), str(ROOT)],
        check=True,
        capture_output=True,
        timeout=120,
    )
    [found] = out.glob("*.whl")
    return found


def test_the_wheel_holds_package_and_blueprints_and_nothing_else(wheel: Path):
    names = set(zipfile.ZipFile(wheel).namelist())
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "swarm_ray",
        "swarm_placement",
    }
    for blueprint in ("review_pull_request", "triage_messages"):
        held = [name for name in names if name.startswith(f"swarm_ray/_blueprints/{blueprint}/")]
        assert f"swarm_ray/_blueprints/{blueprint}/process.yaml" in held
        for folder in ("skills", "knowledge", "bundled"):
            assert any(f"/{folder}/" in name for name in held), (blueprint, folder)
    assert not [name for name in names if "__pycache__" in name or "/tests/" in name]
    assert "swarm_ray/py.typed" in names


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment with the wheel; it sees the dependencies, not the repository."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder / "venv", with_pip=False)
    python = folder / "venv" / "bin" / "python"
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "venv" / "lib" / version / "site-packages"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pip",
            "--python",
            str(python),
            "install",
            "--no-deps",
            "--no-index",
            "--disable-pip-version-check",
            "--no-warn-script-location",
            str(wheel),
        ],
        check=True,
        capture_output=True,
        timeout=120,
    )
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def program(bare: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(bare / "home"),
        "SWARM_RAY_HOME": str(bare / "state"),
        "SWARM_RAY_ADDRESS": "local",
        "SWARM_RAY_SLOTS": "4",
        "SWARM_RAY_ZYGOTES": "1",
        "RAY_AUTH_MODE": "disabled",
        "PYTHONSAFEPATH": "1",
    }
    (bare / "home").mkdir(exist_ok=True)
    return subprocess.run(
        [str(bare / "venv" / "bin" / "swarm-ray"), *words],
        env=environment,
        cwd=bare,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_installed_program_validates_a_blueprint_by_name(bare: Path):
    where = subprocess.run(
        [str(bare / "venv/bin/python"), "-P", "-c", "import swarm_ray; print(swarm_ray.__file__)"],
        capture_output=True,
        text=True,
        check=True,
        cwd=bare,
    )
    assert str(bare) in where.stdout
    found = program(bare, "validate", "review_pull_request")
    assert found.returncode == 0, found.stdout + found.stderr


def test_the_installed_program_runs_the_main_job_by_name(bare: Path):
    found = program(bare, "run", "review_pull_request", "--json", "--output-dir", str(bare / "out"))
    assert found.returncode == 0, found.stdout + found.stderr
    end = json.loads(found.stdout.splitlines()[-1])
    assert (end["status"], end["process"]) == ("done", "review_pull_request")
    assert sorted(path.name for path in (bare / "out").iterdir()) == [
        "review.json",
        "review.md",
        "review.sarif",
    ]
