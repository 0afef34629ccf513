"""What the blueprint tests share: the skills on the path, and a worker's context without a host."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

BLUEPRINTS = Path(__file__).resolve().parents[3] / "blueprints"
REVIEW = BLUEPRINTS / "review_pull_request"
TRIAGE = BLUEPRINTS / "triage_messages"
for skills in (REVIEW / "skills", TRIAGE / "skills"):
    sys.path.insert(0, str(skills))


class WorkerContext:
    """The attributes that a skill may use, with everything told kept for the test to read."""

    def __init__(self, knowledge: dict[str, str]) -> None:
        self.knowledge = knowledge
        self.memory: list[Any] = []
        self.with_: dict[str, Any] = {}
        self.correlation = "swarm-00000000/worker-001"
        self.told: list[str] = []
        self.remembered: list[tuple[str, Any]] = []

    def progress(self, text: str) -> None:
        self.told.append(text)

    def remember(self, chain: str, payload: Any) -> None:
        self.remembered.append((chain, payload))

    def recall(self, chain: str) -> list[Any]:
        return [payload for name, payload in self.remembered if name == chain]


def knowledge_of(blueprint: Path) -> dict[str, str]:
    """Read the knowledge files as the bundle names them."""
    folder = blueprint / "knowledge"
    return {
        path.relative_to(folder).with_suffix("").as_posix(): path.read_text("utf-8")
        for path in sorted(folder.rglob("*.md"))
    }


@pytest.fixture
def context() -> WorkerContext:
    return WorkerContext(knowledge_of(REVIEW))


@pytest.fixture
def review_folder(context: WorkerContext) -> Callable[..., dict[str, Any]]:
    """Run the four steps' skills over a folder as a swarm would, one item after the other."""
    from analyze import analyze
    from format import format_comment
    from retrieve import retrieve
    from synthesize import synthesize

    def run(root: Path, range_text: str = "") -> dict[str, Any]:
        items = retrieve({"repository": str(root), "range": range_text}, context)
        comments = [format_comment({"analysis": analyze(item, context)}, context) for item in items]
        return synthesize({"file_analyses": comments, "repository": str(root)}, context)

    return run
