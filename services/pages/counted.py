"""A measure's counts as the registry answers them, and what people said of it: all that a page is laid out from.

Counting is dear and what people say is not: counts are kept, site by site, and only those sites are counted anew of which something
came, or was set aside; words are read anew.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import partial
from threading import Condition, Lock
from typing import Protocol, TypeVar, cast

import structlog
from sqlalchemy import Connection, func, select, union

from schemas.errors import MainstemError, TemporaryError
from services.measures.compile.memory import Period
from services.measures.declared import Measure
from services.measures.evaluate.counts import NETWORK, Cohort, Counts, needed_types
from services.measures.evaluate.periods import Step, periods
from services.measures.evaluate.surveys import Asked, Survey, strata_together, surveys, surveys_of_all, together
from services.pages.kept import KeptSurveys
from services.pages.kept import marks as marks_of
from services.people.phases import Begun, begun
from services.people.tests_of_change import Tried, tried
from services.registry.completeness import SiteCompleteness, completeness
from services.registry.tables import RECORD_TABLES, erased, history, load, set_aside

log = structlog.get_logger(__name__)

YEARS_BEFORE = 2
"""A chart begins in January, so many years before the year of the last visit; its first 12 points are the baseline."""
T = TypeVar("T")
LONGEST_SECONDS = 900
"""After so long it is asked what came outside of loads."""
ALL_AT_ONCE = 0.5
"""Where more than this share of the sites changed, all are counted in one go."""


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
    strata: Mapping[str, Sequence[Counts]]
    """By strata, of the last twelve months that are over: everybody once."""

    @property
    def sites(self) -> list[str]:
        """Everyone who announced a load, has patients of the cohort or saw some."""
        here = {count.site for count in self.counts["month"]} - {NETWORK}
        return sorted(self.loaded.keys() | self.known.keys() | here)

    def missing(self, site: str) -> list[str]:
        """Resource types the measure needs and the site never loaded."""
        return _missing(self.measure, self.loaded, site)

    def of(self, site: str) -> dict[Step, list[Counts]]:
        """A site's, or the network's."""
        return {step: [count for count in counts if count.site == site] for step, counts in self.counts.items()}


def _missing(measure: Measure, loaded: Mapping[str, SiteCompleteness], site: str) -> list[str]:
    if site not in loaded:
        return []
    types = loaded[site].types
    return [name for name in needed_types(measure) if types[name].state == "not loaded"]


def said_of(connection: Connection, measure: Measure) -> Said:
    """What people said of a measure, as it stands now."""
    return Said(tuple(tried(connection, measure.id)), tuple(begun(connection, measure.id)))


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What there is to count, as of a day."""

    since: str
    first: str
    as_of: datetime
    until: str
    loaded: Mapping[str, SiteCompleteness]

    @property
    def asked(self) -> Asked:
        months, quarters = periods("month", self.first, self.until), periods("quarter", self.first, self.until)
        shown = Period(date.fromisoformat(self.since + "-01"), date.fromisoformat(self.until))
        return Asked(months | quarters, shown, _last_year(self.until))

    @property
    def months(self) -> tuple[str, str, str]:
        """Another, where every site must be counted anew."""
        return self.since, self.first, self.until[:7]


def counted(
    connection: Connection,
    measure: Measure,
    now: datetime,
    said: Said,
    *,
    until: date | None = None,
    site: str,
    surveyed: "Surveyed",
) -> Counted:
    """Counts the measure at one site alone; up to a day, where one is given, as if it were that day."""
    found, wanted = _surveyed(
        lambda asked: dict(surveyed(measure, asked, site=site)), _wanted(connection, said, now, until)
    )
    return _counted(measure, wanted, found)


def _wanted(connection: Connection, said: Said, now: datetime, until: date | None = None, year: str = "") -> _Wanted:
    """`year`: of the last visit, where it is known."""
    loaded = {site.site: site for site in completeness(connection)}
    as_of = max((site.last_completed for site in loaded.values() if site.last_completed), default=now)
    day = min(as_of.date(), until or as_of.date()).isoformat()
    since = f"{int(year or day[:4]) - YEARS_BEFORE}-01"
    return _Wanted(since, _first(since, said), as_of, day, loaded)


def _first(since: str, said: Said) -> str:
    return min([since, *(each.since.isoformat()[:7] for each in said.begun)])


def _surveyed(count: Callable[[Asked], dict[str, Survey]], wanted: _Wanted) -> tuple[dict[str, Survey], _Wanted]:
    """Counted; once more where the last visit was in an earlier year than the data are of: charts begin by that."""
    found = count(wanted.asked)
    last = max((each.last for each in found.values() if each.last), default="")
    since = f"{int(last[:4]) - YEARS_BEFORE}-01" if last else wanted.since
    if since < wanted.since:
        wanted = replace(wanted, since=since, first=min(since, wanted.first))
        found = count(wanted.asked)
    return found, wanted


