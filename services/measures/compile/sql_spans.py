"""Spans that are made of several fields, worked out in SQL step by step; equal to `spans.py`."""

from collections.abc import Callable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, FromClause, Integer, Numeric, Select, and_, case, cast, func, literal, or_, select

from services.measures.compile import sql_times as times
from services.measures.compile.dialects import entries, step_number, step_text
from services.measures.compile.spans import PERIODS, PLACES
from services.measures.compile.sql_times import FOREVER, SqlKnown
from services.measures.language.columns import ACTIVE
from services.registry.tables import RECORD_TABLES

Sql = ColumnElement[Any]
SIDES = ("first_day", "last_day", "earliest", "latest")
ENDS = tuple(f"{end}_{side}" for end in ("start", "end", "latest") for side in SIDES)


Such = Callable[[FromClause], Sequence[Sql]]
"""Which rows of a table of records are looked at."""


def spans_of(name: str, people: FromClause, such: Such) -> Select[Any]:
    """The id of each event that has such a span, and what is known of its ends (`ENDS`)."""
    if name == "prevalence":
        return _prevalence(people, such)
    return _supply(such) if name == "supply" else _taking(such)


def _told(source: FromClause, start: SqlKnown, end: SqlKnown, latest: SqlKnown) -> Select[Any]:
    ends = [getattr(each, side) for each in (start, end, latest) for side in SIDES]
    return select(source.c.id, *(end.label(name) for name, end in zip(ENDS, ends, strict=True)))


def _prevalence(people: FromClause, such: Such) -> Select[Any]:
    """From onset, or ever; to abatement, or on and on while active. An age is counted from birth, to the end of its year."""
    row = RECORD_TABLES["condition"].alias()
    onset = _reached(row, people, "onset", row.c.onset_age, end=False)
    abated = _reached(row, people, "abatement", func.coalesce(row.c.abatement_age_high, row.c.abatement_age), end=True)
    own = (row.c.onset_date, row.c.onset, row.c.abatement_date, row.c.abatement, row.c.clinical_status)
    by_age = [
        each.label(name)
        for name, each in zip(("on_first", "on_last", "off_first", "off_last"), (*onset, *abated), strict=True)
    ]
    joined = row.outerjoin(people, and_(people.c.site == row.c.site, people.c.subject == row.c.subject))
    one = select(row.c.id, *own, *by_age).select_from(joined).where(*such(row)).subquery()
    start = times.either(
        one.c.onset_date.is_not(None),
        times.moment(one.c.onset_date, one.c.onset),
        times.either(one.c.on_first.is_not(None), times.of_days(one.c.on_first, one.c.on_last), times.ALWAYS),
    )
    ended = or_(one.c.abatement_date.is_not(None), one.c.off_first.is_not(None))
    end = times.either(
        one.c.abatement_date.is_not(None),
        times.moment(one.c.abatement_date, one.c.abatement),
        times.of_days(one.c.off_first, one.c.off_last),
    )
    goes_on = times.either(func.coalesce(one.c.clinical_status, "").in_(ACTIVE), FOREVER, _not_before(start))
    return _told(one, start, times.either(ended, end, goes_on), times.either(ended, end, start))


def _not_before(start: SqlKnown) -> SqlKnown:
    """An end that nobody knows is not before the start."""
    return SqlKnown(start.first_day, FOREVER.last_day, start.earliest, FOREVER.latest)


def _reached(row: FromClause, people: FromClause, what: str, age: Sql, *, end: bool) -> tuple[Sql, Sql]:
    """First and last day on which an age is reached, or, at the end, was had for a year; null where it is not known."""
    unit = row.c[f"{what}_age_unit"]
    months = _whole(case((unit == "a", age * 12), (unit == "mo", age), else_=literal(0))) + (12 if end else 0)
    days = _whole(case((unit == "wk", age * 7), (unit == "d", age), else_=literal(0))) - (1 if end else 0)
    known = and_(
        age.is_not(None), func.coalesce(unit, "").in_(("a", "mo", "wk", "d")), people.c.birth_first.is_not(None)
    )
    at = times.shifted(times.of_days(people.c.birth_first, people.c.birth_last), months, days)
    return case((known, at.first_day)), case((known, at.last_day))


