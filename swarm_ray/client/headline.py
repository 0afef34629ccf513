"""Numbers and states as people read them: one line about a run, durations, money, counts.

Decides wording and rounding for every display, so that terminal, page and notebook agree.
"""

from datetime import UTC, datetime
from typing import Final

from swarm_ray.engine.views import QuestionView, RunView, SwarmView
from swarm_ray.values.ids import short

MICRO: Final = 1_000_000
VERDICTS: Final = {
    "running": "running",
    "waiting": "waits for a person",
    "interrupted": "interrupted",
    "closing": "closing",
    "done": "done",
    "failed": "failed",
    "cancelled": "cancelled",
    "deadline": "out of time",
    "budget": "out of budget",
}


def headline(view: RunView) -> str:
    """Return the one line that says how a run stands."""
    parts = [f"{short('run', view.run)} {view.process}: {VERDICTS.get(view.status, view.status)}"]
    if view.step and not view.closed:
        parts.append(f"step {view.step}")
    parts += [counts(swarm) for swarm in view.fan_outs()]
    parts += [duration(view.wall_us), *([money(view.microusd)] if view.microusd else [])]
    return ", ".join(parts)


def counts(swarm: SwarmView) -> str:
    """Return how many items of a fan-out are done, failed and so on."""
    told = [f"{swarm.succeeded} of {swarm.items} items done"]
    words = {"failed": "failed", "skipped": "skipped", "cancelled": "cancelled"}
    words["review"] = "in review"
    told += [f"{number} {text}" for word, text in words.items() if (number := swarm.count(word))]
    if swarm.running:
        told.append(f"{swarm.running} running")
    if swarm.queued:
        told.append(f"{swarm.queued} queued")
    if swarm.stranded:
        told.append(f"{swarm.stranded} waiting for a host of another trust domain")
    return ", ".join(told)


def question_lines(question: QuestionView) -> list[str]:
    """Return a question as it is put to a person: text, choices, default and expiry."""
    lines = [
        f"question {question.key}: {question.text}",
        f"  choices: {', '.join(question.choices)} (default {question.default})",
    ]
    if question.until_us:
        lines.append(f"  unanswered at {clock(question.until_us)[:19]} UTC: {question.default}")
    return lines


def duration(us: int) -> str:
    """Return a duration with three significant figures at most: 3.1 ms, 12.4 s, 2 min 5 s."""
    if us < 1_000:
        return f"{us} µs"
    if us < MICRO:
        ms = us / 1_000
        return f"{ms:.1f} ms" if ms < 100 else f"{ms:.0f} ms"
    seconds = us / MICRO
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def money(microusd: int) -> str:
    """Return an amount in USD with the digits that matter."""
    if microusd == 0:
        return "$0"
    usd = microusd / MICRO
    return f"${usd:,.2f}" if usd >= 1 else f"${usd:.4f}"


def plural(count: int, word: str) -> str:
    """Return `1 item`, `3 items`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


def clock(us: int) -> str:
    """Return a log time as UTC date and time with milliseconds."""
    return f"{datetime.fromtimestamp(us / MICRO, UTC):%Y-%m-%d %H:%M:%S.%f}"[:-3]


def first_line(text: str, limit: int = 200) -> str:
    """Return the first line of a text, shortened."""
    line = text.strip().split("\n", 1)[0].strip()
    return line if len(line) <= limit else line[: limit - 1] + "…"
