"""How numbers and spans of time stand to one another, in SQL; equal to `memory`."""

from collections.abc import Callable

from sqlalchemy import and_, case, null, or_

from services.measures.compile import sql_times as times
from services.measures.compile.dialects import days_between
from services.measures.compile.sql_tables import Sql
from services.measures.compile.sql_times import Ends, SqlKnown
from services.measures.language.moments import Precision


def compared(value: Sql, bound: Sql, how: str, number: Sql) -> Sql:
    """As in memory: a value that is itself a bound says yes or no only where every number it can be agrees."""
    if how in (">", ">="):
        return ~compared(value, bound, "<=" if how == ">" else "<", number)
    fits = value < number if how == "<" else value <= number
    said = case(
        (value.is_(None), null()),
        (bound.is_(None), case((fits, 1), else_=0)),
        (and_(bound.in_(("<", "<=")), or_(fits, and_(bound == "<", value == number))), 1),
        (and_(bound.in_((">", ">=")), or_(~fits, and_(bound == ">", value == number))), 0),
        else_=null(),
    )
    return said == 1


def related(relation: str, left: Ends, right: Ends, by: Precision) -> Sql:
    """One span stands so to another."""
    if by == "timed":
        right = Ends(right.start.first_instant, right.end.last_instant, right.latest.last_instant)

    def no_later(one: SqlKnown, other: SqlKnown) -> Sql:
        return times.no_later(one, other, by)

    starts_during = and_(no_later(right.start, left.start), no_later(left.start, right.end))
    found: dict[str, Callable[[], Sql]] = {
        "overlaps": lambda: and_(no_later(left.start, right.end), no_later(right.start, left.end)),
        "overlaps_after": lambda: and_(no_later(left.start, right.end), times.before(right.end, left.end, by)),
        "during": lambda: and_(no_later(right.start, left.start), no_later(left.end, right.end)),
        "starts_during": lambda: starts_during,
        "ends_during": lambda: and_(no_later(right.start, left.end), no_later(left.end, right.end)),
        "starts_before": lambda: times.before(left.start, right.start, by),
        "starts_no_later_than": lambda: no_later(left.start, right.end),
        "ends_no_later_than": lambda: no_later(left.end, right.end),
    }
    return found[relation]()


def days_of(ends: Ends) -> Sql:
    """As in memory: both ends known to the day; none where it ends before it starts."""
    first, last = ends.start.first_day, ends.end.first_day
    exact = and_(first == ends.start.last_day, last == ends.end.last_day)
    known = and_(exact, first != times.EVER, last != times.FOREVER_)
    return case((and_(known, first <= last), days_between(first, last) + 1), (known, 0), else_=null())
