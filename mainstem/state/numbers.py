"""The numbers of a site's changes, and its tally: kept with each transaction that changes records."""

from collections.abc import Mapping

from sqlalchemy import Connection, select, text, update

from mainstem.state import tables


def hold_number(connection: Connection, site: str) -> int:
    """Locks the site's row and returns the number of its last change."""
    row = tables.site_state
    wanted = select(row.c.number).where(row.c.site == site).with_for_update()
    number: int | None = connection.execute(wanted).scalar()
    if number is None:
        from_nothing = "INSERT INTO site_state (site, number) VALUES (:site, 0) ON CONFLICT (site) DO NOTHING"
        connection.execute(text(from_nothing), {"site": site})
        number = connection.execute(wanted).scalar_one()
    return number


def keep_number(connection: Connection, site: str, number: int) -> None:
    """The number of the site's last change, now; what was refused of records that changed since is tried again."""
    connection.execute(update(tables.site_state).where(tables.site_state.c.site == site).values(number=number))
    connection.execute(_HEALED, {"site": site})


_HEALED = text(
    "DELETE FROM refused WHERE site = :site"
    " AND NOT EXISTS (SELECT 1 FROM record r WHERE r.site = :site AND r.number = refused.number)"
)
_ADD = text(
    "INSERT INTO tally (site, type, records) VALUES (:site, :type, :count)"
    " ON CONFLICT (site, type) DO UPDATE SET records = tally.records + excluded.records"
)


def add_to_tally(connection: Connection, site: str, added: Mapping[str, int]) -> None:
    """So many records more or fewer, by type."""
    for kind, count in added.items():
        connection.execute(_ADD, {"site": site, "type": kind, "count": count})
