"""Copies without a place: taken off rows that hold too many, placed in the room that is left."""

from dataclasses import replace

import numpy as np

from swarm_placement.placing.rounding import rounded
from swarm_placement.program.relaxation import Relaxation
from swarm_placement.program.room import EPSILON, Room

PER_ARC = (
    "of_class", "option", "site", "group", "cost_usd", "rank_usd", "work_s", "latest_s", "mean_s",
    "sigma", "fixed_s",
)  # fmt: skip


def evict(room: Room) -> dict[int, int]:
    """Take copies off arcs until no capacity row is broken; return how many of which.

    Of a broken row those with the latest starts go, since they find another place most easily.
    Those that do fit once more urgent ones had to go as well are put back.
    """
    flat = room.flat
    gone: dict[int, int] = {}
    for site in np.unique(flat.rows.site[room.slack_s < -EPSILON]):
        rows = slice(room.begin[site], room.begin[site + 1])
        here = np.flatnonzero((flat.site == site) & (room.copies > 0))
        for arc in here[np.argsort(-flat.rows.of_arc[here], kind="stable")].tolist():
            broken = -float(room.slack_s[flat.rows.of_arc[arc] : rows.stop].min())
            if broken > EPSILON:
                count = min(int(np.ceil(broken / flat.work_s[arc])), int(room.copies[arc]))
                room.take(arc, -count)
                gone[arc] = count
    for arc, count in gone.items():
        back = min(count, int(room.most(np.array([arc]))[0]))
        if back:
            room.take(arc, back)
            gone[arc] = count - back
    return {arc: count for arc, count in gone.items() if count}


def place_rest(room: Room) -> None:
    """Place what is left in the room that is left, by a linear program."""
    flat = room.flat
    arcs = np.flatnonzero(room.left[flat.of_class] > 0)
    arcs = arcs[room.most(arcs) > 0]
    rest = replace(
        flat,
        **{name: getattr(flat, name)[arcs] for name in PER_ARC},
        rows=replace(
            flat.rows, of_arc=flat.rows.of_arc[arcs], slot_s=np.maximum(room.slack_s, 0.0)
        ),
        demand=room.left,
        group_most=room.group,
        site_most=room.site,
        budget_usd=room.money,
    )
    relaxed = Relaxation(rest).solve()
    placed = rounded(rest, relaxed.copies, relaxed.prices)
    for arc, count in zip(arcs.tolist(), placed.copies.tolist(), strict=True):
        if count:
            room.take(arc, count)