def _supply(such: Such) -> Select[Any]:
    """The days an order supplies, refills included: days as given, else quantity by dose and doses a day."""
    days = _days_supplied(such)
    start = times.moment(days.c.start_date, None)
    whole = _whole(days.c.days)
    by_days = times.shifted(start, 0, case((whole > 1, whole - 1), else_=literal(0)))
    end = times.either(days.c.days.is_not(None), by_days, times.moment(days.c.end_date, None))
    return _told(days, start, end, end).where(or_(days.c.days.is_not(None), days.c.end_date.is_not(None)))


def _taking(such: Such) -> Select[Any]:
    """From the start to the end as given; else to the end of the supply; else on and on while the order is active."""
    row, supply = RECORD_TABLES["medication"].alias(), _supply(such).subquery()
    start = times.moment(row.c.start_date, row.c.start)
    supplied = SqlKnown(*(supply.c[f"end_{side}"] for side in SIDES))
    goes_on = times.either(func.coalesce(row.c.status, "").in_(("active", "in-progress")), FOREVER, _not_before(start))
    end = times.either(
        row.c.end_date.is_not(None),
        times.moment(row.c.end_date, row.c.end),
        times.either(supply.c.id.is_not(None), supplied, goes_on),
    )
    ends = [getattr(each, side) for each in (start, end, end) for side in SIDES]
    told = (each.label(name) for name, each in zip(ENDS, ends, strict=True))
    return select(row.c.id, *told).select_from(row.outerjoin(supply, supply.c.id == row.c.id)).where(*such(row))


def _days_supplied(such: Such) -> FromClause:
    row = RECORD_TABLES["medication"].alias()
    listed, steps = row.c.steps, func.coalesce(entries(row.c.steps), 0)

    def number(key: str) -> Sql:
        return case((steps == 1, step_number(listed, key))).label(key)

    texts = [case((steps == 1, step_text(listed, key))).label(f"step_{key}") for key in ("start_date", "end_date")]
    keys = ("dose_high", "dose", "frequency_max", "frequency", "period", "times_of_day")
    unit = case((steps == 1, step_text(listed, "period_unit")))
    in_days = case(*((unit == name, literal(float(days))) for name, days in PERIODS.items()))
    own = (row.c.id, row.c.start_date, row.c.days_supply, row.c.quantity, row.c.refills)
    one = select(*own, *texts, *map(number, keys), in_days.label("in_days")).where(*such(row)).subquery()
    often = func.coalesce(one.c.frequency_max, one.c.frequency)
    a_day = case(
        (and_(often.is_not(None), one.c.period > 0), often / (one.c.period * one.c.in_days)),
        else_=func.nullif(one.c.times_of_day, 0),
    )
    dose = func.coalesce(one.c.dose_high, one.c.dose)
    two = select(one, a_day.label("a_day"), dose.label("one_dose")).subquery()
    computed = two.c.quantity * literal(1.0) / func.nullif(two.c.one_dose * two.c.a_day, 0)
    fills = 1 + func.coalesce(two.c.refills, 0)
    days = func.round(cast(func.coalesce(two.c.days_supply, computed) * fills, Numeric(20, 8)), PLACES)
    start = func.coalesce(two.c.step_start_date, two.c.start_date).label("start_date")
    return select(two.c.id, start, two.c.step_end_date.label("end_date"), days.label("days")).subquery()


def _whole(number: Sql) -> Sql:
    """The whole part; both databases round halves away from zero, and neither is bound to know `floor`."""
    return cast(func.round(cast(number, Numeric(20, 8)) - cast(literal("0.4999999"), Numeric(20, 8)), 0), Integer)
