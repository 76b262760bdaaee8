"""Persons as the registry holds them, for evaluation in memory: their records, and what the registry says of these itself."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import Connection, FromClause, Select, Table, func, select

from services.measures.compile.people import Person, Record
from services.registry.tables import RECORD_TABLES, history, model_fields, set_aside

AT_ONCE = 500
"""Subjects asked for in one statement."""


def person_of(connection: Connection, subject: str) -> Person | None:
    """All current records of a subject; none where the registry knows no such subject."""
    return next(persons_of(connection, [subject]), None)


def persons_of(
    connection: Connection, subjects: Iterable[str], record_types: Iterable[str] = (*RECORD_TABLES, "set_aside")
) -> Iterator[Person]:
    """The persons of some subjects, those the registry knows; with records of these types alone, where they are named.

    A subject is of one site. What another says of it, such as the centre of a family's answers, is a person beside, who comes after.
    """
    wanted = list(dict.fromkeys(record_types))
    waiting: list[str] = []
    for subject in subjects:
        waiting.append(subject)
        if len(waiting) == AT_ONCE:
            yield from _persons(connection, waiting, wanted)
            waiting = []
    if waiting:
        yield from _persons(connection, waiting, wanted)


def _persons(connection: Connection, subjects: list[str], record_types: list[str]) -> Iterator[Person]:
    found: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for name in record_types:
        query = _all_of(name)
        if query is None:
            continue
        rows = connection.execute(query.where(query.selected_columns.subject.in_(subjects)))
        fields = list(rows.keys())
        for row in rows:
            known = _known(name, fields, row)
            found[known["subject"]][known.get("site", "")].append(known)
    for subject in subjects:
        for _, records in sorted(found.get(subject, {}).items(), key=_home_first):
            yield Person(records)


def _home_first(of_site: tuple[str, list[Record]]) -> tuple[bool, str]:
    site, records = of_site
    return not any(each["type"] == "person" for each in records), site


def _all_of(name: str) -> Select[Any] | None:
    if name == "set_aside":
        return select(set_aside)
    table = RECORD_TABLES[name]
    if "subject" not in table.c:
        return None
    columns: list[Any] = [table.c[field] for field in (*model_fields(name), "flags")]
    if name == "encounter":
        columns.append(arrived(table).label("arrived"))
    return select(*columns)


def arrived(table: Table | FromClause) -> Any:
    """When a record was first stored at its site."""
    return select(func.min(history.c.time)).where(history.c.record == table.c.id).correlate(table).scalar_subquery()


def _known(name: str, fields: Sequence[str], row: Sequence[Any]) -> Record:
    known: Record = {"type": name}
    for field, value in zip(fields, row, strict=True):
        if value is not None and value != []:
            known[field] = value
    if "arrived" in known:
        known["arrived_date"] = known["arrived"].astimezone(UTC).date().isoformat()
    return known
