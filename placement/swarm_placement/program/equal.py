"""Classes that are equal but for their name and number of items, as one class."""

from collections.abc import Hashable
from dataclasses import fields, replace

import numpy as np
from numpy.typing import NDArray

from swarm_placement.model import Instance, ItemClass, Plan, Unplaced, copy_offsets

Members = list[list[int]]
COMPARED = tuple(field.name for field in fields(ItemClass) if field.name not in ("name", "items"))


def merge(instance: Instance) -> tuple[Instance, Members]:
    """Return the instance with equal classes merged, and the numbers of the classes in each."""
    groups: dict[Hashable, list[int]] = {}
    for number, one in enumerate(instance.classes):
        groups.setdefault(_key(one), []).append(number)
    members = list(groups.values())
    classes = tuple(
        replace(
            instance.classes[group[0]],
            items=sum(instance.classes[number].items for number in group),
        )
        for group in members
    )
    return replace(instance, classes=classes), members


def split(instance: Instance, members: Members, plan: Plan) -> Plan:
    """Return a plan of the merged instance as one of the instance itself."""
    option = np.empty_like(plan.option)
    places = _places(instance, members)
    option[places] = plan.option
    offsets = copy_offsets(instance.classes)
    complete = _complete(instance, option)
    items = np.array([one.items for one in instance.classes])
    done = np.zeros(items.size)
    for group, each in zip(members, plan.bound.class_probability, strict=True):
        if here := complete[group].sum():
            # items of a group are alike: those that are complete are as likely done as each other
            done[group] = (
                complete[group] / items[group] * min(1.0, each * items[group].sum() / here)
            )
    unplaced = tuple(
        Unplaced(number, missing, one.reason)
        for one in plan.bound.unplaced
        for number in members[one.item_class]
        if (missing := int((option[offsets[number] : offsets[number + 1]] < 0).sum()))
    )
    return replace(
        plan,
        option=option,
        bound=replace(
            plan.bound,
            class_probability=done,
            unplaced=unplaced,
            over_margin=np.sort(places[plan.bound.over_margin]),
        ),
    )


def _complete(instance: Instance, option: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many items of each class have a place for all of their copies."""
    offsets, found = copy_offsets(instance.classes), []
    for number, one in enumerate(instance.classes):
        copies = option[offsets[number] : offsets[number + 1]].reshape(-1, one.copies)
        found.append(int((copies >= 0).all(axis=1).sum()))
    return np.array(found, np.int64)


def _places(instance: Instance, members: Members) -> NDArray[np.int64]:
    """Return where each copy of the merged instance is in the instance itself."""
    offsets = copy_offsets(instance.classes)
    return np.concatenate(
        [np.arange(offsets[number], offsets[number + 1]) for group in members for number in group]
    )


def _key(one: ItemClass) -> Hashable:
    values = [getattr(one, name) for name in COMPARED if name != "needs"]
    needs = one.needs
    return (
        *values,
        frozenset(needs.capabilities.items()),
        frozenset(needs.hardware.items()),
        needs.residency,
    )
