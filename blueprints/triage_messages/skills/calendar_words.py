"""Dates in plain messages: decides which calendar days a text means, in five languages.

Numbers are read day first. A day without a year is the one nearest to the day of receipt; a
weekday is the next one, or the last one after a word that points back.
"""

import re
from collections.abc import Iterator
from datetime import date, timedelta

_MONTHS = (
    ("jan",), ("feb", "fév", "fev"), ("mar", "mär", "maa", "mrt"), ("apr", "avr", "abr"),
    ("may", "mai", "mei"), ("jun", "juin"), ("jul", "juil"), ("aug", "aoû", "ago"), ("sep",),
    ("oct", "okt"), ("nov",), ("dec", "dez", "déc", "dic"),
)  # fmt: skip
_FULL_MAYO = "mayo"
_WEEKDAYS = (
    ("monday", "montag", "maandag", "lundi", "lunes"),
    ("tuesday", "dienstag", "dinsdag", "mardi", "martes"),
    ("wednesday", "mittwoch", "woensdag", "mercredi", "miércoles"),
    ("thursday", "donnerstag", "donderdag", "jeudi", "jueves"),
    ("friday", "freitag", "vrijdag", "vendredi", "viernes"),
    ("saturday", "samstag", "zaterdag", "samedi", "sábado"),
    ("sunday", "sonntag", "zondag", "dimanche", "domingo"),
)
_DAYS_AWAY = {
    "today": 0, "heute": 0, "vandaag": 0, "aujourd'hui": 0, "hoy": 0, "this morning": 0,
    "tonight": 0, "last night": 0, "tomorrow": 1, "morgen": 1, "demain": 1, "mañana": 1,
    "yesterday": -1, "gestern": -1, "gisteren": -1, "hier": -1, "ayer": -1,
}  # fmt: skip
_BACKWARDS = r"(?:last|letzten|vorige|afgelopen|pasado)\s"
_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_DOTTED = re.compile(r"\b(\d{1,2})[./](\d{1,2})[./](\d{4})\b")
_MONTH_WORD = "|".join(sorted({word for row in _MONTHS for word in row}, key=len, reverse=True))
_DAY_MONTH = re.compile(
    rf"\b(\d{{1,2}})(?:st|nd|rd|th|\.)?\s(?:of\s|de\s)?({_MONTH_WORD})[a-zé]{{0,7}}\b(?:,?\s(\d{{4}}))?",
    re.I,
)
_MONTH_DAY = re.compile(rf"\b({_MONTH_WORD})[a-z]{{0,7}}\s(\d{{1,2}})(?:st|nd|rd|th)\b", re.I)
_WEEKDAY = re.compile(
    rf"({_BACKWARDS})?\b({'|'.join(word for row in _WEEKDAYS for word in row)})\b", re.I
)
_AWAY = re.compile(rf"(?<!guten )(?<!goede )\b({'|'.join(_DAYS_AWAY)})\b", re.I)
YEAR_IS_NEAR_DAYS = 183  # half a year: a day further back than this means next year


def dates_in(text: str, received: str) -> list[str]:
    """Return the days a text names as ISO dates, ascending.

    Args:
        text: the message.
        received: day of receipt, beginning with an ISO date.

    Raises:
        ValueError: `received` does not begin with an ISO date.
    """
    today = date.fromisoformat(received[:10])
    days = {day for day in _written(text, today) if day is not None}
    days |= {today + timedelta(days=_DAYS_AWAY[m[1].lower()]) for m in _AWAY.finditer(text)}
    days |= {_weekday(m[2], today, backwards=bool(m[1])) for m in _WEEKDAY.finditer(text)}
    return [day.isoformat() for day in sorted(days)]


def _written(text: str, today: date) -> Iterator[date | None]:
    for match in _ISO.finditer(text):
        yield _day(int(match[1]), int(match[2]), int(match[3]))
    for match in _DOTTED.finditer(text):
        yield _day(int(match[3]), int(match[2]), int(match[1]))
    for match in _DAY_MONTH.finditer(text):
        year = int(match[3]) if match[3] else 0
        yield _near(year, _month(match[2]), int(match[1]), today)
    for match in _MONTH_DAY.finditer(text):
        yield _near(0, _month(match[1]), int(match[2]), today)


def _month(word: str) -> int:
    return next(at for at, row in enumerate(_MONTHS, 1) if word.lower() in row)


def _near(year: int, month: int, day: int, today: date) -> date | None:
    if year:
        return _day(year, month, day)
    found = _day(today.year, month, day)
    if found is not None and (today - found).days > YEAR_IS_NEAR_DAYS:
        return _day(today.year + 1, month, day)
    return found


def _day(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None  # 31 February and order numbers that look like dates are no days


def _weekday(word: str, today: date, *, backwards: bool) -> date:
    index = next(at for at, row in enumerate(_WEEKDAYS) if word.lower() in row)
    if backwards:
        return today - timedelta(days=(today.weekday() - index) % 7 or 7)
    return today + timedelta(days=(index - today.weekday()) % 7 or 7)
