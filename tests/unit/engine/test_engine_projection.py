"""What of an output decisions are taken on: label and confidence."""

import pytest

from swarm_ray.engine.verdicts import LABEL_CHARS, project

FIELDS = {"label": "v", "confidence": "c"}


def test_long_labels_that_begin_alike_stay_different_and_short_ones_as_they_are():
    head = "The invoice is approved for payment to account number "
    one, _ = project(head + "123", {"label": ""})
    other, _ = project(head + "666", {"label": ""})
    assert one != other
    assert len(one) == len(other) == LABEL_CHARS
    assert one.startswith(head[:23] + "~")
    assert project("x" * LABEL_CHARS, {"label": ""})[0] == "x" * LABEL_CHARS
    assert project(10**60, {"label": ""})[0] != project(10**60 + 1, {"label": ""})[0]


def test_a_label_that_no_text_can_hold_is_a_label_all_the_same():
    assert len(project("\ud800" * 60, {"label": ""})[0]) == LABEL_CHARS


@pytest.mark.parametrize("claimed", [0, -1, 1.5, "sure", None, float("nan")])
def test_a_declared_confidence_that_is_none_is_the_least(claimed):
    assert project({"v": "x", "c": claimed}, FIELDS) == ("x", 1)


def test_confidence_is_parts_per_million_and_0_where_none_is_declared():
    assert project({"v": "x", "c": 0.25}, FIELDS) == ("x", 250_000)
    assert project({"v": "x", "c": 0.25}, {"label": "v"}) == ("x", 0)
