"""Counts a measure on the registry's tables: set-based SQL that PostgreSQL and SQLite both understand.

Of each patient and period counts the last visit (for the age) and the last value. Dates are the sites' local dates, kept as text.
"""

from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import (
    CTE,
    ColumnElement,
    Connection,
    Integer,
    Text,
    and_,
    case,
    cast,
    func,
    null,
    or_,
    select,
    union_all,
)

from schemas.outcomes import fhir_types_of
from services.measures.measure import NO_RESULT, NOT_SEEN, Measure
from services.registry.tables import RECORD_TABLES

Period = Literal["month", "quarter"]
DOUBTED = ("refuted", "entered-in-error", "unconfirmed", "provisional", "differential")
"""Verification statuses under which a diagnosis is not (yet) made."""
COUNTED = ("person", "encounter", "condition", "observation")
PERSON, ENCOUNTER, CONDITION, OBSERVATION = (RECORD_TABLES[name] for name in COUNTED)
NEEDED = tuple(fhir_types_of(name)[0] for name in COUNTED)
"""FHIR resource types a site must have loaded for a count to be known. An Appointment is no visit: a site may have none."""


@dataclass(frozen=True, slots=True)
class Counts:
    """One site and period: met ≤ measured ≤ seen. The age of `age_unknown` patients is not known well enough to say."""

    site: str
    period: str
    """2026-10 or 2026-Q4."""
    seen: int
    measured: int
    met: int
    age_unknown: int

    @property
    def unmeasured(self) -> int:
        """Seen, and the outcome unknown."""
        return self.seen - self.measured


@dataclass(frozen=True, slots=True)
class Known:
    """What a site's registry holds of the cohort, of any age."""

    site: str
    patients: int
    without_birth_date: int
    never_seen: int
    """No visit in the time shown."""


def evaluate(connection: Connection, measure: Measure, period: Period, *, since: str, until: str) -> list[Counts]:
    """Counts of each site and period with visits from the date `since` up to the date `until`, by site and period."""
    visits, values = _last_visits(measure, period, since, until), _last_values(measure, period, since, until)
    # Laid under one another and grouped, not joined: SQLite has no hash join and would compare each with each.
    facts = union_all(
        select(visits.c.site, visits.c.subject, visits.c.period, visits.c.date, cast(null(), Integer).label("met")),
        select(values.c.site, values.c.subject, values.c.period, cast(null(), Text), values.c.met),
    ).cte("fact")
    key = (facts.c.site, facts.c.subject, facts.c.period)
    date = func.max(facts.c.date)
    seen = (
        select(*key, date.label("date"), func.max(facts.c.met).label("met"))
        .group_by(*key)
        .having(date.is_not(None))
        .cte("seen")
    )
    age = _age(PERSON.c.birth_date, seen.c.date, measure)
    one = (
        select(seen.c.site, seen.c.period, seen.c.met, age.label("age"))
        .select_from(seen.outerjoin(PERSON, and_(PERSON.c.site == seen.c.site, PERSON.c.subject == seen.c.subject)))
        .cte("one")
    )
    query = (
        select(
            one.c.site,
            one.c.period,
            _count(one.c.age == WITHIN).label("seen"),
            _count(and_(one.c.age == WITHIN, one.c.met.is_not(None))).label("measured"),
            _count(and_(one.c.age == WITHIN, one.c.met == 1)).label("met"),
            _count(one.c.age == AGE_UNKNOWN).label("age_unknown"),
        )
        .group_by(one.c.site, one.c.period)
        .order_by(one.c.site, one.c.period)
    )
    return [Counts(**row) for row in connection.execute(query).mappings()]


def known(connection: Connection, measure: Measure, *, since: str, until: str) -> list[Known]:
    """What each site's registry holds of the cohort, by site."""
    cohort = _cohort(measure)
    visited = select(ENCOUNTER.c.site, ENCOUNTER.c.subject).where(_is_visit(since, until)).distinct().cte("visited")
    query = (
        select(
            cohort.c.site,
            func.count().label("patients"),
            _count(PERSON.c.birth_date.is_(None)).label("without_birth_date"),
            _count(visited.c.subject.is_(None)).label("never_seen"),
        )
        .select_from(
            cohort.outerjoin(
                PERSON, and_(PERSON.c.site == cohort.c.site, PERSON.c.subject == cohort.c.subject)
            ).outerjoin(visited, and_(visited.c.site == cohort.c.site, visited.c.subject == cohort.c.subject))
        )
        .group_by(cohort.c.site)
        .order_by(cohort.c.site)
    )
    return [Known(**row) for row in connection.execute(query).mappings()]


def last_visit(connection: Connection, measure: Measure, *, until: str) -> str | None:
    """The local date of the cohort's last visit up to the date `until`, none where there was no visit."""
    cohort = _cohort(measure)
    same = and_(ENCOUNTER.c.site == cohort.c.site, ENCOUNTER.c.subject == cohort.c.subject)
    query = select(func.max(ENCOUNTER.c.start_date)).select_from(ENCOUNTER.join(cohort, same))
    found: str | None = connection.scalar(query.where(_is_visit("0001-01", until)))
    return found


