"""Step "Draft a reply by template": decides which first lines a person gets to answer with.

There is no draft for spam, for anything suspicious or for what was not understood, and nothing is
sent from here.
"""

from collections.abc import Mapping
from typing import Any

from desk_rules import TEMPLATES, read_block


def draft(inputs: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return the triaged message.

    Args:
        inputs: `judgement`, what the step before returned.
        ctx: the worker's context; its knowledge holds the templates.

    Raises:
        ValueError: the templates are missing or lack a language.
    """
    judged = inputs["judgement"]
    templates = read_block(ctx.knowledge, TEMPLATES)
    message = judged["message"]
    reply = _reply(judged, templates)
    ctx.progress(f"{message['message_id']}: {'draft' if reply else 'no draft'}")
    kept = ("fields", "language", "category", "urgency", "queue", "confidence_ppm", "reasons")
    return {
        "message_id": message["message_id"],
        "received": message["received"],
        "sender": message["sender"],
        "subject": message["subject"],
        "text": message["text"],
        **{key: judged[key] for key in kept},
        "reply": reply,
    }


def _reply(judged: Mapping[str, Any], templates: Mapping[str, Any]) -> str:
    if judged["category"] not in templates:
        return ""
    language = judged["language"]
    try:
        lines = (templates["greeting"][language], templates[judged["category"]][language])
        filled = {
            key: ", ".join(_shown(judged["fields"][key])) or nothing[language]
            for key, nothing in templates["nothing"].items()
        }
    except KeyError as flaw:
        raise ValueError(f"{TEMPLATES} has nothing for {flaw}") from flaw
    text = f"{lines[0]} {lines[1]}"
    for key, value in filled.items():
        text = text.replace(f"{{{key}}}", value)
    return text


def _shown(values: list[Any]) -> list[str]:
    return [value if isinstance(value, str) else money(value) for value in values]


def money(amount: Mapping[str, Any]) -> str:
    """Return an amount as people write it: `149.50 EUR`."""
    whole, cents = divmod(int(amount["minor_units"]), 100)
    return f"{whole}.{cents:02d} {amount['currency']}"
