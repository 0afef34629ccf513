"""Verbs about evidence: export writes a copy for strangers, verify checks one, or a run here."""

import mmap
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swarm_ray.cli.options import Json, RunId
from swarm_ray.cli.output import Output, guarded
from swarm_ray.errors import IntegrityError, UsageError

if TYPE_CHECKING:
    from swarm_ray.config import Settings
    from swarm_ray.evidence.anchored import AnchorFindings
    from swarm_ray.evidence.checking import Findings
    from swarm_ray.evidence.copy import Copy
    from swarm_ray.ledger.reader import Reader

RootKey = Annotated[
    list[str] | None,
    typer.Option("--root-key", metavar="HEX", help="A root key that you trust; may be repeated."),
]


@guarded
def export(
    run: RunId,
    file: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")
    ],
    without_bodies: Annotated[
        bool, typer.Option("--without-bodies", help="Leave out all inputs, outputs and texts.")
    ] = False,
    bodies: Annotated[
        list[str] | None,
        typer.Option(
            "--bodies",
            metavar="CLASS",
            help="Only bodies of this class: input, context, output, artifact, error, reason, key.",
        ),
    ] = None,
    json_output: Json = False,
) -> None:
    """Write a copy of a run that strangers can check offline."""
    from typing import get_args

    from swarm_ray.evidence.checking import check
    from swarm_ray.evidence.container import write_container
    from swarm_ray.evidence.copy import files_of
    from swarm_ray.evidence.gathering import gather
    from swarm_ray.ports.log import Retention

    output = Output(json_output)
    classes = set(get_args(Retention)) if bodies is None else set(bodies)
    if not classes <= set(get_args(Retention)) or (without_bodies and bodies):
        raise UsageError(
            "export.bad_class",
            f"no bodies can be chosen by {', '.join(sorted(classes))}",
            hint=f"choose of: {', '.join(get_args(Retention))}; or --without-bodies alone",
        )
    settings, reader, found = _open(run)
    with reader:
        copy = gather(
            reader,
            settings.folder,
            found,
            lambda body: not without_bodies and body.retention in classes,
        )
        findings = check(copy)  # a copy that does not hold must not leave the house
        part = file.with_name(f"{file.name}.part")
        try:
            with part.open("wb") as out:
                size = write_container(files_of(copy), out)
            part.replace(file)
        finally:
            part.unlink(missing_ok=True)
    output.data({"event": "exported", "file": str(file), "bytes": size, **findings.to_dict()})
    output.say(
        f"Wrote {file}: {findings.entries} entries, {findings.bodies} bodies, {size:,} bytes."
    )
    output.say("Whoever gets it checks it with `swarm-ray verify`, or with tools/verify_bundle.py")
    output.say(f"alone, against this root key: {findings.root_key}")


@guarded
def receipt(
    run: RunId,
    item: Annotated[
        str, typer.Argument(metavar="[STEP:]ITEM", help="An item, from 0, of a step of the run.")
    ],
    file: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The file to write.")
    ],
    json_output: Json = False,
) -> None:
    """Write a small proof that one result stands in the log as its host signed it."""
    from swarm_ray.evidence.checking import check
    from swarm_ray.evidence.gathering import gather
    from swarm_ray.evidence.receipts import check_receipt, receipt_of

    output = Output(json_output)
    settings, reader, found = _open(run)
    with reader:
        copy = gather(reader, settings.folder, found, lambda _: False)
        check(copy)
        step, _, ordinal = item.rpartition(":")
        data = receipt_of(copy, _swarm(settings, copy, step), _ordinal(ordinal, item))
    proven = check_receipt(data)  # what does not hold must not leave the house
    file.write_bytes(data)
    output.data({"event": "receipt", "file": str(file), "bytes": len(data), **proven.to_dict()})
    output.say(f"Wrote {file}: {len(data):,} bytes. Check it with: swarm-ray verify {file}")
    output.say(f"Its root key is {proven.root_key}")


def _ordinal(text: str, whole: str) -> int:
    if text.isascii() and text.isdecimal():
        return int(text)
    raise UsageError(
        "receipt.bad_item", f"{whole!r} names no item", hint="write ITEM or STEP:ITEM, from 0"
    )


def _swarm(settings: "Settings", copy: "Copy", step: str) -> str:
    """Return the id of the swarm that a step of a run made."""
    from swarm_ray.core.events import RunOpened, SwarmOpened
    from swarm_ray.engine.bundles import BundleShelf
    from swarm_ray.engine.history import read_entry
    from swarm_ray.ledger.opening import shared_place

    events = [read_entry(data)[0] for data in copy.logs["run"]]
    opened = events[0]
    assert isinstance(opened, RunOpened)
    plan = BundleShelf(settings.folder / "bundles", shared_place(settings)).plan_of(opened)
    swarms = {
        plan.steps[event.step].name: event.swarm
        for event in events
        if isinstance(event, SwarmOpened) and event.kind == "fan_out"
    }
    if not step and len(swarms) == 1:
        return next(iter(swarms.values()))
    if step not in swarms:
        raise UsageError(
            "receipt.unknown_step",
            f"the run has no swarm of items called {step!r}",
            hint=f"write STEP:ITEM with one of: {', '.join(swarms) or 'none, it has no items'}",
        )
    return swarms[step]


