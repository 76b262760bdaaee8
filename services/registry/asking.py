"""What the API reads of records: the current state, the state as of a moment, what changed since, in pages by record id.

As of a moment: each record's last change that its site had stored by then. The history has all of them, so the answer is the same
whenever, and from whatever rebuilt registry, it is asked.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple

import msgspec
from sqlalchemy import ColumnElement, Connection, Select, Text, and_, cast, exists, literal, select, tuple_, union

from mainstem.consumer.received import FREE_OF_SITE
from services.registry.handler import row_of
from services.registry.tables import RECORD_TABLES, JsonDocument, history

CHANGED_AGAIN = history.c.op != literal("recorded", literal_execute=True)
"""As the indexes of few rows say it, written out: a database uses one only where it sees that."""


@dataclass(frozen=True, slots=True)
class Asked:
    """Which records of a type. `sites`: none but of these; None: of all."""

    record_type: str
    sites: tuple[str, ...] | None = None
    subject: str | None = None
    code: str | None = None
    as_of: datetime | None = None
    """The state that the sites had stored then; None: the current one."""
    changed_since: datetime | None = None
    """Only what arrived at the registry then or later; what was withdrawn since is told beside."""
    after: str = ""
    """The id of the record after which the page begins."""
    limit: int = 100


class Withdrawn(NamedTuple):
    """A record that is not there any more."""

    id: str
    time: datetime
    """When its site stored the withdrawal."""


class Page(NamedTuple):
    """Some records as rows by column; with `changed_since` the ids of those withdrawn."""

    records: list[dict[str, Any]]
    withdrawn: list[Withdrawn]
    next: str | None
    """After which id the next page begins; None at the end."""


def page_of(connection: Connection, asked: Asked) -> Page:
    """The next page."""
    if asked.as_of is None and asked.changed_since is None:
        rows = [dict(row) for row in connection.execute(_current(asked)).mappings()]
        return Page(rows, [], rows[-1]["id"] if len(rows) == asked.limit else None)
    found = Page([], [], asked.after)
    while found.next is not None and len(found.records) + len(found.withdrawn) < asked.limit:
        left = asked.limit - len(found.records) - len(found.withdrawn)
        more = _from_history(connection, replace(asked, after=found.next, limit=left))
        found = Page(found.records + more.records, found.withdrawn + more.withdrawn, more.next)
    return found


def pages_of(connection: Connection, asked: Asked) -> Iterator[Page]:
    """All pages from there on."""
    while True:
        page = page_of(connection, asked)
        yield page
        if page.next is None:
            return
        asked = replace(asked, after=page.next)


def _current(asked: Asked) -> Select[Any]:
    table = RECORD_TABLES[asked.record_type]
    wanted = [table.c.id > asked.after]
    if asked.sites is not None:
        wanted.append(table.c.site.in_(asked.sites))
    if asked.subject is not None:
        wanted.append(table.c.subject == asked.subject)
    if asked.code is not None:
        wanted.append(table.c.code == asked.code)
    return select(table).where(*wanted).order_by(table.c.id).limit(asked.limit)


def _from_history(connection: Connection, asked: Asked) -> Page:
    """Of the next candidates those that were there then and fit; fewer than asked for, or none, is not the end."""
    ids = list(connection.scalars(_candidates(asked)))
    last = ids[-1] if len(ids) == asked.limit else None
    if not ids:
        return Page([], [], None)
    records: list[dict[str, Any]] = []
    gone: dict[str, Any] = {}
    for change in connection.execute(_versions(asked, ids)):
        row = None if change.value is None else _row(asked.record_type, change)
        if row is not None and _fits(asked, row):
            records.append(row)
        else:
            gone[change.record] = change
    told = _withdrawn(connection, asked, gone) if asked.changed_since is not None and gone else []
    return Page(records, told, last)


def _withdrawn(connection: Connection, asked: Asked, gone: dict[str, Any]) -> list[Withdrawn]:
    """Of records that are not among those asked for (any more) the ones that were: also where nobody knows what they were."""
    before: dict[str, bool] = {}
    columns = (history.c.record, history.c.sequence, history.c.time, cast(history.c.value, Text).label("value"))
    for change in connection.execute(
        select(*columns).where(history.c.record.in_(sorted(gone)), history.c.value.is_not(None))
    ):
        fitted = _fits(asked, _row(asked.record_type, change))
        before[change.record] = before.get(change.record, False) or fitted
    nobody_knows = {name for name, change in gone.items() if asked.sites is None or change.site in asked.sites}
    return [Withdrawn(name, gone[name].time) for name in sorted(gone) if before.get(name, name in nobody_knows)]


def _candidates(asked: Asked) -> Select[Any]:
    """Ids, in order, of records that may have been there: those that are now, and those that changed or went."""
    table = RECORD_TABLES[asked.record_type]
    since = asked.changed_since
    if since is not None:
        arrived = (history.c.type == asked.record_type, history.c.record > asked.after, history.c.arrived >= since)
        return select(history.c.record).where(*arrived).distinct().order_by(history.c.record).limit(asked.limit)
    now = [table.c.id > asked.after]
    then = [history.c.type == asked.record_type, history.c.record > asked.after, CHANGED_AGAIN]
    if asked.subject is not None:
        now.append(table.c.subject == asked.subject)
        then.append(history.c.subject == asked.subject)
    if asked.sites is not None and asked.record_type not in FREE_OF_SITE:
        now.append(table.c.site.in_(asked.sites))
        then.append(history.c.site.in_(asked.sites))
    firsts = [
        select(table.c.id.label("id")).where(*now).order_by(table.c.id).limit(asked.limit).subquery(),
        select(history.c.record.label("id")).where(*then).order_by(history.c.record).limit(asked.limit).subquery(),
    ]
    both = union(*(select(each.c.id) for each in firsts)).subquery()
    return select(both.c.id).order_by(both.c.id).limit(asked.limit)


def _versions(asked: Asked, ids: list[str]) -> Select[Any]:
    """Each record's last change by then, in the order of the ids."""
    newer = history.alias()
    later = tuple_(newer.c.epoch, newer.c.sequence) > tuple_(history.c.epoch, history.c.sequence)
    wanted: list[ColumnElement[bool]] = [history.c.record.in_(ids)]
    overtaken = and_(newer.c.record == history.c.record, later)
    if asked.as_of is not None:
        wanted.append(history.c.time <= asked.as_of)
        overtaken = and_(overtaken, newer.c.time <= asked.as_of)
    columns = (history.c.record, history.c.sequence, history.c.time, history.c.site)
    return (
        select(*columns, cast(history.c.value, Text).label("value"))
        .where(*wanted, ~exists(select(literal(1)).where(overtaken)))
        .order_by(history.c.record)
    )


def _row(record_type: str, change: Any) -> dict[str, Any]:
    """As the record's own table has it; lists are read from their text."""
    table = RECORD_TABLES[record_type]
    row = dict(zip(table.c.keys(), row_of(record_type, change.value, change.sequence, change.time), strict=True))
    return {
        name: msgspec.json.decode(value) if isinstance(table.c[name].type, JsonDocument) else value
        for name, value in row.items()
    }


def _fits(asked: Asked, row: dict[str, Any]) -> bool:
    wanted = asked.sites is None or row["site"] in asked.sites
    return wanted and asked.subject in (None, row["subject"]) and asked.code in (None, row.get("code"))
