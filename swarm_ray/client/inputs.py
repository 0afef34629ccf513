"""What to call the items of a swarm: a short name out of each item's input.

Decides the name from the item alone: a field that usually names things, else its first text.
"""

import json
from typing import Any, Final

from swarm_ray.client.following import Bodies
from swarm_ray.engine.views import SwarmView
from swarm_ray.values.codec import decode_json
from swarm_ray.values.manifest import Manifest

NAMING_FIELDS: Final = (
    "file_path", "path", "file", "name", "title", "id", "key", "url", "subject",
)  # fmt: skip
NAME_CHARACTERS: Final = 80


class ItemNames:
    """Names of the items of one swarm; all empty when its input set was deleted."""

    def __init__(self, swarm: SwarmView, bodies: Bodies) -> None:
        blob = bodies.raw(swarm.manifest)
        self._manifest = Manifest(blob, swarm.root) if blob is not None else None

    def name(self, item: int) -> str:
        """Return the name of one item."""
        value = self.value(item)
        return "" if value is None else item_name(value)

    def value(self, item: int) -> Any:
        """Return the input of one item, None when it was deleted."""
        return decode_json(self._manifest.item(item)) if self._manifest is not None else None


def item_name(value: Any) -> str:
    """Return what an item is called."""
    if isinstance(value, dict):
        found = next((value[field] for field in NAMING_FIELDS if field in value), None)
        if found is None:
            found = next((one for one in value.values() if isinstance(one, str)), None)
        value = value if found is None else found
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    line = text.strip().split("\n", 1)[0]
    return line if len(line) <= NAME_CHARACTERS else f"{line[: NAME_CHARACTERS - 1]}…"
