"""One page about one run that needs nothing else.

Decides what of a run a reader meets first. Every text of a run is escaped; nothing is loaded from
anywhere.
"""

import json
from collections.abc import Mapping
from typing import Any

from swarm_ray.client.costs import cost_of
from swarm_ray.client.following import Bodies
from swarm_ray.client.headline import VERDICTS, clock, duration, first_line, money, plural
from swarm_ray.client.markup import (
    STATUS_KINDS,
    Child,
    Markup,
    badge,
    cut,
    document,
    element,
    join,
    rows_table,
    status_badge,
)
from swarm_ray.client.page_items import fan_out_part
from swarm_ray.client.results import cause_of
from swarm_ray.client.timeline import timeline
from swarm_ray.engine.views import RunView
from swarm_ray.values.ids import short


def page(view: RunView, bodies: Bodies) -> str:
    """Return the whole page of a run as HTML."""
    output = bodies.value(view.output)
    body = element(
        "div",
        element(
            "main",
            _header(view, bodies, output),
            _questions(view, bodies),
            _output(output),
            element("h2", "Timeline"),
            timeline(view),
            *(fan_out_part(view, swarm, bodies) for swarm in view.fan_outs()),
            _steps(view),
            _effects(view, bodies),
            _footer(view),
        ),
        class_="swarm",
    )
    return document(f"{view.process}: {VERDICTS.get(view.status, view.status)}", body)


# -- parts of the page --------------------------------------------------------------------------


def _header(view: RunView, bodies: Bodies, output: Any) -> Markup:
    verdict = output.get("verdict") if isinstance(output, Mapping) else None
    summary = output.get("summary") if isinstance(output, Mapping) else None
    cause = cause_of(view, bodies)
    facts: list[tuple[str, Child]] = [
        ("wall time", duration(view.wall_us)),
        ("cost", money(view.microusd)),
        ("tokens", f"{view.tokens:,}"),
        ("processor time", duration(view.cpu_us)),
        ("attempts", f"{view.attempts:,}"),
        *(
            (f"items of {one.step}", f"{one.succeeded:,} of {one.items:,}")
            for one in view.fan_outs()
        ),
    ]
    return element(
        "header",
        element("h1", view.process, " ", status_badge(view.status)),
        element(
            "p",
            element("code", short("run", view.run)),
            f" opened {clock(view.opened_us)} UTC for tenant {view.tenant}",
            class_="soft",
        ),
        element("p", "Verdict: ", element("strong", _words(verdict))) if verdict else None,
        element("p", str(summary)) if summary else None,
        element("p", element("strong", view.code, class_="bad"), " ", first_line(cause))
        if view.code
        else None,
        element("dl", *(element("div", element("dt", k), element("dd", v)) for k, v in facts),
                class_="facts"),
    )  # fmt: skip


def _words(value: Any) -> str:
    return str(value).replace("_", " ")


def _output(output: Any) -> Markup | None:
    if output is None:
        return None
    text = output.get("markdown") if isinstance(output, Mapping) else None
    if isinstance(text, str):
        body = element("div", _markdown(text), class_="report", tabindex=0, role="region",
                       aria_label="Result")  # fmt: skip
    else:
        body = element("pre", cut(json.dumps(output, ensure_ascii=False, indent=2)), tabindex=0)
    return join(element("h2", "Result"), body)


def _markdown(text: str) -> Markup:
    """Render Markdown: HTML in it is shown as text, images are not loaded."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": False}).enable("table").disable("image")
    return Markup(reader.render(text))


def _questions(view: RunView, bodies: Bodies) -> Markup | None:
    if not (view.questions or view.decisions):
        return None
    rows: list[list[Child]] = [
        [one.key, one.text, badge("open", "warn"), ", ".join(one.choices), ""]
        for one in view.questions
    ]
    rows += [
        [one.key, one.text, badge(one.choice, "ok"), one.by, bodies.text(one.reason)]
        for one in view.decisions
    ]
    head = ["key", "question", "answer", "by / choices", "reason"]
    return join(element("h2", "Decisions"), rows_table(head, rows, caption="Asked of people"))


def _steps(view: RunView) -> Markup:
    costs = {step.step: step for step in cost_of(view).steps}
    rows: list[list[Child]] = []
    for number, step in enumerate(view.steps, 1):
        cost = costs.get(step.name)
        rows.append(
            [
                number,
                step.name,
                step.kind.replace("_", " "),
                badge(step.state, STATUS_KINDS.get(step.state, "run")),
                f"{cost.attempts:,}" if cost else "",
                f"{cost.tokens:,}" if cost else "",
                money(cost.microusd) if cost else "",
                duration(cost.cpu_us) if cost else "",
                duration(cost.wall_us) if cost else "",
            ]
        )
    head = ["#", "step", "kind", "state", "attempts", "tokens", "cost", "cpu", "wall"]
    table = rows_table(head, rows, caption="Failed attempts and sub-agents included", numeric=5)
    return join(element("h2", "Steps and cost"), table)


def _effects(view: RunView, bodies: Bodies) -> Markup | None:
    if not view.effects:
        return None
    rows: list[list[Child]] = []
    for one in view.effects:
        outcome = bodies.value(one.outcome)
        told = json.dumps(outcome, ensure_ascii=False) if outcome is not None else one.code
        state = badge(one.status, STATUS_KINDS.get(one.status, "run"))
        rows.append([one.step, one.tool, state, element("code", one.key), told])
    head = ["step", "tool", "status", "idempotency key", "outcome"]
    caption = "Changes of the outside world, each granted and recorded before it happened"
    return join(element("h2", "Effects"), rows_table(head, rows, caption=caption))


def _footer(view: RunView) -> Markup:
    attempts = [one for swarm in view.swarms for one in swarm.attempts]
    isolation = sorted({one.isolation for one in attempts} - {""})
    digests = sorted({digest for one in attempts for digest in one.sandbox.split()})
    sandbox = f" (sandbox {', '.join(digest[:12] for digest in digests)})" if digests else ""
    lines = [
        f"Run {view.run}, version {view.version} of the process.",
        f"Bundle {view.bundle}.",
        f"{plural(view.entries, 'entry').replace('entrys', 'entries')} in the log;"
        f" isolation of its workers: {', '.join(isolation) or 'none has run'}{sandbox}.",
    ]
    told = [element("p", line, class_="soft") for line in lines]
    command = element("code", f"swarm-ray story {view.run[-8:]}")
    return element(
        "footer", element("h2", "Origin"), *told, element("p", "The whole story: ", command)
    )
