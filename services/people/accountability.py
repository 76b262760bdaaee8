"""What the network owes its people, in figures that everybody of it may see: no site is named, nobody is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Connection, func, select

from services.people.issues import Answered, Raised, heard, issues_seen
from services.registry.completeness import SiteCompleteness, completeness
from services.registry.tables import contest, test_of_change

AGES = ((7, "up to a week"), (30, "up to a month"), (90, "up to three months"), (10**6, "longer"))
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Owed:
    """How things stand."""

    sites: int
    with_gaps: int
    """Sites of which something is missing."""
    gaps: int
    oldest_days: int | None
    """Since the data of the site that is furthest behind were brought."""
    median_days: float | None
    waiting: tuple[tuple[str, int], ...]
    """Open issues by how long they wait."""
    heard: tuple[Answered, ...]
    tried: int
    """Tests of change noted within a year."""
    contested: int
    """Records that clinicians contest and nobody answered yet."""

    @property
    def open(self) -> int:
        """Issues that wait."""
        return sum(count for _, count in self.waiting)


def owed(connection: Connection, now: datetime) -> Owed:
    """From the registry, and from what people say."""
    sites, raised = list(completeness(connection)), issues_seen(connection, None)
    behind = [(now - site.last_completed).days for site in sites if site.last_completed]
    since = (now - YEAR).date().isoformat()
    tried = connection.scalar(
        select(func.count()).select_from(test_of_change).where(test_of_change.c.since_date >= since)
    )
    waiting = connection.scalar(select(func.count()).select_from(contest).where(contest.c.answer.is_(None)))
    return Owed(
        len(sites),
        sum(1 for site in sites if _gaps(site)),
        sum(map(_gaps, sites)),
        max(behind, default=None),
        median(behind) if behind else None,
        tuple(_by_age(raised, now)),
        tuple(heard(raised, now)),
        int(tried or 0),
        int(waiting or 0),
    )


def _gaps(site: SiteCompleteness) -> int:
    return sum(1 for known in site.types.values() if known.gaps)


def _by_age(raised: Sequence[Raised], now: datetime) -> list[tuple[str, int]]:
    waits = [each.days(now) for each in raised if each.open]
    found, least = [], -1
    for most, words in AGES:
        found.append((words, sum(least < days <= most for days in waits)))
        least = most
    return found