@guarded
def verify(
    what: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE", help="A run of the ledger here, an export or a receipt."
        ),
    ],
    root_key: RootKey = None,
    witness_key: Annotated[
        list[str] | None,
        typer.Option(
            "--witness-key",
            metavar="KEY",
            help="Key of a witness, as it gave it; its cosignatures are checked. May be repeated.",
        ),
    ] = None,
    json_output: Json = False,
) -> None:
    """Recompute a run, or a copy of one; name the first bad entry."""
    from swarm_ray.evidence.telling import sentences

    output = Output(json_output)
    if Path(what).is_file() and _is_receipt(Path(what)):
        _verify_receipt(Path(what), root_key, output)
        return
    if Path(what).is_file():
        copy, findings = _verify_file(Path(what), root_key)
        unsealed, whole = 0, False
    else:
        copy, findings, unsealed = _verify_run(what, root_key)
        whole = True
    anchors = _compare(copy, witness_key, whole=whole)
    data = {**findings.to_dict(), "anchors": asdict(anchors)}
    output.data({"event": "verified", "ok": True, "unsealed": unsealed, **data})
    for line in (*sentences(findings), *anchors.sentences(len(copy.logs["index"]))):
        output.say(line)
    if unsealed:
        output.say(f"{unsealed} newer entries are whole, but not sealed yet.")


def _compare(copy: "Copy", witness_keys: list[str] | None, *, whole: bool) -> "AnchorFindings":
    """Compare with the anchors that are named here and in the settings."""
    from swarm_ray.anchors.object_lock import ObjectLockAnchor
    from swarm_ray.attestation.note import NoteKey
    from swarm_ray.client.session import current_session
    from swarm_ray.evidence.anchored import check_anchors

    settings = current_session().settings
    texts = [*(witness_keys or ()), *([settings.witness_key] if settings.witness_key else ())]
    kept = ObjectLockAnchor(settings.anchor).kept if settings.anchor else None
    found = check_anchors(copy, [NoteKey.from_text(text) for text in texts], kept, whole=whole)
    if witness_keys and not found.cosigned:
        raise IntegrityError(
            "evidence.not_witnessed",
            "no witness whose key you gave has cosigned this index",
            hint="compare the key with that of the witness; ask it which index it has seen",
        )
    return found


def _is_receipt(file: Path) -> bool:
    from swarm_ray.attestation.receipt import HEAD

    with file.open("rb") as opened:
        return opened.read(len(HEAD)) == HEAD.encode()


def _verify_receipt(file: Path, trusted: list[str] | None, output: Output) -> None:
    from swarm_ray.evidence.checking import keyid_of
    from swarm_ray.evidence.receipts import check_receipt
    from swarm_ray.evidence.telling import receipt_sentences

    keyids = None if trusted is None else {keyid_of(key) for key in trusted}
    proven = check_receipt(file.read_bytes(), keyids)
    output.data({"event": "verified", "ok": True, "receipt": proven.to_dict()})
    for line in receipt_sentences(proven, trusted=trusted is not None):
        output.say(line)


def _verify_file(file: Path, trusted: list[str] | None) -> "tuple[Copy, Findings]":
    from swarm_ray.evidence.file_check import check_file

    if not file.stat().st_size:
        return check_file(b"", trusted)  # which cannot be mapped; says what is missing
    with file.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return check_file(data, trusted)  # type: ignore[arg-type]  # sliced to bytes


def _verify_run(text: str, trusted: list[str] | None) -> "tuple[Copy, Findings, int]":
    from swarm_ray.engine.bundles import BundleShelf
    from swarm_ray.evidence.gathering import gather
    from swarm_ray.evidence.ledger_check import check_ledger
    from swarm_ray.ledger.opening import shared_place

    settings, reader, run = _open(text)
    shelf = BundleShelf(settings.folder / "bundles", shared_place(settings))
    with reader:
        found, unsealed = check_ledger(reader, settings.folder, shelf.plan_of, run, trusted)
        return gather(reader, settings.folder, run, lambda _: False), found, unsealed


def _open(text: str) -> "tuple[Settings, Reader, str]":
    """Return settings, ledger and the full id of a run."""
    from swarm_ray.client.archive import resolve_run, unknown_run
    from swarm_ray.client.session import current_session
    from swarm_ray.ledger.opening import open_reader

    settings = current_session().settings
    try:
        reader = open_reader(settings)
    except UsageError as error:
        if error.code != "ledger.not_found":
            raise
        raise unknown_run(text, []) from None
    heads = reader.logs("run")
    known = [head.log_id for head in heads if head.state != "dropped"]
    try:
        return settings, reader, resolve_run(text, known)
    except UsageError as error:
        dropped = {head.log_id: head for head in heads if head.state == "dropped"}
        if error.code != "run.unknown" or not dropped:
            raise
        try:
            gone = dropped[resolve_run(text, list(dropped))]
        except UsageError:
            raise error from None
        raise UsageError(
            "run.deleted",
            f"run {gone.log_id} was deleted: the index still holds that it had {gone.size} entries "
            f"with the root {gone.root[:16]}…, but nothing of it can be shown or checked any more",
            hint="verify an export that was made before; `swarm-ray gc --bodies` deletes contents "
            "and leaves a run checkable",
        ) from None
