"""Texts that are no definition are refused with file, line and column, and nothing else happens."""

from pathlib import Path

import pytest
from definition_samples import PROCESS, TASK, definition

from swarm_ray.definition.files import MAX_FILE_BYTES, MAX_FILES, FolderFiles
from swarm_ray.definition.find import find_blueprint, shipped_blueprints
from swarm_ray.definition.load import load_files, load_process
from swarm_ray.definition.yaml_source import MAX_SOURCE_BYTES, read_text
from swarm_ray.errors import UsageError


def refused(data: bytes) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_text("x.yaml", data)
    assert caught.value.fields["file"] == "x.yaml"
    return caught.value


def test_malformed_yaml_names_line_and_column() -> None:
    error = refused(b"process: a\nsteps:\n  - name: [b\n")
    assert error.code == "definition.malformed_yaml"
    assert (error.fields["line"], error.fields["column"]) == (4, 1)


def test_a_tab_as_indentation_names_its_place() -> None:
    error = refused(b"process: a\nsteps:\n\t- name: b\n")
    assert (error.code, error.fields["line"]) == ("definition.malformed_yaml", 3)


def test_text_that_is_not_utf8_names_the_byte() -> None:
    error = refused("process: a\n# caf\xe9\n".encode("latin-1"))
    assert error.code == "definition.not_utf8"
    assert (error.fields["line"], error.fields["column"]) == (2, 6)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"# nothing\n",
        b"a: 1\n---\nb: 2\n",
        b"a: &x [*x]\n",
        b"a: !!python/object/apply:os.getcwd []\n",
        b"? [a, b]\n: 1\n",
        b"a: .inf1e999\nb: 1e999\n",
        b"[" * 5000,
        b"a: \x00\n",
    ],
)
def test_what_is_not_one_plain_document_is_refused(data: bytes) -> None:
    assert refused(data).code == "definition.malformed_yaml"


def test_repeated_aliases_do_not_multiply() -> None:
    bomb = "a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
        f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9)
    )
    assert refused(bomb.encode()).code == "definition.malformed_yaml"


def test_a_file_beyond_the_limit_is_refused_unread() -> None:
    assert refused(b"#" * (MAX_SOURCE_BYTES + 1)).code == "definition.source_too_large"


def test_only_json_values_are_understood() -> None:
    text = read_text("x.yaml", b"a: yes\nb: 2024-01-01\nc: 1.50\nd: 007\ne: true\nf: ~\non: 0x10\n")
    assert text.value == {
        "a": "yes",
        "b": "2024-01-01",
        "c": 1.5,
        "d": 7,
        "e": True,
        "f": None,
        "on": "0x10",
    }


def test_a_key_remembers_its_line() -> None:
    text = read_text("x.yaml", b"a:\n  - b: 1\n    c:\n      d: 2\n")
    assert text.line("a", 0, "c", "d") == 4
    assert text.line("a", 0, "missing") == 2


def test_a_ratio_and_a_count_are_told_apart() -> None:
    for written, kind in (("1.0", float), ("1", int), ("3", int), ("0.9", float)):
        source = load_files(
            definition(
                swaps={"process.yaml": ("min_success_ratio: 0.5", f"min_success_ratio: {written}")}
            )
        )
        fan_out = source.process.model.steps[1].fan_out
        assert fan_out is not None
        assert type(fan_out.convergence.min_success_ratio) is kind


def test_money_and_time_are_exact() -> None:
    source = load_files(
        definition(
            swaps={
                "process.yaml": (
                    "deadline: 30s\n      item_deadline: 5s\n      budget: {tokens: 50000, usd: 1.50}",
                    "deadline: 1.5m\n      item_deadline: 250us\n      budget: {usd: 0.100001}",
                )
            }
        )
    )
    fan_out = source.process.model.steps[1].fan_out
    assert fan_out is not None
    assert (fan_out.deadline, fan_out.item_deadline) == (90_000_000, 250)
    assert fan_out.budget.usd == 100_001


def test_a_folder_is_loaded_by_path_and_by_process_file(tmp_path: Path) -> None:
    (tmp_path / "process.yaml").write_text(PROCESS)
    (tmp_path / "sort_letter.yaml").write_text(TASK)
    assert load_process(tmp_path).tasks.keys() == {"sort_letter"}
    assert find_blueprint(tmp_path) == tmp_path / "process.yaml"
    assert load_process(find_blueprint(str(tmp_path))).process.model.process == "sort_letters"


def test_a_link_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "secret.yaml").write_text(TASK)
    folder = tmp_path / "definition"
    folder.mkdir()
    (folder / "process.yaml").write_text(PROCESS)
    (folder / "sort_letter.yaml").symlink_to(tmp_path / "secret.yaml")
    with pytest.raises(UsageError) as caught:
        load_process(folder)
    assert caught.value.code == "definition.file_outside"


def test_a_file_beyond_its_limit_is_refused(tmp_path: Path) -> None:
    (tmp_path / "process.yaml").write_text(PROCESS)
    with (tmp_path / "sort_letter.yaml").open("wb") as sparse:
        sparse.truncate(MAX_FILE_BYTES + 1)
    with pytest.raises(UsageError) as caught:
        load_process(tmp_path)
    assert caught.value.code == "definition.file_too_large"


def test_a_folder_with_too_many_files_is_refused(tmp_path: Path) -> None:
    (tmp_path / "process.yaml").write_text(PROCESS)
    (tmp_path / "skills").mkdir()
    for number in range(MAX_FILES + 1):
        (tmp_path / "skills" / f"s{number}.py").touch()
    with pytest.raises(UsageError) as caught:
        load_process(tmp_path)
    assert caught.value.code == "definition.too_many_files"


def test_a_file_that_vanished_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        FolderFiles(tmp_path).read("sort_letter.yaml")
    assert caught.value.code == "definition.unreadable_file"
    assert caught.value.fields["file"] == str(tmp_path / "sort_letter.yaml")


def test_an_absent_definition_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load_process(tmp_path)
    assert caught.value.code == "definition.no_process"


def test_a_shipped_blueprint_is_found_by_name() -> None:
    assert find_blueprint("review_pull_request") == shipped_blueprints()["review_pull_request"]
    with pytest.raises(UsageError) as caught:
        find_blueprint("review_pull_requests")
    assert caught.value.code == "definition.unknown_blueprint"
    assert "'review_pull_request'" in caught.value.hint
