"""Faults put into a clean population: each is found by the checks that are for it, and by no other."""

import csv
import json
import random
import time
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from datetime import date
from importlib.resources import files
from itertools import groupby, islice
from operator import attrgetter
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged_children import (
    A1C,
    GLUCOSE,
    HEIGHT,
    TODAY,
    WEIGHT,
    clinic,
    failed,
    found_by,
    is_of,
    judged,
    moment,
    rows_of,
    times,
)
from synthetic_children import LOINC, SNOMED, Resource, concept, quantity

from schemas.loads import TypeCounts
from transforms.codes import units
from transforms.derive.references.gli import Predicted, gli_2022
from transforms.derive.references.growth import Sex
from transforms.quality import About, Check, Flagger, Found, Line, flag_of, judge, shipped, status_of
from transforms.quality.facts import Person, Row, fact_of
from transforms.quality.facts.hashes import Hashes
from transforms.quality.facts.numbers import Numbers
from transforms.quality.facts.profile import Profile
from transforms.quality.kinds.growth import at_fault
from transforms.quality.kinds.tables import rows

Population = list[Resource]


@pytest.fixture(scope="module")
def clean() -> Population:
    """A clinic without a fault."""
    return clinic()


def patient(resource: Resource) -> str:
    """Whose it is."""
    return str(resource.get("subject", {}).get("reference", "")).removeprefix("Patient/")


@pytest.mark.slow
def test_a_clean_population_passes_and_what_is_not_there_is_no_pass(clean: Population) -> None:
    """Nothing is found; checks that had nothing to look at say so."""
    clinic_judged = judged(clean)
    assert found_by(clinic_judged) == {}
    statuses = {result.name: result.status for result in clinic_judged.results}
    assert {name for name, status in statuses.items() if status == "not-applicable"} == {
        *("after-death", "dropped", "fhir-rules", "persistence", "refused", "replaced-in-circle", "timeliness")
    }
    assert set(statuses.values()) == {"passed", "not-applicable"}


def test_an_empty_site_passes_nothing() -> None:
    """Over no rows no check passes."""
    assert {result.status for result in judge([], About(today=TODAY)).results} == {"not-applicable"}


def test_every_check_says_its_threshold_its_source_what_to_do_and_who() -> None:
    """By file name; none without words."""
    checks = shipped()
    assert "weight-unit" in checks
    for check in checks.values():
        assert 0 <= check.tolerated < 1
        assert all((check.what, check.source, check.fix, check.who))


def no_month(given: Population) -> Population:
    """November 2024 was never delivered but for patients and conditions."""
    return [each for each in given if not moment(each).startswith("2024-11")]


def no_sugar_in_a_month(given: Population) -> Population:
    """One code of a type is missing for a month."""
    return [each for each in given if not (is_of(each, A1C) and moment(each).startswith("2025-03"))]


def twice(given: Population) -> Population:
    """Twelve visits came by a second road, under ids of its own."""
    visits = [each for each in given if each["resourceType"] == "Encounter"][::95]
    return [*given, *({**each, "id": f"{each['id']}-legacy"} for each in visits)]


def twice_with_results(given: Population) -> Population:
    """A second feed sends three children's results again."""
    again = [each for each in given if each["resourceType"] == "Observation" and patient(each) in ("kid-3", "kid-4")]
    return [*given, *({**each, "id": f"{each['id']}-b"} for each in again)]


def in_pounds(given: Population) -> Population:
    """From May 2025 on the scales' pounds are told as kilograms.  Of each child the first two weights stand against those before."""
    return times(given, WEIGHT, 2.2046, lambda each: moment(each) >= "2025-05")


def always_in_pounds(given: Population) -> Population:
    """The site has sent pounds as kilograms from the beginning: no weight stands against another."""
    return times(given, WEIGHT, 2.2046, lambda _: True)


def one_in_pounds(given: Population) -> Population:
    """Two visits of two adolescents, whose weight in pounds is no weight that nobody has."""
    return times(
        given, WEIGHT, 2.2046, lambda each: each["id"] in (f"kid-10-visit-5-{WEIGHT}", f"kid-21-visit-6-{WEIGHT}")
    )


