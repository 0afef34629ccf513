"""A plan as a picture: sites x time, coloured by class.

Up to `BARS` copies are drawn as one bar each, slot by slot; more are drawn as the share of busy
slots over time, stacked by class. Times are those of the list schedule with mean durations. Only
this module loads matplotlib, and only when it draws.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from swarm_placement.errors import UsageError
from swarm_placement.forms.files import down, gap_ppm
from swarm_placement.model import Instance, Plan
from swarm_placement.program.capacity import free_times
from swarm_placement.telling.usage import Schedule, Usage, schedule, usage
from swarm_placement.telling.wording import duration, money, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Floats = NDArray[np.float64]
BARS = 10_000
MOST_SITES = 40
"""So many sites are legible; of more, the busiest are drawn."""
STEPS = 240
"""Intervals of time in the stacked form."""
WIDTH_PT, BAND_PT = 560.0, 20.0
"""About the width of the drawn time and the least height of a site, in points."""
LETTERS = 28
"""So many letters of a name are shown."""
BAND = 0.84
"""Height of a site; 1 is the distance to the next."""
HUES = (  # Okabe and Ito (2008), distinct for the colour-blind; violet instead of black
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#6A3D9A",
)
TINTS = ("#80B8D8", "#F2CF80", "#80CEB9", "#E5BCD3", "#ABDAF4", "#EAAF80", "#F7F1A0", "#B49ECC")
COLOURS = HUES + TINTS
OTHERS, TAKEN, FREE, INK = "#8C8C8C", "#D9CDB8", "#F4F4F4", "#333333"
FAR = 2.5
"""A deadline this many times later than the last end is written at the edge, not drawn to scale."""
SUFFIXES = (".png", ".svg", ".pdf")
TIMES = (
    (3 * 60.0, 1.0, "seconds"),
    (3 * 3_600.0, 60.0, "minutes"),
    (3 * 86_400.0, 3_600.0, "hours"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """What is drawn: the schedule, the sites from top to bottom, the layer of each pair in usage.

    Layers are classes with a colour of their own and, last, all others; `ends_s` is where the
    drawn time ends, `drawn_deadline` whether the deadline lies before it.
    """

    instance: Instance
    plan: Plan
    used: Usage
    timed: Schedule
    sites: tuple[int, ...]
    layer: NDArray[np.int64]
    names: tuple[str, ...]
    ends_s: float
    drawn_deadline: bool


def save(instance: Instance, plan: Plan, path: Path) -> None:
    """Draw a plan into a file; the same plan gives the same bytes with the same matplotlib.

    Raises:
        UsageError: for another suffix than .png, .svg or .pdf, a folder that does not exist, or
            without matplotlib.
    """
    if path.suffix.lower() not in SUFFIXES:
        raise UsageError(
            "plot.suffix",
            str(path),
            f"{path.suffix or 'No suffix'!r} is no form of picture.",
            f"Give the file one of the suffixes {', '.join(SUFFIXES)}.",
        )
    if not path.parent.is_dir():
        raise UsageError(
            "plot.folder", str(path), "The folder does not exist.", "Create it, or name another."
        )
    style = _matplotlib().style
    drawn = figure(instance, plan)
    undated: dict[str, dict[str, Any]] = {
        ".png": {"Software": None},
        ".svg": {"Date": None},
        ".pdf": {"CreationDate": None},
    }
    with style.context(["default", {"svg.hashsalt": "swarm_placement"}]):
        drawn.savefig(path, dpi=150, metadata=undated[path.suffix.lower()])


def figure(instance: Instance, plan: Plan) -> "Figure":
    """Return the picture of a plan as a matplotlib figure, for notebooks.

    Raises:
        UsageError: without matplotlib.
    """
    matplotlib = _matplotlib()
    seen = picture(instance, plan)
    height = np.clip(0.34 * len(seen.sites), 2.4, None) + 1.7
    with matplotlib.style.context("default"):
        drawn: Figure = matplotlib.figure.Figure(figsize=(10, height), layout="constrained")
        axes = drawn.subplots()
        _bands(axes, seen)
        (_bars if seen.timed.pair.size < BARS else _stacks)(axes, seen)
        _limits(axes, seen)
        _labels(axes, seen)
        _legend(drawn, seen)
    return drawn


def picture(instance: Instance, plan: Plan) -> Picture:
    """Decide what is drawn."""
    used = usage(instance, plan)
    timed = schedule(instance, used)
    busy_s = np.bincount(timed.site, timed.end_s - timed.start_s, len(instance.sites))
    shown = np.argsort(-busy_s, kind="stable")[:MOST_SITES]
    work_s = np.bincount(used.item_class, used.busy_s * used.copies, len(instance.classes))
    largest = np.sort(np.argsort(-work_s, kind="stable")[: len(COLOURS)])
    layer_of = np.full(len(instance.classes), len(largest))
    layer_of[largest] = np.arange(len(largest))
    names = [instance.classes[one].name for one in largest]
    others = len(instance.classes) - len(largest)
    ends_s = float(timed.end_s.max(initial=0.0))
    deadline_s = instance.swarm.deadline_s
    far = ends_s > 0 and deadline_s > FAR * ends_s
    return Picture(
        instance,
        plan,
        used,
        timed,
        tuple(np.sort(shown).tolist()),
        layer_of[used.item_class],
        (*names, *([f"{others:,} other classes"] if others else [])),
        ends_s * 1.25 if far else max(deadline_s, ends_s) * 1.02,
        not far,
    )


def _matplotlib() -> Any:
    try:
        import matplotlib.figure
        import matplotlib.style
    except ImportError as error:
        raise UsageError(
            "plot.matplotlib",
            "plot",
            "Pictures need matplotlib, which is not installed.",
            "Run: pip install 'swarm-ray[plot]'",
        ) from error
    return matplotlib


def _bands(axes: "Axes", seen: Picture) -> None:
    """Draw the slots of each site: free, and taken by what was there before or not yet booted."""
    for row, number in enumerate(seen.sites):
        free_s = free_times(seen.instance, number)
        until = np.append(np.minimum(free_s, seen.ends_s), seen.ends_s)
        low = row - BAND / 2
        axes.broken_barh([(0, seen.ends_s)], (low, BAND), facecolors=FREE)
        levels = low + BAND * np.arange(free_s.size + 1) / free_s.size
        axes.fill_betweenx(levels, 0, until, step="post", color=TAKEN, linewidth=0)


def _bars(axes: "Axes", seen: Picture) -> None:
    """Draw one bar per copy."""
    from matplotlib.collections import PolyCollection

    timed = seen.timed
    row = _rows(seen)[timed.site]
    slots = np.array([site.slots for site in seen.instance.sites])[timed.site]
    low = row - BAND / 2 + BAND * timed.slot / slots
    high = low + BAND / slots
    corners = np.stack(
        [
            np.stack([timed.start_s, timed.start_s, timed.end_s, timed.end_s], axis=1),
            np.stack([low, high, high, low], axis=1),
        ],
        axis=2,
    )
    colours = np.array([*COLOURS[: _coloured(seen)], OTHERS])[seen.layer[timed.pair]]
    drawn = row >= 0
    # a border wider than a tenth of its bar would wash the colour out
    across = np.minimum(timed.end_s - timed.start_s, seen.ends_s) / seen.ends_s * WIDTH_PT
    borders = np.clip(0.1 * np.minimum(across, BAND_PT / slots), 0, 0.5)
    axes.add_collection(
        PolyCollection(
            list(corners[drawn]),
            facecolors=colours[drawn].tolist(),
            edgecolors="white",
            linewidths=borders[drawn].tolist(),
        )
    )


def _stacks(axes: "Axes", seen: Picture) -> None:
    """Draw the mean share of busy slots in each interval, stacked by class."""
    edges = np.linspace(0, seen.ends_s, STEPS + 1)
    timed, layer = seen.timed, seen.layer[seen.timed.pair]
    for row, site in enumerate(seen.sites):
        here = timed.site == site
        unit = BAND / seen.instance.sites[site].slots
        free_s = free_times(seen.instance, site)
        base = row - BAND / 2 + unit * busy_slots(np.zeros_like(free_s), free_s, edges)
        for number in np.unique(layer[here]):
            part = here & (layer == number)
            top = base + unit * busy_slots(timed.start_s[part], timed.end_s[part], edges)
            colour = COLOURS[number] if number < _coloured(seen) else OTHERS
            low, high = np.append(base, base[-1]), np.append(top, top[-1])
            axes.fill_between(edges, low, high, step="post", color=colour, linewidth=0)
            base = top


def busy_slots(start_s: Floats, end_s: Floats, edges_s: Floats) -> Floats:
    """Return how many of the spans cover each interval on average.

    The time covered until t is sum over starts of max(0, t - start), minus the same over ends.
    """

    def until(times_s: Floats) -> Floats:
        ordered = np.sort(times_s)
        count = np.searchsorted(ordered, edges_s)
        return np.asarray(edges_s * count - np.append(0.0, np.cumsum(ordered))[count])

    return np.asarray(np.diff(until(start_s) - until(end_s)) / np.diff(edges_s))


def _limits(axes: "Axes", seen: Picture) -> None:
    """Draw the deadline and the reserve before it, or say where they are."""
    limit, top = seen.instance.swarm, -0.62
    due_s = limit.deadline_s - limit.reserve_s
    if not seen.drawn_deadline:
        words = f"deadline in {duration(limit.deadline_s)} \N{RIGHTWARDS ARROW}"
        if limit.reserve_s:
            words = f"due in {duration(due_s)}, {words}"
        axes.text(seen.ends_s, top, words, ha="right", va="bottom", fontsize=9, color=INK)
        return
    axes.axvline(limit.deadline_s, color=INK, linewidth=1.6, zorder=3)
    axes.text(limit.deadline_s, top, "deadline", ha="right", va="bottom", fontsize=9, color=INK)
    if limit.reserve_s:
        axes.axvspan(
            due_s,
            limit.deadline_s,
            facecolor="none",
            edgecolor=INK,
            hatch="///",
            linewidth=0,
            alpha=0.35,
            zorder=3,
        )
        axes.axvline(due_s, color=INK, linewidth=1.0, linestyle="--", zorder=3)
        axes.text(due_s, top, "reserve from here ", ha="right", va="bottom", fontsize=9, color=INK)


def _labels(axes: "Axes", seen: Picture) -> None:
    """Name sites and times, and say in the title what the plan amounts to."""
    sites, bound = seen.instance.sites, seen.plan.bound
    size, unit = next(
        ((size, unit) for most, size, unit in TIMES if seen.ends_s < most), (86_400.0, "days")
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value / size:g}")
    axes.set_xticks(_ticks(seen.ends_s / size) * size)
    axes.set_xlabel(f"{unit} from now")
    axes.set_xlim(0, seen.ends_s)
    axes.set_ylim(len(seen.sites) - 0.4, -0.6)
    axes.set_yticks(
        range(len(seen.sites)),
        [f"{_short(sites[one].name)}  ({sites[one].slots:,})" for one in seen.sites],
        fontsize=9,
        parse_math=False,
    )
    axes.set_ylabel("site (slots)")
    axes.tick_params(length=0, axis="y")
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    gap = gap_ppm(bound.gap)
    words = [f"{seen.timed.pair.size:,} copies for {money(bound.cost_usd)}"]
    words += [] if gap is None else [f"at most {percent(gap)} above any plan"]
    words += [f"{percent(down(bound.probability))} sure to be in time"]
    missing = seen.plan.option.size - seen.timed.pair.size
    words += [f"{missing:,} unplaced"] if missing else []
    hidden = len(sites) - len(seen.sites)
    words += [f"{hidden:,} less busy sites not shown"] if hidden else []
    axes.set_title(", ".join(words), loc="left", fontsize=11, pad=18, parse_math=False)


def _ticks(most: float) -> Floats:
    """Return round numbers from 0 to `most`, about eight."""
    rough = most / 8
    power = 10.0 ** np.floor(np.log10(rough))
    step = next(power * one for one in (1, 2, 5, 10) if power * one >= rough)
    return np.arange(0, most, step)


def _legend(drawn: "Figure", seen: Picture) -> None:
    from matplotlib.patches import Patch

    colours = (*COLOURS[: _coloured(seen)], OTHERS)
    handles = [Patch(color=colour) for colour in colours[: len(seen.names)]]
    names = [_short(name) for name in seen.names]
    if any(free_times(seen.instance, one).any() for one in seen.sites):
        handles.append(Patch(color=TAKEN))
        names.append("taken before")
    legend = drawn.legend(
        handles,
        names,
        loc="outside lower center",
        ncols=min(5, len(names)),
        frameon=False,
        fontsize=9,
    )
    for words in legend.get_texts():
        words.set_parse_math(False)


def _short(name: str) -> str:
    return name if len(name) <= LETTERS else f"{name[: LETTERS - 1]}\N{HORIZONTAL ELLIPSIS}"


def _rows(seen: Picture) -> NDArray[np.int64]:
    """Return the row of each site of the instance, -1 where it is not drawn."""
    rows = np.full(len(seen.instance.sites), -1, np.int64)
    rows[list(seen.sites)] = np.arange(len(seen.sites))
    return rows


def _coloured(seen: Picture) -> int:
    return min(len(COLOURS), len(seen.instance.classes))
