"""The shipped review is the source document's example, word for word, with its sentences bound."""

import re
from pathlib import Path

import pytest

from swarm_ray.definition.bundle import pack
from swarm_ray.definition.find import find_blueprint
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_process
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability
from swarm_ray.effects.supervising import TOOLS

FOLDER = Path(__file__).parents[3] / "blueprints" / "review_pull_request"
MODELS = ModelCapabilities((ModelCapability("scripted"),))

# As printed in sections 5.1, 5.2 and 5.3 of the source document; its indentation was lost.
PROCESS = """
process: review_pull_request
version: 1
steps:
- name: retrieve_pr
action: "Fetch PR metadata and changed file list"
output: pr_files
- name: analyze_files
action: "Analyze each changed file against architectural standards"
fan_out:
over: pr_files
task: analyze_single_file
concurrency: 8
convergence:
strategy: collect
min_success_ratio: 0.9
failure_action: skip
output: file_analyses
- name: synthesize_review
action: "Combine file analyses into a coherent review"
input: file_analyses
output: review
- name: post_review
action: "Post the review to the pull request"
input: review
"""
TASK = """
task: analyze_single_file
version: 1
knowledge:
- architecture/patterns/vbd-component-taxonomy
- coding/python/style-guide
input:
file_path: string
diff_content: string
pr_context: string
steps:
- name: analyze
action: "Analyze the diff against VBD standards and coding conventions"
output: analysis
- name: format
action: "Format the analysis as a structured review comment"
input: analysis
output: review_comment
output: review_comment
"""
BEHAVIOR = """
behavior:
swarm_eligible: true
containment: strict
event_topics:
- task.lifecycle
- artifact.produced
estimated_duration: short
model_requirements:
reasoning_depth: moderate
code_generation: true
"""


def words(text: str) -> list[str]:
    """Every key, dash and value in order, without indentation."""
    return [re.sub(r"\s+", " ", line.strip()) for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize(
    ("name", "printed"),
    [("process.yaml", PROCESS), ("analyze_single_file.yaml", TASK + BEHAVIOR)],
)
def test_the_files_hold_the_documents_words_and_no_others(name: str, printed: str) -> None:
    assert words((FOLDER / name).read_text()) == words(printed)


def test_the_bound_review_is_served_by_skills_and_one_effect() -> None:
    result = link(load_process(find_blueprint("review_pull_request")), effects=TOOLS)
    served = {
        task: [(step["kind"], step["uses"]) for step in linked["steps"]]
        for task, linked in result.tasks.items()
    }
    assert served == {
        "step:retrieve_pr": [("skill", "retrieve:retrieve")],
        "analyze_single_file": [("skill", "analyze:analyze"), ("skill", "format:format_comment")],
        "step:synthesize_review": [("skill", "synthesize:synthesize")],
    }
    publish = result.plan.steps[-1]
    assert publish.effect is not None
    assert publish.effect.tool == "files.publish"
    assert set(publish.inputs) == {"review", "output_dir"}
    assert result.inputs.keys() == {"repository", "range", "output_dir"}
    assert not any(entry.required for entry in result.inputs.values())


def test_only_the_declared_repository_may_be_read() -> None:
    tasks = link(load_process(FOLDER)).tasks
    assert tasks["step:retrieve_pr"]["reads"] == ["repository"]
    assert tasks["step:synthesize_review"]["reads"] == ["repository"]
    assert tasks["analyze_single_file"]["reads"] == []


def test_the_same_process_is_served_by_a_model_and_then_posts_nothing() -> None:
    result = link(load_process(FOLDER, without_bindings=True), models=MODELS)
    assert {step["kind"] for task in result.tasks.values() for step in task["steps"]} == {"model"}
    assert all(step.effect is None for step in result.plan.steps)
    assert any(note.startswith("post_review: a model answers") for note in result.notes)


def test_the_documents_knowledge_travels_with_the_bundle() -> None:
    names = pack(link(load_process(FOLDER))).names
    assert "knowledge/architecture/patterns/vbd-component-taxonomy.md" in names
    assert "knowledge/coding/python/style-guide.md" in names


def test_the_lifecycle_goes_to_the_documents_topics() -> None:
    swarm = link(load_process(FOLDER)).plan.steps[1]
    assert swarm.topics == ("task.lifecycle", "artifact.produced")
