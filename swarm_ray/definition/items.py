"""One element of an input set as the inputs of a blueprint.

Decides when an element is the mapping of the declared inputs and when it is the one declared
input itself. Never checks types; the host does, against the same declaration.
"""

from collections.abc import Mapping
from typing import Any

from swarm_ray.errors import UsageError


def item_inputs(declared: Mapping[str, Any], element: Any) -> dict[str, Any]:
    """Return the inputs of one item.

    A mapping that holds every declared name gives those names and nothing else. Any other
    element is the value of a single declared input. A blueprint that declares no input takes
    the mapping as it is.

    Raises:
        UsageError: `definition.item_mismatch`, naming what the element lacks.
    """
    if isinstance(element, Mapping) and declared.keys() <= element.keys():
        return {name: element[name] for name in (declared or element)}
    if len(declared) == 1:
        return {next(iter(declared)): element}
    lacking = sorted(declared.keys() - (element.keys() if isinstance(element, Mapping) else set()))
    raise UsageError(
        "definition.item_mismatch",
        f"the item lacks {', '.join(lacking) or 'names: it is no mapping'}",
        hint="each item is a mapping with the inputs that the blueprint declares",
    )
