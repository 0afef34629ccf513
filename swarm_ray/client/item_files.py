"""Rows of files as items: JSON Lines, JSON, CSV and TSV, Parquet, Arrow.

Decides how a row becomes a JSON value and names the line of what it cannot read. Files are read in
pieces.
"""

import csv
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from swarm_ray.errors import IntegrityError, UsageError
from swarm_ray.values.codec import decode_json, refuse_duplicate_keys

BATCH_ROWS: Final = 4_096

Rows = Iterator[tuple[str, Any]]


def file_rows(path: Path) -> Rows:
    """Yield (place, item) for each row of a file; errors as `read_items`."""
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
            batches = file.iter_batches(batch_size=BATCH_ROWS)
            yield from plain_rows(row for batch in batches for row in batch.to_pylist())
    except pa.ArrowInvalid as error:
        raise _not_arrow(path, error) from None


def _arrow_file_rows(path: Path) -> Rows:
    import pyarrow as pa

    try:
        with pa.memory_map(str(path)) as mapped, pa.ipc.open_file(mapped) as file:
            batches = (file.get_batch(number) for number in range(file.num_record_batches))
            yield from plain_rows(row for batch in batches for row in batch.to_pylist())
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


def plain_rows(rows: Iterator[Any]) -> Rows:
    """Yield (place, item) for values out of a table or a program."""
    for number, row in enumerate(rows):
        yield f"item {number}", _plain(row)


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
