"""The published JSON Schemas of the definition files, made from the typed models.

Decides their names and form. Run `python -m swarm_ray.definition.json_schemas docs/formats/schemas`
to write them again; a test compares the files with what this module yields.
"""

import json
import sys
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from typing_extensions import override

from swarm_ray.definition.model import BindingsFile, ProcessFile, TaskFile

FILE_KINDS: Final[dict[str, type[BaseModel]]] = {
    "process": ProcessFile,
    "task": TaskFile,
    "bindings": BindingsFile,
}


class _Published(GenerateJsonSchema):
    """Leaves defaults out: models hold them in the units of the core, files in words like 30s."""

    @override
    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])


def published_schemas() -> dict[str, str]:
    """Return file name → text of every published schema."""
    return {f"{kind}.schema.json": _text(kind, model) for kind, model in FILE_KINDS.items()}


def write_schemas(folder: Path) -> list[Path]:
    """Write every published schema into a folder; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for name, text in published_schemas().items():
        (folder / name).write_text(text, encoding="utf-8")
        written.append(folder / name)
    return written


def _text(kind: str, model: type[BaseModel]) -> str:
    schema: dict[str, Any] = model.model_json_schema(schema_generator=_Published)
    head = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"swarm-ray/definition/{kind}/1",
    }
    return json.dumps(head | schema, indent=2, sort_keys=True) + "\n"


if __name__ == "__main__":
    write_schemas(Path(sys.argv[1]))
