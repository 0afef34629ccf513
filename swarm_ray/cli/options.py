"""Options and arguments that several verbs share, so that they mean the same everywhere."""

from pathlib import Path
from typing import Annotated

import typer

Json = Annotated[
    bool, typer.Option("--json", help="Print JSON lines on stdout and nothing else there.")
]
RunId = Annotated[
    str,
    typer.Argument(
        metavar="RUN", help="Id of the run; a unique beginning or end is enough, or `last`."
    ),
]
Name = Annotated[
    str,
    typer.Argument(
        metavar="NAME|PATH", help="A shipped blueprint, a folder with process.yaml, or a file."
    ),
]
Inputs = Annotated[
    list[str] | None,
    typer.Option(
        "--input",
        "-i",
        metavar="K=V|@FILE",
        help="An input: name=value, name=@file.json, or @file.json with all of them.",
    ),
]
Items = Annotated[
    Path | None,
    typer.Option(
        "--items", metavar="FILE", help="Items of the first fan-out: JSON Lines, CSV, Parquet, …"
    ),
]
WithoutBindings = Annotated[
    bool,
    typer.Option(
        "--without-bindings", help="Ignore bindings.yaml: a model carries out the sentences."
    ),
]
Isolation = Annotated[
    str,
    typer.Option(
        "--isolation", metavar="DRIVER", help="Sandbox driver: auto, landlock, bwrap or none."
    ),
]
Detach = Annotated[
    bool, typer.Option("--detach", help="Do not wait for the end; needs a running cluster.")
]
