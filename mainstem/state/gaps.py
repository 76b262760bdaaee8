"""Windows that could not be read, visible until their type is."""

from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from mainstem.database import Database
from mainstem.state import tables
from schemas.loads import Gap


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
            return close(connection, site, resource_type, at)


def opened(connection: Connection, site: str) -> list[tuple[int, Gap]]:
    """A site's open gaps with their rows' ids."""
    row = tables.gap.c
    found = connection.execute(
        select(row.id, row.resource_type, row.since, row.until, row.reason)
        .where(row.site == site, row.closed.is_(None))
        .order_by(row.resource_type, row.id)
    )
    return [
        (number, Gap(resource_type=name, since=since, until=until, reason=reason))
        for number, name, since, until, reason in found
    ]


def open_one(connection: Connection, site: str, gap: Gap, at: datetime) -> None:
    """See Gaps.open."""
    row = tables.gap
    for number, known in opened(connection, site):
        if (known.resource_type, known.since) == (gap.resource_type, gap.since):
            connection.execute(update(row).where(row.c.id == number).values(until=gap.until, reason=gap.reason))
            return
    connection.execute(insert(row).values(site=site, opened=at, **gap.model_dump()))


def close(connection: Connection, site: str, resource_type: str, at: datetime) -> int:
    """See Gaps.close."""
    row = tables.gap
    this = (row.c.site == site, row.c.resource_type == resource_type, row.c.closed.is_(None))
    return connection.execute(update(row).where(*this).values(closed=at)).rowcount
