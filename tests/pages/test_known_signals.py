"""The known network through the measures and the pages: exactly the seeded signals, and nothing else."""

import pytest
from sqlalchemy import Engine

from mainstem.demo.known import AS_OF, KNOWN
from services.charts.icons import Variation
from services.measures.evaluate.counts import NETWORK
from services.measures.library import measures
from services.pages.actions import next_action
from services.pages.counted import Memory
from services.pages.results import Results, results_of
from services.pages.strata import Kind, kind_of

FOLLOW = {"ibd": ("ibd1", "ibd3"), "t1d": ("t1d1", "t1d1h", "t1d1m")}
"""Measures that a clinic's outcome decides."""
TOLD = ("ibd1", "t1d1", "cf1")
QUICKLY = [pytest.param(slug, id=slug) for slug in TOLD]
THE_REST = [pytest.param(slug, id=slug, marks=pytest.mark.large) for slug in measures() if slug not in TOLD]


@pytest.fixture(scope="module")
def found() -> Memory:
    """What was counted already."""
    return Memory()


def results(engine: Engine, slug: str, found: Memory) -> Results:
    with engine.connect() as connection:
        return results_of(connection, measures()[slug], "Riverbend", AS_OF, memory=found)


@pytest.mark.parametrize("slug", QUICKLY + THE_REST)
@pytest.mark.slow
def test_pages_tell_exactly_the_seeded_signals(known_network: Engine, found: Memory, slug: str) -> None:
    """Of each measure at each site. Across the network only what its sites bring about, and the same way; that made-up noise of
    eight sites is evener together than chance is told as unusual, and is neither better nor worse.
    """
    told = results(known_network, slug, found)
    shifts = {shift.site: shift for shift in KNOWN.shifts if slug in FOLLOW.get(shift.clinic, ())}
    better = {shift in KNOWN.improved() for shift in shifts.values()}
    for series in told.sites:
        if series.name not in shifts:
            assert series.notes == (), (slug, series.name)
            continue
        shift = shifts[series.name]
        assert {note.better for note in series.notes} == {shift in KNOWN.improved()}, (slug, series.name)
        assert min(row.start for row in series.rows if row.notes) >= shift.since, (slug, series.name)
    assert {note.better for note in told.network.notes} - {None} <= better, slug


@pytest.mark.slow
def test_icons_proposals_and_actions_follow_from_the_truth(known_network: Engine, found: Memory) -> None:
    """Better: keep it, and new lines are proposed; worse: find out, and none are; a broken feed: mend the data first."""
    remission = results(known_network, "ibd1", found)
    sugar = results(known_network, "t1d1", found)
    better, worse = remission.of("birchwood"), sugar.of("highland")
    broken, quiet = remission.of(KNOWN.broken.site), remission.of("northgate")
    assert better
    assert worse
    assert broken
    assert quiet
    assert better.variation is Variation.IMPROVING_HIGH
    assert [each.since.isoformat() for each in better.proposed] == ["2025-09-01"]
    assert better.tried[0].what.startswith("Pre-visit planning")
    assert next_action(better, remission.measure).startswith("Keep what brought the change.")
    assert worse.variation is Variation.CONCERNING_LOW
    assert worse.proposed == ()
    assert next_action(worse, sugar.measure).startswith("Find out what changed before January 2026")
    assert next_action(broken, remission.measure).startswith(
        "Mend the data first: the interface has delivered no results"
    )
    assert next_action(quiet, remission.measure).startswith("The ups and downs are chance")
    assert broken.rows[-1].seen
    assert not broken.rows[-1].measured


@pytest.mark.slow
def test_the_gap_between_payers_is_told_and_none_between_distances(known_network: Engine, found: Memory) -> None:
    """Children for whom Medicaid pays fare worse; how far they live has to do with nothing; one site tells neither."""
    measure = measures()["ibd1"]
    with known_network.connect() as connection:
        strata = found.counted(connection, measure, AS_OF)[0].strata

    def kind(name: str) -> Kind:
        return kind_of(name, strata[name], measure, NETWORK)

    payers, distances = kind("payer"), kind("distance")
    tones = {group.title: group.tone for group in payers.groups if group.tone}
    assert tones == {"Medicaid": "worse", "Private health insurance": "better"}
    assert next(group.title for group in distances.groups) == "0 to 9 miles"
    assert [group.tone for group in distances.groups] == [""] * 6
    assert payers.needs
    assert distances.needs
