"""Every structural flaw is found at link time, at its file and line, under its own code."""

from dataclasses import dataclass

import pytest
from definition_samples import MODELS, PROCESS, TASK, TOOLS, definition, linked, loaded

from swarm_ray.definition.files import MemoryFiles
from swarm_ray.definition.link import link
from swarm_ray.definition.load import load_files
from swarm_ray.errors import StructuralError

P, T, B = "process.yaml", "sort_letter.yaml", "bindings.yaml"


@dataclass(frozen=True)
class Broken:
    """One place that is broken, and where the flaw must be reported."""

    code: str
    file: str
    old: str
    new: str
    at: str = ""  # a fragment of the reported line; the changed text itself when empty
    report: str = ""  # the file of the report, the changed one when empty


VOTE = "strategy: vote"
CASES = [
    Broken(
        "definition.gate_unserved",
        P,
        "    input: summary",
        "    input: summary\n    gate: 'true'",
        "gate: 'true'",
    ),
    Broken(
        "definition.invalid_schema",
        T,
        "sender: string",
        "sender: {$ref: 'http://example.org/sender.json'}",
    ),
    Broken("definition.bad_default", P, "type: path, default", "$ref: '#/absent', default"),
    Broken(
        "definition.misplaced_key",
        P,
        "    fan_out:",
        "    reads: [folder]\n    fan_out:",
        "reads: [folder]",
    ),
    Broken("definition.misplaced_key", P, "    ask:", "    tokens: {}\n    ask:", "tokens"),
    Broken(
        "definition.misplaced_key",
        B,
        "effect: files.publish",
        "effect: files.publish\n    processes: 2",
        "processes: 2",
    ),
    Broken(
        "definition.misplaced_key",
        B,
        "uses: sorting:classify",
        "uses: sorting:classify\n    requires: {residency: [eu]}",
        "requires",
    ),
    Broken("definition.unknown_key", P, "concurrency: 4", "concurency: 4"),
    Broken("definition.unknown_key", B, "uses: sorting:classify", "use: sorting:classify"),
    Broken("definition.missing_key", P, "      task: sort_letter\n", "", "fan_out:"),
    Broken("definition.wrong_value", P, "deadline: 30s", "deadline: 30 s"),
    Broken("definition.wrong_value", P, "usd: 1.50", "usd: 0.0000001"),
    Broken("definition.limit_out_of_range", P, "concurrency: 4", "concurrency: 10001"),
    Broken("definition.limit_out_of_range", P, "concurrency: 4", "concurrency: 0"),
    Broken("definition.limit_out_of_range", P, "min_success_ratio: 0.5", "min_success_ratio: 1.5"),
    Broken("definition.limit_out_of_range", P, "min_success_ratio: 0.5", "min_success_ratio: 0"),
    Broken("definition.limit_out_of_range", P, "item_deadline: 5s", "item_deadline: 31s"),
    Broken(
        "definition.limit_out_of_range",
        P,
        "min_success_ratio: 0.5",
        "min_success_ratio: 3\n        quorum: 2",
        "quorum: 2",
    ),
    Broken("definition.limit_out_of_range", P, "expires: 1h", "expires: 721h"),
    Broken("definition.duplicate_key", P, "version: 1", "version: 1\nversion: 2", "version: 2"),
    Broken("definition.unknown_input", P, "over: letters", "over: letter"),
    Broken("definition.unknown_input", P, "input: sorted_letters", "input: sorted_letter"),
    Broken("definition.unknown_input", T, "input: label", "input: labels"),
    Broken("definition.unknown_input", B, "{from: folder}", "{from: folders}"),
    Broken("definition.unknown_task", P, "task: sort_letter", "task: sort_leter"),
    Broken("definition.unknown_knowledge", T, "- house/rules", "- house/rule"),
    Broken(
        "definition.unknown_output",
        T,
        "output: answer\n    gate",
        "output: reply\n    gate",
        "output: answer",
    ),
    Broken(
        "definition.unknown_output", P, "version: 1", "version: 1\noutput: sumary", "output: sumary"
    ),
    Broken("definition.duplicate_output", P, "output: summary", "output: letters"),
    Broken("definition.duplicate_step", P, "- name: sort\n", "- name: collect\n"),
    Broken("definition.duplicate_step", T, "- name: word", "- name: classify"),
    Broken("definition.gate_unparsable", T, "size(output.text) > 0", "size(output.text >"),
    Broken("definition.gate_unknown_name", T, "size(output.text) > 0", "outputs.text != null"),
    Broken("definition.gate_unknown_name", T, "size(output.text) > 0", "size(output.txt) > 0"),
    Broken(
        "definition.gate_unsatisfiable", T, "size(output.text) > 0", "output.score > 1 && 2 < 1"
    ),
    Broken("definition.gate_not_boolean", T, "size(output.text) > 0", "1 + 1"),
    Broken(
        "definition.gate_unserved",
        P,
        "strategy: collect",
        "strategy: collect\n        gate: 'true'",
        "gate:",
    ),
    Broken(
        "definition.gate_unserved",
        P,
        "  - name: approve",
        "  - name: approve\n    gate: 'true'",
        "gate:",
    ),
    Broken(
        "definition.schema_mismatch",
        B,
        "words: {type: integer}",
        "words: {type: string}",
        "over: letters",
        P,
    ),
    Broken(
        "definition.attestation_always",
        P,
        "concurrency: 4",
        "concurrency: 4\n      verification: {attestation: none}",
        "attestation: none",
    ),
    Broken(
        "definition.schema_mismatch",
        B,
        "words: {type: integer}",
        "count: {type: integer}",
        "over: letters",
        P,
    ),
    Broken("definition.unserved_action", P, "Collect the letters", "Gather letters"),
    Broken("definition.unused_binding", B, "Classify the letter", "Classify a letter"),
    Broken("definition.bindings_for_other", B, "bindings: sort_letters", "bindings: sort_parcels"),
    Broken("definition.unknown_executor", B, "uses: template", "uses: tempalte"),
    Broken("definition.bad_uses", B, "sorting:classify", "sorting/classify:run"),
    Broken("definition.unknown_skill", B, "sorting:classify", "sortin:classify"),
    Broken("definition.unknown_function", B, "sorting:classify", "sorting:clasify"),
    Broken("definition.skill_arguments", B, "sorting:classify", "sorting:needs_three"),
    Broken("definition.skill_arguments", B, "sorting:classify", "sorting:later"),
    Broken("definition.unknown_effect", B, "files.publish", "files.publisch"),
    Broken("definition.bad_arguments", B, "{folder: {from: folder}, ", "{", "with: {files"),
    Broken(
        "definition.bad_arguments", B, "{folder: {from: folder}, ", "{foldr: out, folder: out, "
    ),
    Broken("definition.bad_arguments", B, "{folder: {from: folder}, ", "{folder: 7, "),
    Broken(
        "definition.bad_arguments", B, "{folder: {from: folder}, ", "{folder: {from: letters}, "
    ),
    Broken("definition.bad_arguments", B, "{summary.md: {from: summary.text}}", "[summary.md]"),
    Broken("definition.bad_arguments", B, "summary.md:", "../summary.md:"),
    Broken("definition.unknown_reads", B, "reads: [folder]", "reads: [folders]"),
    Broken(
        "definition.invalid_schema",
        B,
        "text: {type: string}",
        "text: {type: strin}",
        "output_schema",
    ),
    Broken("definition.example_mismatch", B, 'text: "Sorry"', "text: 7"),
    Broken("definition.bad_default", P, 'default: "."', "default: 7"),
    Broken("definition.bad_choices", P, "default: discard", "default: discord", "ask:"),
    Broken(
        "definition.task_input_default", T, "words: integer", "words: {type: integer, default: 1}"
    ),
    Broken("definition.task_name_mismatch", T, "task: sort_letter", "task: sort_letters"),
    Broken("definition.strategy_needs_uses", P, "strategy: collect", "strategy: merge"),
    Broken("definition.strategy_needs_task", P, "strategy: collect", "strategy: custom"),
    Broken(
        "definition.strategy_key",
        P,
        "strategy: collect",
        "strategy: collect\n        uses: sorting:merge",
        "uses: sorting:merge",
    ),
    Broken("definition.strategy_output", P, "strategy: collect", VOTE),
    Broken(
        "definition.strategy_output",
        P,
        "strategy: collect",
        f"{VOTE}\n        vote: {{label: lable}}",
        VOTE,
    ),
    Broken(
        "definition.strategy_output",
        P,
        "strategy: collect",
        f"{VOTE}\n        vote: {{label: label, confidence: text}}",
        VOTE,
    ),
    Broken(
        "definition.skill_arguments",
        P,
        "strategy: collect",
        "strategy: reduce\n        uses: sorting:merge",
        "uses: sorting:merge",
    ),
    Broken(
        "definition.nested_swarm",
        T,
        "  - name: word",
        "  - name: inner\n    fan_out: {over: label, task: sort_letter, concurrency: 2}\n  - name: word",
        "fan_out",
    ),
    Broken(
        "definition.effect_in_task",
        B,
        "uses: sorting:classify",
        "effect: mail.send",
        "- name: classify",
        T,
    ),
    Broken(
        "definition.misplaced_key", T, "input: label", "input: label\n    deadline: 5s", "deadline"
    ),
    Broken(
        "definition.misplaced_key",
        P,
        "input: sorted_letters",
        "input: sorted_letters\n    on_error: [{reaction: retry}]",
        "on_error: [",
    ),
    Broken("definition.step_kind", P, '    action: "Collect the letters"\n', "", "- name: collect"),
    Broken(
        "definition.step_kind",
        P,
        "  - name: approve",
        "  - name: approve\n    uses: template",
        "- name: approve",
    ),
    Broken("definition.bound_fan_out", P, '"Sort every letter"', '"Classify the letter"'),
    Broken(
        "definition.budget_below_slice",
        B,
        "uses: sorting:classify",
        "uses: sorting:classify\n    tokens: {input: 50000, output: 1}",
        "budget:",
        P,
    ),
    Broken(
        "definition.requirement_unserved",
        P,
        "concurrency: 4",
        "concurrency: 4\n      requires: {residency: [eu]}",
        "requires",
    ),
    Broken(
        "definition.redundancy_rule",
        P,
        "concurrency: 4",
        "concurrency: 4\n      verification: {redundancy: {copies: 3, tiebreak: conservative}}",
        "verification",
    ),
    Broken(
        "definition.delegate_cycle",
        T,
        "  - name: word",
        "  - name: again\n    delegate: {task: sort_letter}\n  - name: word",
        "steps:",
    ),
    Broken(
        "definition.input_conflict",
        B,
        "version: 1",
        "version: 1\ninputs: {folder: string}",
        "inputs:",
    ),
]


