"""What some persons have in a table made into what they have now: rows that are the same stay untouched."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Any

from sqlalchemy import Connection, Table, delete, select

from services.registry.write import write

Rows = list[tuple[Any, ...]]


def replaced(connection: Connection, table: Table, subjects: Sequence[str], rows: Rows) -> Rows:
    """Makes `rows`, in the order of the columns, all that these subjects have there; gives the rows that went and those that came."""
    key = itemgetter(*(place for place, column in enumerate(table.c) if column.primary_key))
    whose = itemgetter(table.c.keys().index("subject"))
    had = {key(row): tuple(row) for row in connection.execute(select(table).where(table.c.subject.in_(subjects)))}
    have = {key(row): row for row in rows}
    went = [row for name, row in had.items() if have.get(name) != row]
    came = [row for name, row in have.items() if had.get(name) != row]
    anew = {whose(row) for row in went if key(row) not in have}
    if anew:
        connection.execute(delete(table).where(table.c.subject.in_(sorted(anew))))
    write(connection, table, [row for row in rows if whose(row) in anew or had.get(key(row)) != row], replace=True)
    return went + came
