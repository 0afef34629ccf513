"""LangGraph: a fan-out by `Send` in one process. No isolation, no checkpoints here."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"

import asyncio
import importlib.metadata
import operator
import time
from pathlib import Path
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send


class Whole(TypedDict):
    items: list[int]
    done: Annotated[list[int], operator.add]


class Single(TypedDict):
    item: int


def graph_of(sleep_s: float, trace: Path | None = None) -> Any:
    """Return a graph that works on every item of its state."""

    async def work(state: Single) -> dict[str, list[int]]:
        if sleep_s:
            await asyncio.sleep(sleep_s)
        if trace is not None:
            with trace.open("a") as out:
                out.write(f"{state['item']}\n")
        return {"done": [state["item"]]}

    graph = StateGraph(Whole)
    graph.add_node("work", work)
    graph.add_conditional_edges(START, lambda s: [Send("work", {"item": n}) for n in s["items"]])
    graph.add_edge("work", END)
    return graph


def measure(what: str, count: int, *, sleep_ms: float = 0, width: int = 16) -> dict[str, Any]:
    """Return how long `count` items take; `noop` has no bound on concurrency."""
    graph = graph_of(sleep_ms / 1000).compile()
    config: dict[str, Any] = {} if what == "noop" else {"max_concurrency": width}
    asyncio.run(graph.ainvoke({"items": [0, 1], "done": []}, config))
    began_s = time.monotonic()
    found = asyncio.run(graph.ainvoke({"items": list(range(count)), "done": []}, config))
    seconds = time.monotonic() - began_s
    assert len(found["done"]) == count
    return {
        "seconds": seconds,
        "count": count,
        "version": importlib.metadata.version("langgraph"),
    }
