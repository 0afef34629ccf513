"""Seconds, dollars and shares as people read them."""

import math

WHOLE = 1e-6
"""What a fraction of a copy may lack of a whole one."""
MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
UNITS = (
    (HOUR_S, MINUTE_S, "min", 1.0, "s"),
    (DAY_S, HOUR_S, "h", MINUTE_S, "min"),
    (math.inf, DAY_S, "d", HOUR_S, "h"),
)


def duration(seconds: float) -> str:
    """Return seconds in two units at most: `4.2 s`, `12 min 5 s`, `3 h 20 min`, `2 d 4 h`."""
    if abs(seconds) < MINUTE_S:
        return f"{seconds:.3g} s"
    if seconds < 0:
        return f"-{duration(-seconds)}"
    large_s, large, small_s, small = next(unit[1:] for unit in UNITS if seconds < unit[0])
    many, rest = divmod(round(seconds / small_s), round(large_s / small_s))
    return f"{many} {large} {rest} {small}" if rest else f"{many} {large}"


def money(usd: float) -> str:
    """Return dollars with cents, or with three digits that count below a dollar: `$0.00412`."""
    digits = 2 if usd == 0 else max(2, 2 - math.floor(math.log10(abs(usd))))
    return f"{'-' if usd < 0 else ''}${abs(usd):,.{digits}f}"


def percent(ppm: int) -> str:
    """Return parts per million in per cent: `97.3125 %`."""
    return f"{ppm / 1e4:g} %"


def placing(copies: float) -> str:
    """Return what a change would do for copies without a place: `place up to 7 more copies`."""
    whole = math.floor(copies + WHOLE)
    return f"place up to {whole:,} more {'copy' if whole == 1 else 'copies'}"
