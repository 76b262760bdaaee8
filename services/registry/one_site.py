"""A registry as if it were of one site: whatever is asked by a table's name is answered of that site alone, while the context lasts.

Temporary tables with a site's rows stand before the tables of the same name, on PostgreSQL and on SQLite, with indexes of their own: what
is asked is as dear as the site is large. Of a table that knows no site all is seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, literal

from services.registry.tables import RECORD_TABLES, set_aside

LOOKED_UP = ("id", "subject", "parent", "encounter")
"""Columns by which rows of a site are looked for."""


@contextmanager
def seeing_one_site(connection: Connection, site: str) -> Iterator[None]:
    """On this connection, which must do nothing else meanwhile."""
    narrowed = [table for table in (*RECORD_TABLES.values(), set_aside) if "site" in table.c]
    for table in narrowed:
        for statement in _copied(connection, table, site):
            connection.exec_driver_sql(statement)
    try:
        yield
    finally:
        for table in narrowed:
            connection.exec_driver_sql(f"DROP TABLE {_temporary(connection)}.{_quoted(connection, table)}")


def _copied(connection: Connection, table: Table, site: str) -> Iterator[str]:
    """PostgreSQL settles at once which table a name means, SQLite each time it is asked: there the table's place is said."""
    name, place = _quoted(connection, table), _temporary(connection)
    sqlite = connection.dialect.name == "sqlite"
    source = f"main.{name}" if sqlite else name
    wanted = literal(site).compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    yield f"CREATE TEMPORARY TABLE {name} AS SELECT * FROM {source} WHERE site = {wanted}".replace("%", "%%")
    for column in LOOKED_UP:
        if column in table.c:
            index = f"one_site_{table.name}_{column}"
            yield (
                f"CREATE INDEX {place}.{index} ON {name} ({column})"
                if sqlite
                else f"CREATE INDEX {index} ON {place}.{name} ({column})"
            )
    if not sqlite:
        yield f"ANALYZE {place}.{name}"


def _temporary(connection: Connection) -> str:
    return "temp" if connection.dialect.name == "sqlite" else "pg_temp"


def _quoted(connection: Connection, table: Table) -> str:
    return connection.dialect.identifier_preparer.quote(table.name)
