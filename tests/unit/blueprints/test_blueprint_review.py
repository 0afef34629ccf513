"""The whole review of the bundled change: what is found, what is used, what a reader gets."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from changeset import from_json
from codetree import CodeTree
from synthesize import synthesize
from usagesearch import Target, search
from verdict import decide, rank, top

BUNDLED = Path(__file__).resolve().parents[3] / "blueprints" / "review_pull_request" / "bundled"
Review = Callable[..., dict[str, Any]]


@pytest.fixture
def review(review_folder: Review, tmp_path: Path) -> dict[str, Any]:
    return review_folder(tmp_path)


def test_the_bundled_change_is_reviewed_to_the_point(review: dict[str, Any]) -> None:
    assert review["verdict"] == "request_changes"
    gone = {row["qualname"]: row for row in review["breaking"]}
    assert {name for name, row in gone.items() if row["uses_certain"]} == {
        "harbour.cancel_fee", "harbour.booking_engine.cancel_fee", "harbour.rates.nightly"
    }  # fmt: skip
    moved = gone["harbour.rates.season_of"]
    assert (moved["moved_to"], moved["exported_by"]) == ("harbour.tariffs", "harbour")
    assert gone["harbour.rates.nightly"]["moved_to"] == "harbour.tariffs"
    rules = {row["rule"] for row in review["findings"]}
    assert rules >= {
        "secret.url_password", "data.invalid", "api.removed", "api.relocated", "api.moved",
        "api.flavour_changed", "api.async_changed", "api.parameter_required", "complexity.high",
        "vbd.upward_import", "licence.removed", "tests.missing", "todo.added", "ruff.B006",
        "ruff.S602", "ruff.S608",
    } - {"api.moved"}  # fmt: skip


def test_uses_lead_to_the_line(review: dict[str, Any]) -> None:
    uses = {row["qualname"]: row for row in review["usages"]}
    found = uses["harbour.cancel_fee"]
    assert [(u["file"], u["line"], u["certainty"]) for u in found["uses"]] == [
        ("src/harbour/desk.py", 3, "certain"), ("src/harbour/desk.py", 10, "certain"),
        ("docs/guide.md", 1, "mention"),
    ]  # fmt: skip
    assert uses["harbour.booking_engine.quote_price"]["why"] == "changed"


def test_the_secret_is_nowhere_in_the_review(review: dict[str, Any]) -> None:
    change = from_json(BUNDLED / "changeset.json", "file")
    secret = re.search(r"desk:([^@]+)@", "".join(f.new or "" for f in change.files))
    assert secret is not None
    assert secret[1] not in json.dumps(review)


def test_the_review_is_readable(review: dict[str, Any]) -> None:
    text = review["markdown"]
    lines = text.split("\n")
    assert lines[0] == "# Review: request changes"
    assert len(lines) < 400
    head = "\n".join(lines[: lines.index("## Files")])
    assert len(re.findall(r"^\d\. \*\*", head, re.M)) == 3
    assert "berth_accessor.py:8" in head
    assert "settings.toml:3" in head
    assert "src/harbour/desk.py:3" in text
    assert "bundled example" in text


def test_sarif_has_what_the_standard_requires(review: dict[str, Any]) -> None:
    log = json.loads(json.dumps(review["sarif"]))
    assert log["version"] == "2.1.0"
    assert log["$schema"].endswith("sarif-schema-2.1.0.json")
    run = log["runs"][0]
    rules = run["tool"]["driver"]["rules"]
    assert run["tool"]["driver"]["name"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    assert len(run["results"]) == len(review["findings"])
    for result in run["results"]:
        assert result["message"]["text"]
        assert result["level"] in ("none", "note", "warning", "error")
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        place = result["locations"][0]["physicalLocation"]
        assert place["region"]["startLine"] >= 1
        assert not place["artifactLocation"]["uri"].startswith("/")
        assert " " not in place["artifactLocation"]["uri"]
    assert run["invocations"][0]["executionSuccessful"] is True
    prints = [result["partialFingerprints"]["swarmRayFinding/v1"] for result in run["results"]]
    assert len(set(prints)) == len(prints)


def test_the_same_change_gives_the_same_review(review_folder: Review, tmp_path: Path) -> None:
    one, two = (json.dumps(review_folder(tmp_path), sort_keys=True) for _ in range(2))
    assert one == two


def folders(tmp_path: Path, old: dict[str, str], new: dict[str, str]) -> Path:
    for side, files in (("old", old), ("new", new)):
        (tmp_path / side).mkdir()
        for name, text in files.items():
            path = tmp_path / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return tmp_path


def test_a_method_moved_to_a_base_in_another_file_is_not_lost(
    review_folder: Review, tmp_path: Path
) -> None:
    old = {
        "p/__init__.py": "",
        "p/b.py": "class B: pass\n",
        "p/a.py": "from .b import B\nclass A(B):\n    def m(self): pass\n    def n(self): pass\n",
    }
    new = {"p/__init__.py": "", "p/b.py": "class B:\n    def m(self): pass\n",
           "p/a.py": "from .b import B\nclass A(B):\n    pass\n"}  # fmt: skip
    review = review_folder(folders(tmp_path, old, new))
    assert [row["qualname"] for row in review["breaking"]] == ["p.a.A.n"]


def test_a_member_lost_in_a_base_is_told_once_with_its_heirs(
    review_folder: Review, tmp_path: Path
) -> None:
    old = {
        "p/b.py": "class B:\n    def m(self): pass\n",
        "p/a.py": "from .b import B\nclass A(B): 0\n",
    }
    new = {"p/b.py": "class B: pass\n", "p/a.py": "from .b import B\nclass A(B): 1\n"}
    review = review_folder(folders(tmp_path, old, new))
    assert [(r["qualname"], r["affected"]) for r in review["breaking"]] == [("p.b.B.m", ["p.a.A"])]


def test_a_module_that_became_a_package_is_not_lost(review_folder: Review, tmp_path: Path) -> None:
    old = {"p/a.py": "def f(): pass\ndef g(): pass\n"}
    new = {"p/a/__init__.py": "from .inner import f\n", "p/a/inner.py": "def f(): pass\n"}
    review = review_folder(folders(tmp_path, old, new))
    assert [row["qualname"] for row in review["breaking"]] == ["p.a.g"]
    assert "api.module_removed" not in {row["rule"] for row in review["findings"]}


def test_a_star_import_of_an_unchanged_module_is_followed(
    review_folder: Review, tmp_path: Path
) -> None:
    same = {"p/c.py": "def f(): pass\n"}
    old = {**same, "p/a.py": "def f(): pass\ndef g(): pass\n"}
    new = {**same, "p/a.py": "from .c import *\n"}
    review = review_folder(folders(tmp_path, old, new))
    assert [(r["qualname"], r["certain"]) for r in review["breaking"]] == [("p.a.g", True)]


def test_imports_by_the_old_path_of_a_moved_name_block(
    review_folder: Review, tmp_path: Path
) -> None:
    user = "from p import f\nfrom p.a import f as g\n"
    old = {"p/__init__.py": "from .a import f\n", "p/a.py": "def f(): pass\n", "u.py": user}
    new = {"p/__init__.py": "from .b import f\n", "p/b.py": "def f(): return 1\n", "u.py": user}
    review = review_folder(folders(tmp_path, old, new))
    uses = review["usages"][0]["uses"]
    assert [(u["file"], u["line"]) for u in uses] == [("u.py", 2)]
    assert review["verdict"] == "request_changes"


def test_certainty_of_uses() -> None:
    tree = CodeTree(None, {
        "a.py": "import p.m as q\nq.f()\nx = q.C()\nx.go()\ny.go()\n",
        "b.py": "from p import m\nfrom p.m import C\nm.f\nclass D(C):\n    def go(self): 0\n",
        "c.py": "def f(): pass\nf()\n", "d.txt": "call f or go_away", "p/m.py": "f = 1\n",
    })  # fmt: skip
    targets = [Target("p.m", "f", "removed"), Target("p.m", "C.go", "removed")]
    found = search(tree, targets, {"p.m": "p/m.py"})
    assert [(u["file"], u["line"], u["certainty"]) for u in found["p.m.f"].to_dict()["uses"]] == [
        ("a.py", 2, "certain"), ("b.py", 3, "certain"), ("d.txt", 1, "mention")
    ]  # fmt: skip
    assert [(u["file"], u["line"], u["certainty"]) for u in found["p.m.C.go"].to_dict()["uses"]] == [
        ("a.py", 4, "certain"), ("b.py", 5, "certain"), ("a.py", 5, "possible")
    ]  # fmt: skip


def row(rule: str, severity: str, file: str = "a.py", **more: Any) -> dict[str, Any]:
    return {"rule": rule, "severity": severity, "file": file, "line": 1, "message": rule,
            "evidence": "", "side": "new", "uses": 0, **more}  # fmt: skip


def test_the_verdict_follows_its_rules() -> None:
    assert decide([], 0) == "approve"
    assert decide([row("todo.added", "note")], 0) == "approve"
    assert decide([row("api.removed", "major")], 0) == decide([], 1) == "comment"
    assert decide([row("api.removed", "major"), row("merge.marker", "blocker")], 0) == (
        "request_changes"
    )


def test_graver_and_more_used_comes_first_and_the_top_is_varied() -> None:
    rows = [row("api.removed", "major", f"{n}.py", uses=n) for n in range(4)]
    ranked = rank([row("todo.added", "note"), *rows, row("complexity.high", "major")])
    assert [r["rank"] for r in ranked] == list(range(1, 7))
    assert [r["file"] for r in ranked[:2]] == ["3.py", "2.py"]
    assert [r["rule"] for r in top(ranked, 3)] == ["api.removed", "complexity.high", "api.removed"]


def test_a_file_without_analysis_is_missed_loudly(context: Any, review: dict[str, Any]) -> None:
    comment = {
        "file_path": "a.txt",
        "old_path": "a.txt",
        "status": "modified",
        "findings": [],
        "removed_names": [],
        "changed_names": [],
        "surface": None,
        "severity": "none",
        "metrics": {"added_lines": 1, "removed_lines": 0},
        "notes": [],
        "change": {"source": "git", "range": "a..b", "subjects": [], "files_total": 3},
    }
    partial = synthesize({"file_analyses": [comment]}, context)
    assert partial["verdict"] == "comment"
    assert partial["stats"]["files_missing"] == 2
    assert "2 changed files have no analysis" in partial["markdown"]
    with pytest.raises(ValueError, match="no file was analysed"):
        synthesize({"file_analyses": []}, context)
    with pytest.raises(ValueError, match="not a review comment"):
        synthesize({"file_analyses": [None]}, context)


def test_a_big_change_stays_short(review_folder: Review, tmp_path: Path) -> None:
    old = {f"p/m{n}.py": f"def f{n}(a): 0\ndef g{n}(): 0\n" for n in range(120)}
    new = {f"p/m{n}.py": f"def f{n}(a, b, c=[]): eval(a)\n" for n in range(120)}
    review = review_folder(folders(tmp_path, old, new))
    assert review["markdown"].count("\n") < 400
    assert "more files" in review["markdown"]
    assert review["stats"]["names_removed"] == 120


def test_texts_from_the_code_cannot_break_the_report(review_folder: Review, tmp_path: Path) -> None:
    name = "a|b<i>`x`@ada.txt"
    root = folders(tmp_path, {name: "x\n"}, {name: "TODO <script>|`@everyone\n"})
    text = review_folder(root)["markdown"]
    assert "| `a\\|b<i>'x'@ada.txt` |" in text
    assert all(line.count(" | ") in (0, 5) for line in text.split("\n") if line.startswith("|"))
