"""What runs inside a worker: steps in order, gates, executors, questions to the host, failures."""

import json
from typing import Any

import pytest

SKILLS = {
    "review": """
import helpers
from helpers import shout


def analyze(inputs, ctx):
    return {"path": inputs["path"], "score": helpers.score(inputs["path"]), "loud": shout("hi")}


def twice(inputs, ctx):
    return {"score": inputs["first"]["score"] * 2, "factor": ctx.with_["factor"]}


def transient(inputs, ctx):
    raise ctx.TransientError("the index is rebuilding")


def limited(inputs, ctx):
    raise ctx.RateLimited(1500)


def os_error(inputs, ctx):
    raise ConnectionResetError("gone")


def own_input(inputs, ctx):
    raise ctx.InputError("too long", code="review.too_long")


def remembers(inputs, ctx):
    ctx.remember("notes", {"n": 1})
    return {"recalled": ctx.recall("notes"), "pinned": ctx.memory, "who": ctx.correlation}


def asks(inputs, ctx):
    reply = ctx.model([{"role": "user", "content": "?"}], max_output_tokens=5)
    found = ctx.tool("retrieve", query="q")
    size = ctx.artifact("a.txt", "text/plain", b"abc")
    ctx.progress("half way")
    return [reply["text"], found, size]


def opens_swarm(inputs, ctx):
    try:
        ctx.tool("swarm.open", over=[1, 2])
    except ctx.ContainmentError as error:
        return {"code": error.code}
    return {"code": None}


def parent(inputs, ctx):
    return {"child": ctx.delegate("helper", {"n": 2}), "memory": ctx.memory}


def helper(inputs, ctx):
    return {"n": inputs["n"] + 1, "memory": ctx.memory, "depth": ctx.depth}


def parent_of_parent(inputs, ctx):
    return ctx.delegate("parent", {})


def many(inputs, ctx):
    return [ctx.delegate("helper", {"n": n}) for n in range(3)]


def total(results, ctx):
    return sum(result["output"] for result in results)


def append(acc, result, ctx):
    return acc + [result["output"]]


def draws(inputs, ctx):
    import random

    return random.random()
""",
    "helpers": "def score(path):\n    return len(path)\n\n\ndef shout(text):\n    return text.upper()\n",
    "broken": "def broken(:\n",
    "absent": "import no_such_library\n\n\ndef run(inputs, ctx):\n    return 1\n",
    "json": "def run(inputs, ctx):\n    import json\n    return json.dumps([1])\n",
    "seeded": "import random\n\n\ndef run(inputs, ctx):\n    return random.random()\n",
}


def one(**fields: Any) -> dict[str, Any]:
    given = {"name": "only", "kind": "skill", "with": {}, "input": None, "output": "out"}
    return {**given, "gate": None, **fields}


def task(*steps: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "version": 1,
        "inputs": {},
        "output": steps[-1]["output"],
        "steps": list(steps),
        **fields,
    }


def failure(result: dict[str, Any]) -> tuple[str, str]:
    assert result["status"] == "failed", result
    return result["class"], result["code"]


def test_steps_run_in_order_and_see_only_what_they_name(start: Any) -> None:
    place = start(
        {
            "review": task(
                one(name="a", uses="review:analyze", output="first"),
                one(name="b", uses="review:twice", input=["first"], output="second",
                    **{"with": {"factor": 3}}),
            ),
            "lost": task(one(uses="review:twice", input=["nowhere"])),
        },
        SKILLS,
    )  # fmt: skip
    assert place.output("review", path="src/a.py") == {"score": 16, "factor": 3}
    assert failure(place.result("lost")) == ("structural", "worker.unknown_input")
    assert failure(place.result("no such task")) == ("structural", "worker.unknown_task")


@pytest.mark.parametrize(
    ("uses", "expected"),
    [
        ("review:transient", ("transient", "skill.transient")),
        ("review:limited", ("rate_limited", "skill.rate_limited")),
        ("review:os_error", ("transient", "skill.os_error")),
        ("review:own_input", ("input", "review.too_long")),
        ("review:analyze", ("input", "skill.raised")),
        ("review:nothing", ("structural", "skill.missing")),
        ("nowhere:run", ("structural", "skill.missing")),
        ("broken:broken", ("structural", "skill.does_not_compile")),
        ("absent:run", ("structural", "skill.import_failed")),
    ],
)
def test_failures_have_the_class_the_host_acts_on(
    start: Any, uses: str, expected: tuple[str, str]
) -> None:
    result = start({"t": task(one(uses=uses))}, SKILLS).result("t")
    assert failure(result) == expected
    assert result["retry_after_ms"] == (1500 if expected[0] == "rate_limited" else 0)
    assert len(result["detail"]) <= 4096


