"""The timeline of a run as SVG: attempts per host in lanes, coloured by how they ended.

Decides where a bar stands. Only log time is used for positions; a host's duration gives the length
of a bar, cut to the time between dispatch and settlement, since clocks of two machines are never
subtracted. Above a limit, bars give way to counts per slice of time.
"""

from collections.abc import Sequence
from typing import Final

from swarm_ray.client.headline import duration
from swarm_ray.client.markup import Markup, element, join
from swarm_ray.engine.views import AttemptView, RunView
from swarm_ray.values.ids import short

KINDS: Final = {
    "ok": "ok",
    "transient": "warn",
    "rate_limited": "warn",
    "cancelled": "off",
    "lost": "lost",
}
LEGEND: Final = (
    ("ok", "succeeded"),
    ("warn", "failed, worth another attempt"),
    ("bad", "failed for good"),
    ("lost", "lost with its host"),
    ("off", "cancelled"),
)
MAX_BARS: Final = 2_000
MAX_LANES: Final = 24
SLICES: Final = 80
LANE: Final = 14
HEAD: Final = 22
FOOT: Final = 26
CHART: Final = 60
PADDING: Final = 1.0
"""Free percent left and right."""


def timeline(view: RunView) -> Markup:
    """Return the legend and the SVG; a sentence when no attempt has ended."""
    attempts = [one for swarm in view.swarms for one in swarm.attempts]
    if not attempts:
        return element("p", "No attempt has ended yet.", class_="soft")
    hosts: dict[str, list[AttemptView]] = {}
    for one in attempts:
        hosts.setdefault(one.host, []).append(one)
    span_us = max(1, max(one.settled_us for one in attempts) - view.opened_us)
    drawn: list[Markup] = []
    top = 4
    for host, own in sorted(hosts.items()):
        part, height = _host(host, own, view.opened_us, span_us, top, len(attempts))
        drawn += part
        top += height
    drawn = [*_axis(span_us, top), *drawn]
    used = {_kind(one.status) for one in attempts}
    legend = [element("span", text, class_=kind) for kind, text in LEGEND if kind in used]
    label = (
        f"Timeline of {len(attempts)} attempts on {len(hosts)} hosts over {duration(span_us)};"
        " the table of items below says the same in words"
    )
    picture = element(
        "svg", *drawn, class_="timeline", height=top + FOOT, role="img", aria_label=label
    )
    note = None
    if len(attempts) > MAX_BARS:
        slice_ = duration(span_us // SLICES)
        note = element(
            "p", f"Each bar counts the attempts that ended within {slice_}.", class_="soft"
        )
    return join(element("div", *legend, class_="legend"), picture, note)


def _host(
    host: str, own: Sequence[AttemptView], zero_us: int, span_us: int, top: int, total: int
) -> tuple[list[Markup], int]:
    busy = sum(one.duration_us for one in own)
    told = f"{host}: {len(own)} attempts, {duration(busy)} of work"
    head = element("text", told, x=f"{PADDING}%", y=top + 15, class_="host")
    if total > MAX_BARS:
        return [head, *_chart(own, zero_us, span_us, top + HEAD)], HEAD + CHART + 10
    lanes = _lanes(own)
    count = max(lanes.values(), default=0) + 1
    bars = [_bar(one, lanes[at], zero_us, span_us, top + HEAD) for at, one in enumerate(own)]
    return [head, *bars], HEAD + min(count, MAX_LANES) * LANE + 10


def _start_us(one: AttemptView) -> int:
    return max(one.dispatched_us, one.settled_us - one.duration_us)


def _lanes(own: Sequence[AttemptView]) -> dict[int, int]:
    """Give each attempt the first lane that is free when it starts."""
    free_us: list[int] = []
    lanes: dict[int, int] = {}
    for at in sorted(range(len(own)), key=lambda index: _start_us(own[index])):
        start = _start_us(own[at])
        lane = next((n for n, until in enumerate(free_us) if until <= start), len(free_us))
        if lane == len(free_us):
            free_us.append(0)
        free_us[lane] = own[at].settled_us
        lanes[at] = lane
    return lanes


def _percent(us: int, span_us: int) -> float:
    return PADDING + (100 - 2 * PADDING) * us / span_us


def _bar(one: AttemptView, lane: int, zero_us: int, span_us: int, top: int) -> Markup:
    left = _percent(_start_us(one) - zero_us, span_us)
    right = _percent(one.settled_us - zero_us, span_us)
    worker = f"{short('swarm', one.swarm)}/worker-{one.item:03d}"
    code = f" ({one.code})" if one.code else ""
    title = f"{worker}, attempt {one.attempt}: {one.status}{code}, {duration(one.duration_us)}"
    return element(
        "rect",
        element("title", title),
        class_=_kind(one.status),
        x=f"{left:.3f}%",
        y=top + (lane % MAX_LANES) * LANE,
        width=f"{right - left:.3f}%",
        style=f"width:max(3px,{right - left:.3f}%)",
        height=LANE - 3,
        rx=2,
    )


def _kind(status: str) -> str:
    return KINDS.get(status, "bad")


def _chart(own: Sequence[AttemptView], zero_us: int, span_us: int, top: int) -> list[Markup]:
    """Settlements per slice of time, stacked by outcome."""
    counts: dict[tuple[int, str], int] = {}
    for one in own:
        at = min(SLICES - 1, (one.settled_us - zero_us) * SLICES // span_us)
        key = (at, _kind(one.status))
        counts[key] = counts.get(key, 0) + 1
    tops = [0] * SLICES
    for (at, _), count in counts.items():
        tops[at] += count
    most = max(tops)
    width = (100 - 2 * PADDING) / SLICES
    drawn: list[Markup] = []
    base = [0] * SLICES
    for kind, text in LEGEND:
        for at in range(SLICES):
            count = counts.get((at, kind), 0)
            if not count:
                continue
            height = max(1.0, count * CHART / most)
            low = top + CHART - base[at] * CHART / most
            base[at] += count
            drawn.append(
                element(
                    "rect",
                    element("title", f"{count} {text}"),
                    class_=kind,
                    x=f"{PADDING + at * width:.3f}%",
                    y=f"{low - height:.1f}",
                    width=f"{width * 0.9:.3f}%",
                    height=f"{height:.1f}",
                )
            )
    return drawn


def _axis(span_us: int, height: int) -> list[Markup]:
    drawn: list[Markup] = []
    for quarter in range(5):
        left = _percent(span_us * quarter // 4, span_us)
        anchor = ("start", "middle", "middle", "middle", "end")[quarter]
        drawn.append(element("line", x1=f"{left}%", x2=f"{left}%", y1=0, y2=height))
        drawn.append(
            element(
                "text",
                duration(span_us * quarter // 4) if quarter else "0",
                x=f"{left}%",
                y=height + 17,
                text_anchor=anchor,
            )
        )
    return drawn
