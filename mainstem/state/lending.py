"""What resources say of others: a report of its results, a panel of its members. Records follow it whatever comes first."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection, and_, delete, select, text, update

from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.aliases import renamed
from mainstem.state.batch import Batch
from mainstem.state.batches import Batches
from mainstem.state.saving import Saving
from transforms.mapped import REF_BYTES, WHOLE, Lent, Mapped

_AT_ONCE = 500


class Lending:
    """Of every site; empty, and costing one question a batch, where nothing says anything of another."""

    def __init__(self, database: Database, batches: Batches) -> None:
        self._database, self._batches = database, batches

    def of(self, site: str, refs: Sequence[bytes]) -> dict[bytes, list[bytes]] | None:
        """What is said of resources, by ref, in an order that stays; None where nothing says anything of any."""
        row = tables.lent.c
        found: dict[bytes, list[bytes]] = {}
        with self._database.read() as connection:
            if not _any(connection, site):
                return None
            for some in _portions(refs):
                wanted = select(row.to, row.content).where(row.site == site, row.to.in_(some), row.content.is_not(None))
                for to, content in connection.execute(wanted.order_by(row.to, row.by)):
                    found.setdefault(to, []).append(content)
        return found

    def due(self, site: str, *, after: bytes = b"", limit: int = 1000) -> list[bytes]:
        """Refs of stored resources of which something else is said than when they were saved; those after a ref, ascending."""
        row = tables.lent.c
        wanted = (
            select(row.to).distinct().where(row.site == site, row.due, row.to > after).order_by(row.to).limit(limit)
        )
        with self._database.read() as connection:
            return list(connection.scalars(wanted))

    def records(self, site: str, refs: Sequence[bytes]) -> list[Mapped]:
        """The current records of resources, as they were saved: under the subjects that their sources name."""
        row = tables.record.c
        columns = (
            row.id,
            row.type,
            row.subject,
            row.content,
            row.provenance,
            row.updated,
            row.line_digest,
            row.own_subject,
        )
        found: list[Mapped] = []
        with self._database.stream() as connection:
            cursor = self._database.cursor(connection)
            self._batches.prepare(cursor)
            ids = [part.id for part in self._batches.parts(cursor, site, list(refs))]
            for some in _portions(ids):
                for *fields, own in connection.execute(select(*columns).where(row.id.in_(some)).order_by(row.id)):
                    record = Mapped(*fields)
                    if own is not None:
                        record = record._replace(subject=own, content=renamed(record.content, record.subject, own))
                    found.append(record)
        return found


def save(connection: Connection, site: str, batch: Batch, saving: Saving) -> list[bytes]:
    """What a batch's resources say of others, and no longer say. Returns of whom something else is said now."""
    _settle(connection, site, batch.linked)
    if not any(each.to for each in batch.lent) and not _any(connection, site):
        return []
    gone: dict[bytes, int | None] = dict.fromkeys(saving.read_again)
    gone |= dict([*batch.withdrawn, *batch.unusable])
    given = {each.by: each for each in _newest(batch.lent) if each.by not in saving.stale}
    given |= {
        ref: Lent(ref, {}, updated) for ref, updated in gone.items() if _is_gone(given.get(ref), ref, batch, updated)
    }
    for ref in saving.stale:
        given.pop(ref, None)
    changed: list[bytes] = []
    for some in _portions(list(given)):
        changed += _renew(connection, site, [given[ref] for ref in some])
    return changed


def _is_gone(given: Lent | None, ref: bytes, batch: Batch, updated: int | None) -> bool:
    """Whether a resource of a batch says nothing any more: it was withdrawn after what it said, or came without saying anything."""
    if given is None:
        return True
    withdrawn = any(ref == each for each, _ in (*batch.withdrawn, *batch.unusable))
    return withdrawn and not _older(updated, given.updated)


_RENEW = text(
    'INSERT INTO lent (site, "to", "by", content, updated, due) VALUES (:site, :to, :by, :content, :updated, :due)'
    ' ON CONFLICT (site, "to", "by") DO UPDATE SET content = excluded.content, updated = excluded.updated,'
    " due = lent.due OR excluded.due"
)


def _renew(connection: Connection, site: str, given: Sequence[Lent]) -> list[bytes]:
    """Stores what differs and is not older than what is known. Returns of whom something else is said."""
    row = tables.lent.c
    wanted = select(row.by, row.to, row.content, row.updated).where(row.site == site, row.by.in_([e.by for e in given]))
    known: dict[bytes, dict[bytes, tuple[bytes | None, int | None]]] = {}
    for by, to, content, updated in connection.execute(wanted):
        known.setdefault(by, {})[to] = (content, updated)
    rows, changed = [], set()
    for each in given:
        before = known.get(each.by, {})
        times = [updated for _, updated in before.values() if updated is not None]
        if any(_older(each.updated, updated) for updated in times):
            continue
        updated = each.updated if each.updated is not None else max(times, default=None)
        for to in {*before, *each.to}:
            content = each.to.get(to)
            if (content, updated) == before.get(to, (None, None)):
                continue
            if content != before.get(to, (None, None))[0]:
                changed.add(to)
            rows.append({"site": site, "to": to, "by": each.by, "content": content, "updated": updated})
    due = changed & _stored(connection, site, sorted(changed))
    if rows:
        connection.execute(_RENEW, [each | {"due": each["to"] in due} for each in rows])
    return sorted(changed)


def _stored(connection: Connection, site: str, refs: Sequence[bytes]) -> set[bytes]:
    """Those of the refs that have a current record; the others will be told what is said of them when they come."""
    row = tables.record.c
    found: set[bytes] = set()
    for some in _portions([ref + WHOLE for ref in refs]):
        wanted = select(row.id).where(row.id.in_(some), row.site == site, row.content.is_not(None))
        found.update(id_[:REF_BYTES] for id_ in connection.scalars(wanted))
    return found


def _settle(connection: Connection, site: str, refs: Collection[bytes]) -> None:
    """What is said of these stands in their records."""
    row = tables.lent
    for some in _portions(list(refs)):
        these = and_(row.c.site == site, row.c.to.in_(some))
        connection.execute(delete(row).where(these, row.c.content.is_(None)))
        connection.execute(update(row).where(these).values(due=False))


def _any(connection: Connection, site: str) -> bool:
    return connection.execute(select(tables.lent.c.site).where(tables.lent.c.site == site).limit(1)).first() is not None


def _newest(lent: Sequence[Lent]) -> list[Lent]:
    """The last of the newest of each comes last."""
    return sorted(lent, key=lambda each: each.updated or 0)


def _older(updated: int | None, known: int | None) -> bool:
    return updated is not None and known is not None and updated < known


def _portions(items: Sequence[bytes]) -> Iterator[list[bytes]]:
    left = iter(items)
    while some := list(islice(left, _AT_ONCE)):
        yield some
