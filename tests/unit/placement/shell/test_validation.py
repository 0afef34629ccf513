"""Bad input is refused with the path of the field and a remedy; odd units are warned of."""

import math
import warnings
from dataclasses import replace

import numpy as np
import pytest

from swarm_placement.errors import UnitWarning, UsageError
from swarm_placement.generate import FAMILIES, Recipe, generate
from swarm_placement.model import Durations, ItemClass, Link, Needs, Occupancy, Offer, Spot
from swarm_placement.program import attributes
from swarm_placement.validation import check, doubts, problems, site_problems
from swarm_placement.validation.limits import RANGES


def with_class(instance, number, **changes):
    """Return the instance with one class changed."""
    classes = list(instance.classes)
    classes[number] = replace(classes[number], **changes)
    return replace(instance, classes=tuple(classes))


def with_site(instance, number, **changes):
    """Return the instance with one site changed."""
    sites = list(instance.sites)
    sites[number] = replace(sites[number], **changes)
    return replace(instance, sites=tuple(sites))


def fields(instance):
    return [one.field for one in problems(instance)]


def test_a_sound_instance_is_accepted_without_a_word(three_organisations):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check(three_organisations)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_the_generator_makes_is_sound(family):
    instance = generate(Recipe(items=80, sites=8, classes=8, family=family, seed=3))
    assert problems(instance) == []
    assert doubts(instance) == []


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf, -1.0])
def test_prices_and_durations_must_be_finite_and_not_negative(three_organisations, bad):
    spot = Spot(bad, bad)
    offer = Offer("small", speed=bad, usd_per_mtok_in=bad, usd_per_mtok_out=bad, cold_start_s=bad)
    wrong = with_site(
        three_organisations,
        0,
        usd_per_slot_s=bad,
        boot_s=bad,
        latency_s=bad,
        bandwidth_bytes_per_s=bad,
        egress_usd_per_gb=bad,
        hardware={"gpu": bad},
        spot=spot,
        offers=(offer,),
    )
    wrong = with_class(wrong, 1, work_s=bad, sigma=bad, data_bytes=bad, budget_usd=bad)
    wrong = replace(
        wrong,
        occupancy=(Occupancy("eu-west", (1.0, bad)),),
        swarm=replace(wrong.swarm, reserve_s=bad),
    )
    assert set(fields(wrong)) == {
        "swarm.reserve_s",
        "occupancy[0].remaining_s[1]",
        "classes[1].work_s",
        "classes[1].sigma",
        "classes[1].data_bytes",
        "classes[1].budget_usd",
        "sites[0].usd_per_slot_s",
        "sites[0].boot_s",
        "sites[0].latency_s",
        "sites[0].bandwidth_bytes_per_s",
        "sites[0].egress_usd_per_gb",
        "sites[0].hardware.gpu",
        "sites[0].spot.usd_per_slot_s",
        "sites[0].spot.preemptions_per_hour",
        "sites[0].offers[0].speed",
        "sites[0].offers[0].usd_per_mtok_in",
        "sites[0].offers[0].usd_per_mtok_out",
        "sites[0].offers[0].cold_start_s",
    }


def test_no_deadline_and_no_budget_are_no_numbers_at_fault(three_organisations):
    assert {one.deadline_s for one in three_organisations.classes} == {None}
    mixed = with_class(three_organisations, 1, deadline_s=math.nan)
    assert fields(mixed) == ["classes[1].deadline_s"]


