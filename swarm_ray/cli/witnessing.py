"""The verb `witness`: cosign the checkpoints of somebody else's logs."""

from pathlib import Path
from typing import Annotated

import typer

from swarm_ray.cli.options import Json
from swarm_ray.cli.output import Output, guarded

Folder = Annotated[
    Path, typer.Argument(metavar="FOLDER", help="Key and memory of the witness; lose neither.")
]


@guarded
def witness(
    folder: Folder,
    new: Annotated[
        str, typer.Option("--new", metavar="NAME", help="Make a witness of this name and end.")
    ] = "",
    follow: Annotated[
        list[str] | None,
        typer.Option("--follow", metavar="KEY", help="Follow the log of this key from now on."),
    ] = None,
    host: Annotated[str, typer.Option("--host", help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", help="Port to listen on.", min=1, max=65535)
    ] = 8765,
    json_output: Json = False,
) -> None:
    """Cosign checkpoints of logs that only grow, for other organisations.

    Run it where the owner of the log has no say. It keeps the latest checkpoint of each log and
    nothing else.
    """
    from swarm_ray.witness.folder import WitnessFolder

    output = Output(json_output)
    place = WitnessFolder(folder)
    if new:
        key = place.make(new)
        output.data({"name": key.name, "key": key.to_text()})
        output.say(f"Witness {key.name} is made. Give this key to the owners of logs:")
        output.say(key.to_text())
        return
    for text in follow or ():
        place.follow(text)
    key, logs = place.key(), place.logs()
    output.data({"key": key.to_text(), "logs": [one.name for one in logs], "port": port})
    output.say(f"{key.name} follows {len(logs)} logs and listens on http://{host}:{port}")
    place.serve(host, port)
