"""Kinds `model`, `embed-classify` and `delegate`: steps whose work is asked of somebody else.

Decides what is sent: for a model the step's own words, its knowledge and its inputs, nothing more.
The host performs or refuses it within the attempt's budget slice.
"""

from __future__ import annotations

import json

from swarm_ray.sandbox.executors.template import render
from swarm_ray.sandbox.failures import StructuralError
from swarm_ray.sandbox.skill_context import Context

TYPE_CHECKING = False  # the typing module itself would cost every child 0.7 MB
if TYPE_CHECKING:
    from typing import Any

_OWN_OPTIONS = ("action", "system")


def _messages(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> list[dict[str, Any]]:
    action = step.get("action") or ctx.with_.get("action")
    if not isinstance(action, str):
        raise StructuralError("a model step needs an `action` text", code="model.no_action")
    parts = [str(ctx.with_.get("system", ""))] if "system" in ctx.with_ else []
    parts += [f"# {name}\n\n{text}" for name, text in ctx.knowledge.items()]
    if ctx.memory:
        parts.append("# Memory\n\n" + json.dumps(ctx.memory, ensure_ascii=False))
    asked = f"{render(action, given)}\n\n# Inputs\n\n{json.dumps(given, ensure_ascii=False)}"
    system = [{"role": "system", "content": "\n\n".join(parts)}] if parts else []
    return [*system, {"role": "user", "content": asked}]


def _model(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    options = {key: value for key, value in ctx.with_.items() if key not in _OWN_OPTIONS}
    reply = ctx.model(_messages(step, given, ctx), **options)
    return reply["text"] if reply.get("parsed") is None else reply["parsed"]


def _embed_classify(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    return ctx.tool("embed-classify", inputs=given, **{"with": ctx.with_})


def _delegate(step: dict[str, Any], given: dict[str, Any], ctx: Context) -> Any:
    return ctx.delegate(str(step.get("uses", "")), given)


EXECUTORS = {"model": _model, "embed-classify": _embed_classify, "delegate": _delegate}
