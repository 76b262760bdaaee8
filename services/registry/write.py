"""Rows into tables, many at once: the one place where the two databases differ.

PostgreSQL takes the rows by COPY into a temporary table and moves them on in one statement, three times as fast as a statement
executed for each row (and it checks every value's type); SQLite executes one statement for each row.
"""

from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from functools import cache, lru_cache
from operator import itemgetter
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Connection, DateTime, Numeric, Table
from sqlalchemy.exc import DataError, InterfaceError

Row = tuple[Any, ...]


class RefusedError(Exception):
    """The database refused a value. Says nothing of it: the library's text would quote it."""


Replace = bool | tuple[str, ...]
"""Of a row that is there already: all its columns, none, or those named."""


def write(connection: Connection, table: Table, rows: Sequence[Row], *, replace: Replace) -> None:
    """Rows in the order of the table's columns; one already there by primary key is replaced or left as it is.

    A key may stand only once in `rows`.
    """
    if not rows:
        return
    rows = sorted(rows, key=_key(table))  # as the index has them: up to a quarter less for the database to do
    if connection.dialect.name == "postgresql":
        _copy(connection, table, _converted(table, rows, _iso), replace)
        return
    try:
        connection.exec_driver_sql(_insert(table, replace), list(_converted(table, rows, _utc_text)))
    except (DataError, InterfaceError, OverflowError, UnicodeEncodeError):
        raise RefusedError from None


def _converted(table: Table, rows: Sequence[Row], instant: Callable[[datetime], str]) -> Iterable[Row]:
    """The rows with instants as the database's text: column by column, because a batch has few different ones, and a driver would
    write out each."""
    columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
    for place in _instants(table):
        columns[place] = [None if value is None else instant(value) for value in columns[place]]
    if instant is _utc_text:
        for place in _numbers(table):
            columns[place] = [None if value is None else float(value) for value in columns[place]]
    return zip(*columns, strict=True)


@cache
def _key(table: Table) -> Callable[[Row], Any]:
    return itemgetter(*(place for place, column in enumerate(table.columns) if column.primary_key))


@lru_cache(4096)
def _iso(value: datetime) -> str:
    return value.isoformat()


@lru_cache(4096)
def _utc_text(value: datetime) -> str:
    """As `tables.UtcText` reads it."""
    return value.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


@cache
def _instants(table: Table) -> list[int]:
    return [place for place, column in enumerate(table.columns) if isinstance(column.type, DateTime)]


@cache
def _numbers(table: Table) -> list[int]:
    return [place for place, column in enumerate(table.columns) if isinstance(column.type, Numeric)]


def _replaced(table: Table, replace: Replace) -> list[str]:
    others = [column.name for column in table.columns if not column.primary_key]
    return others if replace is True else [name for name in others if replace and name in replace]


@cache
def _insert(table: Table, replace: Replace) -> str:
    """SQLite's statement, with a mark a column."""
    names = [f'"{column.name}"' for column in table.columns]
    key = ", ".join(f'"{column.name}"' for column in table.primary_key.columns)
    changed = ", ".join(f'"{name}" = excluded."{name}"' for name in _replaced(table, replace))
    return (
        f'INSERT INTO "{table.name}" ({", ".join(names)}) VALUES ({", ".join("?" * len(names))})'
        f" ON CONFLICT ({key}) DO {f'UPDATE SET {changed}' if replace else 'NOTHING'}"
    )


@cache
def _statements(table: Table, replace: Replace) -> tuple[sql.Composed, ...]:
    """Make the temporary table (once a connection), empty it, copy into it, move on. Columns are named: an evolved table has them in another order."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    key = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.primary_key.columns)
    changed = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(name)) for name in _replaced(table, replace)
    )
    given = {
        "table": sql.Identifier(table.name),
        "arriving": sql.Identifier(f"arriving_{table.name}"),
        "names": names,
        "then": sql.SQL("update set {}").format(changed) if replace else sql.SQL("nothing"),
        "key": key,
    }
    return (
        sql.SQL(
            "create temporary table if not exists {arriving} on commit delete rows as select {names} from {table} with no data"
        ).format(**given),
        sql.SQL("truncate {arriving}").format(**given),
        sql.SQL("copy {arriving} ({names}) from stdin").format(**given),
        sql.SQL("insert into {table} ({names}) select {names} from {arriving} on conflict ({key}) do {then}").format(
            **given
        ),
    )


def _copy(connection: Connection, table: Table, rows: Iterable[Row], replace: Replace) -> None:
    try:
        with closing(connection.connection.cursor()) as cursor:
            _run(cast("psycopg.Cursor[Any]", cursor), _statements(table, replace), rows)
    except psycopg.DataError:
        raise RefusedError from None


def _run(cursor: "psycopg.Cursor[Any]", statements: tuple[sql.Composed, ...], rows: Iterable[Row]) -> None:
    make, empty, copy, move = statements
    cursor.execute(make)
    cursor.execute(empty)
    with cursor.copy(copy) as target:
        for row in rows:
            target.write_row(row)
    cursor.execute(move)
