"""Compiling a bundle's skills where their text can do no harm.

Decides how compiled bytes travel from the confined child that made them to the zygote, which hands
them on and never loads them.
"""

from __future__ import annotations

import os

from swarm_ray.sandbox import skill_code
from swarm_ray.sandbox.confinement import Confinement
from swarm_ray.sandbox.settings import Settings

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import BinaryIO


def compile_confined(confinement: Confinement, settings: Settings, tmp: str) -> skill_code.Compiled:
    """Compile the skills in a confined child, which hands back bytes that are not loaded here.

    Args:
        confinement: the locks; the caller's own need not be closed yet.
        settings: the start-up orders.
        tmp: an empty folder for the child.

    Raises:
        OSError, ValueError: the child ended without an answer.
    """
    ours, theirs = os.pipe()
    ruleset = confinement.ruleset(tmp)
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.close(ours)
            confinement.lock_zygote()
            confinement.lock_child(ruleset, settings.cpu_s)
            with os.fdopen(theirs, "wb") as out:
                _write_compiled(out, skill_code.compile_skills(settings.bundle))
            code = 0
        finally:
            os._exit(code)
    os.close(theirs)
    if ruleset >= 0:
        os.close(ruleset)
    with os.fdopen(ours, "rb") as answer:
        data = answer.read()
    _, status = os.waitpid(pid, 0)
    if status != 0:
        raise ValueError(f"compiling the skills ended with status {status}")
    return _read_compiled(data)


def _write_compiled(out: BinaryIO, compiled: skill_code.Compiled) -> None:
    for name, code in compiled.items():
        raw = code.encode(errors="replace") if isinstance(code, str) else code
        for part in (name.encode(), b"E" if isinstance(code, str) else b"C", raw):
            out.write(len(part).to_bytes(4, "big") + part)


def _read_compiled(data: bytes) -> skill_code.Compiled:
    parts: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        parts.append(data[at + 4 : end])
        at = end
    return {
        name.decode(): raw.decode() if kind == b"E" else raw
        for name, kind, raw in zip(parts[::3], parts[1::3], parts[2::3], strict=True)
    }
