"""Step "Format the analysis as a structured review comment": decides order, severity and length.

The comment is what the convergence and people read. It drops nothing silently: what is folded is
counted.
"""

from collections.abc import Mapping
from typing import Any

SEVERITIES = ("blocker", "major", "minor", "note")
FINDING_LIMIT = 200  # findings of one file that travel in full
TEXT_LIMIT = 400

_KEPT = (
    "file_path", "old_path", "status", "removed_names", "changed_names", "surface", "metrics",
    "change",
)  # fmt: skip


def format_comment(inputs: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return the review comment of one file.

    Args:
        inputs: `analysis`, what the step before returned.
        ctx: the worker's context.

    Raises:
        KeyError: the analysis lacks a field.
    """
    analysis = inputs["analysis"]
    findings = sorted(
        (_trimmed(row) for row in analysis["findings"]),
        key=lambda row: (SEVERITIES.index(row["severity"]), row["line"], row["rule"]),
    )
    notes = list(analysis["notes"])
    if len(findings) > FINDING_LIMIT:
        notes.append(f"{len(findings) - FINDING_LIMIT} findings of lowest severity are folded")
    severity = findings[0]["severity"] if findings else "none"
    ctx.progress(f"{analysis['file_path']}: {len(findings)} findings, worst: {severity}")
    return {
        **{key: analysis[key] for key in _KEPT},
        "severity": severity,
        "findings": findings[:FINDING_LIMIT],
        "findings_total": len(findings),
        "notes": notes,
    }


def _trimmed(row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "rule": row["rule"],
        "severity": row["severity"],
        "line": int(row["line"]),
        "side": row["side"],
        "message": row["message"][:TEXT_LIMIT],
        "evidence": row["evidence"][:TEXT_LIMIT],
    }
