"""The network whose truth is known: it holds what it says, and charts find exactly the signals that are in it."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import date
from math import inf
from random import Random

import pytest
from sqlalchemy import Engine, func, select

from mainstem.demo.known import KNOWN, feed
from mainstem.demo.known.children import children
from mainstem.demo.known.households import household
from mainstem.demo.known.quiet import quiet_counts
from mainstem.demo.known.truth import CLINICS, BrokenFeed
from schemas.errors import OperatorError
from schemas.outcomes.people import BANDS
from services.charts.chart import BASELINE, Phase, draw
from services.charts.point import Subgroup
from services.charts.rules import rule_sets
from services.registry.completeness import completeness
from services.registry.tables import RECORD_TABLES, load

OUTCOMES = {
    "ibd": ("pga-state", lambda row: row.value_code == "remission"),
    "cf": ("bmi-percentile", lambda row: row.value >= 50),
    "t1d": ("hba1c-band", lambda row: row.value_code == "below-7"),
    "asthma": ("act-control", lambda row: row.value_code == "well-controlled"),
}
"""By clinic: the derived value that tells its outcome, and whether it is what is wanted."""
EDGES = dict(zip(BANDS, (10, 25, 50, 100, inf), strict=True))
"""Miles below which somebody is of a band."""
TELLING = {site.id for site in KNOWN.sites if site.place}
MONTHS = [f"{year}-{month:02}" for year in (2023, 2024, 2025, 2026) for month in range(1, 13)][10:46]
CHARTED = MONTHS[2:]
Outcomes = Mapping[tuple[str, str], Mapping[str, tuple[int, int]]]


@pytest.fixture(scope="session")
def outcomes(known_network: Engine) -> Outcomes:
    """By site and clinic, by month: how many reached it, of how many measured; counted without our measures."""
    value, condition = RECORD_TABLES["derived_observation"], RECORD_TABLES["condition"]
    codes = {"34000006": "ibd", "190905008": "cf", "46635009": "t1d", "195967001": "asthma"}
    counted: dict[tuple[str, str], dict[str, list[bool]]] = defaultdict(lambda: defaultdict(list))
    with known_network.connect() as connection:
        clinics = {row.subject: codes[row.code] for row in connection.execute(select(condition))}
        for row in connection.execute(select(value)):
            method, reached = OUTCOMES[clinics[row.subject]]
            if row.method == method:
                counted[row.site, clinics[row.subject]][row.effective_date[:7]].append(reached(row))
    return {
        key: {month: (sum(found), len(found)) for month, found in months.items()} for key, months in counted.items()
    }


def signals(months: Mapping[str, tuple[int, int]], rules: str) -> set[tuple[str, bool | None]]:
    """What a p-chart shows that begins in January, as the pages' do: month and whether above."""
    subgroups = [Subgroup(*months[month]) if month in months else Subgroup() for month in CHARTED]
    chart = draw("p", subgroups, phases=[Phase(baseline=BASELINE)])
    return {(CHARTED[place], signal.up) for signal in chart.signals(rules) for place in signal.places}


@pytest.mark.parametrize("rules", sorted(rule_sets()))
@pytest.mark.slow
def test_charts_find_exactly_what_is_true(outcomes: Outcomes, rules: str) -> None:
    """Two improved, one got worse, and only after their months; of 32 charts no other shows anything."""
    shifts = {(shift.site, shift.clinic): shift for shift in KNOWN.shifts}
    assert len(outcomes) == 32
    for key, months in outcomes.items():
        found = signals(months, rules)
        if key not in shifts:
            assert found == set(), key
            continue
        since, better = shifts[key].since, shifts[key] in KNOWN.improved()
        assert found, key
        assert {up for _, up in found} == {better}, key
        assert min(month for month, _ in found) >= f"{since:%Y-%m}", key


@pytest.mark.slow
def test_shift_is_found_within_the_months_that_rules_need(outcomes: Outcomes) -> None:
    """Eight on one side need eight months; the seeded shifts are told by then at the latest."""
    for shift in KNOWN.shifts:
        found = [month for month, _ in signals(outcomes[shift.site, shift.clinic], "control")]
        assert len(found) >= 8, shift
        assert min(found) == f"{shift.since:%Y-%m}", shift


