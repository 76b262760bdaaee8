"""Persons as the registry holds them, for evaluation in memory: their records, and what the registry says of these itself."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import UTC
from itertools import islice
from typing import Any

from sqlalchemy import Connection, FromClause, Select, Table, func, select

from services.measures.compile.asked import EVERYTHING, Reads
from services.measures.compile.people import Person, Record
from services.registry.tables import RECORD_TABLES, history, set_aside

FIRST, AT_ONCE = 64, 512
"""Subjects asked for in one statement: at first, and at most."""
RECORDS = 10_000
"""So many records of theirs are held, about: of persons with many, fewer persons are asked for at once."""


def person_of(connection: Connection, subject: str) -> Person | None:
    """All current records of a subject; none where the registry knows no such subject."""
    return next(persons_of(connection, [subject]), None)


def persons_of(connection: Connection, subjects: Iterable[str], reads: Reads = EVERYTHING) -> Iterator[Person]:
    """The persons of some subjects, those the registry knows; with records of these types and these fields of theirs alone.

    A subject is of one site. What another says of it, such as the centre of a family's answers, is a person beside, who comes after.
    """
    waiting, size = iter(subjects), FIRST
    while some := list(islice(waiting, size)):
        found = _records(connection, some, reads)
        held = sum(len(records) for of_site in found.values() for records in of_site.values())
        for subject in some:
            for _, records in sorted(found.pop(subject, {}).items(), key=_home_first):
                yield Person(records)
        size = _fitting(size, held)


def _fitting(size: int, held: int) -> int:
    """For how many subjects to ask next, a power of two so that few statements differ, where the last had so many records."""
    room = size * RECORDS // max(held, 1)
    return min(2 * size, AT_ONCE, 1 << max(room, 1).bit_length() - 1)


def _records(connection: Connection, subjects: list[str], reads: Reads) -> dict[str, dict[str, list[Record]]]:
    """By subject and site."""
    found: dict[str, dict[str, list[Record]]] = defaultdict(lambda: defaultdict(list))
    for name, wanted in reads.items():
        query = _query(name, wanted)
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


def _query(name: str, wanted: Collection[str]) -> Select[Any] | None:
    table = set_aside if name == "set_aside" else RECORD_TABLES[name]
    if "subject" not in table.c:
        return None
    return select(*(arrived(table).label(field) if field == "arrived" else table.c[field] for field in wanted))


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
