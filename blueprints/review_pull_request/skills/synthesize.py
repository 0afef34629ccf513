"""Step "Combine file analyses into a coherent review": decides what the review of a change says.

Settles names across files, searches uses of what is gone, ranks all findings, gives the verdict by
stated rules, and renders the review for people (Markdown) and tools (SARIF, plain data).
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from changeset import CHANGESET_FILE
from format import SEVERITIES
from interface import Interface, examine
from markdown_report import render_markdown
from sarif_report import sarif_log
from usagesearch import CERTAINTIES
from verdict import RULES, decide, rank, top

FINDING_LIMIT = 3000  # findings of one review that travel in full
TOP_COUNT = 3
_WORDS = {"approve": "Approve", "comment": "Comment", "request_changes": "Request changes"}


def synthesize(inputs: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return the review of a change.

    Args:
        inputs: `file_analyses`, the review comments in input order, and optionally `repository`,
            the declared folder in which uses are searched.
        ctx: the worker's context.

    Returns:
        `verdict`, `summary`, `findings`, `per_file`, `breaking`, `usages`, `markdown`, `sarif`,
        `stats`, `notes`.

    Raises:
        ValueError: there is no review comment, or one is not of the documented shape.
    """
    comments = list(inputs["file_analyses"])
    if not comments:
        raise ValueError("no file was analysed, so there is nothing to combine")
    for comment in comments:
        if not isinstance(comment, dict) or "findings" not in comment:
            raise ValueError("file_analyses holds something that is not a review comment")
    repository = inputs.get("repository")
    bundled = Path(__file__).resolve().parent.parent / "bundled" / CHANGESET_FILE
    interface = examine(comments, Path(str(repository)) if repository else None, bundled)
    ranked = rank(interface.findings)
    review = _review(comments, interface, ranked)
    ctx.progress(review["summary"])
    return review


def _review(
    comments: list[dict[str, Any]], interface: Interface, ranked: list[dict[str, Any]]
) -> dict[str, Any]:
    change = comments[0]["change"]
    missing = max(int(change["files_total"]) - len(comments), 0)
    skipped = [c["file_path"] for c in comments if c["status"] == "skipped"]
    per_file = [_file_row(comment, ranked) for comment in comments]
    breaking = [_breaking_row(interface, loss.to_dict()) for loss in interface.losses]
    verdict = decide(ranked, missing)
    stats = _stats(comments, ranked, breaking, missing)
    notes = _notes(comments, interface, missing)
    review: dict[str, Any] = {
        "verdict": verdict,
        "summary": _summary(verdict, stats),
        "change": change,
        "findings": ranked[:FINDING_LIMIT],
        "top": top(ranked, TOP_COUNT),
        "per_file": per_file,
        "breaking": breaking,
        "changed": [row for c in comments for row in c["changed_names"]],
        "usages": [uses.to_dict() for _, uses in sorted(interface.uses.items())],
        "skipped": skipped,
        "stats": stats,
        "notes": notes,
        "rules": list(RULES),
    }
    review["markdown"] = render_markdown(review)
    review["sarif"] = sarif_log(review)
    return review


def _file_row(comment: Mapping[str, Any], ranked: list[dict[str, Any]]) -> dict[str, Any]:
    own = [row for row in ranked if row["file"] == comment["file_path"]]
    counts = Counter(row["severity"] for row in own)
    return {
        "file_path": comment["file_path"],
        "old_path": comment["old_path"],
        "status": comment["status"],
        "severity": own[0]["severity"] if own else "none",
        "counts": {severity: counts.get(severity, 0) for severity in SEVERITIES},
        "metrics": comment["metrics"],
        "notes": comment["notes"],
    }


def _breaking_row(interface: Interface, loss: dict[str, Any]) -> dict[str, Any]:
    uses = interface.uses.get(loss["qualname"])
    counts = uses.counts if uses else {}
    return {**loss, **{f"uses_{kind}": counts.get(kind, 0) for kind in CERTAINTIES}}


def _stats(
    comments: list[dict[str, Any]],
    ranked: list[dict[str, Any]],
    breaking: list[dict[str, Any]],
    missing: int,
) -> dict[str, Any]:
    counts = Counter(row["severity"] for row in ranked)
    return {
        "files": len(comments),
        "files_skipped": sum(c["status"] == "skipped" for c in comments),
        "files_missing": missing,
        "added_lines": sum(c["metrics"]["added_lines"] for c in comments),
        "removed_lines": sum(c["metrics"]["removed_lines"] for c in comments),
        "findings": {severity: counts.get(severity, 0) for severity in SEVERITIES},
        "names_removed": sum(row["certain"] and not row["exported_by"] for row in breaking),
        "names_moved": sum(bool(row["exported_by"]) for row in breaking),
        "names_changed": len({r["qualname"] for c in comments for r in c["changed_names"]}),
        "names_used": sum(row["certain"] and row["uses_certain"] > 0 for row in breaking),
    }


def _notes(comments: list[dict[str, Any]], interface: Interface, missing: int) -> list[str]:
    repeated = Counter(note for comment in comments for note in comment["notes"])
    notes = [note for note, count in repeated.items() if count > 1]
    notes = [f"{note} ({repeated[note]} files)" for note in notes]
    if missing:
        notes.append(f"{missing} changed files have no analysis (see the convergence report)")
    if comments[0]["change"]["source"] == "bundled example":
        notes.append("no change was found at the given path: this is the bundled example")
    return notes + interface.notes


def _summary(verdict: str, stats: Mapping[str, Any]) -> str:
    counts = stats["findings"]
    told = [f"{counts[s]} {s}{'s' if counts[s] != 1 else ''}" for s in SEVERITIES if counts[s]]
    names = f"{stats['names_removed']} public names removed"
    if stats["names_used"]:
        names += f" ({stats['names_used']} of them still used)"
    files = f"{stats['files']} files, +{stats['added_lines']} -{stats['removed_lines']} lines"
    return f"{_WORDS[verdict]}: {files}; {', '.join(told) or 'no findings'}; {names}."
