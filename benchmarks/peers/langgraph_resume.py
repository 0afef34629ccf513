"""LangGraph with checkpoints in SQLite: 50 ms items, to be killed half way and resumed."""

# mypy: disable-error-code="import-not-found, import-untyped, untyped-decorator, misc"

import asyncio
from pathlib import Path
from typing import Any

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from benchmarks.peers.langgraph_send import graph_of


def measure(folder: str, count: int, *, resume: bool, width: int = 16) -> dict[str, Any]:
    """Work on all items, or on what is left of them; writes a line to `trace` per finished item."""

    async def go() -> None:
        async with AsyncSqliteSaver.from_conn_string(f"{folder}/graph.sqlite") as saver:
            graph = graph_of(0.05, Path(folder) / "trace").compile(checkpointer=saver)
            config = {"configurable": {"thread_id": "one"}, "max_concurrency": width}
            start = None if resume else {"items": list(range(count)), "done": []}
            await graph.ainvoke(start, config)

    asyncio.run(go())
    return {}