@pytest.mark.parametrize(
    "case",
    CASES,
    ids=lambda c: f"{c.code[11:]}-{c.new[:28]!r}",
)
def test_a_flaw_is_reported_with_file_line_code_and_hint(case: Broken) -> None:
    found = flaws({case.file: (case.old, case.new)})

    report = case.report or case.file
    text = definition(swaps={case.file: (case.old, case.new)}).content[report].decode()
    fragment = case.at or case.new.split("\n")[0]
    lines = [n for n, line in enumerate(text.splitlines(), 1) if fragment in line]
    places = [(f["file"], f["line"]) for f in found if f["code"] == case.code]
    assert any((f"<sample>/{report}", line) in places for line in lines), found
    assert all(f["hint"] for f in found)


def flaws(swaps: dict[str, tuple[str, str]], changes: dict[str, str] | None = None) -> list[dict]:
    with pytest.raises(StructuralError) as caught:
        linked(changes, swaps=swaps)
    assert caught.value.code == "definition.flawed"
    return caught.value.fields["flaws"]


def codes(found: list[dict]) -> list[str]:
    return [flaw["code"] for flaw in found]


def test_the_sample_itself_holds() -> None:
    assert [step.name for step in linked().plan.steps] == [
        "collect",
        "sort",
        "summarise",
        "approve",
        "publish",
    ]


