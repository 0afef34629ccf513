"""Input sets from what people have: lists, tables, and files of JSON Lines, JSON, CSV, Parquet.

Decides how a row becomes an item and refuses what is empty, not UTF-8, malformed, repeated or too
large, naming the line. Reads files in pieces and keeps only the items themselves. Dates and times
become ISO 8601 texts and decimals become texts; everything else must be JSON.
"""

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.codec import decode_json, encode_json, refuse_duplicate_keys
from swarm_ray.values.manifest import MAX_ITEM_BYTES, MAX_ITEMS

MAX_TOTAL_BYTES: Final = 1 << 30
_BATCH_ROWS: Final = 4_096

Place = str
Rows = Iterator[tuple[Place, Any]]


def read_items(source: Any, *, key: str = "") -> list[Any]:
    """Return the items of a source, in order.

    Args:
        source: list or other iterable, Arrow table or batch, data frame, or the path of a
            `.jsonl`, `.ndjson`, `.json`, `.csv`, `.tsv`, `.parquet`, `.arrow` or `.feather` file.
        key: field that identifies an item; a repeated value is refused.

    Raises:
        UsageError: `items.empty`, `items.not_found`, `items.unknown_format`, `items.not_utf8`,
            `items.malformed`, `items.duplicate_key`, `items.not_json`, `items.too_large`,
            `items.too_many`; `fields` hold `file` and `line` where there are any.
    """
    name = str(source) if isinstance(source, str | Path) else ""
    items: list[Any] = []
    keys: dict[str, Place] = {}
    total = 0
    for place, item in _rows(source):
        total += _checked_size(place, item, name, total)
        if key:
            _refuse_repeated(place, item, key, keys, name)
        items.append(item)
        if len(items) > MAX_ITEMS:
            raise UsageError(
                "items.too_many",
                f"{name or 'the input set'} has more than {MAX_ITEMS:,} items",
                hint="split it over several runs",
            )
    if not items:
        raise UsageError(
            "items.empty",
            f"{name or 'the input set'} holds no item",
            hint="pass at least one element; a swarm of nothing decides nothing",
            **({"file": name} if name else {}),
        )
    return items


def _rows(source: Any) -> Rows:
    if isinstance(source, str | Path):
        yield from _file_rows(Path(source))
    elif hasattr(source, "to_pylist"):
        yield from _plain_rows(_arrow_rows(source))
    elif hasattr(source, "to_dict") and hasattr(source, "columns"):
        yield from _plain_rows(iter(source.to_dict("records")))
    elif isinstance(source, Iterable) and not isinstance(source, bytes | dict):
        yield from _plain_rows(iter(source))
    else:
        raise UsageError(
            "items.unknown_format",
            f"items cannot be read from a {type(source).__name__}",
            hint="pass a list, an Arrow table, a data frame, or the path of a file",
        )


def _arrow_rows(source: Any) -> Iterator[Any]:
    if not hasattr(source, "to_batches"):
        yield from source.to_pylist()
        return
    for batch in source.to_batches(max_chunksize=_BATCH_ROWS):
        yield from batch.to_pylist()


def _plain_rows(rows: Iterator[Any]) -> Rows:
    for number, row in enumerate(rows):
        yield f"item {number}", _plain(row)


def _file_rows(path: Path) -> Rows:
    if not path.is_file():
        raise UsageError(
            "items.not_found", f"there is no file {path}", hint="check the path", file=str(path)
        )
    reader = _READERS.get(path.suffix.lower())
    if reader is None:
        raise UsageError(
            "items.unknown_format",
            f"{path.name} has no known ending",
            hint=f"known: {', '.join(sorted(_READERS))}",
            file=str(path),
        )
    yield from reader(path)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                yield number, raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise UsageError(
                    "items.not_utf8",
                    f"byte {error.start + 1} of the line is not UTF-8",
                    hint="convert the file, for example with `iconv -t utf-8`",
                    file=str(path),
                    line=number,
                ) from None


def _json_lines(path: Path) -> Rows:
    for number, text in _lines(path):
        if text.strip():
            yield f"line {number}", _parsed(text.encode(), path, number)


def _json_file(path: Path) -> Rows:
    text = "".join(line for _, line in _lines(path))
    found = _parsed(text.encode(), path, 1)
    if not isinstance(found, list):
        raise UsageError(
            "items.malformed",
            f"the file holds {type(found).__name__}, not a list",
            hint="write a JSON list, or one object per line in a .jsonl file",
            file=str(path),
            line=1,
        )
    for number, item in enumerate(found):
        yield f"item {number}", item


