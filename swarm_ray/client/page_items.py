"""The part of a page about one fan-out: its items and how they converged.

Decides how much of a large swarm is written out: failures always, the rest up to a limit that the
page states.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from swarm_ray.client.following import Bodies
from swarm_ray.client.headline import duration, first_line, money, plural
from swarm_ray.client.inputs import ItemNames
from swarm_ray.client.markup import (
    STATUS_KINDS,
    Child,
    Markup,
    badge,
    cut,
    element,
    join,
    rows_table,
)
from swarm_ray.client.phrases import copies_told
from swarm_ray.client.reports import reports_of
from swarm_ray.client.speed_up import speed_ups
from swarm_ray.engine.views import AttemptView, RunView, SwarmView
from swarm_ray.values.ids import short

MAX_ITEM_ROWS: Final = 500


def fan_out_part(view: RunView, swarm: SwarmView, bodies: Bodies) -> Markup:
    """Return items and convergence of one fan-out."""
    return join(
        element("h2", f"Items of {swarm.step} ", element("code", short("swarm", swarm.id))),
        _items(swarm, bodies),
        _report(view, swarm, bodies),
    )


def _items(swarm: SwarmView, bodies: Bodies) -> Markup:
    tries: dict[int, list[AttemptView]] = {}
    for one in swarm.attempts:
        tries.setdefault(one.item, []).append(one)
    bad = [item for item in range(swarm.items) if swarm.state_of(item) != "done"]
    good = [item for item in range(swarm.items) if swarm.state_of(item) == "done"]
    shown = sorted((bad + good)[:MAX_ITEM_ROWS])
    names = ItemNames(swarm, bodies)
    rows = [_item_row(swarm, item, tries.get(item, []), names, bodies) for item in shown]
    head = ["#", "item", "outcome", "host", "attempts", "duration", "tokens", "cost"]
    rest = swarm.items - len(shown)
    caption = f"{swarm.succeeded:,} of {plural(swarm.items, 'item')} done"
    if rest:
        caption += f"; {rest:,} more that are done are not listed"
    return rows_table(head, rows, caption=caption, numeric=4)


def _item_row(
    swarm: SwarmView, item: int, tries: list[AttemptView], names: ItemNames, bodies: Bodies
) -> list[Child]:
    state = swarm.state_of(item)
    failed = [one for one in tries if one.status != "ok"]
    outcome: Child = badge(state, STATUS_KINDS.get(state, "run"))
    if failed:
        texts = [
            element(
                "div",
                f"attempt {one.attempt} on {one.host}: {one.status} ({one.code})",
                element("pre", cut(bodies.text(one.error).strip())) if one.error else None,
            )
            for one in failed
        ]
        told = f"{failed[-1].code}: {first_line(bodies.text(failed[-1].error), 90)}"
        outcome = join(outcome, " ", element("details", element("summary", told), *texts))
    return [
        item,
        names.name(item),
        outcome,
        tries[-1].host if tries else "",
        len(tries),
        duration(tries[-1].duration_us) if tries else "",
        f"{sum(one.tokens for one in tries):,}",
        money(sum(one.microusd for one in tries)),
    ]


SHOWN_DISSENT: Final = 50
"""Items whose copies disagreed that are listed; the report has all of them."""


def _ended(cause: str) -> str:
    return "" if cause == "all items" else f"; ended by {cause}"


def _report(view: RunView, swarm: SwarmView, bodies: Bodies) -> Markup:
    report = reports_of(view, bodies)[swarm.step]
    lines: list[Child] = [
        f"Converged by {report['strategy']}: {report['succeeded']:,} of"
        f" {plural(report['items'], 'item')} accepted"
        f"{', with partial results' if report['partial'] else ''}{_ended(report['ended_by'])}."
        if swarm.result
        else f"Not converged ({report['ended_by']}): {report['succeeded']:,} of"
        f" {plural(report['items'], 'item')} succeeded."
    ]
    for gain in speed_ups(view):
        if gain.step == swarm.step:
            few = "; below the break-even of about four items" if gain.below_break_even else ""
            lines.append(
                f"In sequence at least {duration(gain.sequential_us)}, measured"
                f" {duration(gain.measured_us)}: {gain.told}{few}."
            )
    copies = report.get("copies")
    if copies is not None:
        lines.append(f"{copies_told(copies)}.")
    votes = report.get("votes")
    table = None
    if votes:
        rows: list[list[Child]] = [
            [label, count, f"{weight / 1e6:.2f}"] for label, weight, count in votes
        ]
        table = rows_table(["answer", "votes", "weight"], rows, caption="Votes", numeric=2)
    dissent = _dissent(copies["dissent"]) if copies is not None and copies["dissent"] else None
    return join(
        element("h3", "Convergence"), *(element("p", line) for line in lines), table, dissent
    )


def _dissent(items: Sequence[Mapping[str, Any]]) -> Markup:
    """Return a table of the items whose copies disagreed, one line per answer."""
    rows: list[list[Child]] = [
        [
            item["ordinal"],
            answer["answer"],
            "yes" if answer["taken"] else "no",
            ", ".join(answer["domains"]),
        ]
        for item in items[:SHOWN_DISSENT]
        for answer in item["answers"]
    ]
    return rows_table(["item", "answer", "taken", "given in"], rows, caption="Disagreements")
