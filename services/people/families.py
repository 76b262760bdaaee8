"""A family's way to the pages: a code printed at the clinic, good once; what it opened stands until it is taken back.

Kept are a hash of the code and the pseudonym it stands for; no name and no address of anybody.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from uuid import uuid4

from sqlalchemy import ColumnElement, Connection, RowMapping, insert, or_, select, update

from services.people.printed_codes import kept, new_code
from services.registry.erasure import were_another
from services.registry.tables import family_link

GOOD_FOR = timedelta(days=14)
"""So long may a printed code lie about."""


class Who(StrEnum):
    """Whose way it is."""

    SELF = "self"
    GUARDIAN = "guardian"


@dataclass(frozen=True, slots=True)
class Link:
    """One way in."""

    id: str
    site: str
    subject: str
    who: Who
    by: str
    made: datetime
    expires: datetime
    ends: date | None
    """A guardian's, at the patient's majority."""
    used: datetime | None
    revoked: datetime | None

    def state(self, at: datetime) -> str:
        """Where it stands: revoked, over, in use, waiting, expired."""
        if self.revoked:
            return "revoked"
        if self.ends is not None and self.ends <= at.date():
            return "over"
        if self.used:
            return "in use"
        return "waiting" if at < self.expires else "expired"


def make_link(
    connection: Connection, site: str, subject: str, who: Who, *, by: str, at: datetime, ends: date | None
) -> str:
    """A new code, in groups, to be printed and shown once; kept is its hash alone."""
    code = new_code()
    row = {"id": uuid4().hex, "code": kept(code), "site": site, "subject": subject, "who": str(who), "by": by}
    now = at.astimezone(UTC)
    connection.execute(insert(family_link).values(**row, made=now, expires=now + GOOD_FOR, ends=ends and str(ends)))
    return code


def take_link(connection: Connection, code: str, *, at: datetime) -> Link | None:
    """What a code opens: once, while it is good. None for any other, without a word why."""
    now = at.astimezone(UTC)
    link = family_link.c
    good = (link.code == kept(code), link.used.is_(None), link.revoked.is_(None), link.expires > now, _lasting(now))
    done = connection.execute(update(family_link).where(*good).values(used=now))
    if done.rowcount != 1:
        return None
    return _link(connection.execute(select(family_link).where(link.code == kept(code))).mappings().one())


def standing_link(connection: Connection, ident: str, *, at: datetime) -> Link | None:
    """A way that was taken and still stands."""
    link = family_link.c
    holds = (link.id == ident, link.used.is_not(None), link.revoked.is_(None), _lasting(at.astimezone(UTC)))
    row = connection.execute(select(family_link).where(*holds)).mappings().first()
    return None if row is None else _link(row)


def links_of(connection: Connection, site: str, subject: str) -> list[Link]:
    """All that were made for a patient, the newest first."""
    link = family_link.c
    query = select(family_link).where(link.site == site, link.subject == subject).order_by(link.made.desc(), link.id)
    return [_link(row) for row in connection.execute(query).mappings()]


def ways_of(connection: Connection, link: Link) -> list[str]:
    """The ids of the ways in by which this person came: a patient's own are all theirs, whatever code was printed anew, and those of whom
    the site says that they are the same; which guardian a code was given to is not known, so a guardian's is one."""
    if link.who is not Who.SELF:
        return [link.id]
    same = (link.subject, *were_another(connection, link.subject))
    return [each.id for name in same for each in links_of(connection, link.site, name) if each.who is Who.SELF]


def revoke_link(connection: Connection, site: str, subject: str, ident: str, *, by: str, at: datetime) -> bool:
    """Takes one back: the code and what it opened. Whether there was one that stood."""
    link = family_link.c
    mine = (link.id == ident, link.site == site, link.subject == subject, link.revoked.is_(None))
    done = connection.execute(update(family_link).where(*mine).values(revoked=at.astimezone(UTC), revoked_by=by))
    return bool(done.rowcount)


def _lasting(now: datetime) -> ColumnElement[bool]:
    return or_(family_link.c.ends.is_(None), family_link.c.ends > now.date().isoformat())


def _link(row: RowMapping) -> Link:
    content = dict(row)
    names = Link.__dataclass_fields__
    ends = content["ends"]
    given = {name: content[name] for name in names if name in content}
    return Link(**{**given, "who": Who(content["who"]), "ends": date.fromisoformat(ends) if ends else None})
