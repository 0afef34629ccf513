"""Durations, money, ratios and names as they are written in a definition.

Decides which spellings are admitted and converts them exactly to the units of the core:
microseconds, micro-USD, parts per million. Never rounds: a value that does not fit is refused.
"""

import re
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, WithJsonSchema

# ValueError throughout: only that becomes a located flaw of the validated file.
_UNITS_US: Final = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_DURATION_PATTERN: Final = r"^[0-9]+(\.[0-9]+)?(us|ms|s|m|h)$"
_DURATION: Final = re.compile(_DURATION_PATTERN)
MAX_DURATION_US: Final = 30 * 24 * 3_600_000_000
MAX_MICROUSD: Final = 10**12
PPM: Final = 1_000_000


def duration_us(text: object) -> int:
    """Return the microseconds of `500ms`, `30s`, `1.5m` or `2h`."""
    if not isinstance(text, str) or not (found := _DURATION.match(text)):
        raise ValueError("a duration is written like 500ms, 30s, 5m or 2h")
    unit = found.group(2)
    exact = Decimal(text.removesuffix(unit)) * _UNITS_US[unit]
    if exact != int(exact):
        raise ValueError("a duration is a whole number of microseconds")
    return _within(int(exact), 1, MAX_DURATION_US, "a duration is between 1us and 30 days")


def money_microusd(value: object) -> int:
    """Return the micro-USD of an amount in US dollars, exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("money is a number of US dollars like 1.50")  # noqa: TRY004
    # repr is the shortest text that reads back as the same float, so it is what was written.
    exact = Decimal(repr(value)) * PPM
    if exact != int(exact):
        raise ValueError("money has at most six decimals")
    return _within(int(exact), 0, MAX_MICROUSD, "money is between 0 and 1,000,000 US dollars")


def ratio_ppm(value: object) -> int:
    """Return the parts per million of a ratio between 0 and 1."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a ratio is a number between 0 and 1")  # noqa: TRY004
    exact = Decimal(repr(value)) * PPM
    if exact != int(exact):
        raise ValueError("a ratio has at most six decimals")
    return _within(int(exact), 0, PPM, "a ratio is between 0 and 1")


def share_ppm(value: object) -> int:
    """Return the parts per million of a share; 1 is refused, since it could also mean a count."""
    if value == 1 and isinstance(value, int):
        raise ValueError("write 1.0 for all items; a count is not admitted here")
    return ratio_ppm(value)


def factor_ppm(value: object) -> int:
    """Return the parts per million of a growth factor between 1 and 100."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a factor is a number between 1 and 100")  # noqa: TRY004
    return _within(int(Decimal(repr(value)) * PPM), PPM, 100 * PPM, "a factor is between 1 and 100")


def millionths(value: object) -> int:
    """Return the millionths of a number from 0, exactly."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("a tolerance is a number like 0.01")  # noqa: TRY004
    exact = Decimal(repr(value)) * PPM
    if exact != int(exact):
        raise ValueError("a tolerance has at most six decimals")
    return _within(int(exact), 0, MAX_MICROUSD, "a tolerance is between 0 and 1,000,000")


def unless_none(value: object) -> object:
    """Return what an empty block says for the word `none`, anything else as it is."""
    return {} if value == "none" else value


def _within(value: int, low: int, high: int, rule: str) -> int:
    if not low <= value <= high:
        raise ValueError(f"out of range: {rule}")
    return value


def _success(value: int | float) -> int | float:
    if isinstance(value, float):
        if ratio_ppm(value) == 0:
            raise ValueError("out of range: a ratio above 0 and at most 1.0, or a count from 1")
    else:
        _within(value, 1, 1_000_000, "a ratio above 0 and at most 1.0, or a count from 1")
    return value


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


_NUMBER: Final = {"type": "number", "minimum": 0}

DurationUs = Annotated[
    int,
    BeforeValidator(duration_us),
    WithJsonSchema({"type": "string", "pattern": _DURATION_PATTERN, "examples": ["30s"]}),
]
MicroUsd = Annotated[int, BeforeValidator(money_microusd), WithJsonSchema(_NUMBER)]
Millionths = Annotated[int, BeforeValidator(millionths), WithJsonSchema(_NUMBER)]
RatioPpm = Annotated[int, BeforeValidator(ratio_ppm), WithJsonSchema({**_NUMBER, "maximum": 1})]
SharePpm = Annotated[int, BeforeValidator(share_ppm), WithJsonSchema({**_NUMBER, "maximum": 1})]
FactorPpm = Annotated[int, BeforeValidator(factor_ppm), WithJsonSchema({"type": "number"})]
MinSuccess = Annotated[
    int | float,
    AfterValidator(_success),
    WithJsonSchema(
        {
            "type": "number",
            "exclusiveMinimum": 0,
            "description": "0.9 is a share of the items, 3 a count; 1.0 is all, 1 is one item",
        }
    ),
]
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_]*$", max_length=64)]
KnowledgeName = Annotated[
    str,
    StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(/[A-Za-z0-9][A-Za-z0-9_.-]*)*$"),
    Field(max_length=200),
]
Sentence = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
_NAME_SCHEMA: Final = {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_]*$"}
Names = Annotated[
    list[Name],
    BeforeValidator(_listed),
    WithJsonSchema({"anyOf": [_NAME_SCHEMA, {"type": "array", "items": _NAME_SCHEMA}]}),
]
