"""Kind `extract`: named fields out of a text, by patterns and parsers.

Decides how a field is found and turned into a value. A required field that is not there is an input
failure; a value that does not parse is one too. Amounts are exact decimal strings, never floats.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import Decimal

from swarm_ray.sandbox.failures import InputError, StructuralError
from swarm_ray.sandbox.skill_context import Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

_DATE_FORMS = ("%Y-%m-%d", "%d.%m.%Y", "%d/%m/%Y", "%d %B %Y", "%B %d, %Y", "%d %b %Y", "%b %d, %Y")
_NUMBER = re.compile(r"[-+]?\d[\d.,'\u00a0\u202f ]*")
_EMAIL = re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}")
_CODES = {"€": "EUR", "$": "USD", "£": "GBP", "¥": "JPY", "₹": "INR"}
_CODE = re.compile(r"[€$£¥₹]|\b[A-Z]{3}\b")
_DATE = re.compile(
    r"\d{4}-\d\d-\d\d|\d{1,2}[./]\d{1,2}[./]\d{4}|\d{1,2} [A-Za-z]{3,9} \d{4}"
    r"|[A-Za-z]{3,9} \d{1,2}, \d{4}"
)


def parse_decimal(text: str) -> Decimal:
    """Read a number with either decimal sign; the last of `.` and `,` is the decimal sign.

    A single sign followed by exactly three digits groups thousands: `1,234` is 1234.

    Raises:
        ValueError: there is no number in `text`.
    """
    match = _NUMBER.search(text)
    if match is None:
        raise ValueError("no number")
    digits = re.sub(r"['\u00a0\u202f ]", "", match[0]).rstrip(".,")
    last = max(digits.rfind("."), digits.rfind(","))
    if last < 0:
        return Decimal(digits)
    sign = digits[last]
    whole, fraction = digits[:last], digits[last + 1 :]
    grouped = digits.count(sign) > 1 or (len(fraction) == 3 and not re.search(r"[.,]", whole))
    whole = re.sub(r"[.,]", "", whole)
    return Decimal(whole + fraction if grouped else f"{whole}.{fraction}")


def _number(text: str) -> int | float:
    value = parse_decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)


def _date(text: str) -> str:
    found = _DATE.search(text)
    for form in _DATE_FORMS if found else ():
        try:
            return _day(found[0] if found else "", form).isoformat()
        except ValueError:
            continue
    raise ValueError("no date in a known form")


def _day(text: str, form: str) -> date:
    return datetime.strptime(text, form).date()  # noqa: DTZ007 - a day has no zone


def _email(text: str) -> str:
    match = _EMAIL.search(text)
    if match is None:
        raise ValueError("no e-mail address")
    return match[0].lower()


def _currency(text: str) -> dict[str, str]:
    match = _CODE.search(text)
    if match is None:
        raise ValueError("no currency")
    return {"amount": str(parse_decimal(text)), "currency": _CODES.get(match[0], match[0])}


_PARSERS: dict[str, Callable[[str], Any]] = {
    "string": str.strip,
    "number": _number,
    "date": _date,
    "email": _email,
    "currency": _currency,
}


def _find(text: str, name: str, field: dict[str, Any]) -> str | None:
    pattern = field.get("pattern")
    if pattern is None:
        return text
    try:
        match = re.search(str(pattern), text, re.MULTILINE)
    except re.error as error:
        raise StructuralError(
            f"field {name!r}: its pattern is wrong: {error}", code="extract.bad_pattern"
        ) from error
    if match is None:
        return None
    return match[1] if match.re.groups else match[0]


def _field(text: str, name: str, field: dict[str, Any]) -> Any:
    kind = str(field.get("type", "string"))
    if kind not in _PARSERS:
        raise StructuralError(f"field {name!r}: no parser {kind!r}", code="extract.unknown_type")
    found = _find(text, name, field)
    if found is None:
        if field.get("required", True):
            raise InputError(f"field {name!r} is not in the text", code="extract.missing_field")
        return field.get("default")
    try:
        return _PARSERS[kind](found)
    except (ValueError, ArithmeticError) as error:
        if not field.get("required", True) and field.get("pattern") is None:
            return field.get("default")
        raise InputError(
            f"field {name!r}: {found[:80]!r} is not a {kind}", code="extract.bad_value"
        ) from error


def _run(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    fields = ctx.with_.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise StructuralError("an extract step needs `with: {fields: ...}`", code="extract.none")
    source = ctx.with_.get("source")
    texts = [value for key, value in given.items() if source in (None, key)]
    if len(texts) != 1 or not isinstance(texts[0], str):
        raise InputError(
            "name the one text to extract from by `with: {source: ...}`", code="extract.no_text"
        )
    return {name: _field(texts[0], name, field or {}) for name, field in fields.items()}


EXECUTORS = {"extract": _run}