def _cohort(measure: Measure) -> CTE:
    """Patients with the diagnosis. The diseases are for life: neither onset nor clinical status matters."""
    icd10cm = CONDITION.c.icd10cm
    categories = [or_(icd10cm == category, icd10cm.like(f"{category}.%")) for category in measure.cohort.icd10cm]
    return (
        select(CONDITION.c.site, CONDITION.c.subject)
        .where(or_(CONDITION.c.code.in_(measure.cohort.snomed), *categories))
        .where(func.coalesce(CONDITION.c.verification_status, "").not_in(DOUBTED))
        .distinct()
        .cte("cohort")
    )


def _is_visit(since: str, until: str) -> ColumnElement[bool]:
    date = ENCOUNTER.c.start_date
    happened = func.coalesce(ENCOUNTER.c.status, "").not_in(NOT_SEEN)
    return and_(happened, func.length(date) >= len("2026-10"), date >= since, date <= until)


def _last_visits(measure: Measure, period: Period, since: str, until: str) -> CTE:
    """Site, subject, period and date of the last visit of each patient and period; a date without its day is the first."""
    cohort, start = _cohort(measure), ENCOUNTER.c.start_date
    same = and_(ENCOUNTER.c.site == cohort.c.site, ENCOUNTER.c.subject == cohort.c.subject)
    date = case((func.length(start) == len("2026-10"), start + "-01"), else_=start)
    visits = (
        select(cohort.c.site, cohort.c.subject, _period(start, period).label("period"), date.label("date"))
        .select_from(ENCOUNTER.join(cohort, same))
        .where(_is_visit(since, until))
        .cte("visits")
    )
    key = (visits.c.site, visits.c.subject, visits.c.period)
    return select(*key, func.max(visits.c.date).label("date")).group_by(*key).cte("last_visit")


def _last_values(measure: Measure, period: Period, since: str, until: str) -> CTE:
    """Site, subject, period and whether the last usable value of the period met the target (1 or 0)."""
    row, target = OBSERVATION.c, measure.target
    met = _met(target.at_least)
    order = (
        row.effective_date.desc(),
        func.coalesce(row.effective, row.event_time).desc(),
        row.sequence.desc(),
        row.id,
    )
    ranked = (
        select(
            row.site,
            row.subject,
            _period(row.effective_date, period).label("period"),
            met.label("met"),
            func.row_number()
            .over(partition_by=(row.site, row.subject, _period(row.effective_date, period)), order_by=order)
            .label("nth"),
        )
        .where(row.code == target.loinc, row.value.between(target.lowest, target.highest), met.is_not(None))
        .where(
            func.length(row.effective_date) >= len("2026-10"), row.effective_date >= since, row.effective_date <= until
        )
        .where(func.coalesce(row.status, "").not_in(NO_RESULT))
        .cte("ranked")
    )
    return select(ranked).where(ranked.c.nth == 1).cte("value")


def _met(at_least: int) -> ColumnElement[Any]:
    """1 or 0; null where the value is a bound that does not say."""
    value, comparator = OBSERVATION.c.value, OBSERVATION.c.comparator
    return case(
        (and_(or_(comparator.is_(None), comparator.in_((">", ">="))), value >= at_least), 1),
        (and_(comparator.is_(None), value < at_least), 0),
        (and_(comparator == "<", value <= at_least), 0),
        (and_(comparator == "<=", value < at_least), 0),
        else_=None,
    )


WITHIN, OUTSIDE, AGE_UNKNOWN = 1, 2, 3


def _age(birth: ColumnElement[Any], visit: ColumnElement[Any], measure: Measure) -> ColumnElement[int]:
    """Whether the age at the visit is within the measure's, outside, or not known well enough.

    A birth date may be a year or a month only; then the earliest and the latest day it can mean must agree.
    """
    earliest = case((func.length(birth) == 4, birth + "-01-01"), (func.length(birth) == 7, birth + "-01"), else_=birth)
    latest = case((func.length(birth) == 4, birth + "-12-31"), (func.length(birth) == 7, birth + "-31"), else_=birth)
    old_enough = _years_before(visit, measure.cohort.youngest)
    too_old = _years_before(visit, measure.cohort.oldest + 1)
    return case(
        (birth.is_(None), AGE_UNKNOWN),
        (and_(latest <= old_enough, earliest > too_old), WITHIN),
        (or_(earliest > old_enough, latest <= too_old), OUTSIDE),
        else_=AGE_UNKNOWN,
    )


def _years_before(date: ColumnElement[Any], years: int) -> ColumnElement[str]:
    """The same day in an earlier year, as text: who is born on or before it has had that many birthdays."""
    return cast(cast(_part(date, 1, 4), Integer) - years, Text) + _part(date, 5, 6)


def _period(date: ColumnElement[Any], period: Period) -> ColumnElement[str]:
    if period == "month":
        return _part(date, 1, 7)
    return _part(date, 1, 4) + "-Q" + cast((cast(_part(date, 6, 2), Integer) + 2) // 3, Text)


def _part(date: ColumnElement[Any], start: int, length: int) -> ColumnElement[str]:
    return func.substr(date, start, length, type_=Text)


def _count(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count(case((condition, 1)))
