"""Time and truth in three values: what is known only in part says yes or no only where every reading of it agrees."""

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from persons import born, diagnosis, order, result, visit

from services.measures.compile.answers import Answer, Scope, decided
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person
from services.measures.compile.spans import ends_of
from services.measures.compile.times import full_years, moment, no_later, on, shifted
from services.measures.language.codes import LOINC, Code
from services.measures.language.events import OTHER, THIS
from services.measures.language.moments import PERIOD
from services.measures.language.truths import AnyOf, Named, Surely, all_of, any_of, named, not_
from services.measures.language.vocabulary import age_at, diagnoses, results, visits
from services.measures.valuesets import ValueSets

CODE = Code(LOINC, "4548-4", "HbA1c")
OFFICE = Code("urn:visits", "office", "office visit")
IN_2026 = InMemory(Period(date(2026, 1, 1), date(2026, 12, 31)), ValueSets(Path(), {}))


def _answer(truth: Any, *records: Any) -> bool | None:
    return IN_2026.of_person(truth)(Person(records))


@pytest.mark.parametrize(
    ("partial", "day", "answer"),
    [
        ("2026-03-07", "2026-03-07", True),
        ("2026-03-08", "2026-03-07", False),
        ("2026-03", "2026-03-31", True),
        ("2026-03", "2026-03-30", None),
        ("2026", "2025-12-31", False),
        ("2024-02", "2024-02-29", True),
    ],
)
def test_a_date_known_in_part_is_no_later_than_a_day(partial: str, day: str, answer: bool | None) -> None:
    assert no_later(moment(partial, None), moment(day, None)) is answer


@pytest.mark.parametrize(
    ("partial", "day", "answer"),
    [
        ("2026-03-07", "2026-03-07", True),
        ("2026-03", "2026-03-31", None),
        ("2026-03", "2026-04-01", True),
        ("2026", "2026-12-31", None),
        ("2026", "2025-12-31", False),
        ("2026", "2026", None),
    ],
)
def test_as_stated_a_date_known_in_part_is_compared_by_what_it_states(
    partial: str, day: str, answer: bool | None
) -> None:
    """CQL: of two dates of one year neither is before the other where one of them states no month."""
    assert no_later(moment(partial, None), moment(day, None), "stated") is answer


@pytest.mark.parametrize(
    ("onset", "instant", "answer"),
    [
        ("2026-12-31", None, None),
        ("2026-12-31", "2026-12-31T23:59:59.999Z", True),
        ("2026-12-31", "2027-01-01T04:30:00Z", False),
        ("2026-12-30", None, True),
        ("2026-12", None, None),
        ("2027", None, False),
        (None, None, True),
    ],
)
def test_a_day_without_a_time_is_not_known_to_be_in_time_to_the_instant(
    onset: str | None, instant: str | None, answer: bool | None
) -> None:
    ill = diagnosis(OFFICE, onset, onset=instant)
    timed = diagnoses().first("the first", by=THIS.prevalence.start).event.prevalence.overlaps(PERIOD).timed
    assert _answer(timed, ill) is answer


@given(st.dates(min_value=date(1900, 3, 1), max_value=date(2100, 1, 1)), st.integers(0, 110))
def test_a_birthday_is_full_years_later_and_the_day_before_is_not(birth: date, years: int) -> None:
    if (birth.month, birth.day) == (2, 29):
        return
    birthday = shifted(on(birth), 12 * years, 0)
    assert full_years(on(birth), birthday) == (years, years)
    assert full_years(on(birth), shifted(birthday, 0, -1)) == (years - 1, years - 1)


def test_a_named_condition_is_asked_once_and_only_where_it_decides() -> None:
    """Of three truths over two conditions: the second is asked where the first holds, again and again the same way."""
    first, second = named("first", AnyOf(())), named("second", AnyOf(()))
    asked: list[str] = []
    known: dict[str, bool | None] = {}

    def answer_of(condition: Named) -> Answer:
        def answer(_scope: Scope) -> bool | None:
            asked.append(condition.name)
            return known[condition.name]

        return answer

    decide = decided(
        {"in": Surely(first), "met": all_of(Surely(first), second), "doubt": not_(any_of(first, not_(first)))},
        answer_of,
    )
    for one, other, told, asks in [
        (False, True, (False, False, False), ["first"]),
        (True, True, (True, True, False), ["first", "second"]),
        (True, None, (True, False, False), ["first", "second"]),
        (None, True, (False, False, False), ["first"]),
    ] * 2:
        known.update(first=one, second=other)
        asked.clear()
        assert tuple(decide(Scope(Person([]))).values()) == told
        assert asked == asks


def test_a_month_without_the_day_ends_on_its_last() -> None:
    assert shifted(on(date(2025, 12, 31)), 2, 0) == on(date(2026, 2, 28))


def test_an_age_at_a_birth_known_to_the_year_may_be_unknown() -> None:
    of_18 = age_at(PERIOD.end, 18)
    assert [_answer(of_18, born(birth)) for birth in ("2008", "2007-06", "2009", "2008-12")] == [
        True,
        True,
        False,
        True,
    ]
    assert _answer(age_at(PERIOD.start, 18), born("2008")) is None
    assert _answer(of_18) is None


