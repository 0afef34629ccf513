"""Linters on changed lines: decides which findings of ruff and bandit concern the change.

ruff runs as a child process without environment, configuration or cache; bandit runs in this
process on a copy in a folder of its own. A linter that is missing or fails is named in the notes.
"""

import json
import logging
import shutil
import subprocess
import sys
import sysconfig
import tempfile
import warnings
from pathlib import Path
from typing import Any

from apidiff import finding
from guide import Guide

TIMEOUT_S = 20
SHOWN_LIMIT = 160  # characters of a source line shown as evidence
_GRAVITY = ("major", "minor", "note")
_ALARMING = ("E9", "F82", "F7", "F63", "PLE")
_SECURITY = ("S", "B60")

Outcome = tuple[list[dict[str, Any]], list[str]]


def ruff_program() -> str | None:
    """Return the path of ruff beside this interpreter or on the system's path."""
    places = [Path(sys.executable).parent, Path(sysconfig.get_path("scripts"))]
    for place in places:
        if (place / "ruff").is_file():
            return str(place / "ruff")
    return shutil.which("ruff") or shutil.which("ruff", path="/usr/local/bin:/usr/bin:/bin")


def ruff_findings(path: str, source: str, touched: frozenset[int], guide: Guide) -> Outcome:
    """Return ruff's findings on touched lines, and notes on what could not be done."""
    program = ruff_program()
    if program is None:
        return [], ["ruff is not available here: no lint findings"]
    command = [
        program, "check", "--isolated", "--no-cache", "--quiet", "--exit-zero",
        "--output-format", "json", "--select", ",".join(guide.lint_rules),
        "--line-length", str(guide.line_length), "--stdin-filename", Path(path).name, "-",
    ]  # fmt: skip
    if guide.lint_ignore:
        command[2:2] = ["--ignore", ",".join(guide.lint_ignore)]
    try:
        done = subprocess.run(
            command,
            input=source.encode(),
            capture_output=True,
            env={"RAYON_NUM_THREADS": "1", "NO_COLOR": "1"},
            timeout=TIMEOUT_S,
            check=False,
        )
        rows = json.loads(done.stdout or b"null")
    except (OSError, subprocess.TimeoutExpired, json.JSONDecodeError) as flaw:
        return [], [f"ruff could not run here: {flaw}"]
    if not isinstance(rows, list):
        said = done.stderr.decode("utf-8", "replace").strip()[-200:]
        return [], [f"ruff gave no answer: {said}"]
    lines = source.split("\n")
    return [_ruff_finding(row, lines) for row in rows if row["location"]["row"] in touched], []


def _ruff_finding(row: dict[str, Any], lines: list[str]) -> dict[str, Any]:
    code, line = str(row.get("code") or "syntax"), int(row["location"]["row"])
    if code.startswith(_ALARMING) or code in ("syntax", "invalid-syntax"):
        severity = "major"
    else:
        severity = "minor" if code.startswith(("F", "B", *_SECURITY)) else "note"
    return finding(f"ruff.{code}", severity, line, str(row["message"]), shown(lines, line))


def shown(lines: list[str], line: int) -> str:
    """Return a source line as evidence."""
    return lines[line - 1].strip()[:SHOWN_LIMIT] if 0 < line <= len(lines) else ""


def bandit_findings(source: str, touched: frozenset[int], guide: Guide) -> Outcome:
    """Return bandit's findings on touched lines, and notes on what could not be done."""
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of bandit's own loading and of the reviewed source
        try:
            from bandit.core import config, manager
        except ImportError as flaw:
            return [], [f"bandit is not available here: no security findings ({flaw})"]
        logging.getLogger("bandit").setLevel(logging.CRITICAL)
        copy = Path(folder) / "changed.py"
        copy.write_text(source, "utf-8", newline="")
        scan = manager.BanditManager(config.BanditConfig(), "file", quiet=True)
        scan.discover_files([str(copy)])
        scan.run_tests()
        skipped = [str(reason) for _, reason in scan.get_skipped()]
        issues = scan.get_issue_list(guide.bandit_severity, "LOW")
    lines = source.split("\n")
    found = [
        _bandit_finding(issue, lines)
        for issue in issues
        if issue.lineno in touched and issue.test_id not in _ignored(guide)
    ]
    return found, [f"bandit skipped the file: {reason}" for reason in skipped]


def _ignored(guide: Guide) -> set[str]:
    """Bandit's test Bnnn is ruff's rule Snnn; ignoring one ignores both."""
    return {f"B{rule[1:]}" for rule in guide.lint_ignore if rule[:1] == "S" and rule[1:].isdigit()}


def _bandit_finding(issue: Any, lines: list[str]) -> dict[str, Any]:
    severity = {"HIGH": "major", "MEDIUM": "minor"}.get(str(issue.severity), "note")
    hides = issue.test_id in ("B105", "B106", "B107")
    text = "possible hard-coded password" if hides else str(issue.text)
    evidence = "" if hides else shown(lines, int(issue.lineno))
    return finding(f"bandit.{issue.test_id}", severity, int(issue.lineno), text, evidence)


def merge(ruff: list[dict[str, Any]], bandit: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return both lists; what both told of one line stands once, with the graver severity."""
    twins = {(row["line"], row["rule"].removeprefix("bandit.B")): row for row in bandit}
    merged = []
    for row in ruff:
        twin = twins.pop((row["line"], row["rule"].removeprefix("ruff.S")), row)
        severity = min(row["severity"], twin["severity"], key=_GRAVITY.index)
        merged.append({**row, "severity": severity})
    return merged + list(twins.values())