def in_inches(given: Population) -> Population:
    """Two heights in inches, told as centimetres."""
    return times(
        given, HEIGHT, 1 / 2.54, lambda each: each["id"] in (f"kid-10-visit-5-{HEIGHT}", f"kid-21-visit-6-{HEIGHT}")
    )


def glucose_in_mmol(given: Population) -> Population:
    """A new analyser's mmol/L, told as mg/dL; still numbers that somebody has."""
    return times(given, GLUCOSE, 1 / 18.016, lambda each: moment(each) >= "2025-06")


def shrunk(given: Population) -> Population:
    """Two children are five centimetres shorter at one visit."""
    return times(
        given, HEIGHT, 0.95, lambda each: each["id"] in (f"kid-10-visit-5-{HEIGHT}", f"kid-21-visit-6-{HEIGHT}")
    )


def of_tomorrow(given: Population) -> Population:
    """Two visits of next year that are finished."""
    ids = ("kid-10-visit-5", "kid-21-visit-6")
    period = {"start": "2027-02-03T10:00:00-05:00", "end": "2027-02-03T10:30:00-05:00"}
    return [{**each, "period": period} if each["id"] in ids else each for each in given]


def born_later(given: Population) -> Population:
    """A birth date that is a year too late, in the middle of what is known."""
    return [{**each, "birthDate": "2025-02-01"} if each["id"] == "kid-9" else each for each in given]


def dead(given: Population) -> Population:
    """A child that is said to have died a year before its last visits."""
    return [{**each, "deceasedDateTime": "2025-01-15"} if each["id"] == "kid-9" else each for each in given]


def without_a_person(given: Population) -> Population:
    """Of ten patients the Patient did not come."""
    return [each for each in given if not (each["resourceType"] == "Patient" and each["id"] < "kid-18")]


def without_visits(given: Population) -> Population:
    """The visits of the autumn are missing, their results are there."""
    return [
        each for each in given if not (each["resourceType"] == "Encounter" and "2025-09" <= moment(each) < "2025-12")
    ]


def local_codes(given: Population) -> Population:
    """A laboratory without LOINC for A1c."""
    local = {"coding": [{"system": "urn:lab", "code": "A1C"}]}
    return [{**each, "code": local} if is_of(each, A1C) else each for each in given]


def without_unit(given: Population) -> Population:
    """A twentieth of the results of a code that keeps its units is in another."""
    panel = concept(LOINC, "14647-2")
    of_code = [each for each in given if is_of(each, GLUCOSE)]
    told = [quantity(4.1, "mg/dL" if place % 20 == 0 else "mmol/L") for place in range(len(of_code))]
    return [
        *given,
        *(
            {**each, "id": f"{each['id']}-c", "code": panel, "valueQuantity": value}
            for each, value in zip(of_code, told, strict=True)
        ),
    ]


def nothing_recorded(given: Population) -> Population:
    """A clinic whose visits come without results: half of all."""
    bare = {each["id"] for each in given if each["resourceType"] == "Encounter"}
    bare = {name for place, name in enumerate(sorted(bare)) if place % 2}
    return [
        each for each in given if each.get("encounter", {}).get("reference", "").removeprefix("Encounter/") not in bare
    ]


FAULTS: dict[Callable[[Population], Population], dict[str, set[int]]] = {
    no_month: {"months": {2}},
    no_sugar_in_a_month: {"months": {1}},
    twice: {"duplicates": {12}},
    twice_with_results: {"duplicates": set(range(80, 130))},
    in_pounds: {"weight-unit": {180}, "unit-switch": {1}},
    always_in_pounds: {"far-from-reference": {1}, "out-of-range": set(range(200))},
    one_in_pounds: {"weight-unit": {2}},
    in_inches: {"height-falling": {2}, "growth-velocity": {2}, "out-of-range": {2}},
    glucose_in_mmol: {"unit-switch": {1}},
    shrunk: {"height-falling": {2}, "growth-velocity": {1, 2}},
    of_tomorrow: {"future": {2}},
    born_later: {
        "before-birth": set(range(20, 60)),
        "out-of-range": set(range(1, 30)),
        "growth-velocity": set(range(20)),
    },
    dead: {"after-death": set(range(15, 40))},
    without_a_person: {"orphans": {10}},
    local_codes: {"coding": {1140}, "unmapped": {1140}, "expected": {90}},
    without_unit: {"units": {57}},
    nothing_recorded: {"visits": {570}},
}
"""Fault → what each check finds of it."""


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
def test_a_seeded_fault_is_found_and_nothing_else(clean: Population, fault: Callable[[Population], Population]) -> None:
    """Just the checks it is for find something, and as many as were put in."""
    found = found_by(judged(fault(clean)))
    wanted = {name: numbers for name, numbers in FAULTS[fault].items() if 0 not in numbers or name in found}
    assert found.keys() == wanted.keys()
    assert {name: number for name, number in found.items() if number not in wanted[name]} == {}