@pytest.mark.parametrize(
    ("bound", "how", "answer"),
    [
        (None, "<", False),
        ("<", "<", True),
        ("<=", "<", None),
        ("<=", "<=", True),
        (">", "<=", False),
        (">=", "<=", None),
        (">", ">", True),
        ("<", ">=", False),
        ("<", ">", False),
    ],
)
def test_nine_that_is_itself_a_bound_against_nine(bound: str | None, how: Any, answer: bool | None) -> None:
    last = results(CODE).last("the last", by=THIS.effective.start)
    measured = result(CODE, "2026-03-01", Decimal(9), "%", comparator=bound)
    assert _answer(last.event.field("value").compare(how, "9", "%"), measured) is answer


def test_a_value_in_another_unit_says_nothing() -> None:
    last = results(CODE).last("the last", by=THIS.effective.start)
    assert _answer(last.event.field("value").compare(">", "9", "%"), result(CODE, "2026-03-01", 75, "mmol/mol")) is None


def test_an_active_diagnosis_goes_on_and_another_without_an_end_is_unknown() -> None:
    person = Person([born("2000-01-01")])
    day = on(date(2026, 5, 1))
    for status, answer in (("active", True), ("relapse", True), ("resolved", None), ("inactive", None)):
        ends = ends_of(person, diagnosis(OFFICE, "2020-01-01", clinical_status=status), "prevalence")
        assert no_later(day, ends.end) is answer


def test_a_diagnosis_overlaps_the_day_it_began_on_whenever_it_ended() -> None:
    """Nobody knows when it was over: not before it began."""
    during = diagnoses(OFFICE).where(THIS.prevalence.overlaps(PERIOD)).exist()
    for onset, answer in (("2026-03-01", True), ("2026-12-31", True), ("2025-12-31", False), ("2027-01-01", False)):
        assert _answer(during, diagnosis(OFFICE, onset, clinical_status="resolved")) is answer


def test_an_age_at_onset_is_the_birthday_and_one_at_abatement_lasts_its_year() -> None:
    person = Person([born("2000-06-15")])
    told = diagnosis(OFFICE, onset_age=10, onset_age_unit="a", abatement_age=12, abatement_age_unit="a")
    ends = ends_of(person, told, "prevalence")
    assert (ends.start, ends.end) == (on(date(2010, 6, 15)), on(date(2013, 6, 14)))


@pytest.mark.parametrize(
    ("given_", "last"),
    [
        ({"days_supply": 30}, "2026-03-30"),
        ({"days_supply": 30, "refills": 2}, "2026-05-29"),
        ({"quantity": 60, "steps": [{"dose": 1, "frequency": 2, "period": 1, "period_unit": "d"}]}, "2026-03-30"),
        ({"quantity": 4, "steps": [{"dose": 1, "frequency": 1, "period": 1, "period_unit": "wk"}]}, "2026-03-28"),
        ({"days_supply": "30.5"}, "2026-03-30"),
        ({"days_supply": "0.5"}, "2026-03-01"),
        ({"quantity": 10, "steps": [{"dose": 1, "frequency": 3, "period": 1, "period_unit": "d"}]}, "2026-03-03"),
        ({"quantity": 90, "steps": [{"dose": 1, "frequency": 1, "period": 8, "period_unit": "h"}]}, "2026-03-30"),
        ({"quantity": 2, "steps": [{"dose": 1, "frequency": 1, "period": 1, "period_unit": "mo"}]}, "2026-04-29"),
        ({"quantity": 1, "steps": [{"dose": 1, "frequency": 1, "period": 1, "period_unit": "a"}]}, "2027-02-28"),
        ({"steps": [{"start_date": "2026-04-01", "end_date": "2026-04-10"}]}, "2026-04-10"),
    ],
)
def test_the_days_an_order_supplies(given_: dict[str, Any], last: str) -> None:
    ends = ends_of(Person([]), order("medication", OFFICE, "2026-03-01", **given_), "supply")
    assert ends.end == moment(last, None)


def test_a_supply_that_cannot_be_told_is_unknown() -> None:
    ends = ends_of(Person([]), order("medication", OFFICE, "2026-03-01", quantity=60), "supply")
    assert no_later(ends.start, on(date(2026, 3, 1))) is None


def test_within_asks_days_of_the_site_and_exactly_asks_instants() -> None:
    stay = visit(OFFICE, "2026-03-01T09:00:00Z", "2026-03-01T10:00:00Z")
    noon = result(CODE, "2026-03-01", 7, effective="2026-03-01T12:00:00Z")
    by_day = results(CODE).with_any(visits(), THIS.effective.during(OTHER.period)).exist()
    exactly = results(CODE).with_any(visits(), THIS.effective.starts_during_exactly(OTHER.period)).exist()
    assert (_answer(by_day, stay, noon), _answer(exactly, stay, noon)) == (True, False)


def test_unknown_is_neither_so_nor_not_so() -> None:
    unknown, so, not_so = age_at(PERIOD.end, 18), diagnoses().exist(), visits().exist()
    ill = diagnosis(OFFICE, "2020-01-01")
    assert _answer(all_of(unknown, so), ill) is None
    assert _answer(all_of(unknown, not_so), ill) is False
    assert _answer(any_of(unknown, so), ill) is True
    assert _answer(any_of(unknown, not_so), ill) is None
    assert _answer(not_(unknown), ill) is None
    assert _answer(named("Anything", unknown), ill) is None
