"""No byte of a bundle file changes unseen: the stand-alone verifier refuses every single flip."""

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

UNIT = Path(__file__).parents[1] / "unit" / "evidence"


@pytest.fixture(scope="module")
def story():
    """The driver of the tests of evidence; tests are no package."""
    spec = importlib.util.spec_from_file_location("evidence_story", UNIT / "evidence_story.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault("evidence_story", module)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(story, tmp_path_factory):
    """The file of a finished run with retries, a failure, an effect and every kind of body."""
    from swarm_ray.config import Settings

    home = tmp_path_factory.mktemp("home")
    found = Settings(home=home)
    run = story.run_once(found, story.PEOPLE, home / "out")
    return story.file_of(story.copy_from(found, run))


def refuses(tool, data):
    try:
        tool.check(data, None)
    except tool.Refused as refused:
        return bool(str(refused))
    return False


def test_the_file_itself_is_accepted(story, bundle):
    assert story.stand_alone().check(bundle, None)["rows"] == 6


@settings(max_examples=500, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_is_refused(story, bundle, data):
    spoilt = bytearray(bundle)
    spoilt[data.draw(st.integers(0, len(bundle) - 1))] ^= data.draw(st.integers(1, 255))
    assert refuses(story.stand_alone(), bytes(spoilt))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_is_refused_by_the_library_too(bundle, data):
    from swarm_ray.errors import IntegrityError
    from swarm_ray.evidence.checking import check
    from swarm_ray.evidence.container import Container
    from swarm_ray.evidence.copy import copy_of

    spoilt = bytearray(bundle)
    spoilt[data.draw(st.integers(0, len(bundle) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(IntegrityError):
        check(copy_of(Container(bytes(spoilt))))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_any_flipped_byte_that_is_not_padding_is_refused(story, bundle, data):
    places = [at for at, byte in enumerate(bundle) if byte]
    spoilt = bytearray(bundle)
    spoilt[data.draw(st.sampled_from(places))] ^= data.draw(st.integers(1, 255))
    assert refuses(story.stand_alone(), bytes(spoilt))


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_any_two_blocks_swapped_removed_or_repeated_are_refused(story, bundle, data):
    blocks = [bundle[at : at + 512] for at in range(0, len(bundle), 512)]
    one, two = (data.draw(st.integers(0, len(blocks) - 1)) for _ in range(2))
    swapped = [*blocks]
    swapped[one], swapped[two] = swapped[two], swapped[one]
    cases = [blocks[:one] + blocks[one + 1 :], [*blocks[:one], blocks[one], *blocks[one:]]]
    for case in [*cases, swapped]:
        if case != blocks:
            assert refuses(story.stand_alone(), b"".join(case))