def _counted(measure: Measure, wanted: _Wanted, found: Mapping[str, Survey]) -> Counted:
    """What sites have, and all together. Of a site that never loaded what the measure reads nothing is known: it has no number, not none."""
    ours = [found[site] for site in sorted(found) if not _missing(measure, wanted.loaded, site)]
    seen = any(each.last for each in ours)
    counts = [*together(ours), *(count for each in ours for count in each.counts)] if seen else []
    quarters = periods("quarter", wanted.first, wanted.until)
    by_step: dict[Step, Sequence[Counts]] = {
        "month": [count for count in counts if count.period not in quarters],
        "quarter": [count for count in counts if count.period in quarters],
    }
    strata = {
        by: [*strata_together(ours, by), *(count for each in ours for count in each.strata.get(by, ()))]
        for by in measure.strata
    }
    cohorts = {each.site: each.cohort for each in found.values() if each.cohort}
    return Counted(
        measure, wanted.since, wanted.first, wanted.until, wanted.as_of, wanted.loaded, cohorts, by_step, strata
    )


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was counted of a measure, and by which state of the registry."""

    state: object
    at: float
    months: object
    marks: Mapping[str, str]
    arrived: datetime | None
    """When the last change came that was there."""
    surveys: Mapping[str, Survey]
    counted: Counted


class Surveyed(Protocol):
    """What there is of a measure, by site."""

    def __call__(self, measure: Measure, asked: Asked, *, site: str | None = None) -> Mapping[str, Survey]:
        """Of all sites, or of one."""


class Together:
    """Measures asked for one after another and counted all at once: site after site, so that no more is laid out than one site has."""

    def __init__(
        self,
        registry: Callable[[], AbstractContextManager[Connection]],
        measures: Sequence[Measure],
        kept: KeptSurveys | None = None,
    ) -> None:
        self._registry, self._measures, self._kept = registry, {each.id: each for each in measures}, kept
        self._together = len(self._measures) > 1
        self._found: dict[tuple[str, str], dict[str, Mapping[str, Survey]]] = {}

    def __call__(self, measure: Measure, asked: Asked, *, site: str | None = None) -> Mapping[str, Survey]:
        """As `Surveyed`."""
        if site is not None:
            return self._of(site, measure, asked)
        with self._registry() as connection:
            sites = _sites(connection)
        return {name: found for each in sites for name, found in self._of(each, measure, asked).items()}

    def _of(self, site: str, measure: Measure, asked: Asked) -> Mapping[str, Survey]:
        """As far as it is not kept, counted with all others that are not, and kept."""
        key = (repr(asked), site)
        if key not in self._found:
            self._found[key] = self._kept.of(site, asked, self._measures) if self._kept else {}
        there = self._found[key]
        if measure.id not in there:
            new = self._counted(
                site, measure, asked, [each for name, each in self._measures.items() if name not in there]
            )
            there |= new
            if self._kept:
                self._kept.keep(site, asked, self._measures, new)
        return there[measure.id]

    def _counted(
        self, site: str, measure: Measure, asked: Asked, others: Sequence[Measure]
    ) -> dict[str, Mapping[str, Survey]]:
        """What one measure of them does wrong is that one's fault: then each is counted alone."""
        if self._together and len(others) > 1:
            try:
                with self._registry() as connection:
                    return dict(surveys_of_all(connection, others, asked, site=site))
            except MainstemError:
                raise
            except Exception as exc:  # noqa: BLE001 — whatever a declaration raises
                log.error("measures cannot be counted together", kind=type(exc).__name__)
                self._together = False
        with self._registry() as connection:
            return {measure.id: surveys(connection, measure, asked, site=site)}


def _sites(connection: Connection) -> list[str]:
    """Every one of which there is a person, a visit or a load."""
    named = union(*(select(each.c.site) for each in (RECORD_TABLES["person"], RECORD_TABLES["encounter"], load)))
    return sorted(connection.scalars(named))


PATIENCE_SECONDS = 20.0
"""So long a page waits for the first count: a small network is counted by then."""
AGAIN_SECONDS = 30
"""After so long whoever met nothing counted asks again."""


class NotCountedError(TemporaryError):
    """Nothing was counted yet since the pages were started."""

    def __init__(self) -> None:
        super().__init__(
            "the network's results are counted once when the pages are started, and that is not done yet",
            "Open this page again in a few minutes.",
            retry_after=AGAIN_SECONDS,
        )


