"""What a run would do over sites: where its items would go, at which cost and how surely.

Decides how the placements of several fan-outs are said one after the other; the solver decides
where items go, and nothing is started or spent.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from swarm_ray.cli.output import Output
from swarm_ray.cli.planning import plan_data, plan_lines
from swarm_ray.cli.steering import ready_launch
from swarm_ray.client.archive import Archive
from swarm_ray.client.demands import Asked, assumptions, demands
from swarm_ray.client.session import current_session
from swarm_ray.definition.quantities import duration_us
from swarm_ray.engine.placing.demand import Demand
from swarm_ray.engine.placing.placement import Placement, place
from swarm_ray.engine.placing.sites import capabilities, read_sites
from swarm_ray.errors import UsageError


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked about a placement: over which sites, under which deadline ("" as defined),
    why an item (`[STEP:]ITEM`) is where it is, where to draw it, and which items to assume
    (`NAME=COUNT` or `NAME=FILE`) where an earlier step makes them."""

    sites: Path
    deadline: str = ""
    explain: str = ""
    plot: Path | None = None
    assume: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Placed:
    """One fan-out, and where it would run; no placement where the items are not known yet."""

    asked: Asked
    placement: Placement | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        record: dict[str, Any] = {"step": self.asked.step, "grounds": list(self.asked.grounds)}
        if self.placement is None:
            return record | {"summary": None, "relief": [], "plan": None}
        return record | {
            "summary": self.placement.summary(),
            "relief": [one.to_dict() for one in self.placement.advice],
            "plan": self.placement.to_dict(),
        }

    def lines(self) -> list[str]:
        """Return text."""
        head = f"{self.asked.step} over sites ({'; '.join(self.asked.grounds)})"
        told = self.placement.text() if self.placement else f"not placed: {_remedy(self.asked)}"
        return ["", head, *(f"  {line}".rstrip() for line in told.splitlines())]


def plan_over_sites(
    question: Question, asked: tuple[str, list[str] | None, Path | None, bool], output: Output
) -> None:
    """Print the plan of a process (name, inputs, items, without bindings) and the placement of
    each of its fan-outs.

    Raises:
        UsageError: `sites.*`, `plan.bad_deadline`, `plan.bad_assumption`, `plan.unknown_step`,
            `plan.unknown_item`, and what linking raises.
    """
    session = current_session()
    sites, doubts = read_sites(question.sites)
    for doubt in doubts:
        output.note(f"warning: {doubt}")
    name, inputs, items, without_bindings = asked
    offered = capabilities(sites)
    launch = ready_launch(session, name, inputs or [], items, "", without_bindings, offered)
    found = [
        Placed(one, place(_due(one.demand, question), sites) if one.demand is not None else None)
        for one in demands(launch, Archive.of(session.settings), assumptions(question.assume))
    ]
    reason = _chosen(found, question.explain)
    data = plan_data(launch, session.settings) | {"placements": [one.to_dict() for one in found]}
    output.data(data | ({"explanation": reason.to_dict()} if reason else {}))
    lines = plan_lines(launch, session.settings) + [line for one in found for line in one.lines()]
    for line in lines:
        output.say(line)
    if reason:
        output.say("\n" + reason.text())
    if question.plot is not None:
        _draw(found, question.plot, output)


def _due(demand: Demand, question: Question) -> Demand:
    """Return the demand with the deadline that was asked about."""
    if not question.deadline:
        return demand
    try:
        return replace(demand, deadline_us=duration_us(question.deadline))
    except ValueError as error:
        raise UsageError(
            "plan.bad_deadline",
            f"{question.deadline!r} is no deadline: {error}",
            hint="write --deadline 30s",
        ) from error


def _chosen(found: list[Placed], explain: str) -> Any:
    """Return the explanation that `[STEP:]ITEM` asks for; None for none."""
    if not explain:
        return None
    step, _, ordinal = explain.rpartition(":")
    placed = {one.asked.step: one.placement for one in found if one.placement is not None}
    if not step and len(placed) == 1:
        step = next(iter(placed))
    if step not in placed or not ordinal.isdecimal():
        raise UsageError(
            "plan.unknown_step",
            f"{explain!r} names no item of a fan-out that was placed",
            hint=f"write STEP:ITEM with one of {', '.join(placed)}" if placed else _nothing(found),
        )
    return placed[step].explain(int(ordinal))


def _nothing(found: list[Placed]) -> str:
    """Return the remedy where nothing was placed."""
    return "; ".join(_remedy(one.asked) for one in found) or "the process has no fan-out"


def _remedy(asked: Asked) -> str:
    return f"say how many items it will have, --assume {asked.over}=40, or run it once"


def _draw(found: list[Placed], file: Path, output: Output) -> None:
    """Draw each placement; the files of several carry the names of their steps."""
    placed = [(one.asked.step, one.placement) for one in found if one.placement is not None]
    for step, placement in placed:
        path = file if len(placed) == 1 else file.with_stem(f"{file.stem}-{step}")
        placement.draw(path)
        output.note(f"wrote {path}")
