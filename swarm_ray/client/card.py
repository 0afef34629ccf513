"""The card of a run that a notebook shows: status, figures, and a bar per fan-out."""

from typing import Final

from swarm_ray.client.following import Bodies
from swarm_ray.client.headline import duration, first_line, money, plural
from swarm_ray.client.markup import PALETTE, Markup, element, status_badge
from swarm_ray.client.results import cause_of
from swarm_ray.engine.views import RunView
from swarm_ray.values.ids import short


def card(view: RunView, bodies: Bodies) -> str:
    """Return a run as a notebook shows it: status, figures, and a bar per fan-out."""
    style = Markup(f"<style>{PALETTE}{_CARD_STYLE}</style>")
    bars = [
        element(
            "div",
            element("span", swarm.step),
            element(
                "progress",
                value=swarm.settled,
                max=max(1, swarm.items),
                aria_label=f"{swarm.step}: {swarm.settled} of {swarm.items}",
            ),
            element("span", f"{swarm.succeeded} of {plural(swarm.items, 'item')} done"),
        )
        for swarm in view.fan_outs()
    ]
    cause = first_line(cause_of(view, bodies))
    return element(
        "div",
        style,
        element("strong", view.process),
        " ",
        status_badge(view.status),
        " ",
        element("code", short("run", view.run)),
        element(
            "div",
            f"{duration(view.wall_us)}, {plural(view.attempts, 'attempt')},"
            f" {plural(view.tokens, 'token')}, {money(view.microusd)}",
            class_="soft",
        ),
        *bars,
        element("div", cause, class_="bad") if cause else None,
        *(element("div", f"{one.key}: {one.text}", class_="warn") for one in view.questions),
        class_="swarm card",
    )


_CARD_STYLE: Final = """
.swarm.card{display:inline-block;border:1px solid var(--rule);border-radius:8px;
padding:.6rem .9rem;background:var(--bg);color:var(--ink);font:14px/1.5 system-ui,sans-serif}
.swarm.card div{margin-top:.2rem}.swarm.card progress{margin:0 .6rem;vertical-align:middle}
.swarm.card .soft{color:var(--soft)}.swarm.card .bad{color:var(--bad)}
.swarm.card .warn{color:var(--warn)}.swarm.card .ok{color:var(--ok)}
.swarm.card .badge{border:1px solid currentColor;border-radius:1em;padding:0 .5em;font-weight:600}
"""
