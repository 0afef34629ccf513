"""How a model is called in a row: `NAME@WHERE`, and several of them in one text.

Decides which characters a name may have, since workers choose it, and what of an address may be
known to everybody. Where the host has the weights themselves WHERE is their digest, elsewhere the
address that was asked: what runs behind it nobody here can know.
"""

import hashlib
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

from swarm_ray.errors import UsageError
from swarm_ray.values.digests import sha256

MAX_NAME_CHARS: Final = 128
"""Of the name that a worker gives; published ones are shorter."""
MAX_MODEL_CHARS: Final = 256
"""Of all models of one row together."""
_PLAIN: Final = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "@%")
_MODEL: Final = re.compile(r"[!-~]+(?: [!-~]+)*")


def model_name(name: Any, where: str) -> str:
    """Return `NAME@WHERE`. Of the name everything but visible ASCII is written as percent and two
    digits per byte of UTF-8, `@` and `%` too, so that two names never become one.

    Args:
        name: what was asked for; text from a worker, or anything else from one.
        where: from `address` or `weights_digest`.

    Raises:
        UsageError: `model.bad_request`.
    """
    if not isinstance(name, str) or len(name) > MAX_NAME_CHARS:
        raise _bad_name()
    try:
        return f"{quote(name, safe=_PLAIN)}@{where}"
    except UnicodeEncodeError as error:
        raise _bad_name() from error


def address(url: str) -> str:
    """Return scheme, host, port and path of a URL: no user, password, query or fragment, which may
    hold keys.

    Raises:
        UsageError: `model.bad_url`.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise _bad_url() from error
    if not host or parts.scheme not in ("http", "https"):
        raise _bad_url()  # without a scheme a password would look like a path
    place = f"[{host}]" if ":" in host else host
    at = place if port is None else f"{place}:{port}"
    return quote(f"{parts.scheme}://{at}{parts.path.rstrip('/')}", safe=_PLAIN + "%")


@cache
def weights_digest(file: Path) -> str:
    """Return `sha256:` and the digest of a file of weights; read once per process.

    Raises:
        OSError: it cannot be read.
    """
    with file.open("rb") as data:
        return f"sha256:{hashlib.file_digest(data, 'sha256').hexdigest()}"


def joined(models: Iterable[str]) -> str:
    """Return the models of one row as one text, or the digest of that text if it is longer than
    256 characters."""
    text = " ".join(models)
    return text if len(text) <= MAX_MODEL_CHARS else f"sha256:{sha256(text.encode())}"


def is_models(text: str) -> bool:
    """Say whether a text can be what `joined` returns for some models; empty is for none."""
    return not text or (len(text) <= MAX_MODEL_CHARS and _MODEL.fullmatch(text) is not None)


def _bad_name() -> UsageError:
    return UsageError(
        "model.bad_request",
        f"the name of a model is a text of at most {MAX_NAME_CHARS} characters",
        hint="leave `model` out for the configured one",
    )


def _bad_url() -> UsageError:
    return UsageError(
        "model.bad_url",
        "the address of the model is no address of a web service",
        hint="set SWARM_RAY_MODEL_URL to a base URL like http://localhost:8000/v1",
    )
