"""Text of strangers, made fit to be printed.

Decides which characters reach a terminal as they are: those that can be seen, and the space. All
others, line ends and writing directions among them, could make one sentence look like another.
"""

import traceback
from typing import Final

LINES: Final = 60
LINE_CHARS: Final = 500


def visible(text: str, keep: str = "") -> str:
    r"""Return a text with every character that cannot be seen written as in JSON, `\u001b` say.

    Args:
        text: may come from anybody.
        keep: characters that stay although they cannot be seen.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _escaped(one) for one in text)


def traceback_of(error: BaseException) -> str:
    """Return an error with its traceback, line by line, to be logged: its words may be those of a
    stranger, and as many as he likes; of long ones the end is kept."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(visible(line[:LINE_CHARS]) for line in lines[-LINES:])


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