def test_missing_visits_are_missed_by_month_and_by_what_names_them(clean: Population) -> None:
    """Their results name them; nothing else is told."""
    autumn = judged(without_visits(clean))
    assert failed(autumn) == {"months", "orphans"}
    assert found_by(autumn)["months"] == 3


def test_a_type_that_the_site_does_not_deliver_is_no_orphan(clean: Population) -> None:
    """Results name visits of which the site has none at all: not applicable."""
    without = judged([each for each in clean if each["resourceType"] != "Encounter"])
    (orphans,) = (result for result in without.results if result.name == "orphans")
    assert {line.of: status for status, line in orphans.lines} == {
        "observation.encounter": "not-applicable",
        "person": "passed",
    }


def test_what_was_there_at_the_load_before_and_is_gone_is_found(clean: Population) -> None:
    """A code that is delivered no longer; the same again is a pass."""
    before = Profile.from_json(judged(clean).profile.as_json())
    assert found_by(judged(clean, before=before)) == {}
    less = judged([each for each in clean if not is_of(each, GLUCOSE)], before=before)
    (persistence,) = (result for result in less.results if result.name == "persistence")
    assert [(line.of, line.looked == line.found) for status, line in persistence.lines if status == "failed"] == [
        (f"observation {GLUCOSE}", True)
    ]


def test_a_feed_that_stands_still_behind_a_fresh_date_is_late(clean: Population) -> None:
    """Complete up to January, newest of August."""
    old = [each for each in clean if moment(each) < "2025-09"]
    complete = {"encounter": date(2026, 1, 9), "observation": date(2026, 1, 9)}
    assert failed(judged(old, complete=complete)) == {"timeliness"}
    assert failed(judged(old, complete=dict.fromkeys(complete, date(2025, 11, 2)))) == set()


def test_figures_of_the_load_are_judged(clean: Population) -> None:
    """Quarantine, dropped fields, the sample checked in full."""
    counts = {
        "Observation": TypeCounts(
            read=1000, recognised=500, dropped={"Observation.method": 6}, sampled=50, nonconformant=3
        )
    }
    found = judged(clean, counts=counts, held={"observation": 900}, quarantined={"observation": 10})
    assert failed(found) == {"dropped", "fhir-rules", "refused"}


def test_few_are_noted_and_too_few_say_nothing() -> None:
    """The share decides; below the least number there is no verdict."""
    check = shipped()["missing-values"]
    assert isinstance(check, Check)
    assert [
        status_of(check, Line("x", looked, found)) for looked, found in ((0, 0), (19, 19), (20, 0), (20, 2), (20, 3))
    ] == [*("not-applicable", "not-applicable", "passed", "noted", "failed")]


def test_a_second_road_tells_a_visit_in_its_own_words(clean: Population) -> None:
    """Another type and another end of the visit of the same moment; of a day alone two visits may be true."""
    visits = [each for each in clean if each["resourceType"] == "Encounter"][::95]
    kind = [concept("urn:legacy", "OV")]
    legacy = [
        {**each, "id": f"{each['id']}-l", "type": kind, "period": {"start": each["period"]["start"]}} for each in visits
    ]
    assert found_by(judged([*clean, *legacy])) == {"duplicates": 12}
    on_days = [{**each, "id": f"{each['id']}-d", "period": {"start": moment(each)[:10]}} for each in visits]
    others = [{**each, "id": f"{each['id']}-o", "type": kind} for each in on_days]
    assert found_by(judged([*clean, *on_days, *others])) == {}


