"""Step "Read the messages that came in": decides which rows of a CSV file become items.

Every row becomes one item with the same six text fields. It never drops a row and never judges one.
"""

import csv
from collections.abc import Mapping
from pathlib import Path
from typing import Any

FIELDS = ("message_id", "received", "channel", "sender", "subject", "text")
FILE_NAME = "messages.csv"
FIELD_LIMIT = 20_000  # characters of one message; longer text is cut and says so
ROWS_LIMIT = 100_000


def load(inputs: Mapping[str, Any], ctx: Any) -> list[dict[str, str]]:
    """Return one item per message, in file order.

    Args:
        inputs: `messages_file`, a CSV file, or a folder that holds `messages.csv`; a folder
            without one gives the messages that the blueprint carries.
        ctx: the worker's context.

    Raises:
        ValueError: there is no such file, it is not UTF-8, lacks a column or repeats an id.
    """
    path = Path(str(inputs["messages_file"]))
    if path.is_dir():
        bundled = Path(__file__).resolve().parent.parent / "bundled" / FILE_NAME
        path = path / FILE_NAME if (path / FILE_NAME).is_file() else bundled
    if not path.is_file():
        raise ValueError(f"{path} does not exist or may not be read")
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            items = _rows(csv.DictReader(stream), path)
    except UnicodeDecodeError as flaw:
        raise ValueError(f"{path} is not UTF-8 (byte {flaw.start})") from flaw
    except csv.Error as flaw:
        raise ValueError(f"{path} is not a CSV file: {flaw}") from flaw
    ctx.progress(f"{len(items)} messages from {path.name}")
    return items


def _rows(reader: "csv.DictReader[str]", path: Path) -> list[dict[str, str]]:
    lacking = [name for name in FIELDS if name not in (reader.fieldnames or ())]
    if lacking:
        raise ValueError(f"{path} lacks the columns {', '.join(lacking)}")
    items: list[dict[str, str]] = []
    seen: set[str] = set()
    for row in reader:
        item = {name: _cut(row[name] or "") for name in FIELDS}
        if not item["message_id"] or item["message_id"] in seen:
            raise ValueError(f"{path}, line {reader.line_num}: message_id is missing or repeated")
        seen.add(item["message_id"])
        items.append(item)
        if len(items) > ROWS_LIMIT:
            raise ValueError(f"{path} holds more than {ROWS_LIMIT} messages")
    return items


def _cut(text: str) -> str:
    return text if len(text) <= FIELD_LIMIT else text[:FIELD_LIMIT] + " [cut]"
