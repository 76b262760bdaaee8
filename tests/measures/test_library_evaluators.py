"""Generated registries: every measure of the network gives one answer in memory, on SQLite and on PostgreSQL, unit by unit."""

from dataclasses import astuple
from datetime import UTC, datetime
from statistics import median
from typing import Any

import pytest
from generated_lives import life
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from persons import born, insert, visit
from sqlalchemy import Engine, select

from services.measures.compile.asked import reads_of
from services.measures.compile.from_registry import persons_of
from services.measures.compile.people import Person, Record
from services.measures.declared import Measure
from services.measures.evaluate.counts import NETWORK, Counts, counts_of
from services.measures.evaluate.periods import periods
from services.measures.evaluate.persons import Standing, Standings
from services.measures.evaluate.scripts import tables_of
from services.measures.language.codes import Code
from services.measures.library import faults, measures, read_measures
from services.registry.tables import RECORD_TABLES, history, set_aside

MEASURES = list(measures().values())
PERIODS = periods("month", "2025-11", "2026-03-20") | periods("quarter", "2025-10", "2026-03-20")


@st.composite
def _lives(draw: st.DrawFn) -> list[list[Record]]:
    return [life(draw, number, MEASURES) for number in range(draw(st.integers(10, 25)))]


def _fill(engine: Engine, lives: list[list[Record]]) -> None:
    with engine.begin() as connection:
        for table in (*RECORD_TABLES.values(), set_aside, history):
            connection.execute(table.delete())
        for record in (record for records in lives for record in records):
            insert(connection, record)
            if record["type"] == "encounter" and record["id"][-1] != "3":
                connection.execute(history.insert().values(_stored(record)))


def _stored(record: Record) -> dict[str, Any]:
    """When a visit was first stored: near the limit of 30 days, for some."""
    first = {"record": record["id"], "epoch": 1, "sequence": 1, "event": "e", "op": "recorded"}
    stored = datetime(2026, 3, 31, 9, 30, tzinfo=UTC)
    return first | {"time": stored, "site": record["site"], "type": "encounter"}


def test_every_file_of_the_library_is_a_measure() -> None:
    assert faults() == ()


def test_who_is_outside_a_measure_s_cohort_stands_nowhere_in_it_unless_asked_why() -> None:
    """A child without cystic fibrosis who was seen: in the measures of every child, and not in that one."""
    child = Person([born("2016-05-01"), visit(Code("urn:visits", "office", "office visit"), "2026-02-03")])
    stands = {each.measure for each in Standings(MEASURES, PERIODS).of(child)}
    assert "GEN-WT" in stands
    assert "CF-2" not in stands
    assert "CF-2" in {each.measure for each in Standings(MEASURES, PERIODS, why=True).of(child)}


