"""One changed file: what is told, what is hidden, what is admitted as not looked at."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from analyze import analyze
from format import FINDING_LIMIT, format_comment
from guide import read_guide
from lintrun import bandit_findings, merge, ruff_findings
from metrics import measure
from secretscan import entropy_bits, find_secrets
from wholediff import render, render_skipped

SKILLS = Path(__file__).resolve().parents[3] / "blueprints" / "review_pull_request" / "skills"


def pr_context(**changes: Any) -> str:
    told = {"source": "git", "range": "a..b", "subjects": ["one"], "files_total": 1,
            "tests_total": 1, "tests_touched": ["tests/test_mod.py"], **changes}  # fmt: skip
    return json.dumps(told)


def review(
    context: Any, old: str | None, new: str | None, path: str = "pkg/mod.py", **changes: Any
) -> dict[str, Any]:
    inputs = {
        "file_path": path,
        "diff_content": render(path, path, old, new),
        "pr_context": pr_context(**changes),
    }
    return format_comment({"analysis": analyze(inputs, context)}, context)


def told(comment: dict[str, Any]) -> set[str]:
    return {row["rule"] for row in comment["findings"]}


DOC = '"""Module."""\n\n'


def test_a_harmless_change_has_no_finding(context: Any) -> None:
    comment = review(context, DOC + "X = (1, 2)\n", DOC + "X = (1, 2)\n\n# said twice\n")
    assert comment["findings"] == []
    assert comment["severity"] == "none"
    assert comment["notes"] == []


def test_only_changed_lines_are_linted(context: Any) -> None:
    old = DOC + "import os\n\n\ndef f(a=[]):\n    return a\n"
    comment = review(context, old, old + "\n\ndef g(b={}):\n    return b\n")
    lint = [(row["rule"], row["line"]) for row in comment["findings"] if "ruff" in row["rule"]]
    assert lint == [("ruff.B006", 10)]


def test_the_graver_of_two_linters_counts_once(context: Any) -> None:
    new = DOC + "import subprocess\n\nsubprocess.run('ls ' + input(), shell=True)\n"
    comment = review(context, DOC, new)
    rows = [row for row in comment["findings"] if row["line"] == 5 and "602" in row["rule"]]
    assert [(row["rule"], row["severity"]) for row in rows] == [("ruff.S602", "major")]
    assert merge([], rows) == rows


def test_tests_are_not_searched_for_holes(context: Any) -> None:
    new = "import subprocess\n\n\ndef test_x(a=[]):\n    subprocess.run('ls', shell=True)\n"
    assert told(review(context, "", new, "tests/test_x.py")) == {"ruff.B006"}


def test_a_missing_linter_is_admitted(context: Any, tmp_path: Path) -> None:
    bare = tmp_path / "python"
    bare.symlink_to(Path(sys.executable).resolve())
    script = (
        "import sys\nsys.path.insert(0, sys.argv[1])\nsys.modules['bandit'] = None\n"
        "import guide, lintrun, json\n"
        "g = guide.read_guide(json.loads(sys.argv[2]))\n"
        "print(lintrun.ruff_findings('m.py', 'x = 1', frozenset({1}), g))\n"
        "print(lintrun.bandit_findings('x = 1', frozenset({1}), g))\n"
    )
    args = [str(SKILLS), json.dumps(context.knowledge)]
    done = subprocess.run(
        [str(bare), "-I", "-c", script, *args], capture_output=True, env={}, check=True
    )
    assert b"bandit is not available here" in done.stdout
    assert b"ruff is not available here" in done.stdout


def test_a_ruff_that_refuses_its_rules_is_admitted(context: Any) -> None:
    guide = replace(read_guide(context.knowledge), lint_rules=("NOSUCH",))
    found, notes = ruff_findings("m.py", "import os\n", frozenset({1}), guide)
    assert found == []
    assert "ruff" in notes[0]


def test_bandit_reads_the_code_and_not_the_file_system(context: Any) -> None:
    guide = read_guide(context.knowledge)
    found, notes = bandit_findings("eval(input())\n", frozenset({1}), guide)
    assert [row["rule"] for row in found] == ["bandit.B307"]
    assert notes == []
    assert bandit_findings("eval(input())\n", frozenset(), guide)[0] == []


def test_knowledge_decides(context: Any) -> None:
    new = (
        DOC
        + "def f(a):\n    '''Doc.'''\n"
        + "".join(f"    if a == {n}:\n        return {n}\n" for n in range(8))
        + "    return None\n"
    )
    assert "complexity.high" not in told(review(context, DOC, new))
    style = context.knowledge["coding/python/style-guide"]
    strict = type(context)(
        context.knowledge | {"coding/python/style-guide": style.replace("limit = 10", "limit = 5")}
    )
    assert "complexity.high" in told(review(strict, DOC, new))


@pytest.mark.parametrize("cut", ["```toml", "limit = 10", "[kinds.engine]\nendings"])
def test_knowledge_without_its_numbers_is_refused(context: Any, cut: str) -> None:
    broken = {name: text.replace(cut, "") for name, text in context.knowledge.items()}
    with pytest.raises(ValueError, match=r"TOML block|missing"):
        read_guide(broken)
    with pytest.raises(ValueError, match="not part of the context"):
        read_guide({})


def test_calls_against_the_taxonomy_are_told(context: Any) -> None:
    new = "from .booking_engine import price\nfrom . import clock_utility\n"
    assert "vbd.upward_import" in told(review(context, "", new, "pkg/berth_accessor.py"))
    assert "vbd.sideways_import" in told(review(context, "", new, "pkg/price_engine.py"))
    assert told(review(context, "", new, "pkg/desk_coordinator.py")).isdisjoint(
        {"vbd.upward_import", "vbd.sideways_import"}
    )


SECRETS = [
    ("secret.aws_key", 'key = "AKIA' + "Q3EGRLXZ7NAB2TYU" + '"', "Q3EGRLXZ7NAB2TYU"),
    ("secret.github_token", "x = 'ghp_" + "a1B2" * 9 + "'", "a1B2" * 9),
    ("secret.private_key", "-----BEGIN RSA PRIVATE" + " KEY-----", "BEGIN RSA PRIVATE"),
    ("secret.url_password", "u = 'postgres://a:gull7Harbour" + "@db/x'", "gull7Harbour"),
    ("secret.assigned", 'api_key = "f83Jd0qLz' + 'P1mvX72bNe"', "f83Jd0qLzP1mvX72bNe"),
    ("secret.password", 'password: "gull7' + 'Harbour"', "gull7Harbour"),
]


@pytest.mark.parametrize(("rule", "line", "secret"), SECRETS)
@pytest.mark.parametrize("path", ["pkg/mod.py", "notes.txt"])
def test_secrets_block_and_are_never_shown(
    context: Any, rule: str, line: str, secret: str, path: str
) -> None:
    text = f"# {line}  TODO rotate\n" if path == "notes.txt" or "BEGIN" in line else f"{line}\n"
    comment = review(context, "", text, path)
    assert rule in told(comment)
    assert comment["severity"] == "blocker"
    assert secret not in json.dumps(comment)


def test_placeholders_and_old_lines_are_no_secrets(context: Any) -> None:
    added = [
        (1, 'password = "changeme123"'),
        (2, 'token = "${TOKEN_FROM_VAULT1}"'),
        (3, 'api_key = os.environ["API_KEY_NAME_2"]'),
        (4, 'secret = "the long quiet words"'),
    ]
    assert find_secrets(added, 3.5, 16) == ([], [])
    assert entropy_bits("") == 0.0
    assert entropy_bits("abcd") == 2.0
    line = SECRETS[0][1]
    assert "secret.aws_key" not in told(review(context, line + "\n", line + "\nx = 1\n"))


@pytest.mark.parametrize(
    ("path", "old", "new", "rule"),
    [
        ("a.json", "{}", '{"a": }', "data.invalid"),
        ("a.toml", "a = 1\n", "a = [\n", "data.invalid"),
        ("a.yaml", "a: 1\n", "a: [1\n", "data.invalid"),
        ("a.txt", "x\n", "<<<<<<< ours\nx\n=======\ny\n>>>>>>> theirs\n", "merge.marker"),
        ("a.txt", "", "FIXME later\n", "todo.added"),
        ("a.c", "/* Copyright Ada */\nint x;\n", "int x;\n", "licence.removed"),
        ("a.txt", "", "line\n" * 401, "size.change"),
        ("pkg/m.py", "x = 1\n", "def f(:\n", "source.syntax"),
    ],
)
def test_text_checks(context: Any, path: str, old: str, new: str, rule: str) -> None:
    assert rule in told(review(context, old, new, path))


def test_templates_that_never_parsed_are_not_called_broken(context: Any) -> None:
    comment = review(context, "a: {{ x }}: [\n", "a: {{ y }}: [\n", "chart.yaml")
    assert "data.invalid" not in told(comment)
    assert "template" in comment["notes"][0]


def test_code_without_tests_is_told(context: Any) -> None:
    old, new = DOC + "def f():\n    return 1\n", DOC + "def f():\n    return 2\n"
    assert "tests.missing" in told(review(context, old, new, tests_total=0, tests_touched=[]))
    assert "tests.unrelated" in told(review(context, old, new, tests_touched=["tests/test_z.py"]))
    assert told(review(context, old, new)) == set()
    documented = DOC + "def f():\n    '''Say one.'''\n    return 1\n"
    assert told(review(context, old, documented, tests_total=0, tests_touched=[])) == set()


@pytest.mark.parametrize(
    "hostile",
    [
        "x = " + "(" * 5000 + ")" * 5000,
        "x = " + "-" * 20000 + "1",
        "x = " + "a." * 20000 + "b",
        "x = " + " + ".join(["1"] * 20000),
        "x = [" * 90 + "]" * 90,
        "def f():\n" + "".join(" " * n + "if x:\n" for n in range(1, 98)) + " " * 98 + "pass",
        "x = '" + "a" * 900_000 + "'",
        "\ufeffx = 1\r\n",
        "class A(A): pass\nclass B(C): pass\nclass C(B): pass",
        "__all__ = 1\n__all__ += x\n__all__.extend(y)",
        "from . import *\nfrom .. import *\nfrom ..... import q as q",
        "f(\n",
        "\x0c\x0b",
    ],
    ids=range(13),
)
def test_hostile_sources_end_in_a_comment(context: Any, hostile: str) -> None:
    comment = review(context, "x = 1\n", hostile + "\n")
    assert json.loads(json.dumps(comment)) == comment
    other = review(context, hostile + "\n", "x = 1\n")
    assert other["status"] == "modified"


def test_hostile_data_files_end_in_a_comment(context: Any) -> None:
    bombs = {
        "a.json": "[" * 100_000,
        "a.yaml": "a: &a [x]\n" + "".join(f"b{n}: [*a, *a]\n" for n in range(50)),
        "b.yaml": "!!python/object/apply:os.system ['false']\n",
        "a.toml": "a" + ".a" * 5000 + " = 1\n",
    }
    for path, text in bombs.items():
        assert review(context, None, text, path)["status"] == "added"


def test_a_skipped_file_is_a_comment_with_its_reason(context: Any) -> None:
    inputs = {
        "file_path": "x.bin",
        "diff_content": render_skipped("x.bin", "x.bin", "binary (3 bytes)"),
        "pr_context": pr_context(),
    }
    comment = format_comment({"analysis": analyze(inputs, context)}, context)
    assert comment["status"] == "skipped"
    assert comment["notes"] == ["not reviewed: binary (3 bytes)"]


def test_malformed_inputs_are_input_errors(context: Any) -> None:
    good = {"file_path": "m.py", "diff_content": render("m.py", "m.py", "", "x = 1\n"),
            "pr_context": pr_context()}  # fmt: skip
    for broken in ({"diff_content": "hello"}, {"pr_context": "{"}, {"pr_context": "[]"}):
        with pytest.raises(ValueError, match=r"m\.py|pr_context"):
            analyze(good | broken, context)


def test_many_findings_are_folded_and_counted(context: Any) -> None:
    comment = review(context, "", "def f(a=[]): pass\n" * 300)
    assert len(comment["findings"]) == FINDING_LIMIT < comment["findings_total"]
    assert any("folded" in note for note in comment["notes"])


def test_complexity_counts_decisions() -> None:
    import ast

    source = (
        "def f(a):\n    if a and a or a:\n        pass\n    for x in [y for y in a if y]:\n"
        "        pass\n    match a:\n        case 1: pass\n        case _: pass\n"
        "    def g():\n        if a: pass\n"
    )
    measures = measure(ast.parse(source))
    assert (measures["f"].complexity, measures["f.g"].complexity) == (7, 2)


def test_a_typical_file_takes_little_and_leaves_nothing(context: Any, tmp_path: Path) -> None:
    before = set(tmp_path.iterdir())
    source = (SKILLS / "resolve.py").read_text("utf-8")
    review(context, source, source.replace("FOLLOW_LIMIT = 20", "FOLLOW_LIMIT = 21"))
    assert set(tmp_path.iterdir()) == before
