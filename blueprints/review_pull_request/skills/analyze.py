"""Step "Analyze the diff against VBD standards and coding conventions".

Decides what to look at in one changed file, runs every check that fits it, and reports what could
not be checked. Source that does not parse becomes a finding or a note, never a failure. It never
looks at other files; names across files are the convergence's work.
"""

import ast
import json
import warnings
from collections.abc import Mapping
from typing import Any

from apidiff import compare, finding
from guide import Guide, read_guide
from layers import layer_findings
from lintrun import bandit_findings, merge, ruff_findings
from metrics import growth_findings, measure
from paths import is_python, role_of
from secretscan import find_secrets, hide
from textchecks import text_findings
from wholediff import Change, parse

LINTABLE_CHARS = 600_000  # beyond this the linters need seconds for generated code


def analyze(inputs: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return everything noticed about one changed file.

    Args:
        inputs: `file_path`, `diff_content` (a whole-file unified diff) and `pr_context` (JSON).
        ctx: the worker's context; its knowledge holds the two guides.

    Raises:
        ValueError: diff, context or knowledge is malformed.
    """
    path = str(inputs["file_path"])
    change = parse(str(inputs["diff_content"]), path)
    context = _context(str(inputs["pr_context"]))
    guide = read_guide(ctx.knowledge)
    result: dict[str, Any] = {
        "file_path": path,
        "old_path": change.old_path,
        "status": "skipped" if change.skipped else change.status,
        "findings": [],
        "removed_names": [],
        "changed_names": [],
        "surface": None,
        "metrics": {"added_lines": len(change.added), "removed_lines": change.removed_count},
        "notes": [],
        "change": {key: context[key] for key in ("source", "range", "subjects", "files_total")},
    }
    if change.skipped:
        result["notes"].append(f"not reviewed: {change.skipped}")
        return result
    _check_text(change, guide, result)
    if is_python(path):
        _check_python(change, context, guide, result)
    secrets, values = find_secrets(change.added, guide.entropy_bits, guide.secret_length)
    result["findings"] = hide(secrets + result["findings"], values)
    return result


def _context(text: str) -> dict[str, Any]:
    try:
        context = json.loads(text)
        wanted = ("source", "range", "subjects", "files_total", "tests_total", "tests_touched")
        return {key: context[key] for key in wanted}
    except (json.JSONDecodeError, KeyError, TypeError) as flaw:
        raise ValueError(f"pr_context is not what retrieve wrote: {flaw!r}") from flaw


def _check_text(change: Change, guide: Guide, result: dict[str, Any]) -> None:
    if not change.complete:
        text = "the diff does not hold both versions: only added lines were checked"
        result["notes"].append(text)
    found, notes = text_findings(change, guide)
    result["findings"] += found
    result["notes"] += notes


def _check_python(
    change: Change, context: dict[str, Any], guide: Guide, result: dict[str, Any]
) -> None:
    if not change.complete:
        return
    touched = change.added_lines
    old = _parse(change.old, "old", result) if is_python(change.old_path) else None
    new = _parse(change.new, "new", result)
    try:
        if (old is not None or change.old is None) and (new is not None or change.new is None):
            result.update(_extended(result, compare(change.path, change.old_path, old, new)))
        if new is not None:
            _check_tree(change, old, new, guide, result)
    except RecursionError:
        text = "an expression is nested too deeply to be analysed"
        result["findings"].append(finding("source.too_deep", "minor", 1, text, ""))
    if change.new is not None:
        _lint(change, touched, guide, result)
    if guide.tests_required:
        result["findings"] += _test_findings(change.path, old, new, context)


def _extended(result: dict[str, Any], compared: dict[str, Any]) -> dict[str, Any]:
    return {**compared, "findings": result["findings"] + compared["findings"]}


def _check_tree(
    change: Change, old: ast.Module | None, new: ast.Module, guide: Guide, result: dict[str, Any]
) -> None:
    touched = change.added_lines
    before, after = measure(old), measure(new)
    if role_of(change.path) != "test":
        result["findings"] += growth_findings(before, after, touched, guide)
    result["findings"] += layer_findings(change.path, new, touched, guide)
    lines, was = (change.new or "").count("\n"), (change.old or "").count("\n")
    if lines > guide.file_lines >= was:
        text = f"the file has grown from {was} to {lines} lines (limit {guide.file_lines})"
        result["findings"].append(finding("size.file", "note", 1, text, ""))
    result["metrics"] |= {
        "functions": len(after),
        "complexity_before": sum(m.complexity for m in before.values()),
        "complexity_after": sum(m.complexity for m in after.values()),
        "complexity_highest": max((m.complexity for m in after.values()), default=0),
    }


def _parse(text: str | None, side: str, result: dict[str, Any]) -> ast.Module | None:
    if text is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            return ast.parse(text.removeprefix("\ufeff"))
    except SyntaxError as flaw:
        said = f"{flaw.msg}"
        if side == "old":
            result["notes"].append(f"the old version does not parse ({said}): no interface diff")
        else:
            line = max(flaw.lineno or 1, 1)
            text = f"does not parse: {said}"
            result["findings"].append(finding("source.syntax", "blocker", line, text, ""))
    except (RecursionError, MemoryError, ValueError) as flaw:
        result["notes"].append(f"the {side} version could not be parsed ({flaw!r})")
        text = "the source is nested too deeply or otherwise hostile to parsers"
        result["findings"].append(finding("source.too_deep", "minor", 1, text, ""))
    return None


def _lint(change: Change, touched: frozenset[int], guide: Guide, result: dict[str, Any]) -> None:
    text = change.new or ""
    if len(text) > LINTABLE_CHARS:
        result["notes"].append(f"not linted: more than {LINTABLE_CHARS} characters")
        return
    ruff, ruff_notes = ruff_findings(change.path, text, touched, guide)
    bandit: list[dict[str, Any]] = []
    bandit_notes: list[str] = []
    if role_of(change.path) == "test":
        ruff = [row for row in ruff if not row["rule"].startswith("ruff.S")]
    else:
        bandit, bandit_notes = bandit_findings(text, touched, guide)
    result["findings"] += merge(ruff, bandit)
    result["notes"] += ruff_notes + bandit_notes


def _test_findings(
    path: str, old: ast.Module | None, new: ast.Module | None, context: dict[str, Any]
) -> list[dict[str, Any]]:
    if role_of(path) != "library" or not _behaviour_changed(old, new):
        return []
    if context["tests_total"] == 0:
        text = "code changed, and no test of this change set was touched"
        return [finding("tests.missing", "minor", 1, text, "")]
    stem = path.rpartition("/")[2].removesuffix(".py").strip("_")
    if stem in ("init", "main") or any(stem in test for test in context["tests_touched"]):
        return []
    text = f"code changed, and no touched test names `{stem}`"
    return [finding("tests.unrelated", "note", 1, text, "")]


def _behaviour_changed(old: ast.Module | None, new: ast.Module | None) -> bool:
    if new is None or not any(isinstance(n, ast.FunctionDef | ast.ClassDef) for n in new.body):
        return False
    return old is None or _bare(old) != _bare(new)


def _bare(tree: ast.Module) -> str:
    """Return the tree as text without docstrings; comments and layout are not in it anyway."""
    try:
        lines = [ast.dump(node) for node in _without_docstrings(tree)]
    except RecursionError:
        return str(id(tree))
    return "\n".join(lines)


def _without_docstrings(tree: ast.Module) -> list[ast.stmt]:
    """Strip docstrings in place: this is the last look at the tree."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.Module):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            node.body = node.body[1:]
    return tree.body