def test_a_skill_named_like_a_library_does_not_replace_it(start: Any) -> None:
    assert start({"t": task(one(uses="json:run"))}, SKILLS).output("t") == "[1]"


def test_a_seed_makes_random_numbers_repeat(start: Any) -> None:
    place = start({"t": task(one(uses="seeded:run"))}, SKILLS)
    drawn = []
    for seed in (7, 7, 8):
        with place.desk() as desk:
            desk.run("t", {}, seed=seed)
            drawn.append(desk.result()["output"])
    assert drawn[0] == drawn[1] != drawn[2]


@pytest.mark.parametrize(
    ("gate", "expected"),
    [
        ("output.score > 3 && inputs.path.startsWith('src')", None),
        ("output.score > 30", ("input", "gate.failed")),
        ("output.nothing == 1", ("input", "gate.error")),
        ("output.score", ("structural", "gate.not_boolean")),
        ("output.score >", ("structural", "gate.does_not_compile")),
    ],
)
def test_a_gate_lets_an_output_pass_or_fails_the_input(
    start: Any, gate: str, expected: tuple[str, str] | None
) -> None:
    result = start({"t": task(one(uses="review:analyze", gate=gate))}, SKILLS).result(
        "t", path="src/a.py"
    )
    assert (failure(result) if expected else result["status"]) == (expected or "ok")


def test_a_gate_is_judged_inside_every_confinement(place: Any) -> None:
    # The zygote has loaded what judges gates: a confined child cannot read a file of that library.
    assert place.output("gated", numbers=[1, 2])["sum"] == 3
    assert failure(place.result("gated", numbers=[1])) == ("input", "gate.failed")


def test_questions_go_to_the_host_and_answers_come_back(start: Any) -> None:
    with start({"t": task(one(uses="review:asks"))}, SKILLS).desk() as desk:
        desk.run("t", {})
        model = desk.hear()
        assert model["request"] == {
            "messages": [{"role": "user", "content": "?"}], "max_output_tokens": 5,
        }  # fmt: skip
        answer = {"text": "yes", "parsed": None, "usage": {}}
        desk.send({"frame": "reply", "id": model["id"], "ok": True, "value": answer})
        tool = desk.hear()
        assert (tool["frame"], tool["name"], tool["args"]) == ("tool", "retrieve", {"query": "q"})
        desk.send({"frame": "reply", "id": 999, "ok": True, "value": "for somebody else"})
        desk.send({"frame": "reply", "id": tool["id"], "ok": True, "value": ["doc"]})
        artifact = desk.hear()
        assert (artifact["name"], artifact["data"]) == ("a.txt", "YWJj")
        desk.send({"frame": "reply", "id": artifact["id"], "ok": True, "value": 3})
        assert desk.hear() == {"frame": "progress", "text": "half way"}
        assert desk.hear()["output"] == ["yes", ["doc"], 3]


def test_memory_is_pinned_and_the_own_chain_is_written_through_the_host(start: Any) -> None:
    with start({"t": task(one(uses="review:remembers"))}, SKILLS).desk() as desk:
        desk.run("t", {}, memory=[{"old": 1}], correlation="swarm-1/worker-002")
        append = desk.hear()
        assert (append["op"], append["chain"], append["payload"]) == ("append", "notes", {"n": 1})
        desk.send({"frame": "reply", "id": append["id"], "ok": True, "value": 1})
        query = desk.hear()
        assert (query["op"], query["chain"]) == ("query", "notes")
        desk.send({"frame": "reply", "id": query["id"], "ok": True, "value": [{"n": 1}]})
        assert desk.hear()["output"] == {
            "recalled": [{"n": 1}], "pinned": [{"old": 1}], "who": "swarm-1/worker-002",
        }  # fmt: skip


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        ({"class": "rate_limited", "code": "model.busy", "retry_after_ms": 20}, "rate_limited"),
        ({"class": "budget", "code": "budget.tokens"}, "budget"),
        ({"class": "containment", "code": "containment.scope"}, "containment"),
        ({"class": "transient", "code": "model.down"}, "transient"),
        ({"class": "structural", "code": "model.none"}, "structural"),
    ],
)
def test_a_refusal_by_the_host_is_the_attempts_failure(
    start: Any, reply: dict[str, Any], expected: str
) -> None:
    with start({"t": task(one(uses="review:asks"))}, SKILLS).desk() as desk:
        desk.run("t", {})
        asked = desk.hear()
        desk.send({"frame": "reply", "id": asked["id"], "ok": False, "message": "no", **reply})
        result = desk.result()
    assert failure(result) == (expected, reply["code"])
    assert result["retry_after_ms"] == reply.get("retry_after_ms", 0)


