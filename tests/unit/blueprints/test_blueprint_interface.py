"""What importers of a module notice when its two versions are compared."""

import ast
from pathlib import Path
from typing import Any

import pytest
from apidiff import compare
from callables import differences, function_of


def diff(old: str | None, new: str | None, path: str = "pkg/mod.py") -> dict[str, Any]:
    trees = [None if text is None else ast.parse(text) for text in (old, new)]
    return compare(path, path, trees[0], trees[1])


def removed(old: str, new: str, path: str = "pkg/mod.py") -> list[str]:
    return [row["name"] for row in diff(old, new, path)["removed_names"] if row["certain"]]


def rules(old: str, new: str, path: str = "pkg/mod.py") -> set[str]:
    return {row["rule"] for row in diff(old, new, path)["findings"]}


@pytest.mark.parametrize(
    ("old", "new", "gone"),
    [
        ("def f(): pass", "", ["f"]),
        ("def _f(): pass", "", []),
        ("X = 1", "", ["X"]),
        ("__all__ = ['f']\ndef f(): pass\ndef g(): pass", "__all__ = ['f']\ndef f(): pass", []),
        ("__all__ = ['f']\n__all__ += ['g']\ndef f(): pass\ndef g(): pass", "def f(): pass", ["g"]),
        ("def f(): pass", "from .other import f", []),
        ("def f(): pass", "from .other import g as f", []),
        ("import os", "", []),
        ("from .a import x as x", "", ["x"]),
        ("from .a import x", "", []),
        ("if True:\n  def f(): pass\nelse:\n  def f(): pass", "", ["f"]),
        ("from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n  X = 1", "", []),
        ("def f(): pass", "def __getattr__(name):\n  if name == 'f': return 1", []),
        ("def __getattr__(name):\n  if name == 'f': return 1", "", ["f"]),
        ("class C:\n  def m(self): pass\n  x = 1\n  def _p(self): pass", "class C: pass",
         ["C.m", "C.x"]),
        ("class C:\n  def m(self): pass", "", ["C"]),
        ("class C:\n  def __init__(self): self.x = 1", "class C: pass", ["C.__init__", "C.x"]),
        ("class C:\n  def m(self): pass",
         "class B:\n  def m(self): pass\nclass C(B): pass", []),
        ("class B:\n  def m(self): pass\nclass C(B): pass", "class C: pass", ["B", "B.m"]),
        ("class C(dict):\n  def get(self, k): pass", "class C(dict): pass", []),
        ("class C:\n  class D:\n    x = 1", "class C:\n  class D: pass", ["C.D.x"]),
        ("class C:\n  @property\n  def p(self): pass\n  @p.setter\n  def p(self, v): pass",
         "class C:\n  @property\n  def p(self): pass", []),
        ("class M(type):\n  x = 1\nclass C(metaclass=M): pass",
         "class M(type): pass\nclass C(metaclass=M): pass", ["M.x"]),
        ("class C: pass\nif not 1:\n  C = object", "class C: pass", []),
        ("def f(): pass\ndel f", "", []),
        ("a = b = 1\nc, (d) = 1, 2\nfor i in []: pass", "a = 1", ["b", "c", "d", "i"]),
    ],
)  # fmt: skip
def test_removed_names(old: str, new: str, gone: list[str]) -> None:
    assert removed(old, new) == gone


LAZY = "__all__ = {names}\ndef __getattr__(name):\n  return load(name)"
TABLE = "H = {names}\n__all__ = ['A', 'B']\ndef __getattr__(name):\n  return load(H[name])"
GROUPS = "{names}\ndef __getattr__(name):\n  return next(m for m in H if name in H[m])"


@pytest.mark.parametrize(
    ("form", "old", "new", "gone"),
    [
        (LAZY, ["A", "B"], ["A", "B"], []),
        (LAZY, ["A", "B"], ["A"], ["B"]),
        (TABLE, {"A": "m", "B": "m"}, {"B": "m", "A": "m"}, []),
        (TABLE, {"A": "m", "B": ("m", "B")}, {"A": "m"}, ["B"]),
        (GROUPS, "H = {'m': ['A', 'B']}", "H: dict = {'n': ['A', 'B']}", []),
        (GROUPS, "H = frozenset({'A', 'B'})", "H = frozenset({'A'})", ["B"]),
    ],
)
def test_lazy_exports_are_lost_only_when_their_module_stops_serving_them(
    form: str, old: object, new: object, gone: list[str]
) -> None:
    before, after = form.format(names=old), form.format(names=new)
    assert removed(before, f"# a comment\n{after}") == gone
    assert removed(before, before) == []


