"""Display of runs in IPython: a card that follows the run, and the whole page in a frame.

Decides when a card is drawn anew. Rendering happens in this process, never in workers, so that
output lands in the cell that asked for it.
"""

import asyncio
from html import escape
from typing import TYPE_CHECKING, Any

from swarm_ray.client.card import card
from swarm_ray.client.page import page
from swarm_ray.errors import UsageError

if TYPE_CHECKING:
    from swarm_ray.client.handle import RunHandle
    from swarm_ray.client.results import RunResult

PERIOD_S = 0.5
FRAME_HEIGHT_PX = 640


async def watch(handle: "RunHandle") -> "RunResult":
    """Show a card that follows a run until its end, and return the result.

    Write `result = await watch(handle)` in a cell; the loop of the notebook goes on meanwhile.

    Raises:
        Unfinished: as `handle.result`.
        UsageError: `notebook.no_ipython`.
    """
    drawing = _html(card(*await asyncio.to_thread(handle.look)))
    display = _ipython("display").display(drawing, display_id=True)
    waiting = asyncio.ensure_future(handle)
    while not waiting.done():
        await asyncio.wait([waiting], timeout=PERIOD_S)
        display.update(_html(card(*await asyncio.to_thread(handle.look))))
    return await waiting


def show(handle: "RunHandle", *, height_px: int = FRAME_HEIGHT_PX) -> Any:
    """Return the page of a run (timeline, items, convergence, cost) as a frame for a cell.

    Raises:
        UsageError: `notebook.no_ipython`.
    """
    source = escape(page(*handle.look()), quote=True)
    return _html(
        f'<iframe srcdoc="{source}" sandbox="" title="run {handle.id[-8:]}"'
        f' style="width:100%;height:{height_px}px;border:0"></iframe>'
    )


def _html(text: str) -> Any:
    return _ipython("display").HTML(text)


def _ipython(name: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"IPython.{name}")
    except ImportError as error:
        raise UsageError(
            "notebook.no_ipython",
            "IPython is not installed",
            hint="pip install 'swarm-ray[notebook]'",
        ) from error