def test_all_flaws_of_all_files_come_at_once() -> None:
    found = flaws(
        {
            P: ("over: letters", "over: leters"),
            T: ("- house/rules", "- house/rulez"),
            B: ("sorting:collect", "sorting:colect"),
        }
    )
    assert set(codes(found)) == {
        "definition.unknown_input",
        "definition.unknown_knowledge",
        "definition.unknown_function",
    }


def test_flaws_of_the_text_and_of_the_links_come_together() -> None:
    found = flaws({T: ("version: 1", "verzion: 1"), P: ("over: letters", "over: leters")})
    assert "definition.unknown_key" in codes(found)
    assert "definition.unknown_input" in codes(found)
    assert "definition.unknown_task" not in codes(found), "the task is there, only broken"


def test_a_flaw_reads_as_one_line_of_text() -> None:
    with pytest.raises(StructuralError) as caught:
        linked(swaps={P: ("over: letters", "over: leters")})
    line = 12
    assert f"<sample>/process.yaml:{line}: definition.unknown_input: " in caught.value.message


def test_a_near_word_is_suggested() -> None:
    (found,) = flaws({P: ("concurrency: 4", "concurency: 4")})[:1]
    assert "'concurrency'" in found["hint"]


def test_an_effect_without_arguments_is_told_what_its_tool_takes() -> None:
    swap = ("    with: {folder: {from: folder}, files: {summary.md: {from: summary.text}}}\n", "")
    with pytest.raises(StructuralError) as caught:
        linked(swaps={B: swap})
    flaws = caught.value.fields["flaws"]
    assert {flaw["code"] for flaw in flaws} == {"definition.bad_arguments"}
    assert {flaw["hint"] for flaw in flaws} == {
        "files.publish takes folder (string), files (object)"
    }
    assert [flaw["message"] for flaw in flaws] == [
        f"files.publish cannot take `with:`: {name!r} is a required property"
        for name in ("files", "folder")
    ]


