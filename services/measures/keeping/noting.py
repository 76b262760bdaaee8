"""Whose results may be others now: noted in the consumer's transaction, evaluated when the registry has what was said."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Connection, and_, delete, inspect, or_, select, union

from mainstem.consumer import Received
from mainstem.consumer.ledger import consumer_offset
from schemas.loads import LoadEvent
from services.measures.keeping.tables import due
from services.registry.erasure import GROUP as REGISTRY
from services.registry.tables import RECORD_TABLES
from services.registry.write import write

SUBJECT, SITE = "subject", "site"
AT_ONCE = ("", 0, 0)
"""In the place of a place: nothing is waited for."""


class Due(NamedTuple):
    """Whose turn it is; what was noted again since has another mark."""

    kind: str
    name: str
    mark: str


def note_events(connection: Connection, events: Sequence[Received]) -> None:
    """A handler of the kit: the subjects that events speak of."""
    places = {event.subject: (event.source.topic, event.source.partition, event.source.offset + 1) for event in events}
    _note(connection, SUBJECT, places)


def note_loads(connection: Connection, events: Sequence[LoadEvent]) -> None:
    """A load handler of the kit: what is complete at a site may be another now."""
    note(connection, SITE, {event.site for event in events})


def note(connection: Connection, kind: str, names: Iterable[str]) -> None:
    """Subjects or sites, for whoever changes what results stand on and is no event: evaluated at once."""
    _note(connection, kind, dict.fromkeys(names, AT_ONCE))


def note_person(connection: Connection, subject: str) -> None:
    """A person of whom something changed that is no event; nothing where no results are kept beside this registry."""
    if inspect(connection).has_table(due.name):
        note(connection, SUBJECT, [subject])


def note_all(connection: Connection) -> None:
    """Every subject that the registry knows."""
    tables = [table for table in RECORD_TABLES.values() if "subject" in table.c]
    known = union(*(select(table.c.subject) for table in tables))
    note(connection, SUBJECT, (subject for subject in connection.scalars(known) if subject))


def ready(connection: Connection, limit: int) -> list[Due]:
    """Those of whom the registry has all that was said."""
    there = and_(
        consumer_offset.c.consumer_group == REGISTRY,
        consumer_offset.c.topic == due.c.topic,
        consumer_offset.c.partition == due.c.partition,
        consumer_offset.c.next_offset >= due.c.next_offset,
    )
    found = (
        select(due.c.kind, due.c.name, due.c.mark)
        .outerjoin(consumer_offset, there)
        .where(or_(due.c.topic == "", consumer_offset.c.next_offset.is_not(None)))
        .limit(limit)
    )
    return [Due(*row) for row in connection.execute(found)]


def take(connection: Connection, some: Sequence[Due]) -> set[Due]:
    """Those of them that nobody took or noted again meanwhile: what was read of these is still true, and theirs alone to write."""
    marks = {each.mark for each in some}
    names = {each.name for each in some}
    kinds = {each.kind for each in some}  # the key begins with it: without, every batch would look at all who are due
    theirs = (due.c.kind.in_(kinds), due.c.name.in_(names), due.c.mark.in_(marks))
    gone = delete(due).where(*theirs).returning(due.c.kind, due.c.name, due.c.mark)
    return {Due(*row) for row in connection.execute(gone)}


def _note(connection: Connection, kind: str, places: dict[str, tuple[str, int, int]]) -> None:
    mark = uuid4().hex
    rows: list[tuple[Any, ...]] = [(kind, name, mark, *place) for name, place in sorted(places.items())]
    write(connection, due, rows, replace=True)
