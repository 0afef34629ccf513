"""Verbs about keys: who may sign here, and on whose word."""

from typing import TYPE_CHECKING, Annotated

import typer

from swarm_ray.cli.options import Json
from swarm_ray.cli.output import Output, guarded

if TYPE_CHECKING:
    from swarm_ray.attestation.certificates import KeyEnrolled
    from swarm_ray.engine.key_service import KeyService

app = typer.Typer(
    name="keys",
    help="Look at keys; make, enrol, rotate and revoke them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Key = Annotated[
    str, typer.Argument(metavar="KEY", help="Beginning of a keyid, or a role or name with one key.")
]


@app.command("list")
@guarded
def list_(json_output: Json = False) -> None:
    """List the keys of the roster and how each stands."""
    from swarm_ray.attestation.keys import PublicKey
    from swarm_ray.attestation.note import NoteKey
    from swarm_ray.cli.tables import listing
    from swarm_ray.client.headline import clock
    from swarm_ray.values.visible import visible

    output, service = Output(json_output), _service()
    rows, followed = [], []
    for error in service.unreadable():
        output.data({"event": "unreadable", "code": error.code, "message": error.message})
        output.say(f"1 change cannot be read: {visible(f'{error.message}; {error.hint}')}")
    for one in service.standings():
        found = one.certificate
        data = {**certificate_data(found), "state": one.state}
        if found.role == "log" and one.state == "valid":
            key = NoteKey(found.name, PublicKey(bytes.fromhex(found.public_key)))
            followed.append(key.to_text())
            data["note_key"] = key.to_text()
        output.data(data)
        until = clock(found.not_after_us)[:19] if found.issuer else ""
        rows.append([found.role, visible(found.name), found.keyid[:16], one.state, until])
    if not rows:
        output.say("There are no keys here yet. Make them with: swarm-ray keys init")
        return
    for line in listing(["role", "name", "key", "state", "until (UTC)"], rows):
        output.say(line)
    for text in followed:
        output.say(
            f"A witness follows the index log with: swarm-ray witness FOLDER --follow {text}"
        )


@app.command()
@guarded
def init(
    kms: Annotated[
        str,
        typer.Option("--kms", metavar="ID", help="The root is this key of AWS KMS, not a file."),
    ] = "",
    json_output: Json = False,
) -> None:
    """Make the root key of the organisation and the key of this site."""
    output, service = Output(json_output), _service()
    root = service.init(kms)
    output.data({"event": "made", **certificate_data(root)})
    output.say(f"Root key of {root.name}: {root.public_key}")
    output.say("Tell it to whoever shall check your runs, by a way that nobody can tamper with.")
    if not kms:
        output.say(f"Its private half is in {service.files.folder}. Once this site is certified,")
        output.say("which it is now for a year, it can be kept elsewhere.")


@app.command()
@guarded
def enrol(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="host or site.")],
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the holder.")],
    public_key: Annotated[str, typer.Argument(metavar="HEX", help="Its public key.")],
    days: Annotated[int, typer.Option("--days", metavar="N", help="Valid for N days.", min=1)] = 30,
    json_output: Json = False,
) -> None:
    """Certify a key that somebody else holds."""
    output = Output(json_output)
    made = _service().enrol(role, name, public_key, days)
    output.data({"event": "enrolled", **certificate_data(made)})
    output.say(f"Certified {role} {name}, key {made.keyid[:16]}, for {days} days.")
    _later(output)


@app.command()
@guarded
def rotate(
    role: Annotated[str, typer.Argument(metavar="ROLE", help="root, site or log.")],
    json_output: Json = False,
) -> None:
    """Replace a key; the old one counts for what it signed before."""
    output = Output(json_output)
    made = _service().rotate(role)
    output.data({"event": "rotated", "role": role, **(certificate_data(made) if made else {})})
    output.say(f"The {role} has a new key{f': {made.public_key}' if made else ''}.")
    _later(output)


@app.command()
@guarded
def revoke(
    key: Key,
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; everybody can read it.")
    ] = "",
    minutes_ago: Annotated[
        int, typer.Option("--minutes-ago", metavar="N", help="It holds from N minutes ago.", min=0)
    ] = 0,
    json_output: Json = False,
) -> None:
    """Withdraw a key: what it signs from then on does not count."""
    output = Output(json_output)
    made = _service().revoke(key, reason, minutes_ago)
    output.data({"event": "revoked", "keyid": made.keyid, "since_us": made.since_us})
    output.say(f"Key {made.keyid[:16]} is withdrawn.")
    _later(output)


@app.command()
@guarded
def show(
    key: Annotated[str, typer.Argument(metavar="[KEY]", help="Which key.")] = "root",
    json_output: Json = False,
) -> None:
    """Show a certificate; without an argument the root's."""
    from swarm_ray.values.visible import visible

    output = Output(json_output)
    found = certificate_data(_service().find(key))
    output.data(found)
    for name, value in found.items():
        output.say(f"{name.replace('_', ' ')}: {visible(str(value))}")


def certificate_data(found: "KeyEnrolled") -> dict[str, object]:
    """Return a certificate as plain data."""
    from swarm_ray.client.headline import clock

    periods = {"valid_from": found.not_before_us, "valid_until": found.not_after_us}
    return {
        "role": found.role,
        "name": found.name,
        "site": found.site,
        "organisation": found.organisation,
        "public_key": found.public_key,
        "keyid": found.keyid,
        "issuer": found.issuer,
        "serial": found.serial,
        **{name: clock(at_us) if at_us else "" for name, at_us in periods.items()},
    }


def _service() -> "KeyService":
    from swarm_ray.client.session import current_session
    from swarm_ray.engine.key_service import KeyService
    from swarm_ray.ports.clock import SystemClock

    return KeyService(current_session().settings, SystemClock())


def _later(output: Output) -> None:
    output.say("It holds once a coordinator has it: at once when it runs, else when it starts.")
