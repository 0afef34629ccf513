"""Every error code of the definitions is met by a test, and every key is documented."""

import json
import re
from pathlib import Path

import pytest

from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.json_schemas import published_schemas
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_files
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability

ROOT = Path(__file__).parents[3]
GUIDE = ROOT / "docs" / "formats" / "definition.md"
CODE = re.compile(r'"(definition\.[a-z_0-9]+)"')


def codes_in(folder: Path) -> set[str]:
    return {code for path in folder.glob("*.py") for code in CODE.findall(path.read_text())}


def test_every_code_is_met_by_a_test() -> None:
    assert codes_in(ROOT / "swarm_ray" / "definition") - codes_in(Path(__file__).parent) == set()


def test_every_code_is_documented() -> None:
    documented = set(re.findall(r"`(definition\.[a-z_0-9]+)`", GUIDE.read_text()))
    assert documented == codes_in(ROOT / "swarm_ray" / "definition")


def keys_of(node: object) -> set[str]:
    if isinstance(node, dict):
        found = set(node.get("properties") or ())
        return found.union(*map(keys_of, node.values()))
    if isinstance(node, list):
        return set().union(*map(keys_of, node))
    return set()


def test_every_key_is_documented() -> None:
    text = GUIDE.read_text()
    keys = set().union(*(keys_of(json.loads(schema)) for schema in published_schemas().values()))
    assert {key for key in keys if f"`{key}`" not in text} == set()


def examples() -> list[dict[str, str]]:
    """Return the example definitions of the guide: fenced YAML whose first line names its file."""
    found: list[dict[str, str]] = []
    for name, text in re.findall(
        r"```(?:yaml|python|markdown)\n# file: (\S+)\n(.*?)```", GUIDE.read_text(), re.S
    ):
        if name == "process.yaml":
            found.append({})
        found[-1][name] = text
    return found


@pytest.mark.parametrize("files", examples(), ids=lambda files: files["process.yaml"].split()[1])
def test_the_examples_of_the_guide_hold(files: dict[str, str]) -> None:
    content = {name: text.encode() for name, text in files.items()}
    models = ModelCapabilities((ModelCapability("any"),))
    result = link(load_files(MemoryFiles(content, label="guide")), models=models)
    assert result.plan.process in files["process.yaml"]


def test_the_guide_has_examples() -> None:
    assert len(examples()) >= 3