BAD = {
    "zero slots": (lambda one: with_site(one, 2, slots=0), "sites[2].slots", "leave the site out"),
    "half a slot": (lambda one: with_site(one, 2, slots=1.5), "sites[2].slots", "leave the site"),
    "no items": (lambda one: with_class(one, 0, items=0), "classes[0].items", "leave the class"),
    "no classes": (lambda one: replace(one, classes=()), "classes", "at least one item"),
    "past deadline": (
        lambda one: replace(one, swarm=replace(one.swarm, deadline_s=-5.0, reserve_s=0.0)),
        "swarm.deadline_s",
        "in the past",
    ),
    "class deadline in the past": (
        lambda one: with_class(one, 0, deadline_s=0.0),
        "classes[0].deadline_s",
        "in the past",
    ),
    "reserve takes all": (
        lambda one: replace(one, swarm=replace(one.swarm, reserve_s=600.0)),
        "swarm.reserve_s",
        "shorter",
    ),
    "certainty": (
        lambda one: replace(one, swarm=replace(one.swarm, item_probability=1.0)),
        "swarm.item_probability",
        "below 1",
    ),
    "margin of everything": (
        lambda one: with_site(one, 0, margin=1.0),
        "sites[0].margin",
        "below 1",
    ),
    "misspelt tag": (
        lambda one: with_class(one, 1, needs=Needs(residency=frozenset({"hippa"}))),
        "classes[1].needs.residency",
        "'hipaa'",
    ),
    "contradicting tags": (
        lambda one: with_class(
            with_site(one, 0, residency=frozenset({"us"})),
            1,
            needs=Needs(residency=frozenset({"us", "eu"})),
        ),
        "classes[1].needs.residency",
        "Split the class",
    ),
    "copies beyond domains": (
        lambda one: with_class(one, 0, copies=4),
        "classes[0].copies",
        "at most 3",
    ),
    "copies beyond domains with the tag": (
        lambda one: with_class(one, 1, copies=3),
        "classes[1].copies",
        "at most 2",
    ),
    "copies beyond nodes": (
        lambda one: with_class(one, 0, copies=4, across="node"),
        "classes[0].copies",
        "add a node",
    ),
    "no such domain": (
        lambda one: with_class(one, 0, across="organization"),
        "classes[0].across",
        "'organisation'",
    ),
    "same class twice": (
        lambda one: with_class(one, 2, name="invoice"),
        "classes[2].name",
        "merge the two",
    ),
    "same site twice": (lambda one: with_site(one, 2, name="eu-west"), "sites[2].name", "merge"),
    "same model twice": (
        lambda one: replace(one, models=(*one.models, one.models[0])),
        "models[2].name",
        "merge",
    ),
    "same offer twice": (
        lambda one: with_site(one, 2, offers=one.sites[2].offers * 2),
        "sites[2].offers[1].model",
        "merge",
    ),
    "nameless": (lambda one: with_class(one, 0, name=""), "classes[0].name", "Give it a name"),
    "organisation in two trust domains": (
        lambda one: with_site(one, 2, organisation="acme", trust_domain="east"),
        "sites[2].trust_domain",
        "same trust domain",
    ),
    "unknown model": (
        lambda one: with_site(one, 2, offers=(Offer("lagre"),)),
        "sites[2].offers[0].model",
        "'large'",
    ),
    "nothing offered": (
        lambda one: with_site(one, 2, offers=()),
        "sites[2].offers",
        "at least one",
    ),
    "unknown data site": (
        lambda one: with_class(one, 0, data_site="us-hcp"),
        "classes[0].data_site",
        "'us-hpc'",
    ),
    "dataset nobody holds": (
        lambda one: with_class(one, 0, dataset="rulez"),
        "classes[0].dataset",
        "'rules'",
    ),
    "kind without durations": (
        lambda one: with_class(one, 0, kind="pdf"),
        "classes[0].kind",
        "first",
    ),
    "link to nowhere": (
        lambda one: replace(one, links=(Link("us-hpc", "eu-wset", 0.1, 1e8, 0.0),)),
        "links[0].target",
        "'eu-west'",
    ),
    "link to itself": (
        lambda one: replace(one, links=(Link("us-hpc", "us-hpc", 0.1, 1e8, 0.0),)),
        "links[0].target",
        "Remove it",
    ),
    "same link twice": (lambda one: replace(one, links=one.links * 2), "links[1]", "merge"),
    "unknown site occupied": (
        lambda one: replace(one, occupancy=(Occupancy("moon", (1.0,)),)),
        "occupancy[0].site",
        "us-hpc",
    ),
}


