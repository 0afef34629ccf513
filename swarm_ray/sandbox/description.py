"""What a worker ran in, described so that it has a digest.

Decides which facts identify a sandbox: what holds around the worker, as its zygote found it; the
kernel, which holds it; the program that makes it, filters included; and the interpreter with the
distributions that a bundle may import. Nothing of a run or an attempt takes part, nor a path, a
time or a name, so that equal machines describe themselves alike.
"""

import platform
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Final

from swarm_ray.errors import IntegrityError
from swarm_ray.ports.sandbox import Isolation
from swarm_ray.sandbox.roots import installed_libraries
from swarm_ray.values.codec import decode, encode
from swarm_ray.values.digests import sha256

MAX_DESCRIPTION_BYTES: Final = 8_192


@dataclass(frozen=True, slots=True)
class Image:
    """What a worker meets on this machine, whatever holds around it.

    Args:
        kernel: name and release of the operating system's kernel.
        machine: instruction set.
        packages: digest of the installed distributions that a bundle may import.
        program: digest of the code that makes the sandbox and runs in it.
        python: implementation and version of the interpreter.
    """

    kernel: str
    machine: str
    packages: str
    program: str
    python: str


def description_of(isolation: Isolation, image: Image) -> str:
    """Return canonical JSON that says what a worker ran in; the SHA-256 of its UTF-8 bytes is the
    digest of the sandbox.

    Raises:
        UsageError: `codec.too_large` beyond 8 KiB.
    """
    described = {
        "driver": isolation.driver,
        "kernel": image.kernel,
        "label": isolation.label,
        "landlock_abi": isolation.landlock_abi,
        "limits": sorted(isolation.limits),
        "machine": image.machine,
        "namespaces": sorted(isolation.namespaces),
        "notes": sorted(isolation.notes),
        "packages": image.packages,
        "program": image.program,
        "python": image.python,
        "seccomp": isolation.seccomp,
    }
    return encode(described, max_bytes=MAX_DESCRIPTION_BYTES).decode()


def is_description(text: str) -> bool:
    """Say whether a text is an object in canonical JSON of at most 8 KiB. What stands in it is the
    word of a host."""
    try:
        data = text.encode()
        return len(data) <= MAX_DESCRIPTION_BYTES and isinstance(decode(data), dict)
    except (IntegrityError, UnicodeEncodeError):
        return False


def lines_digest(lines: Iterable[str]) -> str:
    """Return the SHA-256 of different lines, sorted and joined by a line feed."""
    return sha256("\n".join(sorted(set(lines))).encode())


@cache
def image() -> Image:
    """Return what workers meet on this machine; looked up once per process."""
    here = Path(__file__).parent
    found = [one.metadata for one in metadata.distributions(path=installed_libraries())]
    return Image(
        kernel=f"{platform.system()} {platform.release()}",
        machine=platform.machine(),
        packages=lines_digest(f"{one['Name']}=={one['Version']}" for one in found),
        program=lines_digest(
            f"{file.relative_to(here).as_posix()} {sha256(file.read_bytes())}"
            for file in here.rglob("*.py")
        ),
        python=f"{platform.python_implementation()} {platform.python_version()}",
    )


@cache
def described(isolation: Isolation) -> str:
    """Return the description of a sandbox of this machine; made once per process and kind."""
    return description_of(isolation, image())
