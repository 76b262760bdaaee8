"""Up to when each resource type is complete."""

from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, update

from mainstem.database import Database
from mainstem.state import tables
from schemas.errors import OperatorError


class Watermarks:
    """Moved by a load that completes, and by nothing else."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, site: str, now: datetime | None = None) -> dict[str, datetime]:
        """By resource type. With `now`, raises OperatorError for one that lies in the future."""
        with self._database.read() as connection:
            found = of_site(connection, site)
        for name, value in found.items():
            if now is not None and value > now:
                raise OperatorError(
                    f"{site}: the watermark of {name} lies in the future",
                    f"Correct the clock, or read {name} anew: `mainstem run --full`.",
                )
        return found

    def forget(self, site: str, resource_type: str) -> None:
        """The type is read from the beginning next time."""
        with self._database.write() as connection:
            forget(connection, site, resource_type)


def of_site(connection: Connection, site: str) -> dict[str, datetime]:
    """By resource type."""
    row = tables.watermark.c
    found = connection.execute(select(row.resource_type, row.value).where(row.site == site))
    return dict(iter(found))


def move(
    connection: Connection, site: str, resource_type: str, value: datetime, load_id: str, *, now: datetime
) -> None:
    """Never back; but for one that lies in the future, which is nobody's word."""
    row = tables.watermark
    this = (row.c.site == site, row.c.resource_type == resource_type)
    stored = connection.execute(select(row.c.value).where(*this)).scalar()
    if stored is None:
        connection.execute(insert(row).values(site=site, resource_type=resource_type, value=value, load=load_id))
    elif value > stored or stored > now:
        connection.execute(update(row).where(*this).values(value=value, load=load_id))


def forget_all(connection: Connection, site: str) -> None:
    """Every type is read from the beginning next time."""
    connection.execute(delete(tables.watermark).where(tables.watermark.c.site == site))


def forget(connection: Connection, site: str, resource_type: str) -> None:
    """The type is read from the beginning next time."""
    row = tables.watermark
    connection.execute(delete(row).where(row.c.site == site, row.c.resource_type == resource_type))
