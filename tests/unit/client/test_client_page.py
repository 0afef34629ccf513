"""The page of a run: whole, escaped, and with nothing loaded from anywhere."""

import re
from html.parser import HTMLParser

import pytest

import swarm_ray as swarm
from swarm_ray.client.markup import element, join
from swarm_ray.client.page import page
from swarm_ray.client.timeline import MAX_BARS, timeline

pytestmark = pytest.mark.usefixtures("session")
VOID = {"meta", "br", "hr", "rect", "line"}


class Balanced(HTMLParser):
    """Checks that what is opened is closed, and gathers tags and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID or tag == "rect":
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def shout(item):
    return item.upper()


def page_of(*words: str) -> str:
    handle = swarm.map(
        shout,
        list(words),
        convergence=swarm.Collect(min_success_ratio=0.1, failure_action="skip"),
        retry={"max_attempts": 2, "initial_interval": "10ms"},
    )
    handle.result(60)
    return page(*handle.look())


def parsed(text: str) -> Balanced:
    reader = Balanced()
    reader.feed(text)
    assert reader.open == []
    return reader


def test_the_page_is_whole_and_loads_nothing():
    text = page_of("pear", "flaky", "bad")
    tags = parsed(text).tags
    assert not {tag for tag, _ in tags} & {"script", "link", "img", "iframe", "object", "embed"}
    assert not [attrs for _, attrs in tags if attrs.keys() & {"src", "srcset", "background"}]
    assert "url(" not in text
    assert "@import" not in text
    assert "default-src 'none'" in text


def test_texts_of_workers_and_items_are_shown_as_they_are():
    text = page_of("bad", "<img src=x onerror=alert(1)>", 'a"b')
    assert "<b>bad" not in text
    assert "ValueError: &lt;b&gt;bad&lt;/b&gt; &amp; worse" in text
    assert "&lt;img src=x onerror=alert(1)&gt;" in text
    assert "<img" not in text


def test_every_item_and_attempt_is_on_the_page():
    text = page_of("pear", "flaky", "bad")
    tags = parsed(text).tags
    bars = [attrs for tag, attrs in tags if tag == "rect"]
    assert sorted(str(bar["class"]) for bar in bars) == ["bad", "ok", "ok", "warn"]
    for word in ("pear", "flaky", "bad"):
        assert f"<td>{word}</td>" in text
    assert "2 of 3 items accepted, with partial results" in text


def test_what_scrolls_can_be_reached_with_the_keyboard_and_has_a_name():
    tags = parsed(page_of("pear", "bad")).tags
    scrolling = [attrs for _, attrs in tags if "scroll" in str(attrs.get("class"))]
    assert scrolling
    assert all(attrs["tabindex"] == "0" and attrs["aria-label"] for attrs in scrolling)
    picture = next(attrs for tag, attrs in tags if tag == "svg")
    assert picture["role"] == "img"
    assert "3 attempts" in str(picture["aria-label"]) or "2 attempts" in str(picture["aria-label"])


def test_a_run_of_many_attempts_is_drawn_as_counts():
    handle = swarm.map(shout, ["pear"] * (MAX_BARS + 100), concurrency=32)
    handle.result(120)
    picture = timeline(handle.view())
    counts = [int(found) for found in re.findall(r"<title>(\d+) succeeded</title>", picture)]
    assert sum(counts) == MAX_BARS + 100
    text = page(*handle.look())
    assert "more that are done are not listed" in text
    assert len(text) < 1_000_000


def test_markup_escapes_whatever_is_not_markup():
    assert element("p", "a<b", title='"x"') == '<p title="&quot;x&quot;">a&lt;b</p>'
    assert element("p", element("b", "&")) == "<p><b>&amp;</b></p>"
    assert join("<", None, 3) == "&lt;3"
