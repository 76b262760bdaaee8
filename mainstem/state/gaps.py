"""Windows that could not be read, visible until their type is, or until an operator accepts that they are missing."""

from collections.abc import Collection, Container
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection, delete, insert, select, update

from mainstem.database import Database
from mainstem.state import tables
from schemas.errors import OperatorError
from schemas.loads import Gap


class Acceptance(NamedTuple):
    """An operator's word that a type may be missing for a cause."""

    resource_type: str
    cause: str
    reason: str
    at: datetime


class Gaps:
    """The open gaps of every site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, site: str) -> list[Gap]:
        """A site's, by type."""
        with self._database.read() as connection:
            return [gap for _, gap in opened(connection, site)]

    def open(self, site: str, gap: Gap, at: datetime) -> None:
        """A window that could not be read. Of the same type and beginning there is one: its end and reason are renewed."""
        with self._database.write() as connection:
            open_one(connection, site, gap, at)

    def close(self, site: str, resource_type: str, at: datetime) -> int:
        """What was missing has been read. Returns how many gaps were closed."""
        with self._database.write() as connection:
            return close(connection, site, [resource_type], at)

    def acceptances(self, site: str) -> list[Acceptance]:
        """What is accepted as missing, by type."""
        row = tables.acceptance.c
        with self._database.read() as connection:
            found = connection.execute(
                select(row.resource_type, row.cause, row.reason, row.at)
                .where(row.site == site)
                .order_by(row.resource_type, row.cause)
            )
            return [Acceptance(*each) for each in found]

    def accept(self, site: str, resource_type: str, reason: str, at: datetime) -> list[Gap]:
        """Accepts a type's open gaps, which are closed and come back only for another cause. Returns them.

        Raises OperatorError, naming the types that have gaps, where the type has none.
        """
        row = tables.acceptance
        with self._database.write() as connection:
            known = [gap for _, gap in opened(connection, site)]
            these = [gap for gap in known if gap.resource_type == resource_type]
            if not these:
                names = ", ".join(sorted({gap.resource_type for gap in known}))
                raise OperatorError(f"{site}: no gap of {resource_type}", f"There are gaps of: {names or 'no type'}.")
            for cause in {gap.cause for gap in these}:
                this = {"site": site, "resource_type": resource_type, "cause": cause}
                connection.execute(delete(row).where(*(row.c[name] == value for name, value in this.items())))
                connection.execute(insert(row).values(**this, reason=reason, at=at))
            close(connection, site, [resource_type], at)
            return these


def opened(connection: Connection, site: str) -> list[tuple[int, Gap]]:
    """A site's open gaps with their rows' ids."""
    row = tables.gap.c
    columns = [row[name] for name in Gap.model_fields]
    found = connection.execute(
        select(row.id, *columns).where(row.site == site, row.closed.is_(None)).order_by(row.resource_type, row.id)
    )
    return [(number, Gap(**dict(zip(Gap.model_fields, values, strict=True)))) for number, *values in found]


def open_one(connection: Connection, site: str, gap: Gap, at: datetime) -> None:
    """See Gaps.open."""
    row = tables.gap
    for number, known in opened(connection, site):
        if (known.resource_type, known.since) == (gap.resource_type, gap.since):
            renewed = gap.model_dump(exclude={"resource_type", "since"})
            connection.execute(update(row).where(row.c.id == number).values(renewed))
            return
    connection.execute(insert(row).values(site=site, opened=at, **gap.model_dump()))


def close(connection: Connection, site: str, resource_types: Collection[str], at: datetime) -> int:
    """See Gaps.close; for several types."""
    row = tables.gap
    these = (row.c.site == site, row.c.resource_type.in_(list(resource_types)), row.c.closed.is_(None))
    return connection.execute(update(row).where(*these).values(closed=at)).rowcount


def end_acceptances(
    connection: Connection, site: str, resource_types: Container[str], still: Container[tuple[str, str]]
) -> None:
    """Types are whole: what was accepted of them ends, but for the types and causes that are still met."""
    row = tables.acceptance
    known = connection.execute(select(row.c.resource_type, row.c.cause).where(row.c.site == site)).all()
    for name, cause in known:
        if name in resource_types and (name, cause) not in still:
            these = (row.c.site == site, row.c.resource_type == name, row.c.cause == cause)
            connection.execute(delete(row).where(*these))
