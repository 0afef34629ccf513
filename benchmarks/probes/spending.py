"""A swarm that asks a model until its budget is gone; what was really spent is counted there."""

import os
from typing import Any

from benchmarks.probes.deployment import home_settings, new_run, wait_closed
from benchmarks.probes.endpoint import Endpoint
from benchmarks.swarms import entries_of
from swarm_ray.config import Settings
from swarm_ray.core.events import Settled
from swarm_ray.definition.bundle import pack
from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_files
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.testing.local import LocalHosts

PROCESS = """
process: questions
version: 1
inputs: {{numbers: list}}
steps:
  - name: ask_all
    fan_out:
      over: numbers
      task: ask_one
      concurrency: {concurrency}
      budget: {{tokens: {budget}}}
      retry: {{max_attempts: 3, initial_interval: 50ms}}
      convergence: {{strategy: collect, min_success_ratio: 1, failure_action: skip}}
    output: answers
output: answers
"""
TASK = """
task: ask_one
version: 1
input: {number: integer}
steps:
  - {name: ask, uses: "asking:ask", tokens: {input: 150, output: 100}, output: answer}
output: answer
"""
SKILL = """
def ask(inputs, ctx):
    question = {"role": "user", "content": f"Is {inputs['number']} a number? " + "x" * 60}
    return ctx.model([question], max_tokens=100)["text"]
"""


HOSTS = 4
"""A host asks a model for at most 16 workers of a bundle at once, so one would not do."""


def _four_hosts(settings: Settings, coordinator_key: bytes, generation: int) -> LocalHosts:
    hosts = LocalHosts(settings, coordinator_key, generation)
    for _ in range(HOSTS - 1):
        hosts.add()
    return hosts


def measure(
    count: int, budget: int, *, concurrency: int = 64, lost_per_mille: int = 0
) -> dict[str, Any]:
    """Spend a budget that is too small for all items."""
    endpoint = Endpoint(lost_per_mille)
    settings = home_settings(
        os.environ["SWARM_RAY_HOME"],
        "auto",
        slots=concurrency // HOSTS,
        model_url=endpoint.url,
        model_name="scripted",
        model_key="none",
    )
    process = PROCESS.format(concurrency=concurrency, budget=budget)
    files = {"process.yaml": process, "ask_one.yaml": TASK, "skills/asking.py": SKILL}
    bundle = pack(link(load_files(MemoryFiles({k: v.encode() for k, v in files.items()}))))
    service = CoordinatorService(settings, _four_hosts)
    run = new_run()
    inputs = {"numbers": [{"number": number} for number in range(count)]}
    service.open_run(run, bundle.data, bundle.digest, inputs)
    wait_closed(service, run, 600.0)
    service.shut_down()
    endpoint.close()
    rows = [
        row
        for event, _, _ in entries_of(settings.folder, run)
        if isinstance(event, Settled)
        for row in event.rows
    ]
    return {
        "spent": endpoint.spent,
        "calls": endpoint.calls,
        "at_once": endpoint.most_at_once,
        "charged": sum(row.tokens for row in rows),
        "answered": sum(row.status == "ok" for row in rows),
        "codes": sorted({row.code for row in rows if row.code}),
    }
