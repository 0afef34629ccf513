"""Flaws of a definition: collected as long as reading can go on, raised together.

Decides how a flaw is named, located and shown, and which known word was probably meant. Never
decides what is a flaw; the modules that read and link do.
"""

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from typing_extensions import override

from swarm_ray.errors import StructuralError


@dataclass(frozen=True, slots=True, order=True)
class Flaw:
    """One thing that is wrong in a definition, at its place, with the remedy."""

    file: str
    line: int
    code: str
    message: str
    hint: str = ""

    @override
    def __str__(self) -> str:
        tail = f" ({self.hint})" if self.hint else ""
        return f"{self.file}:{self.line}: {self.code}: {self.message}{tail}"


def raise_flaws(flaws: Sequence[Flaw], *, about: str) -> None:
    """Raise all flaws as one error; return when there is none.

    The error's `fields["flaws"]` lists each flaw as `{code, file, line, message, hint}`.

    Raises:
        StructuralError: `definition.flawed`; its message holds one line per flaw.
    """
    found = sorted(set(flaws))
    if not found:
        return
    count = "1 flaw" if len(found) == 1 else f"{len(found)} flaws"
    raise StructuralError(
        "definition.flawed",
        f"{about} has {count}:\n" + "\n".join(str(flaw) for flaw in found),
        hint="correct each line above; nothing was started",
        flaws=[asdict(flaw) for flaw in found],
    )


def suggest(word: str, known: Iterable[str], *, otherwise: str = "") -> str:
    """Return the hint that names the closest known words, or else lists them all."""
    names = sorted(set(known))
    close = difflib.get_close_matches(word, names, n=2, cutoff=0.6)
    if close:
        return "did you mean " + " or ".join(repr(name) for name in close) + "?"
    if otherwise:
        return otherwise
    if not names:
        return "none is known here"
    shown = ", ".join(names[:12]) + (", ..." if len(names) > 12 else "")
    return f"known here: {shown}"
