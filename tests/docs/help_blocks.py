"""Help texts inside Markdown: find the blocks, compare them, write them anew.

A block is the fenced text after a marker line such as `<!-- help: swarm-ray run -->`.
`python tests/docs/help_blocks.py README.md` brings the blocks of a file up to date.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"<!-- help: swarm-ray(?P<verb>[ a-z]*) -->\n```text\n(?P<text>.*?)```\n", re.S)


@dataclass(frozen=True)
class HelpBlock:
    """One block: the verb (empty for the program itself), its text, where it stands."""

    verb: str
    text: str
    span: tuple[int, int]


def find_blocks(markdown: str) -> list[HelpBlock]:
    """Return the help blocks of a Markdown text, in order."""
    return [
        HelpBlock(found["verb"].strip(), found["text"], found.span("text"))
        for found in BLOCK.finditer(markdown)
    ]


def real_help(verb: str) -> str:
    """Return what `swarm-ray VERB --help` prints on 80 columns."""
    words = [*verb.split(), "--help"]
    done = subprocess.run(
        [sys.executable, "-m", "swarm_ray.cli.main", *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "COLUMNS": "80", "TERMINAL_WIDTH": "80"},
    )
    return "\n".join(line.rstrip() for line in done.stdout.splitlines()) + "\n"


def refreshed(markdown: str) -> str:
    """Return the text with every help block as it should be."""
    for block in reversed(find_blocks(markdown)):
        start, end = block.span
        markdown = markdown[:start] + real_help(block.verb) + markdown[end:]
    return markdown


if __name__ == "__main__":
    for name in sys.argv[1:]:
        Path(name).write_text(refreshed(Path(name).read_text()))