def test_each_record_that_is_found_can_be_kept(clean: Population) -> None:
    """By check, as it is found; as many as are counted."""
    kept: list[tuple[str, Found]] = []
    judged_again = judge(
        rows_of(shrunk(clean)), About(today=TODAY), sink=lambda check, found: kept.append((check, found))
    )
    counted = found_by(judged_again)
    assert {check: sum(1 for name, _ in kept if name == check) for check in counted} == counted
    assert {found.of for _, found in kept} == {"height"}


@pytest.mark.parametrize("seed", [1, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(2, 8))])
def test_of_a_network_with_three_sites_at_fault_each_fault_is_found_where_and_when_it_is_and_nothing_else(
    seed: int,
) -> None:
    """A unit that is switched, a month that was never delivered, visits that come twice, each at some site at some time."""
    dice = random.Random(seed)
    sites = ("ash", "birch", "cedar", "dogwood", "elm", "fir")
    switched, without, doubled = dice.sample(sites, 3)
    since = f"2025-{dice.randrange(1, 9):02}"
    month = f"{dice.choice((2024, 2025))}-{dice.randrange(2, 12):02}"
    again = {f"kid-{dice.randrange(50)}-visit-{place}" for place in range(2, 10)}
    found = {}
    for place, site in enumerate(sites):
        children = clinic(60, seed=100 * seed + place)
        if site == switched:
            children = times(children, GLUCOSE, 1 / 18.016, lambda each: moment(each) >= since)
        if site == without:
            children = [each for each in children if not moment(each).startswith(month)]
        if site == doubled:
            children += [{**each, "id": f"{each['id']}-b"} for each in children if each["id"] in again]
        found[site] = {
            (result.name, line.of, line.said or line.found)
            for result in judged(children).results
            for _status, line in result.lines
            if line.found
        }
    beyond = {each for each in found[switched] if each[:2] == ("out-of-range", GLUCOSE)}
    """Some of the numbers are, told as mg/dL, none that anybody has."""
    (jump,) = found[switched] - beyond
    assert jump[:2] == ("unit-switch", f"{GLUCOSE} mg/dL")
    assert str(jump[2]).startswith(f"from {since} × 0.0")
    assert str(jump[2]).endswith("(mmol/L and mg/dL of glucose?)")
    assert found == {
        **{site: set() for site in sites},
        switched: {jump, *beyond},
        without: {("months", "encounter", month), ("months", "observation", month)},
        doubled: {("duplicates", "encounter", len(again))},
    }


