"""A run of real workers that ask a model, exported: a stranger reads which model and which sandbox."""

import json
from pathlib import Path
from typing import Any

import pytest
from evidence_story import copy_from, file_of, stand_alone
from test_evidence_bundles import judged

from swarm_ray.config import Settings
from swarm_ray.definition.bundle import pack
from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_files
from swarm_ray.definition.serving import ModelCapabilities, ModelCapability
from swarm_ray.engine.service import CoordinatorService
from swarm_ray.ports.clock import SystemClock
from swarm_ray.sandbox.description import described
from swarm_ray.sandbox.probe import choose, probe_driver
from swarm_ray.testing.endpoint import Said, endpoint
from swarm_ray.testing.local import local_service
from swarm_ray.values.codec import decode
from swarm_ray.values.digests import sha256
from swarm_ray.values.ids import RANDOM_BYTES, uuid7

PROCESS = """\
process: ask_each
version: 1
inputs: {words: list}
steps:
  - name: ask
    fan_out:
      over: words
      task: ask_one
      concurrency: 2
      retry: {max_attempts: 1}
      convergence: {min_success_ratio: 0.1, failure_action: skip}
    output: answers
output: answers
"""
TASK = """\
task: ask_one
version: 1
input: {word: string}
steps:
  - name: ask
    uses: "asking:ask"
    tokens: {input: 100, output: 50, usd: 0.01}
    output: text
output: text
"""
SKILL = """\
def ask(inputs, ctx):
    message = [{"role": "user", "content": "hi"}]
    for model in inputs["word"].split():
        ctx.model(message, max_tokens=5, **({} if model == "-" else {"model": model}))
    if "die" in inputs["word"]:
        import os
        os._exit(3)
    return "done"
"""
WORDS = ["-", "- other", "", "die", "w" * 500]


def run_of(service: CoordinatorService) -> str:
    files = {"process.yaml": PROCESS, "ask_one.yaml": TASK, "skills/asking.py": SKILL}
    source = load_files(MemoryFiles({k: v.encode() for k, v in files.items()}, label="story"))
    models = ModelCapabilities((ModelCapability("scripted", reasoning_depth="deep"),))
    bundle, clock = pack(link(source, models=models)), SystemClock()
    run = uuid7(clock.now_us() // 1000, clock.random(RANDOM_BYTES))
    service.open_run(run, bundle.data, bundle.digest, {"words": WORDS})
    size, page = 0, service.entries(run, 0, 30)
    while not page.closed:
        size += len(page.entries)
        page = service.entries(run, size, 30)
    return run


class Told:
    """An exported run, its file, and the address that was asked."""

    def __init__(self, home: Path) -> None:
        with endpoint(lambda _: Said("yes", 3, 2)) as server:
            self.where = server.url
            url = server.url.replace("http://", "http://user:sk-secret-1@") + "?key=sk-secret-2"
            self.settings = Settings(
                home=home, slots=2, zygotes=1, model_url=url, model_name="usual", model_key="sk-3"
            )
            service = local_service(self.settings)
            try:
                self.run = run_of(service)
            finally:
                service.shut_down()
        self.copy = copy_from(self.settings, self.run)
        self.data = file_of(self.copy)
        self.entries = [decode(data) for data in self.copy.logs["run"]]

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [one["event"] for one in self.entries if one["kind"] == kind]


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Told:
    return Told(tmp_path_factory.mktemp("home"))


def test_both_verifiers_accept_it(told: Told) -> None:
    facts, found = judged(told.data)
    assert facts == found
    assert facts["rows"] >= len(WORDS)


def test_every_row_says_which_models_were_asked_however_it_ended(told: Told) -> None:
    rows = {row["item"]: row for one in told.events("attempts.settled") for row in one["rows"]}
    usual = f"usual@{told.where}"
    found = {item: (row["status"], row.get("model", "")) for item, row in rows.items()}
    assert found == {
        0: ("ok", usual),
        1: ("ok", f"{usual} other@{told.where}"),
        2: ("ok", ""),
        3: ("transient", f"die@{told.where}"),
        4: ("input", ""),  # a name that is too long never leaves the host
    }
    assert b"sk-" not in told.data


def test_the_digest_of_the_sandbox_can_be_looked_up_and_is_what_doctor_says(told: Told) -> None:
    [seen] = told.events("sandbox.seen")
    assert seen["digest"] == sha256(seen["description"].encode())
    assert {one["sandbox"] for one in told.events("attempts.settled")} == {seen["digest"]}
    description = json.loads(seen["description"])
    assert description["label"] == told.events("attempts.settled")[0]["isolation"]
    isolation = probe_driver(choose(None)).isolation
    assert isolation is not None
    assert described(isolation) == seen["description"]


def test_the_statements_that_hosts_signed_name_both(told: Told) -> None:
    tool = stand_alone()
    files = tool.read_container(told.data)
    roster = tool.Roster(tool.read_log(files, "admin", len(told.copy.logs["admin"]))[0])
    roster.believe({keyid for keyid, roots in roster.above.items() if roots == (keyid,)})
    run = tool.Run(dict(told.copy.items), list(told.copy.logs["run"]), roster)
    [event, *_] = told.events("attempts.settled")
    _, _, sent = run.sent[f"{event['swarm']}/{event['batch']}"]
    by, _ = roster.signer(event["keyid"], "host", told.entries[-1]["time_us"])
    for row, text in zip(event["rows"], run.statements(event, sent, by), strict=True):
        predicate = json.loads(text)["predicate"]
        assert (predicate["model"], predicate["sandbox"]) == (
            row.get("model", ""),
            event["sandbox"],
        )
