"""Text of strangers, made fit to be printed.

Decides which characters reach a terminal as they are: those that can be seen, and the space. All
others, line ends and writing directions among them, could make one sentence look like another.
"""


def visible(text: str, keep: str = "") -> str:
    r"""Return a text with every character that cannot be seen written as in JSON, `\u001b` say.

    Args:
        text: may come from anybody.
        keep: characters that stay although they cannot be seen.
    """
    if text.isprintable():
        return text
    return "".join(one if one.isprintable() or one in keep else _escaped(one) for one in text)


def _escaped(character: str) -> str:
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at : at + 2].hex()}" for at in range(0, len(units), 2))
