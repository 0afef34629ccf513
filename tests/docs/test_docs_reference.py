"""The reference pages say what the source says."""

from pathlib import Path

import pytest

from swarm_ray.testing.reference import PAGES, error_codes

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_is_what_the_source_says(name):
    assert (DOCS / name).read_text() == PAGES[name](), "run: python -m swarm_ray.testing.reference"


def test_no_code_is_used_for_two_kinds_of_fault():
    assert all(kind for kind, _ in error_codes().values())
    assert len(error_codes()) > 100