def test_a_reference_to_an_undeclared_value_may_be_any_argument() -> None:
    swap = (
        "{folder: {from: folder}, files: {summary.md:",
        "{folder: {from: summary.at}, files: {x:",
    )
    assert linked(swaps={B: swap}).plan.steps[-1].effect is not None


def test_a_swarm_needs_a_list() -> None:
    found = flaws({P: ("type: path", "type: integer"), B: ("reads: [folder]", "reads: []")})
    assert codes(found) == ["definition.bad_arguments", "definition.bad_default"]
    found = flaws({B: ("type: array", "type: object")})
    assert "definition.over_not_list" in codes(found)


def test_validation_by_schema_needs_a_schema() -> None:
    schema = (
        "    output_schema:\n      type: object\n      properties: {text: {type: string},"
        " label: {type: string}, score: {type: number}}\n"
    )
    found = flaws(
        {
            P: ("concurrency: 4", "concurrency: 4\n      verification: {validate: schema}"),
            B: (schema, ""),
        }
    )
    assert codes(found) == ["definition.validate_without_schema"]


def test_a_sealed_task_has_no_sub_agents() -> None:
    helper = "task: helper\nversion: 1\nsteps: [{name: h, uses: sorting:word}]\noutput: h\n"
    sealed = TASK + "behavior: {containment: sealed}\n"
    found = flaws(
        {
            T: (
                "output: answer\n    gate",
                "output: answer\n  - name: more\n    delegate: {task: helper}\n    gate",
            )
        },
        {"helper.yaml": helper, T: sealed},
    )
    assert "definition.sealed_delegate" in codes(found)


def test_declared_delegate_limits_must_suffice() -> None:
    helper = "task: helper\nversion: 1\nsteps: [{name: h, uses: sorting:word}]\noutput: h\n"
    task = TASK.replace(
        "  - name: word", "  - name: more\n    delegate: {task: helper}\n  - name: word"
    )
    assert linked({"helper.yaml": helper, T: task}).tasks["sort_letter"]["delegate"] == {
        "depth": 1,
        "count": 1,
    }
    found = flaws({}, {"helper.yaml": helper, T: task + "delegate: {depth: 1, count: 0}\n"})
    assert codes(found) == ["definition.limit_out_of_range"]


def test_a_custom_convergence_may_not_start_a_swarm() -> None:
    joined = (
        "task: joined\nversion: 1\ninput: {results: list}\nsteps:\n"
        "  - {name: j, fan_out: {over: results, task: sort_letter, concurrency: 2}}\noutput: j\n"
    )
    found = flaws(
        {P: ("strategy: collect", "strategy: custom\n        task: joined")},
        {"joined.yaml": joined},
    )
    assert codes(found) == ["definition.nested_swarm"]


def test_a_custom_convergence_takes_the_results() -> None:
    joined = "task: joined\nversion: 1\ninput: {letters: list}\nsteps: [{name: j, uses: sorting:word}]\noutput: j\n"
    found = flaws(
        {P: ("strategy: collect", "strategy: custom\n        task: joined")},
        {"joined.yaml": joined},
    )
    assert codes(found) == ["definition.custom_inputs"]


def test_a_skill_that_is_no_python_is_a_flaw_with_its_line() -> None:
    found = flaws({}, {"skills/sorting.py": "def collect(inputs, ctx):\n    return (\n"})
    assert "definition.skill_syntax" in codes(found)