def test_flags_of_a_person_with_many_records_are_those_of_one_with_few(
    clean: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Read some at a time, the person's own record first: what is set beside one another, and what comes twice, is found."""
    faulty = shrunk(one_in_pounds(twice_with_results(born_later(clean))))
    rows = sorted(rows_of(faulty), key=lambda row: (row.subject, b'"type":"person"' not in row.content))

    def flags() -> dict[str, set[str]]:
        flagger = Flagger(TODAY)
        found = (flagger.flags(records) for _, records in groupby(rows, attrgetter("subject")))
        return {record: told for each in found for record, told in each.items()}

    whole = flags()
    monkeypatch.setattr("transforms.quality.PORTION", 7)
    assert flags() == whole
    assert {"duplicates", flag_of("height-falling"), flag_of("weight-unit"), flag_of("before-birth")} <= {
        flag for told in whole.values() for flag in told
    }


def test_a_person_with_many_records_is_judged_as_one_with_few(
    clean: Population, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Seven records at a time, of every check and of the profile: visits and facts, conditions and results, references apart."""
    faulty = [each for each in shrunk(one_in_pounds(twice_with_results(born_later(clean)))) if hash_of(each) % 5]
    rows = sorted(rows_of(faulty), key=lambda row: (row.subject, b'"type":"person"' not in row.content))

    def told() -> tuple[object, ...]:
        found: set[tuple[str, Found]] = set()
        judged = judge(rows, About(today=TODAY), sink=lambda check, each: found.add((check, each)))
        lines = [(each.name, line._replace(examples=())) for each in judged.results for _status, line in each.lines]
        return judged.persons, judged.profile.as_json(), lines, found

    whole = told()
    monkeypatch.setattr("transforms.quality.PORTION", 7)
    assert told() == whole
    assert {"orphans", "visits", "duplicates"} <= {check for check, _ in whole[-1]}  # type: ignore[attr-defined]


@pytest.mark.parametrize("category", [[], ["encounter-diagnosis"], [{"system": SNOMED, "code": "103693007"}]])
@pytest.mark.parametrize("kind", ["condition", "service_request", "procedure", "goal", "issue", "enrolment"])
def test_a_category_is_a_word_or_a_coding(kind: str, category: list[Any]) -> None:
    """As its type has it; and what no check reads is none of a fact's, whatever its form."""
    content = {"type": kind, "id": "r-1", "category": category, "diagnoses": ["r-2"]}
    fact = fact_of(Row(b"s", json.dumps(content).encode(), b"{}"))
    assert (fact.type, len(fact.category)) == (kind, len(category))


def hash_of(resource: dict[str, Any]) -> int:
    """A number of a resource's name, the same in each run."""
    return zlib.crc32(resource["id"].encode())


def test_what_others_replace_is_not_judged_however_far_behind_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    """A reading that is replaced is neither out of range nor told twice by what replaces it."""
    day = {
        "type": "observation",
        "code": "8302-2",
        "unit": "cm",
        "effective_date": "2024-03-02",
        "effective": "2024-03-02",
    }
    told: list[dict[str, Any]] = [
        {"type": "person", "id": f"r-{9:032x}", "birth_date": "2014-03-02"},
        {**day, "id": f"r-{8:032x}", "value": 999, "replaces": [f"r-{7:032x}"]},
        *({**day, "id": f"r-{n:032x}", "value": 999 if n == 7 else n} for n in range(8)),
    ]
    rows = [Row(b"a" * 16, json.dumps(each, separators=(",", ":")).encode(), b"") for each in told]
    whole = Flagger(TODAY).flags(rows)
    monkeypatch.setattr("transforms.quality.PORTION", 2)
    assert Flagger(TODAY).flags(rows) == whole
    assert f"r-{7:032x}" not in whole


def test_of_what_replaces_each_other_one_stands_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """However far apart they stand, and whatever the length of the circle."""
    day = {"type": "observation", "code": "29463-7", "unit": "kg", "effective_date": "2024-03-02"}
    names = [f"r-{n:024x}{0:08x}" for n in range(1, 6)]
    ring = [
        {**day, "id": name, "value": 30 + place, "replaces": [names[place - 1]]} for place, name in enumerate(names)
    ]
    rows = [Row(b"a" * 16, json.dumps(each, separators=(",", ":")).encode(), b"") for each in ring]
    flags = {names[0]: {"replaced-in-circle"}}
    assert Flagger(TODAY).flags(rows) == Flagger(TODAY).flags(rows[::-1]) == flags
    assert Flagger(TODAY).flags(rows[1:]) == {}


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1) | st.integers(-3, 3), st.integers(-9, 9)), max_size=300))
def test_what_was_told_first_is_kept_in_arrays(told: list[tuple[int, int]]) -> None:
    """As in a dictionary; of two numbers that differ in the sign's bit alone, and of 0 and 1, either may stand for both."""
    hashes, known = Hashes(), dict[int, int]()
    for key, value in told:
        alike = key & (2**63 - 1) or 1
        assert (key in hashes) == (alike in known)
        assert hashes.first(key, value) == known.setdefault(alike, value)


