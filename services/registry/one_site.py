"""A registry as if it were of one site: whatever is asked by a table's name is answered of that site alone, while the context lasts.

Temporary views stand before the tables of the same name, on PostgreSQL and on SQLite; the index by site makes them as dear as the
site is large. Of a table that knows no site all is seen.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, Table, literal

from services.registry.tables import RECORD_TABLES, set_aside


@contextmanager
def seeing_one_site(connection: Connection, site: str) -> Iterator[None]:
    """On this connection, which must do nothing else meanwhile."""
    narrowed = [table for table in (*RECORD_TABLES.values(), set_aside) if "site" in table.c]
    for table in narrowed:
        connection.exec_driver_sql(_view(connection, table, site))
    try:
        yield
    finally:
        for table in narrowed:
            connection.exec_driver_sql(f"DROP VIEW {_temporary(connection)}.{_quoted(connection, table)}")


def _view(connection: Connection, table: Table, site: str) -> str:
    """PostgreSQL settles at once which table a name means, SQLite each time it is asked: there the table's place is said."""
    name = _quoted(connection, table)
    source = f"main.{name}" if connection.dialect.name == "sqlite" else name
    wanted = literal(site).compile(dialect=connection.dialect, compile_kwargs={"literal_binds": True})
    return f"CREATE TEMPORARY VIEW {name} AS SELECT * FROM {source} WHERE site = {wanted}".replace("%", "%%")


def _temporary(connection: Connection) -> str:
    return "temp" if connection.dialect.name == "sqlite" else "pg_temp"


def _quoted(connection: Connection, table: Table) -> str:
    return connection.dialect.identifier_preparer.quote(table.name)
