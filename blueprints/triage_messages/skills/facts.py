"""Step "Take out dates, amounts and contact details": decides what a message states as facts.

Dates are resolved against the day of receipt (a weekday means the next one), amounts are whole
minor units, phone numbers are digits. It never guesses a category.
"""

import re
from collections.abc import Mapping
from typing import Any

from calendar_words import dates_in

_AMOUNT = re.compile(
    r"(?P<before>€|£|\$|\b(?:eur|usd|gbp)\b)\s?(?P<left>\d(?:[\d.,]{0,18}\d)?)"
    r"|(?<![\d.,])(?P<right>\d(?:[\d.,]{0,18}\d)?)\s?(?P<after>€|£|\$|(?:euros?|eur|usd|dollars?|gbp|pounds?)\b)",
    re.I,
)
_CURRENCIES = {"€": "EUR", "e": "EUR", "£": "GBP", "g": "GBP", "p": "GBP", "$": "USD", "u": "USD",
               "d": "USD"}  # fmt: skip
_PHONE = re.compile(r"(?<![\w.,-])(?:\+|0)\d(?:[ ()/.-]{0,2}\d){7,13}(?![\w-])")
_MAIL = re.compile(r"[\w.+-]{1,64}@[\w-]{1,63}(?:\.[\w-]{1,63}){1,4}")
_REFERENCE = re.compile(
    r"\b(KC-\d{3,6})\b|#(\d{3,8})\b"
    r"|\b(?:invoice|bill|rechnung|factuur|facture|factura|commande|order(?: number)?)\s+#?(\d[\d-]{2,11}\d)",
    re.I,
)
_LANGUAGES = {
    "en": "the and you my is for of to have your please would what are",
    "de": "ich der die das und ist nicht mit für ein eine guten habe sie den",
    "fr": "je vous le la les est pour une mon bonjour été voudrais merci de des",
    "es": "el la los que es por una muy mi he está con de y a qué",
    "nl": "ik een het de van voor graag wil mijn kunt hem is nog goedemiddag",
}
_STOPWORDS = {name: frozenset(words.split()) for name, words in _LANGUAGES.items()}


def read_facts(inputs: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return the message with what it states.

    Args:
        inputs: the six text fields of one message.
        ctx: the worker's context.

    Returns:
        `message`, `fields` (`dates`, `amounts`, `phones`, `emails`, `references`), `language`.

    Raises:
        ValueError: `received` does not begin with a date.
        KeyError: a field is missing.
    """
    message = {
        name: str(inputs[name])
        for name in ("message_id", "received", "channel", "sender", "subject", "text")
    }
    text = f"{message['subject']}\n{message['text']}"
    ctx.progress(f"{message['message_id']}: {len(text)} characters")
    return {
        "message": message,
        "fields": {
            "dates": dates_in(text, message["received"]),
            "amounts": amounts_in(text),
            "phones": _unique(re.sub(r"[^\d+]", "", m[0]) for m in _PHONE.finditer(text)),
            "emails": _unique(m[0].lower() for m in _MAIL.finditer(text)),
            "references": _unique(
                next(g for g in m.groups() if g).upper() for m in _REFERENCE.finditer(text)
            ),
        },
        "language": language_of(text),
    }


def _unique(values: Any) -> list[str]:
    return list(dict.fromkeys(values))


def amounts_in(text: str) -> list[dict[str, Any]]:
    """Return the sums of money in a text as whole minor units with their currency."""
    found: list[dict[str, Any]] = []
    for match in _AMOUNT.finditer(text):
        sign = (match["before"] or match["after"]).lower()[0]
        amount = {
            "minor_units": minor_units(match["left"] or match["right"]),
            "currency": _CURRENCIES[sign],
        }
        if amount not in found:
            found.append(amount)
    return found


def minor_units(number: str) -> int:
    """Return a written number in hundredths: the last mark is decimal when two digits follow it."""
    match = re.fullmatch(r"(.*?)[.,](\d{1,2})", number)
    whole, cents = (match[1], match[2].ljust(2, "0")) if match else (number, "00")
    digits = re.sub(r"\D", "", whole)
    return int(digits or "0") * 100 + int(cents)


def language_of(text: str) -> str:
    """Return `en`, `de`, `fr`, `es` or `nl`, `other` for other scripts, `en` when nothing tells."""
    letters = [ch for ch in text if ch.isalpha()]
    if letters and sum(ch < "\u0250" for ch in letters) * 2 < len(letters):
        return "other"
    words = re.findall(r"\w+", text.lower())
    counts = {name: sum(w in known for w in words) for name, known in _STOPWORDS.items()}
    return max(counts, key=lambda name: (counts[name], name == "en"))
