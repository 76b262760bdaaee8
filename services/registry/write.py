"""Rows into tables, many at once: the one place where the two databases differ.

PostgreSQL takes the rows by COPY into a temporary table and moves them on in one statement, three times as fast as a statement
executed for each row (and it checks every value's type); SQLite executes one statement for each row.
"""

from collections.abc import Sequence
from contextlib import closing
from functools import cache
from typing import Any, cast

import psycopg
from psycopg import sql
from sqlalchemy import Connection, Table
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import DataError, InterfaceError

Row = tuple[Any, ...]


class RefusedError(Exception):
    """The database refused a value. Says nothing of it: the library's text would quote it."""


def write(connection: Connection, table: Table, rows: Sequence[Row], *, replace: bool) -> None:
    """Rows in the order of the table's columns; one already there by primary key is replaced or left as it is.

    A key may stand only once in `rows`.
    """
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        _copy(connection, table, rows, replace)
    else:
        names = [column.name for column in table.columns]
        try:
            connection.execute(_insert(table, replace), [dict(zip(names, row, strict=True)) for row in rows])
        except (DataError, InterfaceError):
            raise RefusedError from None


@cache
def _insert(table: Table, replace: bool) -> Any:
    statement = sqlite.insert(table)
    if not replace:
        return statement.on_conflict_do_nothing()
    changed = {column.name: statement.excluded[column.name] for column in table.columns if not column.primary_key}
    return statement.on_conflict_do_update(index_elements=list(table.primary_key.columns), set_=changed)


@cache
def _statements(table: Table, replace: bool) -> tuple[sql.Composed, ...]:
    """Make the temporary table (once a connection), empty it, copy into it, move on. Columns are named: an evolved table has them in another order."""
    names = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.columns)
    key = sql.SQL(", ").join(sql.Identifier(column.name) for column in table.primary_key.columns)
    changed = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(column.name))
        for column in table.columns
        if not column.primary_key
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


def _copy(connection: Connection, table: Table, rows: Sequence[Row], replace: bool) -> None:
    try:
        with closing(connection.connection.cursor()) as cursor:
            _run(cast("psycopg.Cursor[Any]", cursor), _statements(table, replace), rows)
    except psycopg.DataError:
        raise RefusedError from None


def _run(cursor: "psycopg.Cursor[Any]", statements: tuple[sql.Composed, ...], rows: Sequence[Row]) -> None:
    make, empty, copy, move = statements
    cursor.execute(make)
    cursor.execute(empty)
    with cursor.copy(copy) as target:
        for row in rows:
            target.write_row(row)
    cursor.execute(move)
