"""Sites beside one another: one that lies far from its peers is found, in what it is far, and nothing else is."""

import json
import random
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from network_under_test import Network
from services_cases import event_of, record_id, subject_id
from sqlalchemy import Engine

from schemas.outcomes import Encounter, Observation, Person
from services.registry.across import Across, compare, shipped
from services.registry.across.counting.counts import Counts, Numbers
from services.registry.across.counting.tables import counted
from services.registry.across.kinds.far import FAR, Figure, compared, deviation, share
from services.registry.database import open_registry
from services.registry.handler import apply

SITES = ("ash", "birch", "cedar", "dogwood", "elm", "fir")
PERSONS, VISITS = 60, 4
WEIGHT, SYSTOLIC = "29463-7", "8480-6"
FAULTS = {
    ("birch", "distribution", f"observation {WEIGHT} kg"),
    ("cedar", "units", f"observation {WEIGHT} in kg"),
    ("dogwood", "missing", "encounter.class_code"),
    ("elm", "weekdays", "encounter on Saturdays and Sundays"),
    ("elm", "weekdays", "observation on Saturdays and Sundays"),
    ("fir", "digits", f"observation {SYSTOLIC} (systolic blood pressure) ending in 0"),
}
"""A fault at each site but one: by which check it is to be found, and of what."""


def visit_of(site: str, at_fault: bool, name: str, dice: random.Random) -> Iterator[Encounter | Observation]:
    """One visit with a weight and a blood pressure, on a weekday of 2025."""
    week = dice.randrange(1, 48)
    weekday = dice.randrange(5)
    day = 6 + week * 7 + weekday - (1 if at_fault and site == "elm" else 0)
    told = (date(2025, 1, 1) + timedelta(day)).isoformat()
    subject, unclassed = subject_id(f"{site} {name.split()[0]}"), at_fault and site == "dogwood" and dice.random() < 0.5
    kind = None if unclassed else "AMB"
    yield Encounter(id=record_id(f"{site} {name} visit"), subject=subject, site=site, class_code=kind, start_date=told)
    weight = round(dice.gauss(40, 9), 1) * (2.20462 if at_fault and site == "birch" else 1)
    unit = "[lb_av]" if at_fault and site == "cedar" and dice.random() < 0.3 else "kg"
    pressure = dice.randrange(90, 130)
    if at_fault and site == "fir" and dice.random() < 0.5:
        pressure = round(pressure, -1)
    for code, number, of in ((WEIGHT, f"{weight:.1f}", unit), (SYSTOLIC, str(pressure), "mm[Hg]")):
        yield Observation(
            id=record_id(f"{site} {name} {code}"),
            subject=subject,
            site=site,
            code=code,
            value=Decimal(number),
            raw_value=number,
            unit=of,
            effective_date=told,
        )


NETWORKS = [
    *(pytest.param((faulty, 20), id=name) for faulty, name in ((True, "faults"), (False, "clean"))),
    *(
        pytest.param((faulty, seed), id=f"{name}-{seed}", marks=pytest.mark.slow)
        for seed in range(30, 34)
        for faulty, name in ((True, "faults"), (False, "clean"))
    ),
]


@pytest.fixture(params=NETWORKS)
def across(request: pytest.FixtureRequest, registry: Engine) -> tuple[bool, Across]:
    """Six sites, with and without their faults, compared, on each database."""
    faulty, seed = request.param
    dice = random.Random(seed)
    for site in SITES:
        records: list[Person | Encounter | Observation] = []
        for number in range(PERSONS):
            name = f"child-{number}"
            subject = subject_id(f"{site} {name}")
            records.append(Person(id=record_id(f"{site} {name}"), subject=subject, site=site, birth_date="2014-05-06"))
            for place in range(VISITS):
                records += visit_of(site, faulty, f"{name} {place}", dice)
        with registry.begin() as connection:
            apply(connection, [event_of(each) for each in records])
    with registry.connect() as connection:
        return faulty, compare(counted(connection))


def test_each_fault_is_found_and_nothing_else_and_the_three_most_worth_a_call_stand_first(
    across: tuple[bool, Across],
) -> None:
    """By its check, at its site; of a clean network nothing. What cannot be compared is no pass. Numbers that say something wrong come
    before what is missing, that before what is blurred; each with a figure of the others."""
    faulty, found = across
    far = {(each.site, each.check, line.of) for each in found.results for line in each.lines if line.far}
    assert far == (FAULTS if faulty else set())
    statuses = {each.status for each in found.results if each.check == "share"}
    assert statuses == {"passed"}
    sites = [each.line.site for each in found.calls]
    assert [*sorted(sites[:2]), *sites[2:]] == (["birch", "cedar", "dogwood"] if faulty else [])
    for first in (each.line for each in found.calls if each.line.site == "birch"):
        assert (first.said, first.others) == ("pounds for kilograms?", 5)
        assert first.peers is not None
        assert first.shown > 1.9 * first.peers


