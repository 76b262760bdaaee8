"""Time in SQL: what is known of a moment, as the earliest and the latest text that it can be; equal to `times.py`.

Texts of a fixed form compare as what they mean. Before all and after all stand texts that no date has.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, Literal, NamedTuple

from sqlalchemy import ColumnElement, Integer, and_, case, cast, func, literal, literal_column, null, or_

from services.measures.compile.dialects import instant_text, largest, last_of_month, later, smallest
from services.measures.compile.times import FIRST_YEAR, LAST_YEAR
from services.measures.language.moments import Precision

Sql = ColumnElement[Any]
EVER, FOREVER_ = "0000-00-00", "9999-99-99"
DAY_START, DAY_END = " 00:00:00.000", " 23:59:59.999"


@dataclass(frozen=True, slots=True)
class SqlKnown:
    """Earliest and latest day, earliest and latest instant."""

    first_day: Sql
    last_day: Sql
    earliest: Sql
    latest: Sql

    def sides(self, by: Precision) -> tuple[Sql, Sql]:
        """What is compared."""
        return (self.earliest, self.latest) if by in ("instant", "timed") else (self.first_day, self.last_day)

    @property
    def first_instant(self) -> "SqlKnown":
        """Of a day, the instant that begins it."""
        return replace(self, latest=self.earliest)

    @property
    def last_instant(self) -> "SqlKnown":
        """Of a day, the instant that ends it."""
        return replace(self, earliest=self.latest)


class Ends(NamedTuple):
    """Both ends of a span, and the last moment that is given."""

    start: SqlKnown
    end: SqlKnown
    latest: SqlKnown


def of_days(first: Sql, last: Sql) -> SqlKnown:
    """Known to the day. Before all and after all are one instant each, not a day long."""
    earliest = case((first == FOREVER_, literal(FOREVER_ + DAY_END)), else_=first + DAY_START)
    latest = case((last == EVER, literal(EVER + DAY_START)), else_=last + DAY_END)
    return SqlKnown(first, last, earliest, latest)


_EVER, _FOREVER = (literal(EVER), literal(EVER + DAY_START)), (literal(FOREVER_), literal(FOREVER_ + DAY_END))
ALWAYS = SqlKnown(_EVER[0], _EVER[0], _EVER[1], _EVER[1])
FOREVER = SqlKnown(_FOREVER[0], _FOREVER[0], _FOREVER[1], _FOREVER[1])
UNKNOWN = SqlKnown(_EVER[0], _FOREVER[0], _EVER[1], _FOREVER[1])


def on(day: date) -> SqlKnown:
    """A whole day."""
    text = day.isoformat()
    return SqlKnown(literal(text), literal(text), literal(text + DAY_START), literal(text + DAY_END))


def moment(local_date: Sql, instant: Sql | None) -> SqlKnown:
    """A partial date, and an instant where known; null is unknown."""
    first = func.coalesce(_first(local_date), EVER)
    last = func.coalesce(_last(local_date), FOREVER_)
    days = of_days(first, last)
    if instant is None:
        return days
    text = instant_text(instant)
    return SqlKnown(first, last, func.coalesce(text, days.earliest), func.coalesce(text, days.latest))


def not_after(end: SqlKnown) -> SqlKnown:
    """A start that nobody knows is not after the end."""
    return SqlKnown(_EVER[0], end.last_day, _EVER[1], end.latest)


def either(condition: Sql, one: SqlKnown, other: SqlKnown) -> SqlKnown:
    """One where the condition holds, else the other."""
    names = ("first_day", "last_day", "earliest", "latest")
    return SqlKnown(*(case((condition, getattr(one, name)), else_=getattr(other, name)) for name in names))


def no_later(one: SqlKnown, other: SqlKnown, by: Precision = "day") -> Sql:
    """`one` ≤ `other`: 1, 0 or null."""
    (first, last), (others_first, others_last) = one.sides(by), other.sides(by)
    if by == "day":
        return case((last <= others_first, literal(1)), (first > others_last, literal(0)), else_=null()) == 1
    side = 0 if by == "stated" else 1
    one_is, other_is = (
        or_(first == last, first == _EVER[side]),
        or_(others_first == others_last, others_last == _FOREVER[side]),
    )
    met = and_(last == others_first, one_is, other_is)
    if by != "stated":
        something = or_(first != _EVER[side], last != _FOREVER[side])
        met = or_(met, and_(first == others_first, last == others_last, something))
    surely, surely_not = (last < others_first, literal(1)), (first > others_last, literal(0))
    return case(surely, surely_not, (met, literal(1)), else_=null()) == 1


def before(one: SqlKnown, other: SqlKnown, by: Precision = "day") -> Sql:
    """`one` < `other`."""
    return ~no_later(other, one, by)


def shifted(known: SqlKnown, months: Sql | int, days: Sql | int) -> SqlKnown:
    """Moved by calendar time; a month's missing day is its last."""
    return of_days(_moved(known.first_day, months, days), _moved(known.last_day, months, days))


def full_years(birth: SqlKnown, at: SqlKnown) -> tuple[Sql, Sql]:
    """Fewest and most full years from one moment to another; null where a side is without bound."""
    return _years(birth.last_day, at.first_day), _years(birth.first_day, at.last_day)


def extreme(moments: Sequence[SqlKnown], which: Literal["earliest", "latest"]) -> SqlKnown:
    """The earliest or the latest of some moments."""
    chosen = smallest if which == "earliest" else largest
    names = ("first_day", "last_day", "earliest", "latest")
    return SqlKnown(*(chosen(*(getattr(each, name) for each in moments)) for name in names))


def _first(day: Sql) -> Sql:
    return func.substr(day + "-01-01", 1, 10)


def _last(day: Sql) -> Sql:
    return case((func.length(day) == 7, last_of_month(day)), else_=func.substr(day + "-12-31", 1, 10))


def _moved(day: Sql, months: Sql | int, days: Sql | int) -> Sql:
    by = [_number(each) if isinstance(each, int) else each for each in (months, days)]
    return case(
        (day < f"{FIRST_YEAR:04}", literal(EVER)), (day > f"{LAST_YEAR + 1}", literal(FOREVER_)), else_=later(day, *by)
    )


def _number(number: int) -> Sql:
    """None at all stands in the statement itself, so that it can be left out."""
    return literal(number) if number else literal_column("0", Integer)


def _years(birth: Sql, at: Sql) -> Sql:
    had = func.substr(at, 6, 5) >= func.substr(birth, 6, 5)
    years = _year(at) - _year(birth) - case((had, 0), else_=1)
    return case((or_(birth.in_((EVER, FOREVER_)), at.in_((EVER, FOREVER_))), null()), else_=years)


def _year(day: Sql) -> Sql:
    return cast(func.substr(day, 1, 4), Integer)
