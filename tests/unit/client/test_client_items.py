"""Input sets from lists, tables and files; what is wrong is named with its line."""

import datetime
import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from swarm_ray.client.items import read_items
from swarm_ray.errors import UsageError

ROWS = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]


def refused(source: object, **options: str) -> UsageError:
    with pytest.raises(UsageError) as caught:
        read_items(source, **options)
    return caught.value


def written(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_lists_iterators_and_arrow_tables_are_items():
    assert read_items(["x", 1, None]) == ["x", 1, None]
    assert read_items(n * n for n in range(3)) == [0, 1, 4]
    assert read_items(pa.Table.from_pylist(ROWS)) == ROWS
    assert read_items(pa.RecordBatch.from_pylist(ROWS)) == ROWS


def test_every_kind_of_file_gives_the_same_rows(tmp_path: Path):
    table = pa.Table.from_pylist(ROWS)
    pq.write_table(table, tmp_path / "rows.parquet")
    feather.write_feather(table, str(tmp_path / "rows.arrow"), compression="uncompressed")
    lines = "\n".join(json.dumps(row) for row in ROWS)
    files = [
        written(tmp_path / "rows.jsonl", lines + "\n\n"),
        written(tmp_path / "rows.json", json.dumps(ROWS)),
        tmp_path / "rows.parquet",
        tmp_path / "rows.arrow",
    ]
    for path in files:
        assert read_items(path) == ROWS, path.name
        assert read_items(str(path)) == ROWS, path.name


def test_csv_cells_stay_texts_and_may_hold_line_breaks(tmp_path: Path):
    path = written(tmp_path / "rows.csv", '\ufeffid,text\n1,"two\nlines"\n2,plain\n')
    assert read_items(path) == [{"id": "1", "text": "two\nlines"}, {"id": "2", "text": "plain"}]
    assert read_items(written(tmp_path / "rows.tsv", "id\ttext\n1\tx\n")) == [
        {"id": "1", "text": "x"}
    ]


def test_dates_and_decimals_of_tables_become_texts():
    table = pa.table(
        {
            "day": [datetime.date(2026, 11, 20)],
            "price": [Decimal("1.50")],
            "at": [datetime.datetime(2026, 11, 20, 8, 30, tzinfo=datetime.UTC)],
        }
    )
    assert read_items(table) == [
        {"day": "2026-11-20", "price": "1.50", "at": "2026-11-20T08:30:00+00:00"}
    ]


@pytest.mark.parametrize("source", [[], iter(())])
def test_nothing_is_no_input_set(source: object):
    assert refused(source).code == "items.empty"


def test_an_empty_file_is_named(tmp_path: Path):
    error = refused(written(tmp_path / "none.jsonl", "\n\n"))
    assert error.code == "items.empty"
    assert error.fields["file"].endswith("none.jsonl")


def test_a_line_that_is_not_utf8_is_named(tmp_path: Path):
    error = refused(written(tmp_path / "latin.csv", b"id,name\n1,Zo\xeb\n"))
    assert (error.code, error.fields["line"]) == ("items.not_utf8", 2)


@pytest.mark.parametrize(
    ("name", "text", "code", "line"),
    [
        ("bad.jsonl", '{"a": 1}\n{"a": \n', "items.malformed", 2),
        ("nan.jsonl", '{"a": NaN}\n', "items.malformed", 1),
        ("twice.jsonl", '1\n{"a": 1, "a": 2}\n', "items.duplicate_key", 2),
        ("short.csv", "a,b\n1,2\n3\n", "items.malformed", 3),
        ("twice.csv", "a,a\n1,2\n", "items.duplicate_key", 1),
        ("quote.csv", 'a,b\n1,"2\n', "items.malformed", 2),
        ("object.json", '{"a": 1}', "items.malformed", 1),
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, name: str, text: str, code: str, line: int):
    error = refused(written(tmp_path / name, text))
    assert (error.code, error.fields["line"]) == (code, line)


def test_a_repeated_key_names_both_places(tmp_path: Path):
    path = written(tmp_path / "rows.jsonl", '{"id": "a"}\n{"id": "b"}\n{"id": "a"}\n')
    error = refused(path, key="id")
    assert error.code == "items.duplicate_key"
    assert "line 3" in error.message
    assert "line 1" in error.message
    assert refused([{"x": 1}], key="id").code == "items.no_key"


def test_what_is_no_json_is_named():
    assert refused([1, {2: "x"}]).code == "items.not_json"
    assert "item 1" in refused([1, float("nan")]).message
    assert refused([b"bytes"]).code == "items.not_json"
    assert refused(5).code == "items.unknown_format"


def test_an_item_that_is_too_large_is_refused():
    error = refused(["x" * (17 * 2**20)])
    assert error.code == "items.too_large"
    assert "item 0" in error.message


def test_a_file_that_is_missing_unknown_or_broken_is_refused(tmp_path: Path):
    assert refused(tmp_path / "none.csv").code == "items.not_found"
    assert refused(written(tmp_path / "rows.xlsx", "x")).code == "items.unknown_format"
    assert refused(written(tmp_path / "rows.parquet", "x")).code == "items.malformed"


def test_a_hundred_thousand_items_are_read(tmp_path: Path):
    path = tmp_path / "many.jsonl"
    path.write_text("".join(f'{{"id":{n}}}\n' for n in range(100_000)))
    items = read_items(path, key="id")
    assert len(items) == 100_000
    assert items[-1] == {"id": 99_999}
