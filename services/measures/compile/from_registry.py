"""A person as the registry holds them, for evaluation in memory."""

from typing import Any

from sqlalchemy import Connection, Table, select

from services.measures.compile.people import Person, Record
from services.registry.tables import RECORD_TABLES, model_fields


def person_of(connection: Connection, subject: str) -> Person | None:
    """All current records of a subject; none where the registry knows no such subject."""
    records = [record for name, table in RECORD_TABLES.items() for record in _records(connection, name, table, subject)]
    return Person(records) if records else None


def _records(connection: Connection, name: str, table: Table, subject: str) -> list[Record]:
    if "subject" not in table.c:
        return []
    columns = [table.c[field] for field in model_fields(name)]
    rows = connection.execute(select(*columns).where(table.c.subject == subject)).mappings()
    return [{"type": name, **_known(row)} for row in rows]


def _known(row: Any) -> Record:
    return {field: value for field, value in row.items() if value is not None and value != []}