def _parsed(data: bytes, path: Path, line: int) -> Any:
    try:
        value = decode_json(data)
        refuse_duplicate_keys(data)
    except IntegrityError as error:
        raise UsageError(
            "items.duplicate_key",
            error.message,
            hint="each name may stand once in an object",
            file=str(path),
            line=line,
        ) from None
    except UsageError:
        raise UsageError(
            "items.malformed",
            _json_flaw(data),
            hint="every line must be one JSON value",
            file=str(path),
            line=line,
        ) from None
    return value


def _json_flaw(data: bytes) -> str:
    try:
        json.loads(data)
    except ValueError as error:
        return f"not JSON: {error}"
    return "not JSON as RFC 8259 has it"


def _csv_rows(path: Path, delimiter: str = ",") -> Rows:
    reader = csv.reader((text for _, text in _lines(path)), delimiter=delimiter, strict=True)
    header: list[str] = []
    try:
        header = next(reader, [])
        _check_header(header, path)
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise _malformed_csv(
                    f"{len(row)} fields where the header has {len(header)}", path, reader.line_num
                )
            yield f"line {reader.line_num}", dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise _malformed_csv(str(error), path, reader.line_num) from None


def _check_header(header: list[str], path: Path) -> None:
    repeated = sorted({name for name in header if header.count(name) > 1})
    if repeated:
        raise UsageError(
            "items.duplicate_key",
            f"the column {repeated[0]!r} stands twice in the header",
            hint="give each column a name of its own",
            file=str(path),
            line=1,
        )


def _malformed_csv(what: str, path: Path, line: int) -> UsageError:
    return UsageError(
        "items.malformed",
        what,
        hint="quote fields that hold commas, quotes or line breaks",
        file=str(path),
        line=line,
    )


def _tsv_rows(path: Path) -> Rows:
    return _csv_rows(path, "\t")


def _parquet_rows(path: Path) -> Rows:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            batches = file.iter_batches(batch_size=_BATCH_ROWS)
            yield from _plain_rows(row for batch in batches for row in batch.to_pylist())
    except pa.ArrowInvalid as error:
        raise _not_arrow(path, error) from None


def _arrow_file_rows(path: Path) -> Rows:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
            yield from _plain_rows(row for batch in batches for row in batch.to_pylist())
    except pa.ArrowInvalid as error:
        raise _not_arrow(path, error) from None


def _not_arrow(path: Path, error: Exception) -> UsageError:
    return UsageError(
        "items.malformed",
        f"the file cannot be read: {str(error).splitlines()[0]}",
        hint="check that the file is whole and that its ending says what it is",
        file=str(path),
    )


_READERS: Final[dict[str, Callable[[Path], Rows]]] = {
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json_file,
    ".csv": _csv_rows,
    ".tsv": _tsv_rows,
    ".parquet": _parquet_rows,
    ".arrow": _arrow_file_rows,
    ".feather": _arrow_file_rows,
}


def _plain(value: Any) -> Any:
    """Return a table's cell, or what is nested in it, as a JSON value."""
    if isinstance(value, dict):
        return {name: _plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(part) for part in value]
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Decimal):
        return str(value)
    if hasattr(value, "item") and hasattr(value, "dtype"):
        return value.item()  # a NumPy scalar out of a data frame
    return value


def _checked_size(place: Place, item: Any, name: str, total: int) -> int:
    where: dict[str, Any] = {"file": name} if name else {}
    if name and place.startswith("line "):
        where["line"] = int(place[5:])
    try:
        size = len(encode_json(item))
    except UsageError as error:
        raise UsageError(
            "items.not_json",
            f"{place} is no JSON value: {error.message}",
            hint="pass texts, finite numbers, truth values, lists and mappings with text keys",
            **where,
        ) from None
    if size > MAX_ITEM_BYTES or total + size > MAX_TOTAL_BYTES:
        what = (
            f"{place} has {size:,} bytes, the limit is {MAX_ITEM_BYTES:,}"
            if size > MAX_ITEM_BYTES
            else f"the input set has more than {MAX_TOTAL_BYTES:,} bytes at {place}"
        )
        raise UsageError(
            "items.too_large", what, hint="pass a path or a reference to the data", **where
        )
    return size


def _refuse_repeated(
    place: Place, item: Any, key: str, keys: dict[str, Place], name: str
) -> None:
    if not isinstance(item, dict) or key not in item:
        raise UsageError(
            "items.no_key", f"{place} has no field {key!r}", hint="check `key`", file=name
        )
    value = json.dumps(item[key], sort_keys=True)
    if value in keys:
        raise UsageError(
            "items.duplicate_key",
            f"{place} repeats {key}={value}, first at {keys[value]}",
            hint="remove one of the two, or choose another key",
            **({"file": name} if name else {}),
        )
    keys[value] = place
