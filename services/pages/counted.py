"""A measure's counts as the registry answers them, and what people said of it: all that a page is laid out from.

Counting is dear and what people say is not: counts are kept until a load has ended (or for a while at most), words are read anew.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from threading import Lock
from typing import TypeVar, cast

from sqlalchemy import Connection, func, select

from services.measures.compile.memory import Period
from services.measures.declared import Measure
from services.measures.evaluate.counts import NETWORK, Cohort, Counts, cohorts, evaluate, last_day, needed_types
from services.measures.evaluate.periods import Step, periods
from services.people.phases import Begun, begun
from services.people.tests_of_change import Tried, tried
from services.registry.completeness import SiteCompleteness, completeness
from services.registry.tables import load

YEARS_BEFORE = 2
"""A chart begins in January, so many years before the year of the last visit; its first 12 points are the baseline."""
T = TypeVar("T")
LONGEST_SECONDS = 900
"""So long are counts kept at most."""


@dataclass(frozen=True, slots=True)
class Said:
    """What people said of a measure."""

    tried: tuple[Tried, ...] = ()
    begun: tuple[Begun, ...] = ()


@dataclass(frozen=True, slots=True)
class Counted:
    """What the registry answered about one measure."""

    measure: Measure
    since: str
    """The month in which charts begin where no earlier lines hold: `2024-01`."""
    first: str
    """The month from which there are counts."""
    until: str
    as_of: datetime
    """When the last site's data were brought."""
    loaded: Mapping[str, SiteCompleteness]
    known: Mapping[str, Cohort]
    counts: Mapping[Step, Sequence[Counts]]

    @property
    def sites(self) -> list[str]:
        """Everyone who announced a load, has patients of the cohort or saw some."""
        here = {count.site for count in self.counts["month"]} - {NETWORK}
        return sorted(self.loaded.keys() | self.known.keys() | here)

    def missing(self, site: str) -> list[str]:
        """Resource types the measure needs and the site never loaded."""
        if site not in self.loaded:
            return []
        types = self.loaded[site].types
        return [name for name in needed_types(self.measure) if types[name].state == "not loaded"]

    def of(self, site: str) -> dict[Step, list[Counts]]:
        """A site's, or the network's."""
        return {step: [count for count in counts if count.site == site] for step, counts in self.counts.items()}


def said_of(connection: Connection, measure: Measure) -> Said:
    """What people said of a measure, as it stands now."""
    return Said(tuple(tried(connection, measure.id)), tuple(begun(connection, measure.id)))


def counted(
    connection: Connection, measure: Measure, now: datetime, said: Said, *, until: date | None = None
) -> Counted:
    """Counts the measure by month and quarter; up to a day, where one is given, as if it were that day."""
    loaded = {site.site: site for site in completeness(connection)}
    as_of = max((site.last_completed for site in loaded.values() if site.last_completed), default=now)
    day = min(as_of.date(), until or as_of.date()).isoformat()
    last = last_day(connection, measure, day)
    since = f"{int((last or day)[:4]) - YEARS_BEFORE}-01"
    first = min([since, *(each.since.isoformat()[:7] for each in said.begun)])
    counts: dict[Step, list[Counts]] = {"month": [], "quarter": []}
    if last:
        counts = _by_step(connection, measure, first, day)
    shown = Period(date.fromisoformat(since + "-01"), date.fromisoformat(day))
    cohort = {site.site: site for site in cohorts(connection, measure, shown)}
    return Counted(measure, since, first, day, as_of, loaded, cohort, counts)


def _by_step(connection: Connection, measure: Measure, since: str, until: str) -> dict[Step, list[Counts]]:
    """By month and by quarter."""
    months, quarters = periods("month", since, until), periods("quarter", since, until)
    both = evaluate(connection, measure, months | quarters)
    return {
        "month": [count for count in both if count.period in months],
        "quarter": [count for count in both if count.period in quarters],
    }


@dataclass
class Memory:
    """Counts that were asked for, for as long as they hold. Each page says of when its data are."""

    _kept: dict[object, tuple[object, float, object]] = field(default_factory=dict)
    _locks: dict[object, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _laid_out: dict[str, tuple[Counted, Said, object]] = field(default_factory=dict)

    def counted(self, connection: Connection, measure: Measure, now: datetime) -> tuple[Counted, Said]:
        """The measure's counts, counted anew where a load has ended since or older lines are wanted; and what people say now."""
        said = said_of(connection, measure)
        first = min((each.since for each in said.begun), default=None)
        found = self._find(
            connection, (measure.id, measure.checksum, first), lambda: counted(connection, measure, now, said)
        )
        assert isinstance(found, Counted)
        return found, said

    def remembered(self, found: Counted, said: Said, lay_out: Callable[[], T]) -> T:
        """What was laid out of these counts and words, once."""
        with self._lock:
            kept = self._laid_out.get(found.measure.id)
        if kept is None or kept[0] is not found or kept[1] != said:
            kept = (found, said, lay_out())
            with self._lock:
                self._laid_out[found.measure.id] = kept
        return cast("T", kept[2])

    def strata(self, connection: Connection, found: Counted, by: str) -> list[Counts]:
        """By strata, of the last twelve months that are over: everybody once."""
        measure = found.measure
        kept = self._find(
            connection,
            (measure.id, measure.checksum, by, found.until),
            lambda: evaluate(connection, measure, {"year": _last_year(found.until)}, by=by),
        )
        return cast("list[Counts]", kept)

    def _find(self, connection: Connection, key: object, count: Callable[[], object]) -> object:
        """One at a time counts the same thing. The others are given what was counted before, and wait where there is nothing."""
        with self._lock:
            lock, before = self._locks.setdefault(key, Lock()), self._kept.get(key)
        if not lock.acquire(blocking=before is None):
            assert before is not None
            return before[2]
        try:
            state, now = state_of(connection), time.monotonic()
            kept = self._kept.get(key)
            if kept is None or kept[0] != state or now - kept[1] > LONGEST_SECONDS:
                kept = self._kept[key] = (state, now, count())
            return kept[2]
        finally:
            lock.release()


def _last_year(until: str) -> Period:
    """The twelve months before the one of a date."""
    after = date.fromisoformat(until).replace(day=1)
    return Period(after.replace(year=after.year - 1), after - timedelta(days=1), date.fromisoformat(until))


def state_of(connection: Connection) -> object:
    """Another one when a load has begun or ended."""
    return tuple(connection.execute(select(func.count(), func.max(load.c.started), func.max(load.c.ended))).one())
