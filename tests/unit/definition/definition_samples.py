"""A small definition that holds, as text, for tests that break it in one place."""

from collections.abc import Mapping

from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.linked import Linked
from swarm_ray.definition.load import Source, load_files
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability
from swarm_ray.effects.supervising import TOOLS as SHIPPED

PROCESS = """\
process: sort_letters
version: 1
inputs:
  folder: {type: path, default: "."}
steps:
  - name: collect
    action: "Collect the letters"
    output: letters
  - name: sort
    action: "Sort every letter"
    fan_out:
      over: letters
      task: sort_letter
      concurrency: 4
      deadline: 30s
      item_deadline: 5s
      budget: {tokens: 50000, usd: 1.50}
      convergence:
        strategy: collect
        min_success_ratio: 0.5
        failure_action: skip
    output: sorted_letters
    on_error:
      - when: {min_success_ratio: 0.2}
        reaction: proceed
      - reaction: escalate
        uses: sorting:react
  - name: summarise
    action: "Summarise the letters"
    input: sorted_letters
    output: summary
  - name: approve
    ask:
      question: "Publish the summary?"
      choices: [publish, discard]
      default: discard
      expires: 1h
  - name: publish
    action: "Publish the summary"
    input: summary
"""
TASK = """\
task: sort_letter
version: 1
knowledge:
  - house/rules
input:
  sender: string
  words: integer
steps:
  - name: classify
    action: "Classify the letter"
    output: label
  - name: word
    action: "Word the answer"
    input: label
    output: answer
    gate: 'size(output.text) > 0'
output: answer
"""
BINDINGS = """\
bindings: sort_letters
version: 1
actions:
  "Collect the letters":
    uses: sorting:collect
    input: [folder]
    reads: [folder]
    processes: 2
    output_schema:
      type: array
      items:
        type: object
        properties: {sender: {type: string}, words: {type: integer}}
  "Classify the letter":
    uses: sorting:classify
  "Word the answer":
    uses: sorting:word
    output_schema:
      type: object
      properties: {text: {type: string}, label: {type: string}, score: {type: number}}
    examples:
      - {input: {label: late}, output: {text: "Sorry"}}
  "Summarise the letters":
    uses: template
    with: {template: "{{ sorted_letters }}"}
  "Publish the summary":
    effect: files.publish
    with: {folder: {from: folder}, files: {summary.md: {from: summary.text}}}
"""
SKILL = """\
import json


def collect(inputs, ctx):
    return json.loads("[]")


def classify(inputs, ctx):
    return "late"


def word(inputs, ctx):
    return {"text": "Sorry"}


def react(inputs, ctx):
    return {"reaction": "escalate"}


def merge(results, ctx):
    return results


def reduce(acc, result, ctx):
    return acc


def needs_three(inputs, ctx, more):
    return more


async def later(inputs, ctx):
    return None
"""
MODELS = ModelCapabilities((ModelCapability("small", reasoning_depth="moderate"),))
TOOLS = {**SHIPPED, "mail.send": {"type": "object"}}


def definition(
    changes: Mapping[str, str] | None = None,
    *,
    swaps: Mapping[str, tuple[str, str]] | None = None,
) -> MemoryFiles:
    """Return the sample with whole files replaced or added, or one text swapped in a file."""
    files = {
        "process.yaml": PROCESS,
        "sort_letter.yaml": TASK,
        "bindings.yaml": BINDINGS,
        "skills/sorting.py": SKILL,
        "knowledge/house/rules.md": "Answer within two days.\n",
        **(changes or {}),
    }
    for name, (old, new) in (swaps or {}).items():
        assert files[name].count(old) == 1, f"{old!r} must stand once in {name}"
        files[name] = files[name].replace(old, new)
    return MemoryFiles({name: text.encode() for name, text in files.items()}, label="sample")


def loaded(
    changes: Mapping[str, str] | None = None,
    *,
    swaps: Mapping[str, tuple[str, str]] | None = None,
    without_bindings: bool = False,
) -> Source:
    """Load the changed sample."""
    return load_files(definition(changes, swaps=swaps), without_bindings=without_bindings)


def linked(
    changes: Mapping[str, str] | None = None,
    *,
    swaps: Mapping[str, tuple[str, str]] | None = None,
    models: ModelCapabilities | None = None,
) -> Linked:
    """Link the changed sample."""
    return link(loaded(changes, swaps=swaps), models=models, effects=TOOLS)
