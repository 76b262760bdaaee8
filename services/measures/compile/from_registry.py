"""Persons as the registry holds them, for evaluation in memory: their records, and what the registry says of these itself."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC
from itertools import islice
from typing import Any

from sqlalchemy import Connection, FromClause, Select, Table, func, select

from services.measures.compile.people import Person, Record
from services.measures.language.events import SET_ASIDE
from services.registry.tables import RECORD_TABLES, history, model_fields, set_aside

FIRST, AT_ONCE = 64, 512
"""Subjects asked for in one statement: at first, and at most."""
RECORDS = 10_000
"""So many records of theirs are held, about: of persons with many, fewer persons are asked for at once."""


def person_of(connection: Connection, subject: str) -> Person | None:
    """All current records of a subject; none where the registry knows no such subject."""
    return next(persons_of(connection, [subject]), None)


def persons_of(
    connection: Connection, subjects: Iterable[str], record_types: Iterable[str] = (*RECORD_TABLES, "set_aside")
) -> Iterator[Person]:
    """The persons of some subjects, those the registry knows; with records of these types alone, where they are named.

    A subject is of one site. What another says of it, such as the centre of a family's answers, is a person beside, who comes after.
    """
    wanted, waiting, size = list(dict.fromkeys(record_types)), iter(subjects), FIRST
    while some := list(islice(waiting, size)):
        found = _records(connection, some, wanted)
        held = sum(len(records) for of_site in found.values() for records in of_site.values())
        for subject in some:
            for _, records in sorted(found.pop(subject, {}).items(), key=_home_first):
                yield Person(records)
        size = _fitting(size, held)


def _fitting(size: int, held: int) -> int:
    """For how many subjects to ask next, a power of two so that few statements differ, where the last had so many records."""
    room = size * RECORDS // max(held, 1)
    return min(2 * size, AT_ONCE, 1 << max(room, 1).bit_length() - 1)


def _records(
    connection: Connection, subjects: list[str], record_types: list[str]
) -> dict[str, dict[str, list[Record]]]:
    """By subject and site."""
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
    return found


def _home_first(of_site: tuple[str, list[Record]]) -> tuple[bool, str]:
    site, records = of_site
    return not any(each["type"] == "person" for each in records), site


def _all_of(name: str) -> Select[Any] | None:
    if name == "set_aside":
        return select(*(set_aside.c[field] for field in sorted(SET_ASIDE)))
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