@pytest.mark.parametrize("granted", [True, False])
def test_a_worker_never_gets_a_swarm_whatever_the_host_says(start: Any, granted: bool) -> None:
    with start({"t": task(one(uses="review:opens_swarm"))}, SKILLS).desk() as desk:
        desk.run("t", {})
        asked = desk.hear()
        assert asked["name"] == "swarm.open"
        refusal = {"class": "containment", "code": "containment.nested_swarm", "message": "no"}
        desk.send({"frame": "reply", "id": asked["id"], "ok": granted, "value": {}, **refusal})
        assert desk.result()["output"] == {"code": "containment.nested_swarm"}


def delegating(task_name: str, start: Any, depth: int, count: int) -> Any:
    limits = {"depth": depth, "count": count}
    tasks = {
        "helper": task(one(uses="review:helper")),
        "parent": task(one(uses="review:parent")),
        "grandparent": task(one(uses="review:parent_of_parent")),
        "many": task(one(uses="review:many")),
        "step": task(one(kind="delegate", uses="helper")),
    }
    tasks[task_name]["delegate"] = limits
    return start(tasks, SKILLS)


def grant_all(desk: Any) -> dict[str, Any]:
    while (frame := desk.hear())["frame"] == "delegate":
        desk.send({"frame": "reply", "id": frame["id"], "ok": True, "value": True})
    result: dict[str, Any] = frame
    return result


def test_a_sub_agent_runs_within_the_worker_and_starts_without_memory(start: Any) -> None:
    with delegating("parent", start, 1, 1).desk() as desk:
        desk.run("parent", {}, memory=["of the parent"])
        assert grant_all(desk)["output"] == {
            "child": {"n": 3, "memory": [], "depth": 1}, "memory": ["of the parent"],
        }  # fmt: skip
    with delegating("step", start, 1, 1).desk() as desk:
        desk.run("step", {"n": 5})
        assert grant_all(desk)["output"]["n"] == 6


@pytest.mark.parametrize(
    ("name", "depth", "count", "fits"),
    [("many", 1, 3, True), ("many", 1, 2, False), ("grandparent", 2, 2, True),
     ("grandparent", 1, 2, False), ("parent", 0, 0, False)],
)  # fmt: skip
def test_sub_agents_are_limited_in_depth_and_number(
    start: Any, name: str, depth: int, count: int, fits: bool
) -> None:
    with delegating(name, start, depth, count).desk() as desk:
        desk.run(name, {})
        result = grant_all(desk)
    if fits:
        assert result["status"] == "ok"
    else:
        assert failure(result) == ("containment", "containment.delegate_limit")


def test_convergence_functions_get_all_results_or_fold_them_in_order(start: Any) -> None:
    place = start(
        {
            "merge": task(one(kind="merge", uses="review:total")),
            "reduce": task(one(kind="reduce", uses="review:append", **{"with": {"initial": [0]}})),
        },
        SKILLS,
    )
    results = [{"ordinal": n, "output": n * 10, "status": "ok"} for n in range(3)]
    assert place.output("merge", results=results) == 30
    assert place.output("reduce", results=results) == [0, 0, 10, 20]
    assert failure(place.result("merge")) == ("input", "converge.no_results")


def test_a_template_fills_dotted_names_and_refuses_unknown_ones(start: Any) -> None:
    text = "{{ who.name }} has {{who.files.1}} and {{tags}}"
    place = start({"t": task(one(kind="template", **{"with": {"template": text}}))})
    who = {"name": "Ada", "files": ["a.py", "b.py"]}
    assert place.output("t", who=who, tags=["x", 1]) == 'Ada has b.py and ["x", 1]'
    assert failure(place.result("t", who={}, tags=[])) == ("input", "template.unknown_name")


FIELDS = {
    "number": {"pattern": r"Invoice (\S+)"},
    "date": {"pattern": r"Date: (.+)", "type": "date"},
    "total": {"pattern": r"Total: (.+)", "type": "currency"},
    "items": {"pattern": r"Items: (.+)", "type": "number"},
    "contact": {"type": "email"},
    "note": {"pattern": r"Note: (.+)", "required": False, "default": "none"},
}
LETTER = "Invoice A-17\nDate: 3 March 2025\nTotal: € 1.234,50\nItems: 1,200\nAsk Sales@Example.org."


