"""A person as the registry holds them, for evaluation in memory."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Table, select

from services.measures.compile.people import Person, Record
from services.registry.tables import RECORD_TABLES, model_fields

AT_ONCE = 500
"""Subjects asked for in one statement."""


def person_of(connection: Connection, subject: str) -> Person | None:
    """All current records of a subject; none where the registry knows no such subject."""
    return next(persons_of(connection, [subject]), None)


def persons_of(connection: Connection, subjects: Iterable[str]) -> Iterator[Person]:
    """The persons of some subjects, those the registry knows."""
    remaining = iter(dict.fromkeys(subjects))
    while some := list(islice(remaining, AT_ONCE)):
        found: dict[str, list[Record]] = {}
        for name, table in RECORD_TABLES.items():
            for record in _records(connection, name, table, some):
                found.setdefault(record["subject"], []).append(record)
        yield from (Person(found[subject]) for subject in some if subject in found)


def _records(connection: Connection, name: str, table: Table, subjects: Sequence[str]) -> Iterator[Record]:
    if "subject" not in table.c:
        return
    columns = [table.c[field] for field in model_fields(name)]
    for row in connection.execute(select(*columns).where(table.c.subject.in_(subjects))).mappings():
        yield {"type": name, **_known(row)}


def _known(row: Any) -> Record:
    return {field: value for field, value in row.items() if value is not None and value != []}
