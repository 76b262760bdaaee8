"""Who a site sets aside from a measure, for a coded reason and until a day: counted, shown on the pages, over by itself, and taken back."""

import uuid
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ColumnElement, Connection, select, update

from mainstem.database import in_turn
from schemas.errors import OperatorError
from services.measures.declared import Measure
from services.registry.tables import RECORD_TABLES, set_aside

LONGEST_DAYS = 400
"""An exclusion is looked at again within a year or so."""
NEVER = "0001-01-01"
"""What was taken back ends before anybody was born: it holds on no day, and nobody who counts need know that it was there."""


class SetAsideReason(StrEnum):
    """Why somebody is not to count."""

    OTHER_CARE = "other-care"
    OTHER_DIAGNOSIS = "other-diagnosis"
    DECLINED = "declined"
    TRIAL = "trial"
    DATA_WRONG = "data-wrong"
    TOO_ILL = "too-ill"

    @property
    def words(self) -> str:
        """For people."""
        return REASONS[self]


REASONS = {
    SetAsideReason.OTHER_CARE: "cared for elsewhere",
    SetAsideReason.OTHER_DIAGNOSIS: "has another disease",
    SetAsideReason.DECLINED: "does not want to be counted",
    SetAsideReason.TRIAL: "in a trial that sets the treatment",
    SetAsideReason.DATA_WRONG: "the record is wrong and will be mended",
    SetAsideReason.TOO_ILL: "too ill for the aim to be theirs",
}


@dataclass(frozen=True, slots=True)
class Aside:
    """Somebody whom a site has set aside."""

    id: str
    site: str
    subject: str
    measure: str
    """The measure's id."""
    reason: SetAsideReason
    since: date
    until: date
    """The last day, as it was said."""
    by: str
    noted: datetime | None
    """None in what an older version wrote."""
    ended: datetime | None
    """When it was taken back."""
    ended_by: str | None

    def over(self, today: date) -> bool:
        """Whether it holds no more: taken back, or past its last day."""
        return self.ended is not None or self.until < today


def put_aside(
    connection: Connection,
    measure: Measure,
    subject: str,
    *,
    reason: str,
    since: date,
    until: date,
    by: str,
    at: datetime,
    site: str = "",
) -> str:
    """Excludes a person from a measure for a time; gives the id. `site`: the person has to be of it. The same that was said before and
    still stands is not said twice. OperatorError for what cannot be meant."""
    if reason not in REASONS:
        raise OperatorError(f"no reason '{reason}'", f"Give one of {', '.join(REASONS)}.")
    if not 0 <= (until - since).days <= LONGEST_DAYS:
        raise OperatorError(
            f"from {since} to {until} is no time to set somebody aside for", f"Give at most {LONGEST_DAYS} days."
        )
    home = require_person(connection, subject, site)
    in_turn(connection, f"setting aside {subject}")
    own = {"measure": measure.id, "subject": subject, "site": home, "reason": reason}
    dates = {"since_date": since.isoformat(), "until_date": until.isoformat()}
    same = select(set_aside.c.id).where(*(set_aside.c[name] == value for name, value in (own | dates).items()))
    if (before := connection.scalar(same)) is not None:
        return str(before)
    row = {"id": f"x-{uuid.uuid4().hex}", "by": by, "noted": at.astimezone(UTC), **own, **dates}
    connection.execute(set_aside.insert().values(row))
    return str(row["id"])


def require_person(connection: Connection, subject: str, site: str = "") -> str:
    """Whose patient they are; of the site, where one is given. OperatorError where they are not."""
    person = RECORD_TABLES["person"]
    home = connection.scalar(select(person.c.site).where(person.c.subject == subject))
    if home is None or site not in ("", home):
        raise OperatorError("the registry knows no such subject", "Take its pseudonym from a report or an event: s-…")
    return str(home)


def take_back(connection: Connection, measure: Measure, subject: str, *, by: str, at: datetime) -> int:
    """A person counts in a measure as if they had never been set aside from it; gives how many times they were."""
    return _end(connection, (set_aside.c.measure == measure.id, set_aside.c.subject == subject), by, at)


def take_one_back(connection: Connection, site: str, ident: str, *, by: str, at: datetime) -> str:
    """The same by the id of one of a site's; gives whom it was about. OperatorError where there is none, or it was taken back."""
    which = (set_aside.c.site == site, set_aside.c.id == ident)
    if _end(connection, which, by, at) != 1:
        raise OperatorError("this one was taken back already", "Load the page again: somebody may have done so.")
    return str(connection.scalar(select(set_aside.c.subject).where(*which)))


def _end(connection: Connection, which: tuple[ColumnElement[bool], ...], by: str, at: datetime) -> int:
    """The row stays, with who took it back and until when it was meant to hold."""
    row = set_aside.c
    said = {"said_until_date": row.until_date, "until_date": NEVER}
    ended = update(set_aside).where(*which, row.ended.is_(None))
    return connection.execute(ended.values(**said, ended=at.astimezone(UTC), ended_by=by)).rowcount


def asides(connection: Connection, site: str, subject: str = "") -> list[Aside]:
    """All of a site, or of one of its persons, those that hold first, the latest first."""
    row = set_aside.c
    query = select(set_aside).where(row.site == site, *([row.subject == subject] if subject else []))
    found = connection.execute(query.order_by(row.until_date.desc(), row.since_date.desc(), row.id)).mappings()
    return [_read(each) for each in found]


def _read(row: Any) -> Aside:
    until = date.fromisoformat(row["said_until_date"] or row["until_date"])
    kept = {name: row[name] for name in ("id", "site", "subject", "measure", "by", "noted", "ended", "ended_by")}
    return Aside(**kept, reason=SetAsideReason(row["reason"]), since=date.fromisoformat(row["since_date"]), until=until)
