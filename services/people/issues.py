"""What anybody of the network raises: about care, data, a measure or the network; who answers it, and how long that takes.

The words stay in this database. What is about a site is that site's and the coordinator's to see; the rest is everybody's.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from statistics import median
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, and_, insert, or_, select, update

from mainstem.database import in_turn
from schemas.errors import OperatorError
from services.registry.tables import issue_follow, issue_raised

LONGEST = 1_000
FAMILY = "family"
"""The role of patients and families, beside the staff's."""
LATE = timedelta(days=30)
"""So long without an answer, and it is told as late."""
QUARTERS = 8
STALE = OperatorError("this one waits for nothing any more", "Load the page again: somebody may have dealt with it.")


class About(StrEnum):
    """What an issue is about."""

    CARE = "care"
    DATA = "data"
    MEASURE = "measure"
    NETWORK = "network"

    @property
    def words(self) -> str:
        """For people."""
        return ABOUT[self]


ABOUT = {
    About.CARE: "Care at a clinic",
    About.DATA: "Data that are wrong or missing",
    About.MEASURE: "A measure, and what it counts",
    About.NETWORK: "How the network works",
}


@dataclass(frozen=True, slots=True)
class Raised:
    """One issue."""

    id: str
    about: About
    site: str
    """Whose it is; empty for the network's."""
    measure: str
    words: str
    role: str
    by: str
    at: datetime
    assigned: str
    """The role it is assigned to; empty where nobody's."""
    merged_into: str
    answer: str
    answered_role: str
    answered: datetime | None

    @property
    def open(self) -> bool:
        """Whether it waits for an answer."""
        return self.answered is None and not self.merged_into

    def days(self, now: datetime) -> int:
        """How long it waits, or waited."""
        return max(0, ((self.answered or now) - self.at).days)


def raise_issue(
    connection: Connection, about: About, words: str, *, site: str, measure: str = "", role: str, by: str, at: datetime
) -> str:
    """Keeps it; whoever raised it follows it. The same words of the same person that still wait are not raised again."""
    said = words.strip()
    if not said or len(said) > LONGEST:
        raise OperatorError(f"an issue takes 1 to {LONGEST:,} characters", "Say what should be different, shortly.")
    row = issue_raised.c
    in_turn(connection, f"raising by {by}")
    same = (row.by == by, row.words == said, row.answered.is_(None), row.merged_into == "")
    if (found := connection.scalar(select(row.id).where(*same))) is not None:
        return str(found)
    ident = uuid4().hex
    content = {
        "id": ident,
        "about": str(about),
        "site": site,
        "measure": measure,
        "words": said,
        "role": role,
        "by": by,
    }
    empty = {"assigned": "", "merged_into": "", "answer": "", "answered_role": "", "answered_by": ""}
    connection.execute(insert(issue_raised).values(**content, **empty, at=at.astimezone(UTC)))
    follow_issue(connection, ident, by)
    return ident


def follow_issue(connection: Connection, ident: str, by: str) -> None:
    """From now on it is among theirs."""
    row = issue_follow.c
    in_turn(connection, f"following {ident}")
    if connection.scalar(select(row.issue).where(row.issue == ident, row.by == by)) is None:
        connection.execute(insert(issue_follow).values(issue=ident, by=by))


def answer_issue(connection: Connection, ident: str, words: str, *, role: str, by: str, at: datetime) -> None:
    """The answer, once; the same of the same person again is no other. Raises OperatorError where it waits for none, or nothing is said."""
    said = words.strip()
    if not said or len(said) > LONGEST:
        raise OperatorError(f"an answer takes 1 to {LONGEST:,} characters", "Say what becomes of it.")
    row = issue_raised.c
    if connection.scalar(select(row.id).where(row.id == ident, row.answer == said, row.answered_by == by)) is not None:
        return
    values = {"answer": said, "answered_role": role, "answered_by": by, "answered": at.astimezone(UTC)}
    _change(connection, ident, values)


def assign_issue(connection: Connection, ident: str, role: str) -> None:
    """Whose it is to answer."""
    _change(connection, ident, {"assigned": role})