@pytest.mark.slow
def test_a_person_of_very_many_records_takes_little_memory() -> None:
    """Records that name a visit, each of another minute: what is held of each is a few dozen bytes."""

    def rows() -> Iterator[Row]:
        yield Row(b"a" * 16, b'{"type":"person","id":"r-%032x","birth_date":"2014-03-02","sex":"female"}' % 1, b"")
        for n in range(2, 20_000):
            day, hour, minute = 1 + n % 28, n // 60 % 24, n % 60
            yield Row(
                b"a" * 16,
                b'{"type":"observation","id":"r-%032x","code":"8867-4","value":%d.5,"unit":"{beats}","encounter":"r-%032x",'
                b'"effective":"20%02d-03-%02dT%02d:%02d:00Z","effective_date":"20%02d-03-%02d"}'
                % (n * 2**64, n, 3, 15 + n % 10, day, hour, minute, 15 + n % 10, day),
                b"",
            )

    Flagger(TODAY).flags(islice(rows(), 10))  # what is imported and kept once
    for looked in (Flagger(TODAY).flags, lambda given: judge(given, About(today=TODAY))):
        tracemalloc.start()
        looked(rows())
        _now, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 10_000_000  # held whole they take three times as much


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12)), max_size=14))
def test_which_of_contradicting_readings_is_at_fault(told: list[tuple[int, int]]) -> None:
    """That with most contradictions first, of two with as many the later: as whoever looks for the worst again and again finds."""
    numbers = Numbers()
    for place, (day, value) in enumerate(told):
        numbers.add("29463-7", "kg", 738_000 + day, value, None, f"r-{place:032x}")
    readings = numbers.of(frozenset({"29463-7"}), "kg")
    assert [(each.day, each.record) for each in readings] == sorted((each.day, each.record) for each in readings)
    against = {
        place: {
            other
            for other in range(len(readings))
            if 0 < abs(place - other) <= 2
            and max(readings[place].value, readings[other].value)
            > 2 * min(readings[place].value, readings[other].value)
        }
        for place in range(len(readings))
    }
    worst = set()
    while any(against.values()):
        found = max(against, key=lambda place: (len(against[place]), place))
        worst.add(readings[found].record)
        del against[found]
        against = {place: others - {found} for place, others in against.items()}
    assert (
        at_fault(
            Person(()), readings, lambda _, one, other: max(one.value, other.value) > 2 * min(one.value, other.value)
        )
        == worst
    )


def test_a_person_of_very_many_readings_that_contradict_one_another_is_judged_in_little_time_and_memory() -> None:
    """Twenty thousand heights that go up and down, each at fault: a second or two, not minutes."""
    given_rows = [Row(b"a" * 16, b'{"type":"person","id":"r-%032x","birth_date":"2014-03-02"}' % 1, b"")]
    for number in range(20_000):
        day = f"20{15 + number % 10}-03-0{1 + number % 9}"
        told = {"type": "observation", "id": f"r-{number:032x}", "code": "8302-2", "unit": "cm", "effective_date": day}
        given_rows.append(
            Row(b"a" * 16, json.dumps(told | {"value": 90 + number * 7 % 61}, separators=(",", ":")).encode(), b"")
        )
    began = time.process_time()
    assert len(Flagger(TODAY).flags(given_rows)) > 10_000
    assert time.process_time() - began < 20


def test_each_limit_of_plausibility_says_where_it_is_from() -> None:
    """Of both tables, by a source that is told in full, or as judgement that is to be approved."""
    plausible = files("transforms.quality") / "tables" / "plausible.csv"
    for text, limits in (
        (plausible.read_text("utf-8"), rows("plausible")),
        (units.__doc__ or "", csv.DictReader((files("transforms.codes") / "units.csv").open())),
    ):
        named = {limit[column] for limit in limits for column in ("low_source", "high_source")}
        assert "judgement" in named
        assert "judgement: of the network's makers, to be approved by its clinicians" in text.replace("`", "")
        assert {name for name in named if name not in text} == set()


def test_the_most_that_lungs_hold_is_what_the_published_reference_leaves() -> None:
    """GLI Global 2022 at five standard deviations above, of the tallest child of each age as CDC bounds it; a man of two metres."""
    tallest = {"36": 136.5, "72": 180.3, "144": 200.0}
    limits = [row for row in rows("plausible") if row["what"] in ("FEV1", "FVC")]
    heights = {row["to_months"]: float(row["high"]) for row in rows("plausible") if row["code"] == "8302-2"}
    assert (heights["72"], heights["144"]) == (tallest["36"], tallest["72"])
    for row in limits:
        ages = range(int(row["from_months"]), int(row["to_months"] or 95 * 12) + 1, 3)
        expected = (
            gli_2022("fev1" if row["what"] == "FEV1" else "fvc", sex, months / 12, tallest[row["from_months"]])
            for sex in get_args(Sex)
            for months in ages
        )
        most = max(each.lms.value(5) for each in expected if isinstance(each, Predicted))
        assert most <= float(row["high"]) < most + 0.1
    assert len(limits) == 9
