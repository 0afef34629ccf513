"""The file forms say what the model says, strictly, and answers leave as integers."""

import json
import math

import jsonschema
import numpy as np
import pytest

from swarm_placement.errors import UsageError
from swarm_placement.forms.files import (
    down,
    instance_from,
    instance_to,
    plan_to,
    schemas,
    sites_from,
    up,
)
from swarm_placement.generate import FAMILIES, Recipe, generate
from swarm_placement.model import Occupancy, copy_offsets
from swarm_placement.solve import solve


def plain(instance):
    """Return the file form as it comes back from a file."""
    return json.loads(json.dumps(instance_to(instance), allow_nan=False))


@pytest.mark.parametrize("family", FAMILIES)
def test_an_instance_survives_its_file(family):
    instance = generate(Recipe(items=60, sites=6, classes=6, family=family, seed=5))
    again = instance_from(plain(instance))
    for part in ("swarm", "classes", "sites", "models", "links", "occupancy"):
        assert getattr(again, part) == getattr(instance, part)
    if instance.durations is None:
        assert again.durations is None
    else:
        np.testing.assert_array_equal(again.durations.mean_s, instance.durations.mean_s)
        np.testing.assert_array_equal(again.durations.quantile_s, instance.durations.quantile_s)


def test_equal_needs_of_a_file_are_one_object(three_organisations):
    data = plain(three_organisations)
    data["classes"][0]["needs"] = data["classes"][1]["needs"]
    first, second, third = instance_from(data).classes
    assert first.needs is second.needs
    assert third.needs is not second.needs


BAD = {
    "misspelt key": (("sites", 1, "slost"), 6, "form.key", "sites[1]", "'slots'"),
    "price in quotes": (
        ("sites", 1, "usd_per_slot_s"),
        "1e-4",
        "form.type",
        "sites[1].usd_per_slot_s",
        "without quotes",
    ),
    "fraction of items": (("classes", 0, "items"), 2.0, "form.type", "classes[0].items", "whole"),
    "true for a number": (
        ("classes", 0, "work_s"),
        True,
        "form.type",
        "classes[0].work_s",
        "number",
    ),
    "number for a flag": (
        ("sites", 0, "offers", 1, "warm"),
        1,
        "form.type",
        "sites[0].offers[1].warm",
        "true or false",
    ),
    "text for tags": (
        ("classes", 1, "needs", "residency"),
        "eu",
        "form.type",
        "classes[1].needs.residency",
        "a list",
    ),
    "level in words": (
        ("classes", 1, "needs", "capabilities", "reasoning"),
        "deep",
        "form.type",
        "classes[1].needs.capabilities.reasoning",
        "number",
    ),
    "American spelling": (
        ("classes", 0, "across"),
        "organization",
        "form.type",
        "classes[0].across",
        "'organisation'",
    ),
    "null for a name": (("models", 0, "name"), None, "form.type", "models[0].name", "text"),
    "list for an object": (("swarm",), [600], "form.type", "swarm", "an object"),
    "seconds in words": (
        ("occupancy", 0, "remaining_s", 1),
        "45 s",
        "form.type",
        "occupancy[0].remaining_s[1]",
        "number",
    ),
}


@pytest.mark.parametrize("story", BAD)
def test_reading_never_converts(three_organisations, story):
    path, value, code, field, remedy = BAD[story]
    data = plain(three_organisations)
    place = data
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = value
    with pytest.raises(UsageError) as caught:
        instance_from(data)
    assert (caught.value.code, caught.value.field) == (code, field)
    assert remedy in caught.value.hint
    if story != "fraction of items":  # JSON Schema knows no difference of 2.0 and 2
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate(data, schemas()["instance"])


def test_a_missing_key_is_named(three_organisations):
    data = plain(three_organisations)
    del data["sites"][2]["slots"]
    with pytest.raises(UsageError, match="missing") as caught:
        instance_from(data)
    assert (caught.value.code, caught.value.field) == ("form.missing", "sites[2].slots")


def test_a_table_with_a_short_row_is_refused(three_organisations):
    data = plain(three_organisations)
    data["durations"] = {"kinds": ["pdf"], "mean_s": [[[1, 2], [1]]], "quantile_s": []}
    with pytest.raises(UsageError, match="differ in length") as caught:
        instance_from(data)
    assert caught.value.field == "durations.mean_s"


def test_unknown_durations_are_null(three_organisations):
    data = plain(three_organisations)
    table = [[[1, None], [1.5, 2], [None, 3]]]
    data["durations"] = {"kinds": ["pdf"], "mean_s": table, "quantile_s": table}
    found = instance_from(data).durations
    assert found.mean_s.shape == (1, 3, 2)
    assert math.isnan(found.mean_s[0, 0, 1])
    assert plain(instance_from(data))["durations"]["mean_s"] == table