def merge_issue(connection: Connection, ident: str, into: str) -> None:
    """It is the same as another: whoever follows this one follows that. Raises OperatorError where that cannot be."""
    found = issue_of(connection, into)
    if found is None or found.merged_into or into == ident:
        raise OperatorError("there is no such issue to be merged into", "Give the id of one that stands on its own.")
    here = issue_of(connection, ident)
    if here is not None and here.merged_into == into:
        return
    if here is not None and here.site != found.site:
        raise OperatorError("they are not of the same site", "Merge issues of one site, or of the network.")
    _change(connection, ident, {"merged_into": into})
    for by in connection.scalars(select(issue_follow.c.by).where(issue_follow.c.issue == ident)).all():
        follow_issue(connection, into, by)


def link_issue(connection: Connection, ident: str, measure: str) -> None:
    """Which measure it is about, by the measure's id; an answered one too. Raises OperatorError where there is none."""
    here = update(issue_raised).where(issue_raised.c.id == ident).values(measure=measure)
    if connection.execute(here).rowcount != 1:
        raise STALE


def as_answered(connection: Connection, raised: Raised) -> Raised:
    """In the words of who raised it, with the answer to the issue that it was merged into, whose id it bears then."""
    stands: Raised | None = raised
    while stands is not None and stands.merged_into:
        stands = issue_of(connection, stands.merged_into)
    if stands is None or stands is raised:
        return raised
    told = {"answer": stands.answer, "answered_role": stands.answered_role, "answered": stands.answered}
    return replace(raised, id=stands.id, assigned=stands.assigned, merged_into="", **told)  # type: ignore[arg-type]


def _change(connection: Connection, ident: str, values: dict[str, object]) -> None:
    row = issue_raised.c
    open_one = (row.id == ident, row.answered.is_(None), row.merged_into == "")
    if connection.execute(update(issue_raised).where(*open_one).values(**values)).rowcount != 1:
        raise STALE


def issue_of(connection: Connection, ident: str) -> Raised | None:
    """One of them."""
    row = connection.execute(select(issue_raised).where(issue_raised.c.id == ident)).mappings().first()
    return None if row is None else _raised(row)


def issues_seen(connection: Connection, sites: Iterable[str] | None, *by: str) -> list[Raised]:
    """Those of these sites (None: of all), the network's, and one's own (`by`); the open first, the oldest first."""
    row = issue_raised.c
    seen: list[ColumnElement[bool]] = [row.site == ""]
    if sites is not None:
        seen += [row.site.in_(sorted(sites)), and_(row.by.in_(by), row.by != "")]
    query = select(issue_raised).where(or_(*seen)) if sites is not None else select(issue_raised)
    found = [_raised(each) for each in connection.execute(query.order_by(row.at, row.id)).mappings()]
    return sorted(found, key=lambda each: not each.open)


def followers(connection: Connection, ident: str) -> int:
    """How many follow it."""
    return len(connection.scalars(select(issue_follow.c.by).where(issue_follow.c.issue == ident)).all())


@dataclass(frozen=True, slots=True)
class Answered:
    """How those of a role, of a group or of a quarter are heard."""

    role: str
    """Or the group's code, or the quarter."""
    raised: int
    answered: int
    median_days: float | None
    late: int
    """That wait for longer than thirty days."""


def heard(found: Sequence[Raised], now: datetime) -> list[Answered]:
    """By the role of who raised them: who raises, who is answered, and how soon. The test of equality."""
    roles = sorted({each.role for each in found})
    return [answered_of(role, [each for each in found if each.role == role], now) for role in roles]


def heard_by_quarter(found: Sequence[Raised], now: datetime) -> list[Answered]:
    """NET-2, time to answer: by the quarter in which it was raised, of the last eight, the newest first; nothing of one without any."""
    ends = now.year * 4 + (now.month - 1) // 3
    quarters = ((number // 4, number % 4) for number in range(ends, ends - QUARTERS, -1))
    raised = [each for each in found if not each.merged_into]
    of = {
        f"{year}-Q{quarter + 1}": [
            each for each in raised if (each.at.year, (each.at.month - 1) // 3) == (year, quarter)
        ]
        for year, quarter in quarters
    }
    return [answered_of(name, theirs, now) for name, theirs in of.items() if theirs]


def answered_of(name: str, theirs: Sequence[Raised], now: datetime) -> Answered:
    """How these are heard; what was merged into another counts there."""
    own = [each for each in theirs if not each.merged_into]
    days = [each.days(now) for each in own if each.answered]
    late = sum(each.open and now - each.at > LATE for each in own)
    return Answered(name, len(own), len(days), median(days) if days else None, late)


def _raised(row: RowMapping) -> Raised:
    content = {name: row[name] for name in Raised.__dataclass_fields__}
    return Raised(**content | {"about": About(row["about"])})
