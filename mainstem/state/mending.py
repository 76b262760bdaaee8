"""What a site has published, as its state knows it: read again for a replay, compared with the topic, and put above what the topic says."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Connection, and_, bindparam, delete, func, insert, select, text, update

from mainstem.database import Database
from mainstem.outbox import Change
from mainstem.state import tables
from mainstem.state.batches import PENDING_COLUMNS, Batches
from mainstem.state.digests import EMPTY_DIGEST
from mainstem.state.flags import flagged, flags_of
from mainstem.state.moments import microseconds, moment_of
from mainstem.state.numbers import hold_number, keep_number
from transforms.mapped import NO_LINE

IDS_AT_ONCE = 500
COLUMNS = [tables.record.c[name.strip()] for name in PENDING_COLUMNS.split(",")]


class Wanted(NamedTuple):
    """Which records are told again; empty: all."""

    types: Collection[str] = ()
    """Record types."""
    subject: bytes | None = None
    since: datetime | None = None
    """Those that changed then or later."""


class ReplayPlace(NamedTuple):
    """How far a replay has come."""

    after: int
    """The number of the last change that was told again."""
    upto: int
    """The number where it ends: later changes are told as they come."""
    events: int
    started: datetime


class Epochs(NamedTuple):
    """In which epoch a site's changes were published, by their numbers."""

    current: int
    began: Sequence[tuple[int, int]]
    """Numbers in their order, each with the epoch up to it."""

    def of(self, number: int) -> int:
        """The epoch of a published change."""
        place = bisect_left(self.began, (number, 0))
        return self.began[place][1] if place < len(self.began) else self.current


class AsPublished(NamedTuple):
    """A record as it was published last, as far as the state knows."""

    id: bytes
    subject: bytes
    number: int
    sequence: int
    digest: bytes
    live: bool
    """A value, not a withdrawal."""
    settled: bool
    """Published, and not changed since."""


class Held(NamedTuple):
    """A record as the state holds it, without its content."""

    id: bytes
    site: str
    type: str
    subject: bytes
    provenance: bytes
    load: str
    sequence: int
    published_sequence: int
    number: int
    changed: datetime
    withdrawn: bool


class Above(NamedTuple):
    """A record of which the topic says something else than the state: what the state says has to come after it."""

    id: bytes
    subject: bytes
    """Under which the topic has it."""
    type: str
    sequence: int
    """The topic's."""


class Mending:
    """The published state of a site's records."""

    def __init__(self, database: Database, batches: Batches) -> None:
        self._database, self._batches = database, batches

    def published(self, site: str, wanted: Wanted, *, after: int, upto: int, limit: int) -> list[Change]:
        """Records published and not changed since, withdrawn ones too, by number: those after `after` up to `upto`.

        `previous` and `live` are as far as the state knows: what stood before is not kept.
        """
        row = tables.record.c
        between = and_(row.site == site, row.number > after, row.number <= upto)
        query = select(*COLUMNS).where(between, row.sequence == row.published_sequence, *_conditions(wanted))
        with self._database.stream() as connection:
            self._batches.prepare(self._database.cursor(connection))
            return _again(connection, site, connection.execute(query.order_by(row.number).limit(limit)))

    def published_of(self, site: str, ids: Sequence[bytes]) -> list[Change]:
        """The same of some records."""
        row, found = tables.record.c, list[Change]()
        with self._database.read() as connection:
            for start in range(0, len(ids), IDS_AT_ONCE):
                some = row.id.in_(ids[start : start + IDS_AT_ONCE])
                rows = connection.execute(
                    select(*COLUMNS).where(some, row.site == site, row.sequence == row.published_sequence)
                )
                found += _again(connection, site, rows)
        return found

    def waiting(self, site: str, wanted: Wanted = Wanted()) -> int:
        """Changes that are not published: they come with the next publishing, and are not told again."""
        with self._database.read() as connection:
            query = select(func.count()).where(tables.pending(site), *_conditions(wanted))
            return connection.execute(query).scalar_one()

    def numbered(self, site: str) -> int:
        """The number of the site's last change."""
        row = tables.site_state.c
        with self._database.read() as connection:
            return connection.execute(select(row.number).where(row.site == site)).scalar() or 0

    def published_upto(self, site: str) -> int:
        """All changes up to this number are published."""
        row = tables.published.c
        with self._database.read() as connection:
            return connection.execute(select(row.number).where(row.site == site)).scalar() or 0

    def standing(self, site: str, ids: tuple[bytes, bytes] | None = None) -> Iterator[Sequence[tuple[Any, ...]]]:
        """The site's records, some thousands at a time, in the order in which they lie; those whose ids lie between two, both included,
        or all: what `AsPublished` holds, as plain tuples."""
        row = tables.record.c
        of_site = func.coalesce(row.site, "") == site  # by the site's index, each would be read from another place
        what = row.id, row.subject, row.number, row.sequence, row.digest
        query = select(*what, row.content.is_not(None), row.sequence == row.published_sequence).where(of_site)
        query = query if ids is None else query.where(row.id.between(*ids))
        with self._database.stream() as connection:
            yield from connection.execution_options(yield_per=5000).execute(query).partitions()

    def held(self, first: bytes, last: bytes) -> list[Held]:
        """Records of whatever site whose ids lie between two, both included: those of a resource, or one."""
        row = tables.record.c
        what = [row[name] for name in Held._fields[:-1]]
        query = select(*what, row.content.is_(None)).where(row.id.between(first, last)).order_by(row.id)
        with self._database.read() as connection:
            found = [Held._make(each) for each in connection.execute(query)]
        return [each._replace(changed=moment_of(each.changed)) for each in found]  # type: ignore[arg-type]

    def epochs(self, site: str) -> Epochs:
        """Which epoch a change was published in."""
        row = tables.epoch_began.c
        with self._database.read() as connection:
            current = connection.execute(select(tables.mainstem.c.epoch)).scalar_one()
            found = connection.execute(select(row.number, row.before).where(row.site == site).order_by(row.epoch))
            return Epochs(current, [(number, before) for number, before in found])

    def put_above(self, site: str, above: Sequence[Above], load: str, at: datetime) -> int:
        """The state's word on some records becomes newer than the topic's, and waits to be published; returns how many.

        A record that the state does not hold is one that is withdrawn. Where it stands under another subject here, the
        key that the topic has is told as an old one.
        """
        row, changed = tables.record.c, microseconds(at)
        with self._database.write() as connection:
            number = hold_number(connection, site)
            for start in range(0, len(above), IDS_AT_ONCE):
                some = above[start : start + IDS_AT_ONCE]
                query = select(row.id, row.site, row.subject).where(row.id.in_([each.id for each in some]))
                known = {id_: (owner, subject) for id_, owner, subject in connection.execute(query)}
                for each in some:
                    owner, subject = known.get(each.id, (None, each.subject))
                    if owner not in (None, site):
                        continue
                    number += 1
                    given = {**each._asdict(), "site": site, "number": number, "load": load, "changed": changed}
                    if subject != each.subject:
                        connection.execute(_OLD_KEY, given)
                    connection.execute(_RAISE if owner else _WITHDRAWN, given)
            keep_number(connection, site, number)
        return len(above)

    def place(self, site: str, asked: str) -> ReplayPlace | None:
        """How far a replay of the same asking has come; None where none is under way."""
        row = tables.replay.c
        query = select(row.after, row.upto, row.events, row.started).where(row.site == site, row.asked == asked)
        with self._database.read() as connection:
            found = connection.execute(query).one_or_none()
        return None if found is None else ReplayPlace(*found)

    def keep_place(self, site: str, asked: str, place: ReplayPlace) -> None:
        """A replay has come this far."""
        row = tables.replay
        mine = and_(row.c.site == site, row.c.asked == asked)
        with self._database.write() as connection:
            if not connection.execute(update(row).where(mine).values(place._asdict())).rowcount:
                connection.execute(insert(row).values(site=site, asked=asked, **place._asdict()))

    def forget_place(self, site: str, asked: str) -> None:
        """A replay has ended, or begins anew."""
        row = tables.replay
        with self._database.write() as connection:
            connection.execute(delete(row).where(row.c.site == site, row.c.asked == asked))


