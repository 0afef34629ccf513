"""Reading a git repository that nobody trusts: decides which plumbing commands run, and how.

Only object plumbing is used, with the git directory named explicitly, no environment, no user or
system configuration, no transport, no hooks, no filters and no external programs. It never writes
to the repository, never reads its work tree and never renders a diff with git.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

TIMEOUT_S = 60  # one plumbing command; a trap such as a config include on a pipe ends here
SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin:/opt/homebrew/bin"
_SAFE = (
    "safe.directory=*", "core.hooksPath=/nonexistent", "core.fsmonitor=false",
    "core.attributesFile=/nonexistent", "protocol.allow=never", "log.showSignature=false",
    "diff.external=", "core.pager=", "core.sshCommand=false", "gc.auto=0",
    "maintenance.auto=false", "core.quotePath=false",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Entry:
    """One changed path: modes, object ids (empty where a side is absent), status letter, paths."""

    old_mode: str
    new_mode: str
    old_id: str
    new_id: str
    status: str
    old_path: str
    path: str


def git_directory(root: Path) -> Path | None:
    """Return the git directory of a work tree or bare repository at exactly this path."""
    if (root / ".git").exists():
        return root / ".git"
    if (root / "HEAD").is_file() and (root / "objects").is_dir() and (root / "refs").is_dir():
        return root
    return None


class Repository:
    """Read access to the objects of one repository.

    Raises:
        ValueError: git is not installed.
    """

    def __init__(self, git_dir: Path) -> None:
        program = shutil.which("git", path=os.environ.get("PATH", "") + ":" + SYSTEM_PATH)
        if program is None:
            raise ValueError("the program `git` was not found, so the repository cannot be read")
        self._command = [program, f"--git-dir={git_dir}", "--no-pager"]
        for setting in _SAFE:
            self._command += ["-c", setting]
        self._env = {
            "PATH": SYSTEM_PATH,
            "HOME": "/nonexistent",
            "LC_ALL": "C",
            "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_CONFIG_GLOBAL": "/dev/null",
            "GIT_ATTR_NOSYSTEM": "1",
            "GIT_TERMINAL_PROMPT": "0",
            "GIT_OPTIONAL_LOCKS": "0",
            "GIT_NO_REPLACE_OBJECTS": "1",
            "GIT_NO_LAZY_FETCH": "1",
            "GIT_ALLOW_PROTOCOL": "none",
        }

    def run(self, *args: str, data: bytes = b"") -> bytes:
        """Run one plumbing command and return its output.

        Raises:
            ValueError: git refused or failed; the message carries its last words.
            TimeoutError: git took longer than `TIMEOUT_S`.
        """
        try:
            done = subprocess.run(
                [*self._command, *args],
                input=data,
                capture_output=True,
                env=self._env,
                timeout=TIMEOUT_S,
                check=False,
            )
        except subprocess.TimeoutExpired as slow:
            raise TimeoutError(f"git {args[0]} took longer than {TIMEOUT_S} s") from slow
        if done.returncode != 0:
            said = done.stderr.decode("utf-8", "backslashreplace").strip()[-400:]
            raise ValueError(f"git {args[0]} failed: {said}")
        return done.stdout

    def resolve(self, name: str) -> str:
        """Return the commit id that a revision name stands for.

        Raises:
            ValueError: the name is empty, odd, ambiguous, unknown or not a commit.
        """
        if not name or name.startswith("-") or any(ch.isspace() or ch == "\0" for ch in name):
            raise ValueError(f"{name!r} is not a revision name")
        answer = self.run("cat-file", "--batch-check", data=f"{name}^{{commit}}\n".encode())
        fields = answer.decode("utf-8", "backslashreplace").split()
        if len(fields) != 3 or fields[1] != "commit":
            raise ValueError(f"no commit is called {name!r} in this repository")
        return fields[0]

    def first_parents(self, head: str, count: int) -> list[str]:
        """Return up to `count` commits from `head` backwards; a shallow clone ends earlier."""
        return self.run("rev-list", "--first-parent", f"-n{count}", head).decode().split()

    def subjects(self, base: str, head: str, count: int) -> list[str]:
        """Return the first lines of the newest commits in `base..head`."""
        limits = [f"-n{count}", head, *([f"^{base}"] if base else [])]
        commits = self.run("rev-list", "--topo-order", *limits).decode().split()
        found = []
        for body in self.read(commits).values():
            message = body.partition(b"\n\n")[2].decode("utf-8", "backslashreplace")
            found.append(message.strip().split("\n")[0][:120])
        return found

    def merge_parent(self, left: str, right: str) -> str:
        """Return the best common ancestor of two commits."""
        return self.run("merge-base", left, right).decode().split()[0]

    def empty_tree(self) -> str:
        """Return the id of the tree without entries, in this repository's hash."""
        return self.run("hash-object", "-t", "tree", "--stdin").decode().strip()

    def changes(self, base: str, head: str) -> list[Entry]:
        """Return what differs between two commits or trees, with renames found."""
        raw = self.run(
            "diff-tree", "-r", "-z", "--raw", "-M50%", "-l400", "--full-index",
            "--no-commit-id", "--no-ext-diff", "--no-textconv", base, head,
        )  # fmt: skip
        fields = iter(raw.split(b"\0"))
        found = []
        for meta in fields:
            if not meta:
                continue
            old_mode, new_mode, old_id, new_id, status = meta.decode().lstrip(":").split()
            first = next(fields)
            last = next(fields) if status[0] in "RC" else first
            found.append(
                Entry(
                    old_mode, new_mode, _present(old_id), _present(new_id), status[0],
                    readable(first), readable(last),
                )
            )  # fmt: skip
        return found

    def sizes(self, ids: list[str]) -> dict[str, int]:
        """Return size in bytes of each object that exists here."""
        answer = self.run("cat-file", "--batch-check", data="".join(f"{i}\n" for i in ids).encode())
        rows = [line.split() for line in answer.decode().splitlines()]
        return {row[0]: int(row[2]) for row in rows if len(row) == 3}

    def read(self, ids: list[str]) -> dict[str, bytes]:
        """Return the bytes of each object that exists here, in the order asked."""
        raw = self.run("cat-file", "--batch", data="".join(f"{i}\n" for i in ids).encode())
        found: dict[str, bytes] = {}
        at = 0
        while at < len(raw):
            end = raw.index(b"\n", at)
            fields = raw[at:end].decode().split()
            at = end + 1
            if len(fields) == 3:
                size_bytes = int(fields[2])
                found[fields[0]] = raw[at : at + size_bytes]
                at += size_bytes + 1
        return found


def _present(object_id: str) -> str:
    return "" if set(object_id) == {"0"} else object_id


def readable(path: bytes) -> str:
    """Return a path as text; bytes that are not UTF-8 show as backslash escapes."""
    return path.decode("utf-8", "backslashreplace")
