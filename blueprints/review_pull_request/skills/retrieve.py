"""Step "Fetch PR metadata and changed file list": decides which items the review fans out over.

Each changed file becomes one item; a file that cannot be reviewed becomes an item whose diff says
why. It never judges a change and never leaves a changed file out.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import changeset
from paths import role_of
from wholediff import render, render_skipped

LISTED_PATHS = 150  # paths named in every item's context; more would be copied per item
LISTED_TESTS = 60


def retrieve(inputs: Mapping[str, Any], ctx: Any) -> list[dict[str, str]]:
    """Return one item per changed file.

    Args:
        inputs: `repository`, an absolute path (a git repository, a folder with `old/` and `new/`
            or with `changeset.json`, or such a file), and `range`, a git range or "".
        ctx: the worker's context.

    Returns:
        Items `{file_path, diff_content, pr_context}`, all strings, ordered by path.

    Raises:
        ValueError: path or range is wrong, or nothing changed.
        TimeoutError: git did not answer in time.
    """
    root = Path(str(inputs["repository"]))
    bundled = Path(__file__).resolve().parent.parent / "bundled" / changeset.CHANGESET_FILE
    change = changeset.load(root, str(inputs.get("range") or ""), bundled)
    if not change.files:
        raise ValueError(f"{change.range}: nothing changed, so there is nothing to review")
    files = sorted(change.files, key=lambda file: file.path)
    ctx.progress(f"{len(files)} changed files in {change.range} ({change.source})")
    return [
        {"file_path": file.path, "diff_content": _diff(file), "pr_context": context}
        for file, context in zip(files, _contexts(change, files), strict=True)
    ]


def _diff(file: changeset.Version) -> str:
    if file.skipped:
        return render_skipped(file.path, file.old_path, file.skipped)
    return render(file.path, file.old_path, file.old, file.new)


def _contexts(change: changeset.ChangeSet, files: list[changeset.Version]) -> list[str]:
    tests = [file.path for file in files if role_of(file.path) == "test"]
    shared = {
        "source": change.source,
        "range": change.range,
        "subjects": list(change.subjects),
        "files_total": len(files),
        "changed": [file.path for file in files[:LISTED_PATHS]],
        "tests_total": len(tests),
        "tests_touched": tests[:LISTED_TESTS],
    }
    return [
        json.dumps({**shared, "position": number}, separators=(",", ":"), sort_keys=True)
        for number in range(1, len(files) + 1)
    ]