def begin_epoch(connection: Connection, epoch: int, before: int) -> None:
    """What is published from now on is of this epoch; what waits gets numbers above what was published in the one before."""
    pending = text(
        "UPDATE record SET number = number + :last WHERE site = :site AND sequence > published_sequence"
        " AND number NOT IN (SELECT number FROM refused WHERE site = :site)"
    )
    for site in connection.scalars(select(tables.site_state.c.site)).all():
        last = hold_number(connection, site)
        connection.execute(insert(tables.epoch_began).values(site=site, epoch=epoch, before=before, number=last))
        connection.execute(pending, {"site": site, "last": last})
        keep_number(connection, site, 2 * last)


_RAISE = text(
    "UPDATE record SET sequence = CASE WHEN sequence > :sequence THEN sequence + 2 ELSE :sequence + 2 END, number = :number"
    " WHERE id = :id"
)
_WITHDRAWN = text(
    "INSERT INTO record (id, site, type, subject, digest, load, sequence, published_sequence, live, changed, number, content,"
    " provenance, line_digest) VALUES (:id, :site, :type, :subject, :digest, :load, :sequence + 2, :sequence, true, :changed,"
    " :number, NULL, :empty, :no_line)"
).bindparams(bindparam("digest", EMPTY_DIGEST), bindparam("no_line", NO_LINE), bindparam("empty", b""))
_OLD_KEY = text(
    "INSERT INTO old_key (site, record, sequence, subject, type, changed)"
    " SELECT site, id, CASE WHEN sequence > :sequence THEN sequence + 1 ELSE :sequence + 1 END, :subject, type, :changed"
    " FROM record WHERE id = :id"
)


def _conditions(wanted: Wanted) -> Iterator[ColumnElement[bool]]:
    row = tables.record.c
    if wanted.types:
        yield row.type.in_(sorted(wanted.types))
    if wanted.subject is not None:
        yield row.subject == wanted.subject
    if wanted.since is not None:
        yield row.changed >= microseconds(wanted.since)


def _again(connection: Connection, site: str, rows: Iterable[Sequence[object]]) -> list[Change]:
    found = [Change._make(row) for row in rows]
    flags = flags_of(connection, site, [change.id for change in found])
    return [
        flagged(change, flags)._replace(
            previous=change.sequence - 1,
            live=change.sequence > 1,
            changed=moment_of(change.changed),  # type: ignore[arg-type]
        )
        for change in found
    ]
