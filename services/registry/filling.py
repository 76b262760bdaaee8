"""What the history kept, into what a newer version has room for: types and fields that the version before did not know."""

from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import ColumnElement, Connection, Select, Text, cast, exists, func, literal, or_, select, text, tuple_

from services.registry.handler import row_of
from services.registry.tables import RECORD_TABLES, history
from services.registry.write import Row, write

log = structlog.get_logger(__name__)
PAGE = 2000


def complete_history(connection: Connection) -> None:
    """Subjects and arrivals of what an older version wrote: as the event says, or for a withdrawal what came before it.

    Empty where nothing came before; the arrival is taken to be when the site stored the change.
    """
    if not connection.scalar(select(exists(select(history.c.record).where(history.c.subject.is_(None))))):
        return
    said = (
        "value -> 'record' ->> 'subject'"
        if connection.dialect.name == "postgresql"
        else "json_extract(value, '$.record.subject')"
    )
    connection.execute(text(f"UPDATE history SET arrived = time, subject = {said} WHERE subject IS NULL"))
    connection.execute(_BEFORE)


_BEFORE = text(
    "UPDATE history SET subject = coalesce((SELECT b.subject FROM history AS b WHERE b.record = history.record"
    " AND b.subject IS NOT NULL AND (b.epoch, b.sequence) < (history.epoch, history.sequence)"
    " ORDER BY b.epoch DESC, b.sequence DESC LIMIT 1), '') WHERE subject IS NULL"
)


def fill(connection: Connection, record_type: str, fields: Sequence[str]) -> None:
    """Writes the current records of a type anew where an event said something of one of these fields.

    One that this version cannot read is left out and counted in the log: its event was taken by a version that did not know the type.
    """
    unread, last = 0, ""
    while page := connection.execute(_latest(connection, record_type, fields, last)).all():
        last = page[-1].record
        rows: list[Row] = []
        for found in page:
            try:
                rows.append(row_of(record_type, found.value, found.sequence, found.time))
            except ValueError:
                unread += 1
        write(connection, RECORD_TABLES[record_type], rows, replace=True)
    if unread:
        log.error("events kept that this version cannot read", record_type=record_type, count=unread)


def _latest(connection: Connection, record_type: str, fields: Sequence[str], after: str) -> Select[Any]:
    """The last changes of current records, as text, that name a field; a page in the order of the ids."""
    newer = history.alias()
    version, other = tuple_(history.c.epoch, history.c.sequence), tuple_(newer.c.epoch, newer.c.sequence)
    if connection.dialect.name == "postgresql":
        record = func.jsonb_extract_path(history.c.value, "record")
        names: list[ColumnElement[bool]] = [func.jsonb_exists(record, field) for field in fields]
    else:
        names = [func.json_type(history.c.value, f"$.record.{field}").is_not(None) for field in fields]
    return (
        select(history.c.record, history.c.sequence, history.c.time, cast(history.c.value, Text).label("value"))
        .where(history.c.type == record_type, history.c.record > after, history.c.value.is_not(None), or_(*names))
        .where(~exists(select(literal(1)).where(newer.c.record == history.c.record, other > version)))
        .order_by(history.c.record)
        .limit(PAGE)
    )