def test_the_schema_of_instances_accepts_what_the_generator_makes():
    validator = jsonschema.Draft202012Validator(schemas()["instance"])
    for family in FAMILIES:
        instance = generate(Recipe(items=40, sites=6, classes=5, family=family, seed=1))
        validator.validate(plain(instance))


@pytest.mark.parametrize(
    ("number", "field", "value"),
    [(0, "slots", 0), (1, "usd_per_slot_s", -1), (2, "speed", 0), (0, "margin", 1)],
)
def test_the_schema_knows_the_ranges_that_are_checked(three_organisations, number, field, value):
    data = plain(three_organisations)
    jsonschema.validate(data, schemas()["instance"])
    data["sites"][number][field] = value
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(data, schemas()["instance"])


def site_data(instance):
    data = plain(instance)
    return {key: data[key] for key in ("sites", "models", "links")} | {"home": "eu-west"}


def test_sites_stand_alone(three_organisations):
    data = site_data(three_organisations)
    jsonschema.validate(data, schemas()["sites"])
    found = sites_from(data)
    assert found.sites == three_organisations.sites
    assert found.models == three_organisations.models
    assert found.links == three_organisations.links
    assert found.home == "eu-west"


def test_sites_that_execute_plain_code_need_no_models():
    found = sites_from({"sites": [{"name": "here", "slots": 4, "usd_per_slot_s": 0}]})
    assert [model.name for model in found.models] == ["code"]
    assert found.home == ""


def test_sites_may_be_at_work_and_may_have_a_largest_share(three_organisations):
    busy = {"occupancy": [{"site": "eu-west", "remaining_s": [3, 4.5]}], "max_site_share": 0.5}
    data = site_data(three_organisations) | busy
    jsonschema.validate(data, schemas()["sites"])
    found = sites_from(data)
    assert found.occupancy == (Occupancy("eu-west", (3.0, 4.5)),)
    assert found.max_site_share == 0.5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("occupancy[0].site", [{"site": "moon", "remaining_s": [1]}]),
        ("occupancy[0].remaining_s[1]", [{"site": "eu-west", "remaining_s": [1, -1]}]),
        ("max_site_share", 0),
        ("max_site_share", 1.5),
    ],
)
def test_occupied_slots_and_shares_that_cannot_be_are_refused(three_organisations, field, value):
    data = site_data(three_organisations) | {field.partition("[")[0]: value}
    with pytest.raises(UsageError) as caught:
        sites_from(data)
    assert caught.value.field == field


def test_a_home_that_is_no_site_is_refused(three_organisations):
    data = site_data(three_organisations) | {"home": "eu-wset"}
    with pytest.raises(UsageError, match="'eu-west'") as caught:
        sites_from(data)
    assert caught.value.field == "home"


def test_bad_sites_are_refused_before_they_are_used(three_organisations):
    data = site_data(three_organisations)
    data["sites"][0]["slots"] = 0
    data["links"][0]["target"] = "moon"
    with pytest.raises(UsageError, match=r"1 more: links\[0\]\.target") as caught:
        sites_from(data)
    assert caught.value.field == "sites[0].slots"


def numbers(value):
    """Yield every number in plain data."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for one in value:
            yield from numbers(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield value


@pytest.mark.parametrize("family", FAMILIES)
def test_a_plan_leaves_with_integers_that_say_where_every_copy_goes(family):
    instance = generate(Recipe(items=120, sites=8, classes=8, family=family, load=0.9, seed=2))
    plan = solve(instance)
    found = json.loads(json.dumps(plan_to(instance, plan)))
    assert {type(one) for one in numbers(found)} == {int}
    offsets = copy_offsets(instance.classes)
    for number, (one, said) in enumerate(zip(instance.classes, found["classes"], strict=True)):
        columns = [np.repeat(*np.array(runs).T[::-1]) for runs in said["runs"]]
        expected = plan.option[offsets[number] : offsets[number + 1]]
        np.testing.assert_array_equal(np.stack(columns, axis=1).ravel(), expected)
        assert sum(use["copies"] for use in said["uses"]) == (expected >= 0).sum()
        assert said["name"] == one.name


def test_integers_promise_nothing_that_the_plan_does_not(three_organisations):
    plan = solve(three_organisations)
    found = plan_to(three_organisations, plan)
    assert found["cost_microusd"] >= plan.bound.cost_usd * 1e6
    assert found["lower_bound_microusd"] <= plan.bound.lower_usd * 1e6
    assert found["probability_ppm"] <= plan.bound.probability * 1e6 + 1e-3


def test_millionths_are_rounded_away_from_promises_but_not_by_noise():
    assert (up(0.1), down(0.1)) == (100_000, 100_000)
    assert (up(0.1 + 0.2), down(0.1 + 0.2)) == (300_000, 300_000)
    assert (up(0.00000025), down(0.00000025)) == (1, 0)
    assert down(0.9999999) == 999_999