def test_fields_are_extracted_and_parsed(start: Any) -> None:
    place = start({"t": task(one(kind="extract", **{"with": {"fields": FIELDS}}))})
    assert place.output("t", letter=LETTER) == {
        "number": "A-17", "date": "2025-03-03", "items": 1200, "contact": "sales@example.org",
        "total": {"amount": "1234.50", "currency": "EUR"}, "note": "none",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("letter", "code"),
    [
        (LETTER.replace("Total", "Sum"), "extract.missing_field"),
        (LETTER.replace("3 March 2025", "soon"), "extract.bad_value"),
    ],
)
def test_a_missing_or_wrong_field_fails_the_input(start: Any, letter: str, code: str) -> None:
    place = start({"t": task(one(kind="extract", **{"with": {"fields": FIELDS}}))})
    assert failure(place.result("t", letter=letter)) == ("input", code)


SOURCE = '''
from os import *


def risky(a, b=[], *, c=None):
    try:
        eval(a)
    except:
        pass
    run(a, shell=True)


def deep(x):
    """Counts."""
    for i in x:
        if i and x or i > 3:
            while i:
                i -= 1
    return [y for y in x if y]


class Thing:
    pass
'''


def test_lint_finds_what_a_reviewer_would(start: Any) -> None:
    place = start({"t": task(one(kind="lint", **{"with": {"max_complexity": 5}}))})
    found = place.output("t", source=SOURCE)
    assert [(each["rule"], each["line"]) for each in found["findings"]] == [
        ("star-import", 2), ("mutable-default", 5), ("runs-code", 7), ("bare-except", 8),
        ("shell", 10), ("complexity", 13),
    ]  # fmt: skip
    broken = place.output("t", source="def f(:\n", file_path="f.py")
    assert broken["file_path"] == "f.py"
    assert [each["rule"] for each in broken["findings"]] == ["syntax"]
    assert place.output("t", source="x = 1\n")["findings"] == []


def test_ast_measures_functions_classes_and_imports(start: Any) -> None:
    found = start({"t": task(one(kind="ast"))}).output("t", source=SOURCE)
    assert found["imports"] == ["os"]
    assert found["classes"] == ["Thing"]
    risky, deep = found["functions"]
    assert (risky["name"], risky["complexity"], risky["arguments"]) == ("risky", 2, 3)
    assert (deep["complexity"], deep["documented"]) == (7, True)


def test_a_model_step_sends_its_words_knowledge_and_inputs_and_nothing_else(start: Any) -> None:
    step = one(kind="model", action="Summarise {{file}}", **{"with": {"temperature": 0}})
    place = start({"t": task(step, knowledge=["style"])}, knowledge={"style": "Be brief."})
    with place.desk() as desk:
        desk.run("t", {"file": "a.py"}, scope="opaque")
        request = desk.hear()
        assert request["request"]["temperature"] == 0
        system, user = request["request"]["messages"]
        assert system == {"role": "system", "content": "# style\n\nBe brief."}
        assert user["content"].startswith("Summarise a.py")
        assert json.loads(user["content"].partition("# Inputs\n\n")[2]) == {"file": "a.py"}
        assert "opaque" not in json.dumps(request)
        value = {"text": "ignored", "parsed": {"summary": "s"}, "usage": {}}
        desk.send({"frame": "reply", "id": request["id"], "ok": True, "value": value})
        assert desk.result()["output"] == {"summary": "s"}


def test_a_classification_is_asked_of_the_host(start: Any) -> None:
    step = one(kind="embed-classify", **{"with": {"labels": ["a", "b"]}})
    with start({"t": task(step)}).desk() as desk:
        desk.run("t", {"text": "x"})
        asked = desk.hear()
        assert asked["name"] == "embed-classify"
        assert asked["args"] == {"inputs": {"text": "x"}, "with": {"labels": ["a", "b"]}}
        desk.send({"frame": "reply", "id": asked["id"], "ok": True, "value": "a"})
        assert desk.result()["output"] == "a"


def test_an_unknown_kind_is_a_flaw_of_the_bundle(start: Any) -> None:
    result = start({"t": task(one(kind="magic"))}).result("t")
    assert failure(result) == ("structural", "worker.unknown_kind")
