"""What linking yields: the plan for the core and everything else for those around it.

Decides the two JSON files that linking adds to a bundle. Never checks anything.
"""

from dataclasses import dataclass, field
from typing import Any, Final

from swarm_ray.core.plan import Plan
from swarm_ray.definition.load import Source
from swarm_ray.definition.shapes import Input
from swarm_ray.values.codec import encode_json
from swarm_ray.values.records import to_record

SEMANTICS: Final = 1


@dataclass(frozen=True, slots=True)
class Linked:
    """A definition that holds.

    `tasks` are the executable tasks of `linked.json`; `inputs` the declared inputs of the
    process; `contexts` the memory chains per task; `swarms` per fan-out step what placement,
    verification and voting must know; `hints` the behaviour blocks; `notes` sentences for people.
    """

    plan: Plan
    tasks: dict[str, dict[str, Any]]
    inputs: dict[str, Input]
    source: Source
    preload: tuple[str, ...] = ()
    knowledge: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    contexts: dict[str, dict[str, Any]] = field(default_factory=dict)
    swarms: dict[str, dict[str, Any]] = field(default_factory=dict)
    hints: dict[str, dict[str, Any]] = field(default_factory=dict)

    def linked_json(self) -> bytes:
        """Return what hosts and workers read."""
        return encode_json(
            {"semantics": SEMANTICS, "preload": list(self.preload), "tasks": self.tasks}
        )

    def process_json(self) -> bytes:
        """Return what coordinators and placement read."""
        return encode_json(
            {
                "semantics": SEMANTICS,
                "plan": to_record(self.plan),
                "inputs": {name: entry.to_record() for name, entry in self.inputs.items()},
                "contexts": self.contexts,
                "swarms": self.swarms,
                "hints": self.hints,
                "notes": list(self.notes),
            }
        )
