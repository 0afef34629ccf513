"""What is said of one item: as fields, as plain data, in words."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from swarm_placement.forms.plain import plain
from swarm_placement.program.exclusion import Exclusion
from swarm_placement.telling.wording import duration, money, placing

SAME = 1e-9
"""Relative difference below which two prices are one."""
BINDINGS = {
    "price": "price; nothing that is permitted costs less",
    "capacity": "capacity of {site}, which costs less and is full at this latest start",
    "share": "the largest share of copies that {site}, which costs less, may take",
    "domain": "distinct domains; {site} costs less and has another copy of this item in its domain",
    "deadline": "deadline; {site} costs less and would be too late",
    "whole copies": "whole copies; {site} costs less and has no room for one more",
}


@dataclass(frozen=True, slots=True)
class Choice:
    """One way to execute the copy. `price_usd` is its cost and what its slot-seconds are worth to
    others; `dearer_usd` how far that is above the price of what was chosen."""

    site: str
    model: str
    spot: bool
    cost_usd: float
    price_usd: float
    dearer_usd: float
    mean_s: float
    latest_start_s: float


@dataclass(frozen=True, slots=True)
class CopyExplanation:
    """One copy of the item. `chosen` is None if it is unplaced.

    `binding` is what keeps the copy from the cheapest place: "price" (nothing, it is there),
    "capacity", "share", "domain" (another copy of the item is there), "deadline", "whole copies"
    (capacity rounded to whole copies), or the reason why it is unplaced. `binding_site` is where;
    for an unplaced copy, the permitted site of least price.
    `slot_usd` is what one more slot there would save the swarm, `slot_marginal` says that this is
    the plan's shadow price and not worked out anew, `slot_copies` up to how many more copies it would
    place instead; `minute_usd` is what this copy would save if its deadline alone were a minute later,
    everything else as it is. `over_margin`: it stands
    in the margin of its site, for want of another place. `minute_copies`, for an unplaced copy: up
    to how many more copies of the swarm find a place when every deadline is a minute later.
    """

    chosen: Choice | None
    next_best: Choice | None
    binding: str
    binding_site: str
    slot_usd: float
    minute_usd: float
    over_margin: bool
    minute_copies: float = 0.0
    slot_copies: float = 0.0
    slot_marginal: bool = False


@dataclass(frozen=True, slots=True)
class Explanation:
    """One item: each copy, and every site that is excluded for all of them."""

    item_class: str
    ordinal: int
    items: int
    copies: tuple[CopyExplanation, ...]
    excluded: tuple[Exclusion, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return the explanation as plain data: dollars and seconds, as the names say."""
        found: dict[str, Any] = plain(self)
        return found

    def text(self) -> str:
        """Return the explanation in words."""
        lines = [f"{self.item_class}, item {self.ordinal} of {self.items:,}"]
        for number, one in enumerate(self.copies, 1):
            many = f"copy {number} of {len(self.copies)}: " if len(self.copies) > 1 else ""
            lines += _lines(one, many)
        together: dict[str, list[str]] = {}
        for excluded in self.excluded:
            together.setdefault(excluded.reason, []).append(excluded.site)
        lines += ["  excluded:"] if together else []
        lines += [f"    {', '.join(sites)}: {reason}" for reason, sites in together.items()]
        return "\n".join(lines)


def _lines(one: CopyExplanation, many: str) -> Iterator[str]:
    """Yield the words about one copy."""
    chosen, other = one.chosen, one.next_best
    if chosen is None:
        yield f"  {many}unplaced: {one.binding}"
    else:
        yield f"  {many}{_place(chosen)} for {money(chosen.cost_usd)}"
        yield (
            f"    takes {duration(chosen.mean_s)} on average and must start within "
            f"{duration(chosen.latest_start_s)}"
        )
    if other is None:
        yield "    next best: none; nowhere else is permitted"
    elif chosen is None:
        yield f"    cheapest if there were room: {_place(other)} for {money(other.cost_usd)}"
    else:
        yield (
            f"    next best: {_place(other)} for {money(other.cost_usd)}, {_difference(other)} at "
            "the plan's shadow prices"
        )
    if chosen is not None:
        yield f"    binding: {BINDINGS[one.binding].format(site=one.binding_site)}"
    if one.over_margin and chosen is not None:
        yield f"    in the margin of {chosen.site}: no site had room within its margin"
    yield from _worth(one)
    if one.minute_usd > 0 and chosen is not None:
        yield f"    one more minute for this item would save {money(one.minute_usd)} a copy"


def _worth(one: CopyExplanation) -> Iterator[str]:
    """Yield what one more slot or minute would do for the swarm."""
    slot = f"    one more slot at {one.binding_site} would"
    if one.slot_copies >= 1:
        yield f"{slot} {placing(one.slot_copies)}"
    elif one.slot_usd > 0:
        shadow = " at the plan's shadow prices" if one.slot_marginal else ""
        yield f"{slot} save {money(one.slot_usd)} in all{shadow}"
    if one.minute_copies >= 1:
        yield f"    one more minute on every deadline would {placing(one.minute_copies)}"


def _difference(other: Choice) -> str:
    if abs(other.dearer_usd) <= SAME * other.price_usd:
        return "as dear"
    return f"{money(abs(other.dearer_usd))} {'dearer' if other.dearer_usd > 0 else 'cheaper'}"


def _place(choice: Choice) -> str:
    return f"{choice.site} with {choice.model}" + (" on spot slots" if choice.spot else "")