@pytest.mark.slow
def test_broken_feed_is_a_gap_and_no_signal(outcomes: Outcomes, known_network: Engine) -> None:
    """What did not come is not drawn as nothing reached; the site's state says what is missing, why, and who can mend it."""
    broken: BrokenFeed = KNOWN.broken
    for (site, clinic), months in outcomes.items():
        assert set(months) == {m for m in MONTHS if site != broken.site or m <= "2026-07"}, (site, clinic)
    with known_network.connect() as connection:
        sites = {site.site: site for site in completeness(connection)}
    assert {name for name, site in sites.items() if site.last_status == "partial"} == {broken.site}
    assert sites[broken.site].types[broken.fhir_type].gaps[0]["who"] == "site IT"
    assert sites[broken.site].types[broken.fhir_type].up_to.date() == broken.since  # type: ignore[union-attr]
    assert sites[broken.site].types["Encounter"].gaps == []


@pytest.mark.slow
def test_network_holds_what_a_learning_network_works_with(known_network: Engine) -> None:
    """States of disease, spirometry, HbA1c, questionnaires, treatments, visits to come; 36 months; strata; figures that add up."""
    with known_network.connect() as connection:
        codes = {code for (code,) in connection.execute(select(RECORD_TABLES["observation"].c.code).distinct())}
        drugs = connection.scalar(select(func.count()).select_from(RECORD_TABLES["medication"]))
        planned = connection.scalar(
            select(func.count()).where(RECORD_TABLES["encounter"].c.appointment_status == "booked")
        )
        people = list(connection.execute(select(RECORD_TABLES["person"])))
        loads = list(connection.execute(select(load)))
    assert {"20150-9", "4548-4", "44261-6", "82668-5", "8302-2", "59576-9"} <= codes
    assert drugs
    assert planned
    assert min(Counter(row.race[0] for row in people).values()) > 50
    assert {row.language for row in people} == {"en", "es"}
    for each in (counts for row in loads for counts in row.types.values()):
        assert each["read"] == each["mapped"] + sum(each["skipped"].values())
    assert all(sum(row.types["Observation"]["skipped"].values()) == 3 for row in loads)


@pytest.mark.slow
def test_who_pays_and_how_far_children_live_is_what_was_made(known_network: Engine) -> None:
    """By site: every coverage with its place in line, every band; nothing at the one site that reads neither."""
    covered: Counter[tuple[str, str, int]] = Counter()
    living: Counter[tuple[str, str | None]] = Counter()
    for site in KNOWN.sites:
        for clinic in CLINICS:
            for each in (household(KNOWN, site, child) for child in children(KNOWN, site, clinic)):
                covered.update((site.id, payer, order) for order, payer in enumerate(each.payers, 1))
                band = next((band for band in BANDS if each.miles and each.miles < EDGES[band]), None)
                living[site.id, band] += 1
    coverage, person = RECORD_TABLES["coverage"].c, RECORD_TABLES["person"].c
    with known_network.connect() as connection:
        assert Counter(map(tuple, connection.execute(select(coverage.site, coverage.payer, coverage.order)))) == covered
        assert Counter(map(tuple, connection.execute(select(person.site, person.distance)))) == living
    assert {site for site, _, _ in covered} == {site for site, band in living if band} == TELLING
    assert len(KNOWN.sites) == len(TELLING) + 1


def test_registry_that_holds_others_is_left_alone(story: Engine) -> None:
    """Made-up children never mix with a network's."""
    with pytest.raises(OperatorError, match="holds records already"):
        list(feed(story))


@pytest.mark.parametrize(("size", "share"), [(12, 0.5), (25, 0.1), (40, 0.9)])
def test_quiet_series_varies_and_shows_nothing(size: int, share: float) -> None:
    """By every rule set; and it is no straight line."""
    for seed in range(5):
        counts = quiet_counts(Random(seed), [size] * 36, [share] * 36)
        assert len(set(counts)) > 2
        chart = draw("p", [Subgroup(y, size) for y in counts], phases=[Phase(baseline=BASELINE)])
        assert [list(chart.signals(rules)) for rules in rule_sets()] == [[]] * len(rule_sets())


@pytest.mark.slow
def test_months_are_the_thirty_six_before_the_data(outcomes: Outcomes) -> None:
    """November 2023 to October 2026."""
    assert (MONTHS[0], MONTHS[-1], len(MONTHS)) == ("2023-11", "2026-10", 36)
    assert date(2023, 11, 1).isoformat()[:7] == MONTHS[0]
