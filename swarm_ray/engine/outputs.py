"""Outputs and extras that a host brought, read once, before anybody goes by them.

Decides whether they can be what an honest host brings: JSON that we would write ourselves, extras in
their form, and outputs that match the schema where the definition asks for validation. An honest
host checks all of it before it says that an attempt went well, so what is otherwise is a lie and
costs the host its place.
"""

from binascii import Error as NotBase64
from binascii import a2b_base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from swarm_ray.core.events import Settled
from swarm_ray.core.swarm import Swarm
from swarm_ray.engine.bundles import Loaded
from swarm_ray.engine.desk import Desk
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.ports.log import Body
from swarm_ray.values.codec import decode_json, encode_json

LARGE_BYTES: Final = 1 << 20
"""Bodies of one delivery together; larger ones are read beside the loop, which must not wait."""
_ARTIFACT: Final = frozenset({"name", "media_type", "data"})


@dataclass(frozen=True, slots=True)
class Output:
    """An output as the host wrote it, and its value."""

    data: bytes
    value: Any


@dataclass(slots=True)
class Outputs:
    """Reads outputs of the swarms at work; schemas are compiled once for each swarm."""

    schemas: dict[str, Any] = field(default_factory=dict)

    def read(
        self, swarm: Swarm, desk: Desk, loaded: Loaded, event: Settled, bodies: Sequence[Body]
    ) -> dict[str, Output]:
        """Return the outputs of results by their commitment.

        Args:
            swarm: the machine of the swarm.
            desk: knows the task of the swarm.
            loaded: its bundle says whether outputs are validated.
            event: what a host answered.
            bodies: what it brought; every body that the rows name is there.

        Raises:
            IntegrityError: `desk.bad_output`, `desk.bad_extras`, `desk.schema`.
        """
        schema = self._schema(swarm, desk, loaded)
        brought: dict[str, bytes] = {body.commitment: body.data for body in bodies}
        found: dict[str, Output] = {}
        for row in event.rows:
            if row.status != "ok":
                continue
            data = brought[row.output]
            value = _output(data, event.host, row.item)
            if schema is not None and not schema.is_valid(value):
                raise IntegrityError(
                    "desk.schema",
                    f"{event.host} says that an output is right which the schema does not admit",
                    item=row.item,
                )
            found[row.output] = Output(data, value)
            if row.extras:
                _check_extras(brought[row.extras], event.host, row.item)
        return found

    def forget(self, swarm: str) -> None:
        """A swarm ended."""
        self.schemas.pop(swarm, None)

    def _schema(self, swarm: Swarm, desk: Desk, loaded: Loaded) -> Any:
        if swarm.id not in self.schemas:
            step = loaded.plan.steps[swarm.opened.step].name
            asked = swarm.opened.kind == "fan_out" and validates(loaded.process["swarms"][step])
            self.schemas[swarm.id] = _compiled(desk.task["output_schema"]) if asked else None
        return self.schemas[swarm.id]


def validates(settings: Mapping[str, Any]) -> bool:
    """Say whether a swarm, by its settings in the bundle, asks for outputs that match their
    schema."""
    asked = settings["verification"]["validate"]
    return asked == "schema" or (isinstance(asked, Mapping) and asked["schema"] is True)


def are_extras(value: Any) -> bool:
    """Say whether a value is what a worker can hand over beside its output: memory, artifacts."""
    return (
        isinstance(value, dict)
        and value.keys() == {"memory", "artifacts"}
        and isinstance(value["memory"], list)
        and all(map(_is_memory, value["memory"]))
        and isinstance(value["artifacts"], list)
        and all(map(_is_artifact, value["artifacts"]))
    )


def _is_memory(record: Any) -> bool:
    return (
        isinstance(record, dict)
        and record.keys() == {"chain", "payload"}
        and isinstance(record["chain"], str)
    )


def _is_artifact(record: Any) -> bool:
    if not isinstance(record, dict) or record.keys() != _ARTIFACT:
        return False
    if not all(isinstance(text, str) for text in record.values()):
        return False
    try:
        a2b_base64(record["data"])
    except (NotBase64, ValueError):
        return False
    return True


def _compiled(schema: Mapping[str, Any]) -> Any:
    import jsonschema  # loads slowly, and only definitions that ask for validation need it
    from referencing import Registry

    # An empty registry: a reference is never fetched from anywhere.
    return jsonschema.Draft202012Validator(dict(schema), registry=Registry())


def _output(data: bytes, host: str, item: int) -> Any:
    try:
        return _own(data)
    except UsageError as error:
        raise IntegrityError(
            "desk.bad_output", f"{host} brings for item {item} what no worker can yield"
        ) from error


def _check_extras(data: bytes, host: str, item: int) -> None:
    try:
        right = are_extras(_own(data))
    except UsageError:
        right = False
    if not right:
        raise IntegrityError(
            "desk.bad_extras", f"{host} brings for item {item} what no worker can hand over"
        )


def _own(data: bytes) -> Any:
    """Return a value that we could write ourselves: not too deep, and no odd number."""
    value = decode_json(data)
    encode_json(value)
    return value
