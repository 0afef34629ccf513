"""What the README shows is true: its code runs, its YAML links, its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text()


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


@pytest.mark.ray
def test_the_python_of_the_readme_runs_and_prints_what_it_should(tmp_path):
    script = tmp_path / "words.py"
    script.write_text(blocks("python")[0])
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={
            **os.environ,
            "SWARM_RAY_HOME": str(tmp_path / "home"),
            "SWARM_RAY_ADDRESS": "local",
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.splitlines()[-1] == "[3, 3]"


def test_the_yaml_of_the_readme_is_a_process_of_known_keys():
    from swarm_ray.definition.model import ProcessFile

    shown = yaml.safe_load(blocks("yaml")[0])
    assert ProcessFile.model_validate(shown).process == "review_pull_request"


@pytest.mark.parametrize("name", ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md"])
def test_links_and_named_files_exist(name):
    text = (ROOT / name).read_text()
    linked = {target for target in re.findall(r"\]\(([^)#]+)\)", text) if "://" not in target}
    missing = sorted(target for target in linked if not (ROOT / target).exists())
    assert not missing


def test_the_architecture_stays_short_and_names_modules_that_exist():
    text = (ROOT / "ARCHITECTURE.md").read_text()
    assert len(text.splitlines()) <= 150
    named = set(re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.py)`", text))
    assert named
    missing = sorted(one for one in named if not (ROOT / "swarm_ray" / one).exists())
    assert not missing


def test_the_picture_of_the_plan_is_what_the_shown_command_draws(tmp_path):
    command = [sys.executable, "-m", "swarm_placement", "docs/examples/review_instance.json"]
    drawn = tmp_path / "plan.svg"
    subprocess.run([*command, "--plot", str(drawn)], cwd=ROOT, check=True, capture_output=True)
    assert drawn.read_text() == (ROOT / "docs" / "pictures" / "plan.svg").read_text()


def test_the_placement_of_the_readme_works_before_anything_ran(tmp_path):
    shown = next(
        line
        for line in README.splitlines()
        if line.startswith("$ swarm-ray plan ") and "--sites" in line
    )
    words = (
        shown.removeprefix("$ swarm-ray ").replace("plan.svg", str(tmp_path / "plan.svg")).split()
    )
    done = subprocess.run(
        [sys.executable, "-m", "swarm_ray.cli.main", *words],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=120,
        check=False,
        env={**os.environ, "HOME": str(tmp_path), "SWARM_RAY_HOME": str(tmp_path / "home")},
    )
    assert done.returncode == 0, done.stderr
    assert "40 items, 40 copies, 40 placed" in done.stdout
    assert "item 3 of 40" in done.stdout
    assert (tmp_path / "plan.svg").exists()
