"""Any repository and range becomes items; hostile repositories run nothing; nothing is dropped."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from retrieve import retrieve
from wholediff import parse


class Repo:
    """A small repository made for one test."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True)
        self.git("init", "-q", "-b", "main")

    def git(self, *args: str) -> str:
        env = {
            "PATH": os.environ["PATH"], "HOME": str(self.root), "GIT_CONFIG_NOSYSTEM": "1",
            "GIT_AUTHOR_NAME": "Ada", "GIT_AUTHOR_EMAIL": "ada@example.org",
            "GIT_COMMITTER_NAME": "Ada", "GIT_COMMITTER_EMAIL": "ada@example.org",
        }  # fmt: skip
        done = subprocess.run(
            ["git", "-C", str(self.root), *args], env=env, capture_output=True, check=True
        )
        return done.stdout.decode()

    def commit(self, subject: str, **files: str | bytes | None) -> str:
        for name, content in files.items():
            path = self.root / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            elif isinstance(content, bytes):
                path.write_bytes(content)
            else:
                path.write_text(content, newline="")
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD").strip()


@pytest.fixture
def repo(tmp_path: Path) -> Repo:
    return Repo(tmp_path / "repo")


def items_of(context: Any, root: Path, range_text: str = "") -> dict[str, Any]:
    items = retrieve({"repository": str(root), "range": range_text}, context)
    assert all(set(item) == {"file_path", "diff_content", "pr_context"} for item in items)
    assert all(isinstance(value, str) for item in items for value in item.values())
    return {item["file_path"]: parse(item["diff_content"], item["file_path"]) for item in items}


def test_adding_changing_deleting_renaming(repo: Repo, context: Any) -> None:
    body = "".join(f"line {n}\n" for n in range(30))
    repo.commit("one", a_dot_py="x = 1\r\ny = 2", b_dot_py="b = 1\n", c_dot_py=body)
    repo.commit("two", a_dot_py="x = 3\r\ny = 2", b_dot_py=None, c_dot_py=None,
                d__e_dot_py=body + "more\n", f_dot_py="")  # fmt: skip
    changes = items_of(context, repo.root, "HEAD~1..HEAD")
    assert {p: c.status for p, c in changes.items()} == {
        "a.py": "modified", "b.py": "deleted", "d/e.py": "renamed", "f.py": "added"
    }  # fmt: skip
    assert (changes["a.py"].old, changes["a.py"].new) == ("x = 1\r\ny = 2", "x = 3\r\ny = 2")
    assert changes["d/e.py"].old_path == "c.py"
    assert changes["f.py"].new == ""


def test_the_context_names_range_subjects_and_tests(repo: Repo, context: Any) -> None:
    repo.commit("one", a_dot_py="x = 1\n")
    repo.commit("Make x two", a_dot_py="x = 2\n", tests__test_a_dot_py="def test_x(): pass\n")
    items = retrieve({"repository": str(repo.root), "range": "HEAD~1"}, context)
    told = json.loads(items[0]["pr_context"])
    assert told["subjects"] == ["Make x two"]
    assert told["files_total"] == 2
    assert told["tests_touched"] == ["tests/test_a.py"]
    assert [json.loads(i["pr_context"])["position"] for i in items] == [1, 2]


def test_one_commit_is_compared_with_nothing(repo: Repo, context: Any) -> None:
    repo.commit("first", a_dot_py="x = 1\n")
    changes = items_of(context, repo.root)
    assert changes["a.py"].status == "added"


def test_the_default_range_grows_until_it_is_worth_reviewing(repo: Repo, context: Any) -> None:
    repo.commit("start", readme_dot_md="hello\n")
    for n in range(6):
        repo.commit(f"file {n}", **{f"m{n}_dot_py": f"x = {n}\n"})
    assert sorted(items_of(context, repo.root)) == ["m2.py", "m3.py", "m4.py", "m5.py"]


def test_a_shallow_clone_and_a_bare_clone_work(repo: Repo, context: Any, tmp_path: Path) -> None:
    for n in range(5):
        repo.commit(f"change {n}", a_dot_py=f"x = {n}\n")
    url = repo.root.as_uri()
    subprocess.run(
        ["git", "clone", "-q", "--depth", "2", url, str(tmp_path / "shallow")], check=True
    )
    subprocess.run(["git", "clone", "-q", "--bare", url, str(tmp_path / "bare")], check=True)
    assert items_of(context, tmp_path / "shallow")["a.py"].old == "x = 3\n"
    assert items_of(context, tmp_path / "bare", "HEAD~4")["a.py"].old == "x = 0\n"


def test_three_dots_compare_with_the_common_ancestor(repo: Repo, context: Any) -> None:
    repo.commit("base", a_dot_py="x = 1\n")
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side", b_dot_py="y = 1\n")
    repo.git("checkout", "-q", "main")
    repo.commit("main", c_dot_py="z = 1\n")
    assert sorted(items_of(context, repo.root, "main...side")) == ["b.py"]
    assert sorted(items_of(context, repo.root, "main..side")) == ["b.py", "c.py"]


