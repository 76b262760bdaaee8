"""What records are read with: resources looked up by others, and the lines that looked them up."""

import zlib
from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

from sqlalchemy import Connection, and_, delete, select, text, tuple_, update

from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.batch import Batch
from mainstem.state.saving import Saving
from schemas.outcomes import RECORD_TYPES
from transforms.mapped import REF_BYTES, Depends, Referred

_AT_ONCE = 500
_QUICKLY = 1
T = TypeVar("T")


class References:
    """Of every site; empty, and costing one question a batch, where no mapping looks anything up."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def look_up(self, site: str, refs: Sequence[bytes]) -> dict[bytes, bytes]:
        """The contents of referred resources, by ref, of those that are known."""
        row = tables.reference.c
        found: dict[bytes, bytes] = {}
        with self._database.read() as connection:
            for some in _portions(refs):
                wanted = select(row.ref, row.content).where(row.site == site, row.ref.in_(some))
                found.update((ref, content) for ref, content in connection.execute(wanted))
        return found

    def due(self, site: str, *, after: bytes = b"", limit: int = 1000) -> list[Depends]:
        """Lines to be mapped again, because what they were read with changed; by ref, those after a ref.

        They are due until they are saved, whatever became of the load that changed it.
        """
        row = tables.dependent.c
        wanted = (
            select(row.ref, row.subject, row.on, row.line)
            .where(row.site == site, row.due, row.ref > after)
            .order_by(row.ref, row.on)
            .limit(limit)
        )
        with self._database.read() as connection:
            return [Depends(*found[:3], zlib.decompress(found[3])) for found in connection.execute(wanted)]


def save(connection: Connection, site: str, batch: Batch, saving: Saving, told: Sequence[bytes] = ()) -> None:
    """A batch's references and dependents; who looked up what changed becomes due, and who waited for what is `told` of it."""
    withdrawn = [ref for ref, _ in (*batch.withdrawn, *batch.unusable)]
    changed = [*_renew(connection, site, batch.referred), *_remove(connection, site, withdrawn), *told]
    for some in _portions(changed):
        row = tables.dependent
        connection.execute(update(row).where(row.c.site == site, row.c.on.in_(some)).values(due=True))
    known = _any_dependent(connection, site)
    if not known and not batch.depends:
        return
    read = {each.ref for each in batch.depends}
    read |= {record.id[:REF_BYTES] for record in batch.records if RECORD_TYPES[record.type].refers}
    if known:
        _forget_waiting(connection, site, {record.id[:REF_BYTES] for record in batch.records} - read - saving.stale)
        _forget(connection, site, batch.depends, (saving.read_again | read) - saving.stale, saving.stale)
    _add(connection, site, [each for each in batch.depends if each.ref not in saving.stale])


_RENEW = text(
    "INSERT INTO reference (site, ref, type, content, updated) VALUES (:site, :ref, :type, :content, :updated)"
    " ON CONFLICT (site, ref) DO UPDATE SET type = excluded.type, content = excluded.content, updated = excluded.updated"
)
_DEPENDS = text(
    'INSERT INTO dependent (site, ref, "on", subject, due, line) VALUES (:site, :ref, :on, :subject, false, :line)'
    ' ON CONFLICT (site, ref, "on") DO UPDATE SET subject = excluded.subject, due = false, line = excluded.line'
)


def _renew(connection: Connection, site: str, referred: Sequence[Referred]) -> list[bytes]:
    """Stores what is not older than what is known. Returns the refs whose content is another."""
    changed: list[bytes] = []
    row = tables.reference.c
    for some in _portions(list({each.ref: each for each in _newest(referred)}.values())):
        wanted = select(row.ref, row.content, row.updated).where(row.site == site, row.ref.in_([e.ref for e in some]))
        known = {ref: (content, updated) for ref, content, updated in connection.execute(wanted)}
        rows = []
        for each in some:
            content, updated = known.get(each.ref, (None, None))
            if each.updated is not None and updated is not None and each.updated < updated:
                continue
            if content != each.content:
                changed.append(each.ref)
            time = updated if each.updated is None else each.updated
            rows.append({"site": site, **each._replace(updated=time)._asdict()})
        if rows:
            connection.execute(_RENEW, rows)
    return changed


def _newest(referred: Sequence[Referred]) -> list[Referred]:
    """The last of the newest of each comes last."""
    return sorted(referred, key=lambda each: each.updated or 0)


def _remove(connection: Connection, site: str, refs: Sequence[bytes]) -> list[bytes]:
    """Those of the refs that were referred to; they are no longer known."""
    row = tables.reference
    removed: list[bytes] = []
    for some in _portions(refs):
        known = list(connection.scalars(select(row.c.ref).where(row.c.site == site, row.c.ref.in_(some))))
        if known:
            connection.execute(delete(row).where(row.c.site == site, row.c.ref.in_(known)))
            removed += known
    return removed


def _forget_waiting(connection: Connection, site: str, refs: Collection[bytes]) -> None:
    """Lines that waited for what others could tell: those of resources that came since and wait no more."""
    row = tables.dependent
    own = and_(row.c.site == site, tables.OWN)
    if refs and connection.execute(select(row.c.site).where(own).limit(1)).first() is not None:
        for some in _portions(list(refs)):
            connection.execute(delete(row).where(own, row.c.ref.in_(some)))


def _any_dependent(connection: Connection, site: str) -> bool:
    row = tables.dependent.c
    return connection.execute(select(row.site).where(row.site == site).limit(1)).first() is not None


def _forget(
    connection: Connection, site: str, depends: Sequence[Depends], read: Collection[bytes], stale: Collection[bytes]
) -> None:
    """What known lines no longer look up; an old version's line only ceases to be due."""
    row = tables.dependent
    for some in _portions(list(read)):
        connection.execute(delete(row).where(row.c.site == site, row.c.ref.in_(some)))
    old = [(each.ref, each.on) for each in depends if each.ref in stale]
    for pairs in _portions(old):
        this = tuple_(row.c.ref, row.c.on).in_(pairs)
        connection.execute(update(row).where(row.c.site == site, this).values(due=False))


def _add(connection: Connection, site: str, depends: Sequence[Depends]) -> None:
    """The lines as they came now."""
    rows = [{"site": site, **each._replace(line=zlib.compress(each.line, _QUICKLY))._asdict()} for each in depends]
    if rows:
        connection.execute(_DEPENDS, rows)


def _portions(items: Sequence[T]) -> Iterator[list[T]]:
    for start in range(0, len(items), _AT_ONCE):
        yield list(items[start : start + _AT_ONCE])
