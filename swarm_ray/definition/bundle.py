"""Bundles: a definition with its skills and knowledge as one archive, addressed by one digest.

Decides which files belong to a bundle, the bytes of the archive (a plain tar, sorted, without
times or owners) and its digest. Unpacks only what has the expected digest, below one folder.
Never runs or parses what it packs.
"""

import io
import os
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Final

from swarm_ray.definition.linked import Linked
from swarm_ray.definition.load import BINDINGS_FILE
from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.codec import encode_json
from swarm_ray.values.digests import Digest, sha256

LINKED_FILE: Final = "linked.json"
PLAN_FILE: Final = "plan.json"
# What a skill imports or opens is not known from outside, so these travel whole.
_WHOLE_FOLDERS: Final = ("skills/", "bundled/")
MAX_BUNDLE_BYTES: Final = 64_000_000
MAX_BUNDLE_FILES: Final = 4_000
MAX_NAME_CHARACTERS: Final = 255


@dataclass(frozen=True, slots=True)
class Bundle:
    """A packed definition: the archive and the digest of its content."""

    data: bytes
    digest: Digest
    names: tuple[str, ...]


def pack(linked: Linked) -> Bundle:
    """Pack the closure of a linked definition.

    The digest covers every file by name and SHA-256, so it changes with any byte of a definition,
    a skill, knowledge or the bindings, and with nothing else.

    Raises:
        UsageError: `definition.bundle_too_large`.
    """
    return pack_files(content_of(linked))


def content_of(linked: Linked) -> dict[str, bytes]:
    """Return the files of the bundle by relative path."""
    source = linked.source
    names = {source.process.name, *(document.name for document in source.tasks.values())}
    if source.bindings:
        names.add(BINDINGS_FILE)
    names |= {f"knowledge/{name}.md" for name in linked.knowledge}
    names |= {name for name in source.files.names() if name.startswith(_WHOLE_FOLDERS)}
    content = {name: source.files.read(name) for name in sorted(names)}
    return content | {LINKED_FILE: linked.linked_json(), PLAN_FILE: linked.process_json()}


def pack_files(content: Mapping[str, bytes]) -> Bundle:
    """Pack files; the same content gives the same bytes everywhere.

    Raises:
        UsageError: `definition.bundle_too_large`.
    """
    size_bytes = sum(map(len, content.values()))
    if size_bytes > MAX_BUNDLE_BYTES or len(content) > MAX_BUNDLE_FILES:
        raise UsageError(
            "definition.bundle_too_large",
            f"the bundle has {len(content)} files and {size_bytes} bytes; the limits are"
            f" {MAX_BUNDLE_FILES} and {MAX_BUNDLE_BYTES}",
            hint="keep data out of skills and knowledge; pass it as an input",
        )
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted(content):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content[name]), 0o444
            archive.addfile(entry, io.BytesIO(content[name]))
    return Bundle(buffer.getvalue(), digest_of(content), tuple(sorted(content)))


def digest_of(content: Mapping[str, bytes]) -> Digest:
    """Return SHA-256 over the sorted list of [path, SHA-256 of the bytes], as canonical JSON."""
    return sha256(encode_json([[name, sha256(content[name])] for name in sorted(content)]))


def read_bundle(data: bytes, digest: str) -> dict[str, bytes]:
    """Return the files of an archive after checking every name, size and the digest.

    Raises:
        IntegrityError: `definition.bundle_malformed` or `definition.bundle_digest`.
    """
    if len(data) > 2 * MAX_BUNDLE_BYTES:
        raise IntegrityError("definition.bundle_malformed", "the archive is too large")
    content: dict[str, bytes] = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
            for entry in archive:
                name = _checked(entry, content)
                content[name] = _bytes_of(archive, entry)
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise IntegrityError(
            "definition.bundle_malformed", f"the archive cannot be read: {error}"
        ) from error
    if (found := digest_of(content)) != digest:
        raise IntegrityError(
            "definition.bundle_digest",
            f"the bundle has digest {found[:16]}, expected was {digest[:16]}",
            hint="it was changed on the way; send it again",
        )
    return content


def unpack(data: bytes, folder: Path, digest: str) -> Path:
    """Write the files of an archive below an absent or empty folder, read-only; return it.

    Nothing is written before the whole archive was checked.

    Raises:
        IntegrityError: as `read_bundle`.
        UsageError: `definition.folder_not_empty`.
    """
    content = read_bundle(data, digest)
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise UsageError(
            "definition.folder_not_empty",
            f"{folder} holds files already",
            hint="unpack into a folder of its own",
            file=str(folder),
        )
    for name, body in content.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        # O_EXCL and O_NOFOLLOW: whoever else writes below the folder cannot redirect the file.
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o444), "wb") as out:
            out.write(body)
    return folder


def _checked(entry: tarfile.TarInfo, so_far: Mapping[str, bytes]) -> str:
    name = entry.name
    parts = PurePosixPath(name).parts
    problem = ""
    if entry.type != tarfile.REGTYPE or entry.issparse():
        problem = "is no plain file"
    elif name.startswith("/") or ".." in parts or "\\" in name or str(PurePosixPath(name)) != name:
        problem = "leads outside"
    elif not name or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
        problem = "has no usable name"
    elif name in so_far:
        problem = "stands twice"
    elif len(so_far) >= MAX_BUNDLE_FILES or entry.size > MAX_BUNDLE_BYTES:
        problem = "is beyond the limits"
    if problem:
        raise IntegrityError(
            "definition.bundle_malformed", f"the archive member {name[:80]!r} {problem}"
        )
    return name


def _bytes_of(archive: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    opened = archive.extractfile(entry)
    body = opened.read() if opened is not None else b""
    if len(body) != entry.size:
        raise IntegrityError("definition.bundle_malformed", f"{entry.name!r} is cut short")
    return body
