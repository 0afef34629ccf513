"""Input sets from what people have: lists, tables, and files of JSON Lines, JSON, CSV, Parquet.

Decides how a row becomes an item and refuses what is empty, not UTF-8, malformed, repeated or too
large, naming the line. Reads files in pieces and keeps only the items themselves. Dates and times
become ISO 8601 texts and decimals become texts; everything else must be JSON.
"""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from swarm_ray.client.item_files import BATCH_ROWS, Rows, file_rows, plain_rows
from swarm_ray.errors import UsageError
from swarm_ray.values.codec import encode_json
from swarm_ray.values.manifest import MAX_ITEM_BYTES, MAX_ITEMS

MAX_TOTAL_BYTES: Final = 1 << 30

Place = str


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
        raise empty_items(name or "the input set", **({"file": name} if name else {}))
    return items


def empty_items(what: str, **where: str) -> UsageError:
    """Return the error for an input set without an element."""
    return UsageError(
        "items.empty",
        f"{what} holds no item",
        hint="pass at least one element; a swarm of nothing decides nothing",
        **where,
    )


def _rows(source: Any) -> Rows:
    if isinstance(source, str | Path):
        yield from file_rows(Path(source))
    elif hasattr(source, "to_pylist"):
        yield from plain_rows(_arrow_rows(source))
    elif hasattr(source, "to_dict") and hasattr(source, "columns"):
        yield from plain_rows(iter(source.to_dict("records")))
    elif isinstance(source, Iterable) and not isinstance(source, bytes | dict):
        yield from plain_rows(iter(source))
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
    for batch in source.to_batches(max_chunksize=BATCH_ROWS):
        yield from batch.to_pylist()


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


def _refuse_repeated(place: Place, item: Any, key: str, keys: dict[str, Place], name: str) -> None:
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