@dataclass
class Memory:
    """Counts that were asked for, for as long as they hold. Each page says of when its data are."""

    _kept: dict[object, _Kept] = field(default_factory=dict)
    beside: bool = False
    """Whether somebody counts beside the pages: then nobody counts while somebody waits for a page."""
    patient: bool = True
    """Whether a page waits a little for the first count."""
    _locks: dict[object, Lock] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)
    _news: Condition = field(default_factory=Condition)
    _left: set[object] = field(default_factory=set)
    """What cannot be counted beside the pages: whoever asks for it is told why."""
    _laid_out: dict[str, tuple[Counted, Said, object]] = field(default_factory=dict)

    def counted(
        self, connection: Connection, measure: Measure, now: datetime, surveyed: Surveyed | None = None
    ) -> tuple[Counted, Said]:
        """The measure's counts, those sites counted anew of which something came since; and what people say now.

        One at a time counts the same. The others are given what was counted before, and wait where there is nothing. `surveyed`: given
        by whoever counts beside the pages; there a page is given what is kept, and waits a little for the first. Raises NotCountedError
        where that is not enough.
        """
        said, key = said_of(connection, measure), _key(measure)
        with self._lock:
            lock, before = self._locks.setdefault(key, Lock()), self._kept.get(key)
        if self.beside and surveyed is None:
            before = before or self._first(key)
            if before is not None:
                return before.counted, said
        if not lock.acquire(blocking=before is None):
            assert before is not None
            return before.counted, said
        try:
            kept = self._kept.get(key)
            if kept is None or not _holds(connection, kept, said):
                alone: Surveyed = partial(surveys, connection)
                kept = self._kept[key] = _again(connection, measure, said, now, kept, surveyed or alone)
                self._tell()
            return kept.counted, said
        finally:
            lock.release()

    def leave(self, measure: Measure) -> None:
        """A measure that cannot be counted beside the pages."""
        self._left.add(_key(measure))
        self._tell()

    def _tell(self) -> None:
        with self._news:
            self._news.notify_all()

    def _first(self, key: object) -> _Kept | None:
        """What is counted first, waited for; none where it cannot be."""
        with self._news:
            patience = PATIENCE_SECONDS if self.patient else 0
            if not self._news.wait_for(lambda: key in self._kept or key in self._left, patience):
                raise NotCountedError
        return self._kept.get(key)

    def remembered(self, found: Counted, said: Said, lay_out: Callable[[], T]) -> T:
        """What was laid out of these counts and words, once."""
        with self._lock:
            kept = self._laid_out.get(found.measure.id)
        if kept is None or kept[0] is not found or kept[1] != said:
            kept = (found, said, lay_out())
            with self._lock:
                self._laid_out[found.measure.id] = kept
        return cast("T", kept[2])


def _key(measure: Measure) -> tuple[str, str]:
    return measure.id, measure.checksum


def _holds(connection: Connection, kept: _Kept, said: Said) -> bool:
    reaches = _first(kept.counted.since, said) >= kept.counted.first
    return reaches and kept.state == state_of(connection) and time.monotonic() - kept.at <= LONGEST_SECONDS


def _again(
    connection: Connection, measure: Measure, said: Said, now: datetime, kept: _Kept | None, surveyed: Surveyed
) -> _Kept:
    """What is there now, as far as it was not counted."""
    at, state, marks = time.monotonic(), state_of(connection), marks_of(connection)
    arrived = connection.scalar(select(func.max(history.c.arrived)))
    wanted = _wanted(connection, said, now, year=str(int(kept.counted.since[:4]) + YEARS_BEFORE) if kept else "")
    changed = {site for site in marks if kept and kept.marks.get(site) != marks[site]}
    changed |= {site for site in (kept.marks if kept else ()) if site not in marks}
    changed |= _arrived_at(connection, kept.arrived) if kept else set()
    if kept is None or kept.months != wanted.months or len(changed) > ALL_AT_ONCE * len(kept.surveys):
        found, wanted = _surveyed(lambda asked: dict(surveyed(measure, asked)), _wanted(connection, said, now))
    else:
        found = dict(kept.surveys)
        for site in changed:
            found.pop(site, None)
            found |= surveyed(measure, wanted.asked, site=site)
    return _Kept(state, at, wanted.months, marks, arrived, found, _counted(measure, wanted, found))


def _arrived_at(connection: Connection, since: datetime | None) -> set[str]:
    """Sites of which a change came after that."""
    later = history.c.arrived > since if since is not None else history.c.arrived.is_not(None)
    return set(connection.scalars(select(history.c.site).where(later).distinct()))


def _last_year(until: str) -> Period:
    """The twelve months before the one of a date."""
    after = date.fromisoformat(until).replace(day=1)
    return Period(after.replace(year=after.year - 1), after - timedelta(days=1), date.fromisoformat(until))


def state_of(connection: Connection) -> object:
    """Another one when a load has begun or ended, somebody was set aside, taken back, or erased."""
    loads = connection.execute(select(func.count(), func.max(load.c.started), func.max(load.c.ended))).one()
    aside = set_aside.c
    held = connection.execute(select(func.count(), func.max(aside.id), func.count(aside.ended))).one()
    return (*loads, *held, *connection.execute(select(func.count(), func.max(erased.c.at))).one())