def test_a_skill_imports_only_what_a_worker_has() -> None:
    skill = "import requests\n\n" + definition().content["skills/sorting.py"].decode()
    found = flaws({}, {"skills/sorting.py": skill})
    assert set(codes(found)) == {"definition.skill_import"}
    preloaded = {B: ("version: 1", "version: 1\npreload: [requests]")}
    assert linked({"skills/sorting.py": skill}, swaps=preloaded).preload == ("requests",)


def test_what_a_skill_imports_from_its_siblings_counts_too() -> None:
    skill = "import helper\n\n" + definition().content["skills/sorting.py"].decode()
    files = {"skills/sorting.py": skill, "skills/helper.py": "import sorting\nimport requests\n"}
    found = flaws({}, files)
    assert set(codes(found)) == {"definition.skill_import"}
    assert "skills/helper.py:2" in found[0]["message"]


def test_a_sentence_without_binding_needs_a_model_that_meets_its_requirements() -> None:
    swaps = {P: ('action: "Collect the letters"', 'action: "Gather all letters"')}
    bindings = definition().content[B].decode().replace("Collect the letters", "Gather all letters")
    unbound = bindings.split('  "Gather')[0] + '  "Classify' + bindings.split('  "Classify')[1]
    assert codes(flaws(swaps, {B: unbound})) == ["definition.unserved_action"]

    served = linked({B: unbound}, swaps=swaps, models=MODELS)
    assert served.tasks["step:collect"]["steps"][0]["kind"] == "model"

    hard = {
        P: (
            'action: "Collect the letters"',
            'action: "Gather all letters"\n    requires: {model: {reasoning_depth: deep}}',
        )
    }
    with pytest.raises(StructuralError) as caught:
        linked({B: unbound}, swaps=hard, models=MODELS)
    assert codes(caught.value.fields["flaws"]) == ["definition.unserved_action"]


def test_without_bindings_and_without_a_model_nothing_is_linked() -> None:
    with pytest.raises(StructuralError) as caught:
        link(loaded(without_bindings=True), effects=TOOLS)
    served = {flaw["code"] for flaw in caught.value.fields["flaws"]}
    assert served == {"definition.unserved_action"}


def test_a_process_file_that_does_not_hold_is_reported_alone() -> None:
    with pytest.raises(StructuralError) as caught:
        load_files(definition({P: PROCESS.replace("version: 1", "version: one")}))
    assert codes(caught.value.fields["flaws"]) == ["definition.wrong_value"]


def test_a_model_must_meet_what_the_swarm_requires_of_it() -> None:
    swaps = {
        P: (
            "concurrency: 4",
            "concurrency: 4\n      requires: {model: {reasoning_depth: deep}}",
        ),
        B: ("uses: sorting:classify", "uses: model"),
    }
    with pytest.raises(StructuralError) as caught:
        linked(swaps=swaps, models=MODELS)
    assert codes(caught.value.fields["flaws"]) == ["definition.unserved_action"]


def test_knowledge_must_be_text() -> None:
    files = definition()
    content = dict(files.content) | {"knowledge/house/rules.md": b"\xff\xfe"}
    with pytest.raises(StructuralError) as caught:
        link(load_files(MemoryFiles(content)))
    assert codes(caught.value.fields["flaws"]) == ["definition.not_utf8"]


@pytest.mark.parametrize(
    ("wrong", "code"),
    [
        (("concurrency: 4", "concurency: 4"), "definition.unknown_key"),
        (("deadline: 30s", "deadline: 30 s"), "definition.wrong_value"),
        (("concurrency: 4", "concurrency: 0"), "definition.limit_out_of_range"),
    ],
)
def test_a_wrong_value_hides_no_wrong_reference(wrong: tuple[str, str], code: str) -> None:
    text = PROCESS.replace(*wrong).replace("input: sorted_letters", "input: sorted_leters")
    with pytest.raises(StructuralError) as caught:
        linked({P: text})
    assert {code, "definition.unknown_input"} <= set(codes(caught.value.fields["flaws"]))


def test_a_name_that_does_not_hold_is_told_alone() -> None:
    """Without it, every step that refers to it would seem to be wrong."""
    with pytest.raises(StructuralError) as caught:
        linked({P: PROCESS.replace("    output: letters\n", "    output: [letters]\n")})
    [flaw] = caught.value.fields["flaws"]
    assert flaw["code"] == "definition.wrong_value"