@settings(max_examples=2, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(lives=_lives())
@pytest.mark.slow
def test_every_measure_gives_one_answer(registry: Engine, lives: list[list[Record]]) -> None:
    """Who counts in which period, in each population, with which number; and the counts that are drawn."""
    _give_one_answer(registry, lives, MEASURES)


OF_ONES_OWN = """
from decimal import Decimal

from services.measures.declared import Change, Measure, Populations
from services.measures.language.events import THIS
from services.measures.language.moments import PERIOD
from services.measures.language.truths import any_of, named, not_, unless
from services.measures.language.vocabulary import age_at, diagnosed, on_treatment, results, visits
from services.measures.library.code_sets import code_set

HBA1C, SYSTEMIC_STEROIDS = code_set("hba1c"), code_set("systemic-steroids")
LAST_VISIT = visits().in_period().last()
LAST = results(HBA1C).usable().last()
COHORT = named("Type 1 diabetes", diagnosed(code_set("type-1-diabetes")))
MEASURE = Measure(
    id="OWN-{number}",
    owner="A clinician",
    title="Every word",
    question="Does every word work?",
    people=("person", "people"),
    achievement="every word",
    rationale="To be sure.",
    sources=("Our own",),
    direction="increase",
    cohort=COHORT,
    among=visits().in_period(),
    who=Populations(
        initial=named("Seen", COHORT, LAST_VISIT.exists(), age_at(LAST_VISIT.event.period.start, 3, 90)),
        denominator=named("Tested", any_of(LAST.value <= 14, LAST.value > 14.0)),
        numerator=named(
            "Below 7, or treated, unless an earlier one was 9 or more",
            unless(any_of(LAST.value < 7, on_treatment(SYSTEMIC_STEROIDS)), results(HBA1C).first().value >= Decimal(9)),
        ),
    ),
    changes=(Change("1", "2026-11", "First"),),
    unknown="Who was not tested.",
    {per}
)
"""
PER = (
    'per="person", chart="p"',
    'per="event", chart="p"',
    'per="person-time", chart="u", events=visits().where(THIS.field("class_code").one_of("EMER")), time=PERIOD',
)


@settings(max_examples=1, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_every_word_of_a_measure_file_of_one_s_own_gives_one_answer(
    registry: Engine, tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Per person, per episode and per person-time, beside what the network's own measures ask for."""
    folder = tmp_path_factory.mktemp("own")
    for number, per in enumerate(PER, start=1):
        text = OF_ONES_OWN.replace("{number}", str(number)).replace("{per}", per)
        (folder / f"own{number}.py").write_text(text)
    found, wrong = read_measures(sorted(folder.iterdir()))
    assert wrong == ()
    own = list(found.values())
    _give_one_answer(registry, [life(data.draw, number, [*own * 10, *MEASURES]) for number in range(15)], own)


def _give_one_answer(registry: Engine, lives: list[list[Record]], measures: list[Measure]) -> None:
    _fill(registry, lives)
    compiled, reads = Standings(measures, PERIODS), reads_of(measures)
    with registry.connect() as connection:
        subjects = [records[0]["subject"] for records in lives]
        found = [each for person in persons_of(connection, subjects, reads) for each in compiled.of(person)]
        for measure in measures:
            ours = [each for each in found if each.measure == measure.id]
            with tables_of(connection, measure, PERIODS) as (units, _):
                rows = connection.execute(select(units)).mappings()
                assert sorted(map(_told, ours)) == sorted(_row(dict(row), measure) for row in rows), measure.id
                _same_counts(counts_of(connection, units, measure), ours, measure)


def _told(each: Standing) -> tuple[Any, ...]:
    numbers = (each.value, each.events, each.days)
    return (each.period, each.subject, each.event or "", tuple(sorted(each.populations.items())), str(numbers))


def _row(row: dict[str, Any], measure: Measure) -> tuple[Any, ...]:
    populations = {name: row[name] == 1 for name in measure.truths}
    value = row["value"] if populations["denominator"] else None
    events, days = (row["events"], row["days"]) if populations["initial-population"] else (None, None)
    return (row["period"], row["subject"], row["event"], tuple(sorted(populations.items())), str((value, events, days)))


def _same_counts(counts: list[Counts], ours: list[Standing], measure: Measure) -> None:
    """The network's and each site's counts are those of the persons."""
    places: dict[tuple[str, str], list[Standing]] = {}
    for each in ours:
        places.setdefault((NETWORK, each.period), []).append(each)
        places.setdefault((each.site, each.period), []).append(each)
    assert {(count.site, count.period) for count in counts} == set(places)
    for count in counts:
        here = places[count.site, count.period]
        left = [each for each in here if _is(each, "denominator-exclusion") or _is(each, "denominator-exception")]
        inside = [each for each in here if _is(each, "initial-population") and each not in left]
        assert (count.seen, count.excluded + count.excepted) == (len(inside), len(left)), astuple(count)
        assert count.aside == sum(_is(each, "set-aside") for each in here)
        assert count.unknown == sum(_is(each, "unknown") for each in here)
        if measure.kind == "share":
            scored = [each for each in inside if _is(each, "denominator")]
            assert (count.measured, count.met) == (len(scored), sum(_is(each, "numerator") for each in scored))
        elif measure.kind == "rate":
            followed = [each for each in inside if each.days is not None]
            assert (count.days, count.events) == (
                sum(each.days or 0 for each in followed),
                sum(each.events or 0 for each in followed),
            )
        else:
            values = [each.value for each in inside if each.value is not None]
            assert count.measured == len(values)
            if values:
                assert (count.mean, count.median) == (
                    pytest.approx(sum(values) / len(values)),
                    pytest.approx(median(values)),
                )


def _is(each: Standing, population: str) -> bool:
    return bool(each.populations.get(population))
