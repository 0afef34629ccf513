"""Every event and command survives the way into a log and back."""

import types
from collections.abc import Callable
from dataclasses import MISSING, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

import hypothesis.strategies as st
import pytest
from hypothesis import given, settings

from swarm_ray.core import commands, plan
from swarm_ray.core.events import KINDS, event_from_record, event_to_record
from swarm_ray.core.supervisor import EFFECT_KINDS
from swarm_ray.testing.plans import SCENES
from swarm_ray.values.codec import MAX_INTEGER, decode, encode
from swarm_ray.values.records import from_record, to_record

NUMBERS = st.integers(-MAX_INTEGER, MAX_INTEGER)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COMMANDS = get_args(commands.Command)
RULES = (plan.Retry, plan.Convergence, plan.FanOut, plan.Clause, plan.Question, plan.Step)


def values_of(hint: Any) -> st.SearchStrategy[Any]:
    origin, parts = get_origin(hint), get_args(hint)
    if origin is Literal:
        return st.sampled_from(parts)
    if origin in (Union, types.UnionType):
        return st.none() | st.one_of([values_of(part) for part in parts if part is not type(None)])
    if origin is tuple:
        if parts[-1] is Ellipsis:
            return st.lists(values_of(parts[0]), max_size=3).map(tuple)
        return st.tuples(*[values_of(part) for part in parts])
    simple: dict[Any, Callable[[], st.SearchStrategy[Any]]] = {
        int: lambda: NUMBERS,
        str: lambda: TEXTS,
        bool: st.booleans,
    }
    return simple[hint]() if hint in simple else records_of(hint)


def records_of(kind: type) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind)
    given_always = {
        field.name: values_of(hints[field.name])
        for field in fields(kind)
        if field.default is MISSING and field.default_factory is MISSING
    }
    sometimes = {name: values_of(hint) for name, hint in hints.items() if name not in given_always}
    return st.fixed_dictionaries(given_always, optional=sometimes).map(lambda found: kind(**found))


def brief(check: Callable[..., None]) -> Callable[..., None]:
    return settings(max_examples=25, deadline=None, derandomize=True)(check)


@pytest.mark.parametrize("name", KINDS)
def test_events(name: str) -> None:
    @brief
    @given(records_of(KINDS[name]))
    def survives(event: Any) -> None:
        record = event_to_record(event)
        assert record["kind"] == name
        assert event_from_record(decode(encode(record))) == event

    survives()


@pytest.mark.parametrize("kind", [*COMMANDS, *RULES, *EFFECT_KINDS.values()])
def test_commands_rules_and_effects(kind: type) -> None:
    @brief
    @given(records_of(kind))
    def survives(value: Any) -> None:
        assert from_record(kind, decode(encode(to_record(value), max_bytes=None))) == value

    survives()


@pytest.mark.parametrize("name", SCENES)
def test_plans(name: str) -> None:
    scene = SCENES[name]
    assert from_record(plan.Plan, decode(encode(to_record(scene.plan)))) == scene.plan
