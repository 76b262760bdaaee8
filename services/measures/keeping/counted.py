"""Counts of the network and its sites from what is kept: sums of a few rows, whoever many persons there are."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Row, and_, exists, inspect, select

from schemas.feedback import ALL_SITES
from services.measures.compile.memory import Period
from services.measures.declared import Measure
from services.measures.evaluate.counts import ABOUT, NETWORK, Counts
from services.measures.keeping.summing import median_of
from services.measures.keeping.tables import SUMS, count, due, result, standing
from services.measures.language.moments import Bound
from services.measures.language.nodes import found_in


def kept_counts(connection: Connection, measure: Measure, periods: Mapping[str, Period]) -> list[Counts] | None:
    """As `evaluate` gives them, without strata; none where one of the periods is not kept, or not up to the registry yet."""
    if not inspect(connection).has_table(count.name) or _behind(connection):
        return None
    such = and_(count.c.measure == measure.id, count.c.version == measure.version, count.c.period.in_(periods))
    rows = connection.execute(select(count).where(such, count.c.checksum == measure.checksum)).all()
    kept = {row.period for row in rows if row.site == ALL_SITES and _same(measure, row, periods[row.period])}
    if kept != set(periods):
        return None
    sites = [row for row in rows if row.site != ALL_SITES and row.standings]
    of_network = [_network(connection, measure, name, [row for row in sites if row.period == name]) for name in periods]
    found = [each for each in of_network if each is not None] + [_counts(row.site, row) for row in sites]
    return sorted(found, key=lambda each: (each.site, each.period))


def _behind(connection: Connection) -> bool:
    """Somebody is to be evaluated, or something to be counted."""
    return any(connection.scalar(select(exists().where(such))) for such in (due.c.name.is_not(None), result.c.stale))


def _same(measure: Measure, row: Row[Any], period: Period) -> bool:
    """Kept months end with the month: where a measure asks for the last day known, a month that is not over is another one."""
    if (row.first, row.last) != (period.first.isoformat(), period.last.isoformat()):
        return False
    parts = (measure.among, measure.who, measure.value, measure.events, measure.time)
    return period.known == period.last or not any(each.which == "known" for each in found_in(parts, Bound))


def _network(connection: Connection, measure: Measure, period: str, rows: Sequence[Row[Any]]) -> Counts | None:
    if not rows:
        return None
    numbers = {name: sum(getattr(row, name) for row in rows) for name in SUMS}
    total, squares = (sum(getattr(row, name) or 0.0 for row in rows) for name in ("total", "squares"))
    median = None
    if measure.kind == "level":
        ours = (standing.c.measure == measure.id, standing.c.version == measure.version, standing.c.period == period)
        median = median_of(connection, and_(*ours))
    mean, spread = _level(measure.kind == "level", numbers["measured"], total, squares)
    return Counts(NETWORK, period, **numbers, mean=mean, spread=spread, median=median)


def _counts(site: str, row: Row[Any]) -> Counts:
    numbers = {name: getattr(row, name) for name in SUMS}
    mean, spread = _level(row.total is not None, row.measured, row.total or 0.0, row.squares or 0.0)
    return Counts(site, row.period, **numbers, mean=mean, spread=spread, median=row.median)


def _level(is_one: bool, measured: int, total: float, squares: float) -> tuple[float | None, float | None]:
    """Mean and standard deviation."""
    if not is_one or not measured:
        return None, None
    mean = total / measured
    off = mean - ABOUT
    return mean, max(0.0, (squares - measured * off * off) / (measured - 1)) ** 0.5 if measured > 1 else None
