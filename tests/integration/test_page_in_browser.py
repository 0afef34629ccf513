"""The page of a run in a real browser: one file, no request to anywhere, readable without scripts."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.servers

FLAGS = [
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


def swarm_ray(home: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "swarm_ray.cli.main", *words],
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
        cwd=home,
        env={
            "PATH": "/usr/local/bin:/usr/bin:/bin",
            "HOME": str(home),
            "SWARM_RAY_HOME": str(home / "state"),
            "SWARM_RAY_ADDRESS": "local",
            "RAY_AUTH_MODE": "disabled",
        },
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


def test_chromium_shows_the_timeline_and_every_item_of_a_run(tmp_path: Path):
    browser = shutil.which("chromium")
    assert browser, "install chromium: this test is for machines that have it"
    swarm_ray(tmp_path, "run", "triage_messages", "--output-dir", str(tmp_path / "board"))
    page = tmp_path / "run.html"
    swarm_ray(tmp_path, "show", "last", "--html", str(page))
    assert not re.search(r"""(src|href)=["']https?:""", page.read_text())
    shown = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=90,
        check=True,
    ).stdout
    assert "<svg" in shown
    assert "triage_messages" in shown
    assert len(re.findall(r"worker-\d{3}|<tr", shown)) >= 40
    picture = tmp_path / "run.png"
    subprocess.run(
        [
            browser,
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--window-size=1280,1600",
            f"--screenshot={picture}",
            page.as_uri(),
        ],
        capture_output=True,
        timeout=90,
        check=True,
    )
    assert picture.stat().st_size > 20_000