def test_few_sites_or_few_records_are_no_pass() -> None:
    """Four sites do not tell what is usual; a site of thirty persons is not judged, and does not judge the others."""
    few = Counts(persons=dict.fromkeys(SITES[:4], 100), having={(site, "condition", ""): 90 for site in SITES[:3]})
    assert {each.status for each in compare(few).results} == {"not-applicable"}
    having = {(site, "condition", ""): 90 for site in SITES[:5]}
    small = Counts(persons=dict.fromkeys(SITES[:5], 100) | {"fir": 30}, having=having)
    assert {each.site: each.status for each in compare(small).results if each.check == "share"} == {
        **dict.fromkeys(SITES[:5], "passed"),
        "fir": "not-applicable",
    }
    assert {each.status for each in compare(small).results if each.check == "digits"} == {"not-applicable"}
    assert compare(Counts(persons={})).results == []


@pytest.mark.parametrize("count", [1, 2, 5, 6])
def test_numbers_that_are_all_alike_or_none_are_no_fault(count: int) -> None:
    """Of one site, of two, of as many as are compared: all zero, a single number, nothing counted of persons."""
    sites = SITES[:count]
    for numbers in (Numbers(100, 0.0, 0.0, 0.0), Numbers(1, 7.0, 7.0, 7.0)):
        counts = Counts(
            persons=dict.fromkeys(sites[1:], 100) | dict.fromkeys(sites[:1], 0),
            numbers={(site, "4548-4", "%"): numbers for site in sites},
            units={(site, "4548-4", "%"): 0 for site in sites},
            digits={(site, "8302-2", "0"): 0 for site in sites},
            records={(site, "observation"): 0 for site in sites},
        )
        found = compare(counts)
        assert found.calls == []
        assert "failed" not in {each.status for each in found.results}
        assert found.sites == sorted(sites)


def test_a_site_that_sent_no_person_is_among_the_sites() -> None:
    """Its other figures are compared, and it is told."""
    records = {(site, "observation"): 400 for site in SITES}
    filled = {(site, "observation", "unit"): 100 if site == SITES[0] else 400 for site in SITES}
    found = compare(Counts(persons=dict.fromkeys(SITES[1:], 100), records=records, filled=filled))
    assert found.sites == sorted(SITES)
    assert {(each.site, each.check) for each in found.results if each.status == "failed"} == {(SITES[0], "missing")}


def test_a_site_at_fault_moves_neither_the_middle_nor_the_spread() -> None:
    """However far it lies."""
    usual = [0.1, 0.2, 0.3, 0.2, 0.15, 0.25]
    assert deviation([*usual, 0.2]) == pytest.approx(deviation([*usual, 1e9]), rel=0.8)
    figures = [Figure("x", "x", f"s{place}", 100, value, 0.01, value) for place, value in enumerate([*usual, 1e9])]
    assert [line.site for line in compared(figures, 0.05, 50) if line.far] == ["s6"]


def test_chance_alone_is_rarely_far() -> None:
    """Of 300 networks of ordinary sites, small and large, whose true shares differ as tolerated, hardly any figure is far."""
    dice, far, seen = random.Random(7), 0, 0
    for _ in range(300):
        figures = []
        for place in range(dice.choice([5, 6, 8, 15])):
            looked, part = dice.choice([50, 80, 400]), min(max(dice.gauss(0.4, 0.08), 0.05), 0.95)
            figures.append(share("x", "x", f"s{place}", sum(dice.random() < part for _ in range(looked)), looked))
        lines = compared(figures, 0.08, 50)
        seen += len(lines)
        far += sum(line.far for line in lines)
    assert far / seen < 0.001, FAR


def test_each_check_says_who_does_what() -> None:
    """And where its tolerance comes from."""
    assert set(shipped()) == {"digits", "distribution", "missing", "share", "units", "weekdays"}
    for check in shipped().values():
        assert all((check.what, check.source, check.fix, check.who))


@pytest.mark.slow
def test_the_command_tells_it_in_words_json_and_on_a_page(lhn: Network, tmp_path: Path) -> None:
    """Exit code 0 where nothing can be compared, which it says; a site and --across exclude one another."""
    open_registry(lhn.settings.registry_url).dispose()
    answer = lhn.here("quality", "--across", "--html", tmp_path / "page.html")
    assert answer.returncode == 0, answer.stderr
    assert "five sites" in answer.stdout
    assert "Call first" in (tmp_path / "page.html").read_text()
    told = json.loads(lhn.here("quality", "--across", "--json").stdout)
    assert (told["status"], told["calls"]) == ("not-applicable", [])
    assert lhn.here("quality", "--across", "--site", "west").returncode == 2
    assert lhn.here("quality").returncode == 2