def test_a_package_that_becomes_lazy_loses_and_deprecates_nothing() -> None:
    eager = "from .m import A, B\n__all__ = ['A', 'B']"
    for lazy in (LAZY.format(names=["A", "B"]), TABLE.format(names={"A": "m", "B": "m"})):
        assert rules(eager, lazy, "pkg/__init__.py") == set()
        assert removed(lazy, eager, "pkg/__init__.py") == []


def test_a_lazy_name_outside_all_is_no_longer_offered() -> None:
    served = "H = {'A': 1, 'B': 1}\ndef __getattr__(name):\n  return H[name]\n"
    old, new = f"{served}__all__ = ['A', 'B']", f"{served}__all__ = ['A']"
    assert (rules(old, new), removed(old, new)) == ({"api.unexported"}, [])


def test_what_was_never_there_is_not_lost() -> None:
    assert removed("__all__ = ['ghost']", "__all__ = []") == []


def test_a_package_face_offers_what_it_imports_from_itself() -> None:
    old = "from .core import f\nfrom pkg.core import g\nfrom os import path"
    assert removed(old, "", "pkg/__init__.py") == ["f", "g"]


def test_an_unknown_base_makes_a_loss_uncertain() -> None:
    old = "from other import B\nclass C(B):\n  def m(self): pass"
    result = diff(old, "from other import B\nclass C(B): pass")
    assert [(row["name"], row["certain"]) for row in result["removed_names"]] == [("C.m", False)]


def test_private_modules_and_tests_promise_nothing() -> None:
    assert removed("def f(): pass", "", "pkg/_inner.py") == []
    assert removed("def f(): pass", "", "tests/helpers.py") == []


def test_a_deleted_module_is_one_finding() -> None:
    result = diff("def f(): pass\nX = 1", None)
    assert [row["rule"] for row in result["findings"]] == ["api.module_removed"]
    assert [row["name"] for row in result["removed_names"]] == ["X", "f"]


@pytest.mark.parametrize(
    ("old", "new", "rule"),
    [
        ("def f(a): 0", "def f(): 0", "api.parameter_removed"),
        ("def f(a): 0", "def f(**k): 0", "api.parameter_absorbed"),
        ("def f(a): 0", "def f(b): 0", "api.parameter_renamed"),
        ("def f(a, b): 0", "def f(b, a): 0", "api.parameters_reordered"),
        ("def f(a, b=1): 0", "def f(a, c=2, b=1): 0", "api.parameters_reordered"),
        ("def f(a): 0", "def f(a, b): 0", "api.parameter_required"),
        ("def f(a): 0", "def f(a, *, b): 0", "api.parameter_required"),
        ("def f(a=1): 0", "def f(a): 0", "api.parameter_required"),
        ("def f(a=1): 0", "def f(a=2): 0", "api.default_changed"),
        ("def f(a): 0", "def f(*, a): 0", "api.parameter_kind"),
        ("def f(a): 0", "def f(a, /): 0", "api.parameter_kind"),
        ("def f(*a): 0", "def f(): 0", "api.parameter_removed"),
        ("def f(): 0", "async def f(): 0", "api.async_changed"),
        ("class C:\n  @property\n  def p(self): 0", "class C:\n  def p(self): 0",
         "api.flavour_changed"),
        ("class C:\n  @staticmethod\n  def p(): 0", "class C:\n  @classmethod\n  def p(cls): 0",
         "api.flavour_changed"),
        ("class B: 0\nclass C(B): 0", "class B: 0\nclass C: 0", "api.bases_changed"),
        ("LIMIT = 1", "LIMIT = 2", "api.value_changed"),
        ("def f(): 0", "f = 1", "api.flavour_changed"),
        ("__all__ = ['f']\ndef f(): 0", "__all__ = []\ndef f(): 0", "api.unexported"),
        ("def f(): 0", "def __getattr__(name):\n  if name == 'f': return 0", "api.deprecated"),
    ],
)  # fmt: skip
def test_changes_that_callers_notice(old: str, new: str, rule: str) -> None:
    assert rule in rules(old, new)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("def f(a): 0", "def f(a, b=1): 0"),
        ("def f(a): 0", "def f(a, *, b=1, **k): 0"),
        ("def f(*, a): 0", "def f(a): 0"),
        ("def f(a, /): 0", "def f(a): 0"),
        ("def f(a): 0", "def f(a: int) -> int:\n  '''Doc.'''\n  return 1"),
        ("class C:\n  def m(self, a): 0", "class C:\n  def m(this, a): 0"),
        ("class C(object): 0", "class C: 0"),
    ],
)
def test_changes_that_callers_do_not_notice(old: str, new: str) -> None:
    assert rules(old, new) == set()


def test_equal_signatures_never_differ() -> None:
    source = Path(__file__).read_text("utf-8")
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef):
            function = function_of(node, None, in_class=False)
            assert differences(function, function) == []
