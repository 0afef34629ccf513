"""Whatever stands in the files, loading and linking end with a plan or with an error of ours."""

import copy
import json
from collections.abc import Callable
from typing import Any

from definition_samples import MODELS, definition
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from swarm_ray.definition.bundle import read_bundle
from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_files
from swarm_ray.definition.yaml_source import read_text
from swarm_ray.errors import SwarmError

WORDS = [
    "process",
    "sort",
    "letters",
    "results",
    "model",
    "lint",
    "a:b",
    "folder",
    "type",
    "true",
    "",
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-3, 20_000)
    | st.floats(allow_nan=False, allow_infinity=False, width=32)
    | st.sampled_from(WORDS)
    | st.text(max_size=8)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=3)
    ),
    max_leaves=6,
)
FILES = {
    name: read_text(name, definition().content[name]).value
    for name in ("process.yaml", "sort_letter.yaml", "bindings.yaml")
}


def places(value: Any, path: tuple = ()) -> list[tuple]:
    found = [path] if path else []
    pairs = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, part in pairs:
        found += places(part, (*path, key))
    return found


PLACES = [(name, path) for name, value in FILES.items() for path in places(value)]


def code_of(work: Callable[[], Any]) -> str:
    """Return the code of the error that the work ends with, or "fine"."""
    try:
        work()
    except SwarmError as error:
        return error.code
    return "fine"


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.tuples(st.sampled_from(PLACES), VALUES), min_size=1, max_size=2))
def test_a_definition_with_any_value_anywhere_never_breaks_the_linker(changes) -> None:
    files = copy.deepcopy(FILES)
    for (name, path), value in changes:
        at = files[name]
        try:
            for key in path[:-1]:
                at = at[key]
            at[path[-1]] = value
        except (KeyError, IndexError, TypeError):
            continue  # an earlier change removed the place
    content = dict(definition().content)
    content |= {name: json.dumps(value).encode() for name, value in files.items()}
    code = code_of(lambda: link(load_files(MemoryFiles(content)), models=MODELS).linked_json())
    assert code in ("fine", "definition.flawed", "definition.malformed_yaml")


@settings(max_examples=150, deadline=None)
@given(
    st.binary(max_size=200)
    | st.text(alphabet="ab:-[]{}&*!|>'\"\n #?,", max_size=80).map(str.encode)
)
def test_any_bytes_are_a_document_or_a_usage_error(data) -> None:
    code = code_of(lambda: read_text("x.yaml", data))
    assert code in ("fine", "definition.malformed_yaml", "definition.not_utf8")


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2000))
def test_any_bytes_are_refused_as_a_bundle(data) -> None:
    code = code_of(lambda: read_bundle(data, "0" * 64))
    assert code in ("definition.bundle_malformed", "definition.bundle_digest")