@pytest.mark.parametrize("story", BAD)
def test_bad_input_is_refused_with_its_path_and_a_remedy(three_organisations, story):
    spoil, field, remedy = BAD[story]
    found = problems(spoil(three_organisations))
    assert [one.field for one in found] == [field]
    assert remedy in found[0].hint
    with pytest.raises(UsageError, match="Remedy:"):
        check(spoil(three_organisations))


def test_no_sites_leave_nothing_to_run_on(three_organisations):
    bare = replace(three_organisations, sites=(), links=(), occupancy=())
    assert fields(bare)[0] == "sites"


def test_the_first_problem_says_how_many_others_there_are(three_organisations):
    wrong = with_site(with_class(three_organisations, 0, items=0), 0, slots=0)
    with pytest.raises(UsageError, match=r"1 more: sites\[0\]\.slots") as caught:
        check(wrong)
    assert caught.value.field == "classes[0].items"


def durations(mean, quantile=None):
    mean = np.array(mean, dtype=float)
    return Durations(("pdf",), mean, mean * 2 if quantile is None else np.array(quantile, float))


def test_durations_follow_kinds_sites_and_models(three_organisations):
    one = with_class(three_organisations, 0, kind="pdf")
    whole = [[[1.0, 2.0], [1.0, math.nan], [3.0, 3.0]]]
    assert fields(replace(one, durations=durations(whole))) == []
    flat = replace(one, durations=durations([[[1.0, 2.0, 3.0]]]))
    assert fields(flat) == ["durations.mean_s", "durations.quantile_s"]
    below = [[[1.0, 2.0], [0.0, math.nan], [3.0, math.inf]]]
    assert fields(replace(one, durations=durations(below))) == [
        "durations.mean_s[0][1][0]",
        "durations.mean_s[0][2][1]",
        "durations.quantile_s[0][1][0]",
        "durations.quantile_s[0][2][1]",
    ]
    half = durations(whole, [[[2.0, 4.0], [2.0, 2.0], [6.0, 6.0]]])
    assert fields(replace(one, durations=half)) == ["durations.mean_s[0][1][1]"]
    twice = replace(durations([*whole, *whole]), kinds=("pdf", "pdf"))
    assert fields(replace(one, durations=twice)) == ["durations.kinds[1]"]


UNITS = {
    "milliseconds of work": (lambda one: with_class(one, 0, work_s=30_000.0), "classes[0].work_s"),
    "a point in time": (
        lambda one: with_class(one, 0, deadline_s=1.79e9),
        "classes[0].deadline_s",
    ),
    "dollars per hour": (
        lambda one: with_site(one, 1, usd_per_slot_s=2.5),
        "sites[1].usd_per_slot_s",
    ),
    "dollars per hour on spot": (
        lambda one: with_site(one, 1, spot=Spot(0.9, 0.1)),
        "sites[1].spot.usd_per_slot_s",
    ),
    "dollars per token": (
        lambda one: with_site(one, 0, offers=(Offer("small", usd_per_mtok_in=3e-6),)),
        "sites[0].offers[0].usd_per_mtok_in",
    ),
    "megabits": (
        lambda one: with_site(one, 1, bandwidth_bytes_per_s=1_000.0),
        "sites[1].bandwidth_bytes_per_s",
    ),
    "milliseconds of latency": (
        lambda one: with_site(one, 1, latency_s=40.0),
        "sites[1].latency_s",
    ),
    "milliseconds of boot": (lambda one: with_site(one, 1, boot_s=45_000.0), "sites[1].boot_s"),
    "price per terabyte": (
        lambda one: replace(one, links=(Link("us-hpc", "eu-west", 0.1, 1e8, 90.0),)),
        "links[0].egress_usd_per_gb",
    ),
    "milliseconds in the table": (
        lambda one: replace(
            one, durations=durations([[[1.0, 20_000.0], [1.0, 1.0], [1.0, math.nan]]])
        ),
        "durations.mean_s[0][0][1]",
    ),
}


@pytest.mark.parametrize("story", UNITS)
def test_a_number_in_another_unit_is_accepted_with_a_warning(three_organisations, story):
    spoil, field = UNITS[story]
    with pytest.warns(UnitWarning) as heard:
        check(spoil(three_organisations))
    assert [str(one.message).split(":")[0] for one in heard] == [field]
    assert "Remedy: " in str(heard[0].message)


