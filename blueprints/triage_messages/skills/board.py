"""The triage board: decides order, counts and duplicates, one result after the other.

`add` is the reduction of the swarm, `write` the step "Write the board for the people at the desk".
A repeated message is listed once with the ids of its copies. It never changes a judgement.
"""

import hashlib
import re
from collections.abc import Mapping
from typing import Any

from reply import money

_URGENCIES = ("high", "normal", "low")
_SECTION_ORDER = (
    "suspicious", "complaint", "billing", "booking", "information", "unclear", "spam"
)  # fmt: skip
ALIKE_PERCENT = 80  # share of common words from which two messages of one sender are the same
TEXT_SHOWN = 160


def add(acc: dict[str, Any] | None, result: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return the board with one more message.

    Args:
        acc: the board so far, None at the start.
        result: one settled item; its `output` is a triaged message.
        ctx: the worker's context.
    """
    del ctx
    board = acc or {"total": 0, "by_category": {}, "by_urgency": {}, "by_queue": {}, "entries": []}
    message = result["output"]
    board["total"] += 1
    for table, key in (
        ("by_category", "category"),
        ("by_urgency", "urgency"),
        ("by_queue", "queue"),
    ):
        counts = board[table]
        counts[message[key]] = counts.get(message[key], 0) + 1
    twin = next((e for e in board["entries"] if _same(e, message)), None)
    if twin is not None:
        twin["copies"].append(message["message_id"])
        return board
    board["entries"].append({**message, "copies": [], "mark": _mark(message["text"])})
    board["entries"].sort(key=_order)
    return board


def _order(entry: Mapping[str, Any]) -> tuple[int, str, str]:
    return _URGENCIES.index(entry["urgency"]), entry["received"], entry["message_id"]


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _mark(text: str) -> str:
    return hashlib.sha256(" ".join(_words(text)).encode()).hexdigest()[:16]


def _same(entry: Mapping[str, Any], message: Mapping[str, Any]) -> bool:
    words, others = set(_words(message["text"])), set(_words(entry["text"]))
    if not words or entry["category"] != message["category"]:
        return False
    if entry["mark"] == _mark(message["text"]):
        return True
    if entry["sender"] != message["sender"]:
        return False
    return 100 * len(words & others) >= ALIKE_PERCENT * len(words | others)


def write(inputs: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return the board as Markdown and as plain data.

    Args:
        inputs: `board`, the reduced result of the swarm.
        ctx: the worker's context.
    """
    board = inputs["board"]
    lines = ["# Board", "", f"{board['total']} messages, {_unlike(board)} different."]
    lines += ["", "| category | messages |", "|---|---|"]
    counts = sorted(board["by_category"].items(), key=lambda row: (-row[1], row[0]))
    lines += [f"| {_plain(name)} | {count} |" for name, count in counts]
    for title, chosen in _sections(board["entries"]):
        lines += ["", f"## {title} ({len(chosen)})", ""]
        for entry in chosen:
            lines += _entry(entry)
    ctx.progress(f"{board['total']} messages, {board['by_urgency'].get('high', 0)} urgent")
    return {"markdown": "\n".join(lines) + "\n", "board": board}


def _unlike(board: Mapping[str, Any]) -> int:
    return len(board["entries"])


def _sections(entries: list[dict[str, Any]]) -> list[tuple[str, list[dict[str, Any]]]]:
    urgent = [e for e in entries if e["urgency"] == "high"]
    rest = [e for e in entries if e["urgency"] != "high"]
    sections = [("Urgent", urgent)]
    sections += [
        (category.capitalize(), [e for e in rest if e["category"] == category])
        for category in _SECTION_ORDER
    ]
    return [(title, chosen) for title, chosen in sections if chosen]


def _entry(entry: Mapping[str, Any]) -> list[str]:
    copies = f" (also {', '.join(map(_plain, entry['copies']))})" if entry["copies"] else ""
    head = f"- **{_plain(entry['message_id'])}**{copies} {_plain(entry['sender'])}: "
    shown = _plain(f"{entry['subject']} {entry['text']}".strip()) or "(empty)"
    lines = [head + shown[:TEXT_SHOWN] + ("…" if len(shown) > TEXT_SHOWN else "")]
    lines.append(f"  - for {entry['queue']}, {entry['category']}, {entry['urgency']}")
    fields = entry["fields"]
    told = [*fields["dates"], *map(money, fields["amounts"]), *fields["phones"]]
    told += [*fields["references"], *fields["emails"]]
    if told:
        lines.append(f"  - {', '.join(map(_plain, told))}")
    if entry["reply"]:
        lines.append(f"  - draft: {_plain(entry['reply'])}")
    return lines


def _plain(text: str) -> str:
    flat = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]|])", r"\\\1", flat).replace("<", "&lt;")
