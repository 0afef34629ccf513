"""Whole-file unified diffs: decides how both versions of a file travel in one text.

A diff written here holds every line of both versions and the digests of both, so that a reader
can rebuild each version exactly and prove it. It never touches the file system and never judges
what changed.
"""

import hashlib
import re
from dataclasses import dataclass
from typing import Any

from linediff import matching_blocks

NO_NEWLINE = "\\ No newline at end of file"
_HUNK = re.compile(r"^@@ -(\d+)(?:,(\d+))? \+(\d+)(?:,(\d+))? @@")
_DIGESTS = re.compile(r"^whole-file old=(\S+) new=(\S+)$")


@dataclass(frozen=True, slots=True)
class Change:
    """One changed file as read back from a diff.

    `old` and `new` are the full texts, None where that version does not exist or cannot be
    rebuilt; `complete` says that both digests matched; `skipped` is the reason why a file came
    without content; `added` holds (line number in the new version, text).
    """

    path: str
    old_path: str
    status: str
    old: str | None
    new: str | None
    complete: bool
    skipped: str
    added: tuple[tuple[int, str], ...]
    removed_count: int

    @property
    def added_lines(self) -> frozenset[int]:
        """Line numbers in the new version that the change added."""
        return frozenset(number for number, _ in self.added)


def digest(text: str | None) -> str:
    """Return a short content digest, or `none` for a version that does not exist."""
    if text is None:
        return "none"
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:24]


def quote_path(path: str) -> str:
    """Quote a path that would break a header line; other paths stay as they are."""
    if any(ch in path for ch in '\n\r\t"\\'):
        escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
        return '"' + escaped.replace("\r", "\\r").replace("\t", "\\t") + '"'
    return path


def split_lines(text: str) -> list[str]:
    """Split on line feeds only and keep them, so that carriage returns survive."""
    return [line for line in re.split(r"(?<=\n)", text) if line]


def render(path: str, old_path: str, old: str | None, new: str | None) -> str:
    """Return the whole-file unified diff of one file; None means that version is absent."""
    head = _header(path, old_path, "added" if old is None else "deleted" if new is None else "")
    head.append(f"whole-file old={digest(old)} new={digest(new)}\n")
    before, after = split_lines(old or ""), split_lines(new or "")
    if not before and not after:
        return "".join(head)
    head.append(f"--- {'/dev/null' if old is None else quote_path('a/' + old_path)}\n")
    head.append(f"+++ {'/dev/null' if new is None else quote_path('b/' + path)}\n")
    old_start, new_start = int(bool(before)), int(bool(after))
    head.append(f"@@ -{old_start},{len(before)} +{new_start},{len(after)} @@\n")
    return "".join(head) + "".join(_body(before, after))


def render_skipped(path: str, old_path: str, reason: str) -> str:
    """Return a diff that carries no content but says why."""
    return "".join([*_header(path, old_path, ""), f"skipped: {reason}\n"])


def _header(path: str, old_path: str, status: str) -> list[str]:
    head = [f"diff --git {quote_path('a/' + old_path)} {quote_path('b/' + path)}\n"]
    if status == "added":
        head.append("new file mode 100644\n")
    elif status == "deleted":
        head.append("deleted file mode 100644\n")
    elif path != old_path:
        head.append(f"rename from {quote_path(old_path)}\nrename to {quote_path(path)}\n")
    return head


def _body(before: list[str], after: list[str]) -> list[str]:
    out: list[str] = []
    i = j = 0
    for a_index, b_index, length in [*matching_blocks(before, after), (len(before), len(after), 0)]:
        out += [_mark("-", line) for line in before[i:a_index]]
        out += [_mark("+", line) for line in after[j:b_index]]
        out += [_mark(" ", line) for line in before[a_index : a_index + length]]
        i, j = a_index + length, b_index + length
    return out


def _mark(sign: str, line: str) -> str:
    return sign + line if line.endswith("\n") else f"{sign}{line}\n{NO_NEWLINE}\n"


def parse(diff: str, path: str) -> Change:
    """Read one file's diff back.

    Args:
        diff: the text of one file's unified diff, ours or any tool's.
        path: the file's path in the new version.

    Raises:
        ValueError: the text is not a unified diff of one file.
    """
    lines = diff.split("\n")
    if lines and lines[-1] == "":
        lines.pop()
    if not lines or not lines[0].startswith(("diff --git ", "--- ")):
        raise ValueError(f"{path}: diff_content is not a unified diff")
    first = next((n for n, line in enumerate(lines) if _HUNK.match(line)), len(lines))
    head = _read_header(lines[:first], path)
    sides = _read_hunks(lines[first:], path)
    old = None if head["status"] == "added" else "".join(sides.old)
    new = None if head["status"] == "deleted" else "".join(sides.new)
    complete = head["digests"] == (digest(old), digest(new)) and sides.hunks <= 1
    if head["skipped"]:
        complete, old, new = False, None, None
    return Change(
        path=path,
        old_path=head["old_path"],
        status=head["status"],
        old=old if complete else None,
        new=new if complete else None,
        complete=complete,
        skipped=head["skipped"],
        added=tuple(sides.added),
        removed_count=sides.removed_count,
    )


def _read_header(lines: list[str], path: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "old_path": path, "status": "modified", "digests": None, "skipped": ""
    }  # fmt: skip
    for line in lines:
        if line.startswith("rename from "):
            found["status"], found["old_path"] = "renamed", _unquote(line[12:])
        elif line.startswith("new file mode"):
            found["status"] = "added"
        elif line.startswith("deleted file mode"):
            found["status"] = "deleted"
        elif line.startswith("skipped: "):
            found["skipped"] = line[9:]
        elif match := _DIGESTS.match(line):
            found["digests"] = (match[1], match[2])
    return found


def _unquote(text: str) -> str:
    if not (len(text) > 1 and text[0] == text[-1] == '"'):
        return text
    codes = {"n": "\n", "r": "\r", "t": "\t"}
    return re.sub(r"\\(.)", lambda m: codes.get(m[1], m[1]), text[1:-1])


class _Sides:
    """The two versions as the hunks of a diff spell them out."""

    def __init__(self) -> None:
        self.old: list[str] = []
        self.new: list[str] = []
        self.added: list[tuple[int, str]] = []
        self.removed_count = 0
        self.hunks = 0
        self.next_line = 1
        self.last = ""

    def take(self, line: str) -> None:
        sign, text = line[:1], line[1:]
        if sign in (" ", "-"):
            self.old.append(text + "\n")
            self.removed_count += sign == "-"
        if sign == "+":
            self.added.append((self.next_line, text))
        if sign in (" ", "+"):
            self.new.append(text + "\n")
            self.next_line += 1
        self.last = sign

    def drop_newline(self) -> None:
        for sign, side in (("-", self.old), ("+", self.new)):
            if self.last in (" ", sign) and side:
                side[-1] = side[-1].removesuffix("\n")


def _read_hunks(lines: list[str], path: str) -> _Sides:
    sides = _Sides()
    for line in lines:
        if match := _HUNK.match(line):
            sides.hunks += 1
            sides.next_line = max(int(match[3]), 1)
        elif line == NO_NEWLINE:
            sides.drop_newline()
        elif line[:1] in (" ", "+", "-"):
            sides.take(line)
        else:
            raise ValueError(f"{path}: a line of diff_content is neither context nor change")
    return sides
