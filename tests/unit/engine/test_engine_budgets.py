"""Money and tokens: slices are reserved before a call leaves, nothing is spent beyond them."""

import threading
import time
from pathlib import Path

import pytest
from engine_story import Town, letters, packed

from swarm_ray.core import events as ev
from swarm_ray.core.tree import DelegateLimits, Scope
from swarm_ray.engine.boundary import Boundary
from swarm_ray.errors import ContainmentError
from swarm_ray.models.slice import Slice
from swarm_ray.testing.endpoint import Endpoint, Said, endpoint

ASKING = """\
def sort(inputs, ctx):
    reply = ctx.model([{"role": "user", "content": inputs["letter"]}], max_tokens=50)
    return reply["text"]
"""
ANY = "min_success_ratio: 1, failure_action: skip"


def asking(budget: str = "", concurrency: int = 4, **swaps: str) -> dict[str, str]:
    text = f"concurrency: {concurrency}" + (f"\n      budget: {budget}" if budget else "")
    files = letters(ASKING, ANY, {"concurrency: 4": text, **swaps})
    files["sort_letter.yaml"] = files["sort_letter.yaml"].replace(
        "    output: label", "    tokens: {input: 100, output: 50, usd: 0.01}\n    output: label"
    )
    return files


def living(tmp_path: Path, server: Endpoint, **more) -> Town:
    return Town(
        tmp_path / "home",
        model_url=server.url,
        model_name="scripted",
        model_key="sk-secret-of-the-endpoint",
        model_price_input=1_000_000,
        model_price_output=2_000_000,
        **more,
    )


def test_cost_is_recorded_once_per_attempt_failed_ones_included(tmp_path: Path):
    seen: dict[str, int] = {}

    def script(request) -> Said:
        text = request["messages"][-1]["content"]
        seen[text] = seen.get(text, 0) + 1
        if text == "b" and seen[text] == 1:
            return Said(status=500, code="overloaded")
        return Said(text.upper(), 10, 5)

    with endpoint(script) as server:
        town = living(tmp_path, server)
        run = town.open(packed(asking(), model=True), letters=["a", "b", "c"])
        result = town.end(run)
        town.close()
        assert (result.status, result.output) == ("done", ["A", "B", "C"])
        assert (result.usage.attempts, result.usage.tokens) == (4, 45)
        assert result.usage.cost_microusd == 3 * (10 + 2 * 5)
        assert server.keys == {"Bearer sk-secret-of-the-endpoint"}
    town.assert_clean()


def test_nothing_is_spent_beyond_the_budget_at_64_at_once(tmp_path: Path):
    def script(_) -> Said:
        time.sleep(0.02)
        return Said("ok", 70, 50)

    limit = 150 * 40
    with endpoint(script) as server:
        town = living(tmp_path, server, slots=64)
        files = asking(f"{{tokens: {limit}}}", 64)
        run = town.open(packed(files, model=True), letters=["x"] * 200)
        result = town.end(run)
        town.close()
        spent = 120 * len(server.requests)
        assert spent <= limit
        assert result.usage.tokens == spent
        assert result.usage.tokens + 150 > limit, "it stopped before the budget was used up"
        assert result.status in ("budget", "done")
        assert len(result.ok) == len(server.requests)
    town.assert_clean()


def test_a_call_that_does_not_fit_its_slice_never_leaves(tmp_path: Path):
    with endpoint(lambda _: Said("ok", 1, 1)) as server:
        town = living(tmp_path, server)
        result = town.run(packed(asking(), model=True), letters=["x" * 500, "y"])
        town.close()
        assert [len(one["messages"][0]["content"]) for one in server.requests] == [1]
        assert result.items[0].code == "budget.slice"


def test_rate_limits_shrink_the_concurrency_and_retry_after_is_obeyed(tmp_path: Path):
    lock = threading.Lock()
    times: list[float] = []

    def script(_) -> Said:
        with lock:
            times.append(time.monotonic())
            first = len(times) <= 8
        if first:
            return Said(status=429, code="slow down", headers={"retry-after": "0.3"})
        return Said("ok", 1, 1)

    with endpoint(script) as server:
        town = living(tmp_path, server, slots=8)
        files = asking(concurrency=8, **{"max_attempts: 2": "max_attempts: 9, max_identical: 9"})
        run = town.open(packed(files, model=True), letters=["x"] * 16)
        result = town.end(run)
        dispatched = [one for one in town.events(run) if isinstance(one, ev.Dispatched)]
        town.close()
    assert result.output == ["ok"] * 16
    assert min(one.lanes for one in dispatched) < 8
    assert any(later - times[7] >= 0.25 for later in times[8:])


@pytest.mark.parametrize(
    ("said", "code", "attempts"),
    [
        (Said(status=500, code="broken"), "model.overloaded", 2),
        (Said(status=429, code="insufficient_quota"), "model.quota", 1),
        (Said(status=401, code="who are you"), "model.refused", 1),
        (Said(status=400, code="too long"), "model.bad_request", 1),
    ],
)
def test_an_endpoints_answers_have_their_failure_class(tmp_path: Path, said, code, attempts):
    with endpoint(lambda _: said) as server:
        town = living(tmp_path, server)
        result = town.run(packed(asking(), model=True), letters=["x"])
        town.close()
        assert result.status == "failed"
        assert (result.items[0].code, result.items[0].attempts) == (code, attempts)
        assert len(server.requests) == attempts


def test_without_an_endpoint_a_model_call_says_so(town: Town):
    result = town.run(packed(asking(), model=True), letters=["x"])
    assert result.items[0].code == "model.none"


@pytest.mark.parametrize(
    ("depths", "code"),
    [
        ((2,), "containment.lateral"),
        ((1, 2, 3), "containment.delegate_depth"),
        ((1, 1, 1), "containment.delegate_count"),
    ],
)
def test_the_host_counts_sub_agents_whatever_the_worker_says(
    depths: tuple[int, ...], code: str
) -> None:
    scope = Scope("token", "run", "swarm", 0, 1)
    boundary = Boundary(scope, {}, Slice(0, 0), DelegateLimits(depth=2, count=2))
    *granted, last = [{"frame": "delegate", "task": "help", "depth": depth} for depth in depths]
    numbers = [boundary.request(frame, "delegate") for frame in granted]
    with pytest.raises(ContainmentError) as refused:
        boundary.request(last, "delegate")
    assert refused.value.code == code
    assert numbers == list(range(1, len(depths)))
    assert boundary.said.agents == len(granted)


def test_sub_agents_stay_within_their_limits_and_are_counted(town: Town):
    skill = """\
def sort(inputs, ctx):
    return [inputs["helped"]] + [ctx.delegate("help", {"letter": n}) for n in range(inputs["letter"])]


def help(inputs, ctx):
    assert ctx.memory == []
    return inputs["letter"] + 100
"""
    files = letters(skill, ANY)
    files["sort_letter.yaml"] = files["sort_letter.yaml"].replace(
        "steps:\n  - name: sort",
        "delegate: {depth: 1, count: 2}\nsteps:\n"
        "  - {name: first, delegate: {task: help}, input: letter, output: helped}\n"
        "  - name: sort\n    input: [letter, helped]",
    )
    files["help.yaml"] = (
        "task: help\nversion: 1\ninput: {letter: any}\nsteps:\n"
        "  - {name: help, uses: 'sorting:help', output: helped}\noutput: helped\n"
    )
    result = town.run(files, letters=[1, 2])
    assert result.items[0].output == [101, 100], result.items[0].error
    assert result.items[1].code.startswith("containment.delegate")
    assert result.usage.sub_agents == 4
