"""What the network owes its people, in figures that everybody of it may see: no site is named, nobody is."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import median

from sqlalchemy import Connection, func, select

from services.measures.library import measures_by_id
from services.people.amendments import amendments, promised
from services.people.consent_requests import open_requests
from services.people.coproduction import Scored, coproduced
from services.people.equality import GROUPS, heard_by
from services.people.issues import Answered, heard, heard_by_quarter, issues_seen
from services.people.reaching import Reached, reached
from services.people.tests_of_change import noted_since, overdue
from services.people.voices import Form
from services.registry.completeness import SiteCompleteness, completeness
from services.registry.tables import contest

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
    quarters: tuple[Answered, ...]
    """How people were heard, by the quarter in which something was raised."""
    tried: int
    """Tests of change noted within a year."""
    overdue: int
    """Tests of change that are under way and whose day to be looked at is past: promises."""
    contested: int
    """Records that clinicians contest and nobody answered yet."""
    alike: tuple[tuple[str, tuple[Answered, ...]], ...]
    """How families are heard, by each way of telling them apart."""
    consents: tuple[tuple[str, int], ...]
    """What families ask about consent and no site has done yet, by how long it waits."""
    coproduced: Scored | None
    """What families answered after visits within a year; none where too few did."""
    discussed: int
    """What is proposed about measures and not decided yet."""
    promised: tuple[tuple[str, int], ...]
    """What of it was accepted and is in no version yet, by how long ago: promises."""
    reached: Reached | None
    """How long it takes from a site to these pages; none where nothing came."""

    @property
    def open(self) -> int:
        """Issues that wait."""
        return sum(count for _, count in self.waiting)


def owed(connection: Connection, now: datetime, *, asked: Form | None = None) -> Owed:
    """From the registry, and from what people say. `asked`: what the network asks after a visit, where it is not the form that ships."""
    sites, raised = list(completeness(connection)), issues_seen(connection, None)
    behind = [(now - site.last_completed).days for site in sites if site.last_completed]
    waiting = connection.scalar(select(func.count()).select_from(contest).where(contest.c.answer.is_(None)))
    proposed = amendments(connection)
    known = measures_by_id()
    since = [each.decided or each.at for each in promised(proposed, known)]
    return Owed(
        len(sites),
        sum(1 for site in sites if _gaps(site)),
        sum(map(_gaps, sites)),
        max(behind, default=None),
        median(behind) if behind else None,
        tuple(_by_age([each.days(now) for each in raised if each.open])),
        tuple(heard(raised, now)),
        tuple(heard_by_quarter(raised, now)),
        noted_since(connection, (now - YEAR).date()),
        overdue(connection, now.date()),
        int(waiting or 0),
        tuple((group, tuple(heard_by(connection, raised, now, group))) for group in GROUPS),
        tuple(_by_age([(now - each.at).days for each in open_requests(connection)])),
        next((each for each in coproduced(connection, now - YEAR, asked=asked) if each.enough), None),
        sum(each.decision is None for each in proposed),
        tuple(_by_age([(now - each).days for each in since])),
        reached(connection, now),
    )


def _gaps(site: SiteCompleteness) -> int:
    return sum(1 for known in site.types.values() if known.gaps)


def _by_age(waits: Sequence[int]) -> list[tuple[str, int]]:
    found, least = [], -1
    for most, words in AGES:
        found.append((words, sum(least < days <= most for days in waits)))
        least = most
    return found
