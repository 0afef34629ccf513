"""Step "Decide what the writer needs and how soon": decides category, urgency and queue.

Weighs words, abstains when the weights do not tell, and treats text that gives orders to programs
as suspicious whatever else it says. It never drafts and never obeys a message.
"""

from collections.abc import Mapping
from typing import Any

from desk_rules import DeskRules, read_rules

UNCLEAR, SUSPICIOUS = "unclear", "suspicious"


def judge(inputs: Mapping[str, Any], ctx: Any) -> dict[str, Any]:
    """Return the facts with category, urgency, queue, confidence and reasons.

    Args:
        inputs: `facts`, what the step before returned.
        ctx: the worker's context; its knowledge holds the rules.

    Raises:
        ValueError: the rules are missing or wrong.
    """
    facts = inputs["facts"]
    rules = read_rules(ctx.knowledge)
    message = facts["message"]
    text = f"{message['subject']}\n{message['text']}"
    category, confidence_ppm, reasons = _category(message, facts["language"], rules)
    urgency = _urgency(text, category, rules)
    ctx.progress(f"{message['message_id']}: {category}, {urgency}")
    return {
        **facts,
        "category": category,
        "urgency": urgency,
        "queue": rules.queues[category],
        "confidence_ppm": confidence_ppm,
        "reasons": reasons,
    }


def _category(
    message: Mapping[str, str], language: str, rules: DeskRules
) -> tuple[str, int, list[str]]:
    whole = f"{message['subject']}\n{message['text']}"
    orders = [match[0] for form in rules.suspicious if (match := form.search(whole))]
    if orders:
        return SUSPICIOUS, 1_000_000, [f"gives orders to programs: {text!r}" for text in orders]
    if language == "other":
        return UNCLEAR, 0, ["written in a script the rules do not cover"]
    scores, reasons = _scores(message, rules)
    ranked = sorted(scores.items(), key=lambda row: (-row[1], row[0]))
    (best, score), (second, next_score) = ranked[0], ranked[1]
    if score < rules.least_score:
        return UNCLEAR, 0, ["too few known words"]
    if score - next_score < rules.least_lead:
        return UNCLEAR, 0, [f"{best} and {second} are too close"]
    return best, int(1_000_000 * score / (score + next_score)), reasons[best]


def _scores(
    message: Mapping[str, str], rules: DeskRules
) -> tuple[dict[str, float], dict[str, list[str]]]:
    scores: dict[str, float] = {}
    reasons: dict[str, list[str]] = {}
    for category, rows in rules.words.items():
        scores[category], reasons[category] = 0.0, []
        for form, weight in rows:
            subject = form.search(message["subject"])
            match = subject or form.search(message["text"])
            if match:
                scores[category] += weight * (rules.subject_factor if subject else 1.0)
                reasons[category].append(match[0].lower())
    return scores, reasons


def _urgency(text: str, category: str, rules: DeskRules) -> str:
    letters = sum(ch.isalpha() for ch in text)
    if category in rules.low_categories or letters < rules.least_letters:
        return "low"
    if category != SUSPICIOUS and any(form.search(text) for form in rules.high):
        return "high"
    return "low" if any(form.search(text) for form in rules.low_words) else "normal"
