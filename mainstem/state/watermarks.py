"""Up to when each resource type is complete."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, insert, select, update

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


def move(connection: Connection, site: str, to: Mapping[str, datetime], load_id: str, *, now: datetime) -> None:
    """By resource type. Never back; but for one that lies in the future, which is nobody's word."""
    row, known = tables.watermark, of_site(connection, site) if to else {}
    new = {name: value for name, value in to.items() if name not in known}
    later = {name: value for name, value in to.items() if name in known and (value > known[name] or known[name] > now)}
    if new:
        this = {"site": site, "load": load_id}
        connection.execute(insert(row), [{**this, "resource_type": name, "value": new[name]} for name in new])
    if later:
        these = (row.c.site == site, row.c.resource_type == bindparam("name"))
        moved = update(row).where(*these).values(value=bindparam("upto"), load=load_id)
        connection.execute(moved, [{"name": name, "upto": value} for name, value in later.items()])


def forget_all(connection: Connection, site: str) -> None:
    """Every type is read from the beginning next time."""
    connection.execute(delete(tables.watermark).where(tables.watermark.c.site == site))


def forget(connection: Connection, site: str, resource_type: str) -> None:
    """The type is read from the beginning next time."""
    row = tables.watermark
    connection.execute(delete(row).where(row.c.site == site, row.c.resource_type == resource_type))
