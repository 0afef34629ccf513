"""Help texts in the documentation are what the program prints."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


def help_blocks() -> ModuleType:
    """Load the helper beside this file; tests are no package."""
    import sys

    path = Path(__file__).with_name("help_blocks.py")
    spec = importlib.util.spec_from_file_location("help_blocks", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["help_blocks"] = module
    spec.loader.exec_module(module)
    return module


BLOCKS = help_blocks()
DOCUMENTED = [
    (path.relative_to(ROOT).as_posix(), block)
    for path in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if path.is_file()
    for block in BLOCKS.find_blocks(path.read_text())
]


def test_the_readme_shows_the_help_of_the_program():
    assert ("README.md", "") in [(name, block.verb) for name, block in DOCUMENTED]


@pytest.mark.parametrize(
    ("name", "block"),
    DOCUMENTED,
    ids=[f"{name}:{block.verb or 'swarm-ray'}" for name, block in DOCUMENTED],
)
def test_a_help_block_is_what_the_program_prints(name, block):
    assert block.text == BLOCKS.real_help(block.verb), (
        f"run: python tests/docs/help_blocks.py {name}"
    )


def test_a_block_that_differs_is_found_and_written_anew():
    before = "x\n<!-- help: swarm-ray gc -->\n```text\nold\n```\ny\n"
    (block,) = BLOCKS.find_blocks(before)
    assert (block.verb, block.text) == ("gc", "old\n")
    after = BLOCKS.refreshed(before)
    assert "--keep-days" in after
    assert after.startswith("x\n<!-- help: swarm-ray gc -->\n```text\nUsage: swarm-ray gc")
    assert after.endswith("```\ny\n")
    assert BLOCKS.refreshed(after) == after
