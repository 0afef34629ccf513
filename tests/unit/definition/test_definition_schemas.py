"""The published JSON Schemas are those of the code, and admit what the code admits."""

import json
from pathlib import Path

import jsonschema
import pytest
from definition_samples import definition

from swarm_ray.definition.json_schemas import published_schemas, write_schemas
from swarm_ray.definition.yaml_source import read_text

ROOT = Path(__file__).parents[3]
PUBLISHED = ROOT / "docs" / "formats" / "schemas"
FILES = {"process": "process.yaml", "task": "sort_letter.yaml", "bindings": "bindings.yaml"}


def schema(kind: str) -> dict:
    return json.loads(published_schemas()[f"{kind}.schema.json"])


@pytest.mark.parametrize("name", sorted(published_schemas()))
def test_the_published_schema_is_the_one_of_the_code(name: str) -> None:
    remedy = "run python -m swarm_ray.definition.json_schemas docs/formats/schemas"
    assert (PUBLISHED / name).read_text() == published_schemas()[name], remedy


def test_the_command_writes_every_schema(tmp_path: Path) -> None:
    written = write_schemas(tmp_path / "schemas")
    assert {path.name: path.read_text() for path in written} == published_schemas()


@pytest.mark.parametrize("kind", sorted(FILES))
def test_a_definition_that_holds_matches_its_schema(kind: str) -> None:
    value = read_text(FILES[kind], definition().content[FILES[kind]]).value
    jsonschema.Draft202012Validator(schema(kind)).validate(value)


@pytest.mark.parametrize("kind", sorted(FILES))
def test_an_unknown_key_does_not_match(kind: str) -> None:
    value = read_text(FILES[kind], definition().content[FILES[kind]]).value | {"extra": 1}
    assert not jsonschema.Draft202012Validator(schema(kind)).is_valid(value)
