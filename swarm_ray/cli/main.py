"""The program `swarm-ray`: its verbs and how it starts.

Decides nothing but the list of verbs. Modules of verbs import only what their signatures need, so
that `--help` is quick; Ray is imported when a verb first needs a cluster.
"""

import typer

from swarm_ray.cli import checking, evidence, keys, looking, steering, witnessing

app = typer.Typer(
    name="swarm-ray",
    help="Bounded, contained, verifiable swarms of agent work on Ray.",
    epilog="Exit codes: 0 done, 1 failed, 2 usage, 3 waits for a person, 4 deadline, 5 budget,"
    " 6 verification failed.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)

for verb in (
    steering.up,
    steering.down,
    checking.validate,
    checking.plan,
    steering.run,
    steering.resume,
    steering.cancel,
    looking.runs,
    looking.show,
    looking.story,
    steering.decide,
    checking.doctor,
    checking.gc,
    evidence.export,
    evidence.receipt,
    evidence.verify,
    witnessing.witness,
):
    app.command()(verb)
app.add_typer(keys.app)


def main() -> None:
    """Run the program."""
    app(prog_name="swarm-ray")


if __name__ == "__main__":
    main()
