"""The review as a person reads it: decides what stands where and what is folded, in Markdown.

Texts that come from the code under review are made harmless for tables and HTML. Everything folded
is counted. It never decides a verdict.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from format import SEVERITIES
from verdict import gathered, why

FILE_ROWS = 60
BREAKING_ROWS = 60
DETAIL_ROWS = 150
NAMES_SHOWN = 8
USES_SHOWN = 3
SPREAD = 3  # the same finding in more files than this is told once
NOTE_ROWS = 25

_TITLES = {"approve": "approve", "comment": "comment", "request_changes": "request changes"}


def plain(text: str) -> str:
    """Return text on one line that opens no table cell, HTML tag or mention."""
    flat = " ".join(text.split())
    return flat.replace("<", "&lt;").replace("|", "\\|").replace("@", "@\u200b")


def code(text: str) -> str:
    """Return text as a code span on one line."""
    return "`" + " ".join(text.split()).replace("`", "'").replace("|", "\\|") + "`"


def render_markdown(review: Mapping[str, Any]) -> str:
    """Return the review as Markdown of fewer than 400 lines."""
    change = review["change"]
    lines = [
        f"# Review: {_TITLES[review['verdict']]}",
        "",
        plain(review["summary"]),
        "",
        f"Change: {code(change['range'])} ({plain(change['source'])})",
    ]
    lines += [f"- {plain(subject)}" for subject in change["subjects"][:5]]
    if len(change["subjects"]) > 5:
        lines.append(f"- … and {len(change['subjects']) - 5} more commits")
    lines += _top(review) + _files(review) + _breaking(review) + _details(review) + _notes(review)
    return "\n".join(lines) + "\n"


def _place(row: Mapping[str, Any]) -> str:
    side = " (old version)" if row["side"] == "old" else ""
    return f"{code(str(row['file']) + ':' + str(row['line']))}{side}"


def _top(review: Mapping[str, Any]) -> list[str]:
    lines = ["", "## Most important", ""]
    if not review["top"]:
        return [*lines, "Nothing to report."]
    for at, row in enumerate(review["top"], 1):
        text = f"{plain(row['message'])}.{_more(row)}"
        lines.append(f"{at}. **{row['severity']}** {_place(row)}: {text}")
        lines.append(f"   Why it matters: {why(row['rule'])}.")
    return lines


def _more(row: Mapping[str, Any]) -> str:
    others = [text for text in row["others"] if text][:NAMES_SHOWN]
    if not others:
        return ""
    folded = row["count"] - 1 - len(others)
    more = f" and {folded} more" if folded else ""
    return f" The same in this file: {', '.join(code(t) for t in others)}{more}."


def _files(review: Mapping[str, Any]) -> list[str]:
    rows = sorted(
        review["per_file"],
        key=lambda r: (_level(r["severity"]), -sum(r["counts"].values()), r["file_path"]),
    )
    lines = ["", "## Files", ""]
    lines += ["| file | change | lines | worst | findings | complexity |", "|---" * 6 + "|"]
    for row in rows[:FILE_ROWS]:
        metrics = row["metrics"]
        told = [f"{n} {s}" for s, n in row["counts"].items() if n]
        cells = [
            code(row["file_path"]),
            _status(row),
            f"+{metrics['added_lines']} -{metrics['removed_lines']}",
            row["severity"],
            ", ".join(told) or "none",
            _complexity(metrics),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    if len(rows) > FILE_ROWS:
        lines += ["", f"… and {len(rows) - FILE_ROWS} more files, none worse than the last one."]
    return lines


def _status(row: Mapping[str, Any]) -> str:
    origin = f" from {code(row['old_path'])}" if row["status"] == "renamed" else ""
    return f"{row['status']}{origin}"


def _level(severity: str) -> int:
    return SEVERITIES.index(severity) if severity in SEVERITIES else len(SEVERITIES)


def _complexity(metrics: Mapping[str, Any]) -> str:
    if "complexity_after" not in metrics:
        return ""
    before, after = metrics["complexity_before"], metrics["complexity_after"]
    return f"{before} → {after}" if before != after else str(after)


def _breaking(review: Mapping[str, Any]) -> list[str]:
    rows = sorted(
        (row for row in review["breaking"] if row["certain"]),
        key=lambda r: (-r["uses_certain"], -r["uses_possible"], r["qualname"]),
    )
    changed = [row for row in review["changed"] if row["severity"] == "major"]
    if not rows and not changed:
        return []
    uses = {row["qualname"]: row["uses"] for row in review["usages"]}
    lines = ["", "## Breaking changes", ""]
    lines += [
        f"- {code(row['qualname'])} {_fate(row)}; {_uses(row, uses)}"
        for row in rows[:BREAKING_ROWS]
    ]
    lines += _folded(len(rows) - BREAKING_ROWS, "names")
    for row in changed[: BREAKING_ROWS // 2]:
        found = uses.get(row["qualname"], [])
        calls = f"; used in {_list(found)}" if found else ""
        lines.append(f"- {code(row['qualname'])}: {plain(row['change'])}{calls}")
    return lines + _folded(len(changed) - BREAKING_ROWS // 2, "changed signatures")


def _fate(row: Mapping[str, Any]) -> str:
    if row["exported_by"]:
        return f"moved to {code(row['moved_to'])}, still exported by {code(row['exported_by'])}"
    if row["moved_to"]:
        return f"removed here, now defined in {code(row['moved_to'])}"
    return f"({row['kind']}) removed"


def _uses(row: Mapping[str, Any], uses: Mapping[str, list[dict[str, Any]]]) -> str:
    counts = [(row[f"uses_{kind}"], kind) for kind in ("certain", "possible", "mention")]
    told = ", ".join(f"{count} {kind}" for count, kind in counts if count)
    if not told:
        return "no use found"
    return f"uses: {told}: {_list(uses.get(row['qualname'], []))}"


def _list(found: list[dict[str, Any]]) -> str:
    places = ", ".join(code(f"{use['file']}:{use['line']}") for use in found[:USES_SHOWN])
    return places + (" …" if len(found) > USES_SHOWN else "")


def _details(review: Mapping[str, Any]) -> list[str]:
    rows = gathered(review["findings"])
    spread = Counter((row["rule"], row["message"]) for row in rows)
    shared = {key: count for key, count in spread.items() if count > SPREAD}
    lines = ["", "## Details", ""] if rows else []
    for (rule, message), count in shared.items():
        files = [row["file"] for row in rows if (row["rule"], row["message"]) == (rule, message)]
        named = ", ".join(code(file) for file in files[:NAMES_SHOWN])
        more = f" and {count - NAMES_SHOWN} more" if count > NAMES_SHOWN else ""
        severity = next(r["severity"] for r in rows if (r["rule"], r["message"]) == (rule, message))
        lines.append(f"- **{severity}** {count} files: {plain(message)} [{rule}]: {named}{more}")
    own = [row for row in rows if (row["rule"], row["message"]) not in shared]
    return lines + ([""] if shared else []) + _by_file(own)


def _by_file(rows: list[dict[str, Any]]) -> list[str]:
    lines: list[str] = []
    told = 0
    for path in dict.fromkeys(row["file"] for row in rows):
        own = [row for row in rows if row["file"] == path]
        if len(lines) + len(own) + 3 > DETAIL_ROWS:
            continue
        lines += [f"### {code(path)}", "", *(_detail(row) for row in own), ""]
        told += len(own)
    return lines + _folded(len(rows) - told, "groups of findings (all are in the SARIF output)")


def _detail(row: Mapping[str, Any]) -> str:
    times = f" ({row['count']} times)" if row["count"] > 1 else ""
    proof = f" {code(row['evidence'])}" if row["evidence"] else ""
    where = f"line {row['line']}" + (" of the old version" if row["side"] == "old" else "")
    text = f"{plain(row['message'])} [{row['rule']}]{times}{proof}"
    return f"- **{row['severity']}** {where}: {text}"


def _folded(count: int, what: str) -> list[str]:
    return [f"- … and {count} more {what}"] if count > 0 else []


def _notes(review: Mapping[str, Any]) -> list[str]:
    notes = list(review["notes"])
    for row in review["per_file"]:
        notes += [f"{row['file_path']}: {note}" for note in row["notes"]]
    lines = ["", "## What this review could not see", ""] if notes else []
    lines += [f"- {plain(note)}" for note in notes[:NOTE_ROWS]]
    lines += _folded(len(notes) - NOTE_ROWS, "notes")
    lines += ["", "## How the verdict is reached", ""]
    return lines + [f"- {rule}" for rule in review["rules"]]