def test_unreviewable_files_stay_with_their_reason(repo: Repo, context: Any) -> None:
    repo.commit("start", a_dot_py="x = 1\n")
    (repo.root / "link.py").symlink_to("/etc/passwd")
    repo.commit(
        "odd", pic_dot_bin=b"\x00\x01", latin_dot_py=b"# caf\xe9\n", big_dot_py="#" * 1_000_001,
        vendor__lib_dot_py="x = 1\n", api_pb2_dot_py="x = 1\n", gen_dot_py="# @generated\n",
    )  # fmt: skip
    reasons = {path: c.skipped for path, c in items_of(context, repo.root, "HEAD~1").items()}
    assert reasons == {
        "pic.bin": "binary (2 bytes)", "latin.py": "not UTF-8 (byte 5)",
        "big.py": "larger than 1000000 bytes (1000001)", "vendor/lib.py": "vendored (vendor/)",
        "api_pb2.py": "generated (by its name)", "gen.py": "generated (by its first lines)",
        "link.py": "symbolic link",
    }  # fmt: skip


def test_a_hostile_repository_runs_nothing(repo: Repo, context: Any, tmp_path: Path) -> None:
    trap, proof = tmp_path / "trap", tmp_path / "proof"
    trap.write_text(f"#!/bin/sh\ntouch {proof}\n")
    trap.chmod(0o755)
    repo.commit("one", a_dot_py="x = 1\n", _dot_gitattributes="*.py diff=evil filter=evil\n")
    repo.commit("two", a_dot_py="x = 2\n")
    for key in ("core.fsmonitor", "diff.external", "diff.evil.textconv", "diff.evil.command",
                "filter.evil.clean", "filter.evil.smudge", "gpg.program", "core.pager",
                "core.sshCommand", "core.editor", "credential.helper"):  # fmt: skip
        repo.git("config", key, str(trap))
    repo.git("config", "log.showSignature", "true")
    for hook in ("post-index-change", "reference-transaction", "post-checkout"):
        (repo.root / ".git" / "hooks" / hook).write_text(trap.read_text())
        (repo.root / ".git" / "hooks" / hook).chmod(0o755)
    assert items_of(context, repo.root, "HEAD~1")["a.py"].new == "x = 2\n"
    assert not proof.exists()


def test_it_works_without_any_environment(repo: Repo, context: Any) -> None:
    repo.commit("one", a_dot_py="x = 1\n")
    repo.commit("two", a_dot_py="x = 2\n")
    skills = next(path for path in sys.path if path.endswith("review_pull_request/skills"))
    script = (
        f"import sys; sys.path.insert(0, {skills!r})\n"
        "import types, retrieve\n"
        "ctx = types.SimpleNamespace(progress=print)\n"
        f"retrieve.retrieve({{'repository': {str(repo.root)!r}, 'range': ''}}, ctx)\n"
    )
    done = subprocess.run([sys.executable, "-I", "-c", script], env={}, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    assert b"1 changed files" in done.stdout


@pytest.mark.parametrize(
    ("range_text", "said"),
    [
        ("nowhere..HEAD", "no commit is called 'nowhere'"),
        ("--output=/tmp/x", "is not a revision name"),
        ("HEAD..HEAD", "nothing changed"),
        ("a b", "is not a revision name"),
    ],
)
def test_a_wrong_range_is_told(repo: Repo, context: Any, range_text: str, said: str) -> None:
    repo.commit("one", a_dot_py="x = 1\n")
    with pytest.raises(ValueError, match=re.escape(said)):
        retrieve({"repository": str(repo.root), "range": range_text}, context)


def test_two_folders_are_a_change_set(tmp_path: Path, context: Any) -> None:
    for side, files in {
        "old": {"p/a.py": "x = 1\n", "p/gone.py": "g = 1\n", "p/moved.py": "m = 1\n"},
        "new": {"p/a.py": "x = 2\n", "q/moved.py": "m = 1\n"},
    }.items():
        for name, text in files.items():
            path = tmp_path / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    changes = items_of(context, tmp_path)
    assert {p: (c.status, c.old_path) for p, c in changes.items()} == {
        "p/a.py": ("modified", "p/a.py"), "p/gone.py": ("deleted", "p/gone.py"),
        "q/moved.py": ("renamed", "p/moved.py"),
    }  # fmt: skip


def test_without_git_the_bundled_example_is_used_and_named(tmp_path: Path, context: Any) -> None:
    items = retrieve({"repository": str(tmp_path), "range": ""}, context)
    assert json.loads(items[0]["pr_context"])["source"] == "bundled example"
    with pytest.raises(ValueError, match=r"has no \.git"):
        retrieve({"repository": str(tmp_path), "range": "HEAD~1"}, context)
    with pytest.raises(ValueError, match="does not exist"):
        retrieve({"repository": str(tmp_path / "nowhere"), "range": ""}, context)


def test_a_malformed_change_set_file_is_refused(tmp_path: Path, context: Any) -> None:
    (tmp_path / "changeset.json").write_text('{"range": "x", "subjects": [], "files": [{}]}')
    with pytest.raises(ValueError, match="is not a change set"):
        retrieve({"repository": str(tmp_path), "range": ""}, context)
