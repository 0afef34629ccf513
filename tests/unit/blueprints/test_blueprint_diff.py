"""A whole-file diff holds both versions exactly, whatever they contain."""

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from linediff import matching_blocks
from wholediff import NO_NEWLINE, parse, quote_path, render, render_skipped, split_lines

PIECES = [
    "a\n", "b\n", "c\r\n", "\n", "\r", " \n", "+x\n", "-y\n", "--- z\n", "+++ z\n",
    NO_NEWLINE + "\n", "@@ -1,2 +3,4 @@\n", "diff --git a/x b/x\n", "\u2028", "\x0c", "ende",
]  # fmt: skip
TEXTS = st.none() | st.lists(st.sampled_from(PIECES) | st.text(max_size=4), max_size=14).map(
    "".join
)


@given(old=TEXTS, new=TEXTS)
@example(old="a", new="a\n")
@example(old="", new=None)
@example(old=None, new="")
@settings(max_examples=300, deadline=None)
def test_both_versions_are_rebuilt_exactly(old: str | None, new: str | None) -> None:
    if old is None and new is None:
        return
    change = parse(render("p.py", "p.py", old, new), "p.py")
    assert (change.complete, change.old, change.new) == (True, old, new)
    lines = split_lines(new or "")
    for number, text in change.added:
        assert lines[number - 1].removesuffix("\n") == text


@given(
    st.lists(st.sampled_from("abcd"), max_size=40), st.lists(st.sampled_from("abcd"), max_size=40)
)
def test_matching_blocks_match_and_ascend(old: list[str], new: list[str]) -> None:
    at_old = at_new = 0
    for i, j, length in matching_blocks(old, new):
        assert i >= at_old
        assert j >= at_new
        assert length > 0
        assert old[i : i + length] == new[j : j + length]
        at_old, at_new = i + length, j + length


def test_an_equal_text_has_no_changed_line() -> None:
    change = parse(render("p", "p", "a\nb\n", "a\nb\n"), "p")
    assert change.added == ()
    assert change.removed_count == 0


def test_a_rename_keeps_its_old_path_even_when_it_needs_quotes() -> None:
    odd = 'odd "name"\twith\nnewline.py'
    change = parse(render("new.py", odd, "x = 1\n", "x = 2\n"), "new.py")
    assert (change.status, change.old_path) == ("renamed", odd)
    assert "\n" not in quote_path(odd)


def test_a_tampered_diff_does_not_pass_as_complete() -> None:
    diff = render("p.py", "p.py", "x = 1\n", "x = 2\n").replace("+x = 2", "+x = 3")
    change = parse(diff, "p.py")
    assert not change.complete
    assert change.new is None
    assert change.added == ((1, "x = 3"),)


def test_a_foreign_partial_diff_still_tells_its_added_lines() -> None:
    diff = "--- a/p\n+++ b/p\n@@ -10,2 +10,3 @@ def f():\n a\n+b\n c\n@@ -40 +41 @@\n-d\n+e\n"
    change = parse(diff, "p")
    assert not change.complete
    assert change.added == ((11, "b"), (41, "e"))


def test_a_skipped_file_says_why() -> None:
    change = parse(render_skipped("p.bin", "p.bin", "binary (9 bytes)"), "p.bin")
    assert change.skipped == "binary (9 bytes)"
    assert change.new is None


@pytest.mark.parametrize("text", ["", "hello", "diff --git a/p b/p\n@@ -1 +1 @@\n?what\n"])
def test_what_is_no_diff_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"p\.py"):
        parse(text, "p.py")
