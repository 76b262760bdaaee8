"""Tables that are only added to: each row's digest covers the one before, so what was changed or taken out shows.

Of rows cut off at the end nothing is known here: whoever must know notes the last number and digest elsewhere.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import Connection, Table, insert, select, text


class Chained:
    """A table with `number` (1, 2, 3 … without a gap), `digest`, and what else it has. `lock`: a number of its own (PostgreSQL)."""

    def __init__(self, table: Table, lock: int) -> None:
        self._table, self._lock = table, lock

    def add(self, connection: Connection, values: dict[str, Any]) -> None:
        """A row at the end, in the caller's transaction, one after the other."""
        if connection.dialect.name == "postgresql":  # SQLite has one writer anyway
            connection.execute(text("select pg_advisory_xact_lock(:lock)"), {"lock": self._lock})
        row = self._table.c
        last = connection.execute(select(row.number, row.digest).order_by(row.number.desc()).limit(1)).first()
        number, digest = (0, "") if last is None else (last.number, last.digest)
        said = {"number": number + 1, **values}
        connection.execute(insert(self._table).values(**said, digest=digest_of(said, digest)))

    def rows(self, connection: Connection) -> list[dict[str, Any]]:
        """Every row, the oldest first."""
        return [dict(row) for row in connection.execute(select(self._table).order_by(self._table.c.number)).mappings()]


def first_broken(rows: Iterable[dict[str, Any]]) -> int | None:
    """The number of the first row that is not as it was written; none where all are."""
    digest = ""
    for place, row in enumerate(rows, start=1):
        digest = digest_of({name: value for name, value in row.items() if name != "digest"}, digest)
        if row["number"] != place or row["digest"] != digest:
            return place
    return None


def digest_of(row: dict[str, Any], before: str) -> str:
    """SHA-256 over a row and the digest before it."""
    said = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(f"{before}\n{said}".encode()).hexdigest()


def append_only(table: str, what: str, dialect: str) -> Iterator[str]:
    """The statements after which the database itself refuses to change a table; `what` it is called in the refusal."""
    said = f"{what} is only added to"
    if dialect == "sqlite":
        for when in ("UPDATE", "DELETE"):
            yield (
                f"CREATE TRIGGER {table}_no_{when.lower()} BEFORE {when} ON {table} BEGIN SELECT RAISE(ABORT, '{said}'); END"
            )
        return
    yield (
        f"CREATE OR REPLACE FUNCTION {table}_kept() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN RAISE EXCEPTION '{said}'; END $$"
    )
    yield (
        f"CREATE TRIGGER {table}_kept BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {table}_kept()"
    )
