"""Resources that gave no record: noted with their load, released when they are read anew."""

from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from sqlalchemy import Connection, delete, exists, func, insert, select
from sqlalchemy.dialects import postgresql

from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.batch import Quarantined
from transforms.mapped import REF_BYTES, WHOLE

_AT_ONCE = 500
_FEW = 2_000


class Quarantine:
    """What is in quarantine; a batch brings it, `Records.save` notes it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, site: str, load_id: str | None = None) -> Iterator[Quarantined]:
        """Of one load or of all."""
        row = tables.quarantine.c
        wanted = select(*(row[name] for name in Quarantined._fields)).where(row.site == site)
        if load_id is not None:
            wanted = wanted.where(row.load == load_id)
        with self._database.stream() as connection:
            for found in connection.execution_options(yield_per=2000).execute(
                wanted.order_by(row.load, row.file, row.line)
            ):
                yield Quarantined(*found)

    def by_load(self, site: str) -> list[tuple[str, Quarantined]]:
        """All of a site, with the load that noted each."""
        row = tables.quarantine.c
        wanted = select(row.load, *(row[name] for name in Quarantined._fields)).where(row.site == site)
        with self._database.read() as connection:
            return [(found[0], Quarantined(*found[1:])) for found in connection.execute(wanted)]

    def forget(self, site: str, refs: Collection[bytes]) -> None:
        """Nothing is noted of these resources any more."""
        with self._database.write() as connection:
            heal(connection, site, refs)

    def named(self, site: str, resource_type: str, reason: str = "") -> list[tuple[str, bytes]]:
        """(load, ref) of the resources of a type that have an id, of one reason or of all."""
        row = tables.quarantine.c
        wanted = select(row.load, row.ref).where(row.site == site, row.resource_type == resource_type, row.ref != b"")
        if reason:
            wanted = wanted.where(row.reason == reason)
        with self._database.read() as connection:
            return [(load, ref) for load, ref in connection.execute(wanted)]


def note(connection: Connection, load_id: str, site: str, items: Sequence[Quarantined]) -> None:
    """The same ones again, by a map step run again, are noted once."""
    rows = [{"load": load_id, "site": site, **item._asdict()} for item in items]
    if not rows:
        return
    if connection.dialect.name == "sqlite":
        connection.execute(insert(tables.quarantine).prefix_with("OR IGNORE"), rows)
    else:
        connection.execute(postgresql.insert(tables.quarantine).on_conflict_do_nothing(), rows)


def heal(connection: Connection, site: str, refs: Collection[bytes], *, but: str = "") -> None:
    """Resources that can be used now; what a load notes of them itself (`but`) stays."""
    row, known = tables.quarantine, _some_refs(connection, site)
    left = iter(refs if known is None else known.intersection(refs))
    while some := list(islice(left, _AT_ONCE)):
        connection.execute(delete(row).where(row.c.site == site, row.c.ref.in_(some), row.c.load != but))


def _some_refs(connection: Connection, site: str) -> set[bytes] | None:
    """All refs of a site's quarantine; None where they are many."""
    row = tables.quarantine.c
    wanted = select(row.ref).where(row.site == site).limit(_FEW + 1)
    found = connection.scalars(wanted).all()
    return set(found) if len(found) <= _FEW else None


def release(
    connection: Connection, load_id: str, site: str, mode: str, types: Collection[str], replayed: Collection[str] = ()
) -> None:
    """What earlier loads could not use and this one read anew: all of a type by a full load, else what came again, be it
    that it is noted again or that it gave a record now; of `replayed` loads also the lines without a name."""
    row, again = tables.quarantine, tables.quarantine.alias()
    earlier = delete(row).where(row.c.site == site, row.c.load != load_id)
    if mode == "full" and types:
        connection.execute(earlier.where(row.c.resource_type.in_(types)))
    else:
        same = (
            again.c.load == load_id,
            again.c.resource_type == row.c.resource_type,
            again.c.ref == row.c.ref,
            again.c.ref != b"",
        )
        connection.execute(earlier.where(exists().where(*same)))
        connection.execute(earlier.where(row.c.load.in_(replayed), row.c.ref == b""))
        _heal_recorded(connection, load_id, site)


def _heal_recorded(connection: Connection, load_id: str, site: str) -> None:
    """Resources of which this load stored a record."""
    row, record = tables.quarantine.c, tables.record.c
    wanted = select(row.ref).distinct().where(row.site == site, row.load != load_id, row.ref != b"")
    left = iter(connection.scalars(wanted).all())
    while some := list(islice(left, _AT_ONCE)):
        whole = record.id.in_([ref + WHOLE for ref in some])
        now = select(record.id).where(whole, record.load == load_id, record.content.is_not(None))
        heal(connection, site, {id_[:REF_BYTES] for id_ in connection.scalars(now)}, but=load_id)


def by_reason(connection: Connection, site: str) -> dict[tuple[str, str], int]:
    """Resources by type and reason code."""
    row = tables.quarantine.c
    found = connection.execute(
        select(row.resource_type, row.reason, func.count())
        .where(row.site == site)
        .group_by(row.resource_type, row.reason)
    )
    return {(name, reason): count for name, reason, count in found}