def test_many_doubts_about_one_field_are_one_warning(three_organisations):
    many = tuple(ItemClass(f"item-{index}", 1, 30_000.0) for index in range(50))
    found = doubts(replace(three_organisations, classes=many))
    assert len(found) == 1
    assert "(and 49 more)" in str(found[0])


def test_sites_are_judged_before_anybody_asks_anything_of_them(three_organisations):
    sites, models, links = (
        three_organisations.sites,
        three_organisations.models,
        three_organisations.links,
    )
    assert site_problems(sites, models, links) == []
    found = site_problems((sites[0], replace(sites[1], slots=0)), models[:1], links)
    assert {one.field for one in found} == {
        "sites[1].slots",
        "sites[0].offers[1].model",
        "sites[1].offers[1].model",
    }
    assert [one.field for one in site_problems((), models, ())] == ["sites"]


def test_every_number_of_a_class_that_has_a_range_is_read() -> None:
    assert {*attributes.NUMBERS, "deadline_s", "budget_usd"} == set(RANGES[ItemClass])
    one = ItemClass("a", 2, 3.0, 0.1, copies=4, data_bytes=5.0, input_tokens=6.0, output_tokens=7.0)
    read = dict(zip(attributes.NUMBERS, attributes.numbers([one, one])[:, 1], strict=True))
    assert read == {name: getattr(one, name) for name in attributes.NUMBERS}
    held = [ItemClass("a", 1, 1.0, deadline_s=9.0), one]
    assert attributes.deadlines(held)[1].tolist() == [True, False]
    assert not attributes.budgets(held)[1].any()


def test_times_in_milliseconds_beside_seconds_are_doubted(three_organisations):
    swarm, (first, *rest) = three_organisations.swarm, three_organisations.classes
    late = replace(three_organisations, swarm=replace(swarm, deadline_s=600_000.0))
    long = replace(three_organisations, classes=(replace(first, work_s=9_000.0), *rest))
    slow = replace(three_organisations.sites[0], boot_s=590.0)
    booting = replace(three_organisations, sites=(slow, *three_organisations.sites[1:]))
    for instance, path in (
        (late, "swarm.deadline_s"),
        (long, "classes[0].work_s"),
        (booting, "sites[0].boot_s"),
    ):
        assert any(str(one).startswith(f"{path}: ") for one in doubts(instance)), path
    assert doubts(three_organisations) == []


@pytest.mark.parametrize("bad", [-5.0, 0.0, math.nan, math.inf])
def test_a_number_that_is_refused_is_not_doubted_and_makes_nothing_doubtful(
    three_organisations, bad
):
    swarm, (first, *rest) = three_organisations.swarm, three_organisations.classes
    site, *others = three_organisations.sites
    for spoilt in (
        replace(three_organisations, swarm=replace(swarm, deadline_s=bad)),
        replace(three_organisations, classes=(replace(first, work_s=bad), *rest)),
        replace(three_organisations, classes=(replace(first, deadline_s=bad), *rest)),
        replace(three_organisations, sites=(replace(site, usd_per_slot_s=bad), *others)),
        replace(three_organisations, sites=(replace(site, boot_s=bad), *others)),
    ):
        assert doubts(spoilt) == []
        assert problems(spoilt) or bad == 0


def test_more_copies_than_domains_are_told_in_words_that_agree(three_organisations):
    for across, most, words in (
        ("organisation", 3, "or add an organisation."),
        ("site", 3, "or add a site."),
    ):
        spoilt = with_class(three_organisations, 0, copies=most + 1, across=across)
        (found,) = problems(spoilt)
        assert found.message.startswith(f"{most + 1} copies need as many {across}s, and there are")
        assert found.hint.endswith(words)


def test_a_swarm_of_absurd_size_is_refused_before_it_is_built(three_organisations):
    crowd = replace(three_organisations.classes[0], items=9_000_000, copies=1)
    instance = replace(three_organisations, classes=(crowd, replace(crowd, name="more")))
    assert [one.code for one in problems(instance)] == ["instance.size"]
