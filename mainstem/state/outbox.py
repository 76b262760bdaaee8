"""What waits to be published, kept by the state: changes, old keys, refused changes, events to be told."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, text, update

from mainstem.database import Database
from mainstem.outbox import Change, OldKey, Refused, Told
from mainstem.state import tables
from mainstem.state.batches import Batches
from mainstem.state.flags import flagged, flags_of
from mainstem.state.mending import begin_epoch
from mainstem.state.moments import moment_of
from schemas.published import Mark

KEPT = Told._fields[: Told._fields.index("about")]
"""A site tells of itself alone."""


class StoredOutbox:
    """`mainstem.outbox.Outbox` on the state's tables.

    Changes and state are one row: a record is pending while its `sequence` is above its `published_sequence`. One write,
    nothing to keep in step, and the state is what replays come from.
    """

    def __init__(self, database: Database, batches: Batches) -> None:
        self._database, self._batches = database, batches
        self._epoch: int | None = None

    @property
    def epoch(self) -> int:
        """See Outbox."""
        if self._epoch is None:
            with self._database.read() as connection:
                self._epoch = connection.execute(select(tables.mainstem.c.epoch)).scalar_one()
        return self._epoch

    def raise_epoch(self, to: int = 0) -> int:
        """After a restore from a backup: the new epoch, one above the last, or `to` where that is higher."""
        with self._database.write() as connection:
            before = connection.execute(select(tables.mainstem.c.epoch)).scalar_one()
            new = max(to, before + 1)
            connection.execute(update(tables.mainstem).values(epoch=new))
            begin_epoch(connection, new, before)
            self._epoch = connection.execute(select(tables.mainstem.c.epoch)).scalar_one()
        return self._epoch

    def pending(self, site: str, *, after: int = 0, limit: int) -> list[Change]:
        """See Outbox."""
        with self._database.stream() as connection:
            after = max(after, _published_upto(connection, site))
            cursor = self._database.cursor(connection)
            self._batches.prepare(cursor)
            rows = self._batches.pending(cursor, site, after, limit)
            found = flags_of(connection, site, [row[1] for row in rows])
        moments = {changed: moment_of(changed) for changed in {row[-1] for row in rows}}
        changes = [Change._make((*row[:-2], bool(row[-2]), moments[row[-1]])) for row in rows]
        return [flagged(change, found) for change in changes] if found else changes

    def pending_count(self, site: str) -> tuple[int, datetime | None]:
        """How many changes wait, and since when the oldest does."""
        row = tables.record.c
        with self._database.read() as connection:
            count, oldest = connection.execute(
                select(func.count(), func.min(row.changed)).where(tables.pending(site))
            ).one()
        return count, None if oldest is None else moment_of(oldest)

    def old_keys(self, site: str, rows: Sequence[Change]) -> list[OldKey]:
        """See Outbox."""
        with self._database.read() as connection:
            return _old_keys(connection, site, rows)

    def mark_published(self, site: str, rows: Sequence[Change], *, refused: Sequence[Refused] = ()) -> int:
        """See Outbox."""
        numbers = [row.number for row in rows] + [each.number for each in refused]
        if not numbers:
            return 0
        first, last = min(numbers), max(numbers)
        with self._database.write() as connection:
            cursor = self._database.cursor(connection)
            self._batches.prepare(cursor)
            _refuse(connection, site, refused)
            told = _old_keys(connection, site, rows)
            _forget(connection, site, told)
            marked = self._batches.mark(cursor, site, first, last)
            _move_published(connection, site, first, last)
            _add_published(connection, site, marked + len(told))
        return marked

    def refused(self, site: str) -> dict[str, int]:
        """Changes that cannot be sent, by reason."""
        with self._database.read() as connection:
            return refused_by_reason(connection, site)

    def told(self, site: str, limit: int) -> list[Told]:
        """See Outbox."""
        row = tables.told.c
        with self._database.read() as connection:
            found = connection.execute(
                select(*(row[name] for name in KEPT)).where(row.site == site).order_by(row.number).limit(limit)
            )
            return [Told(*each) for each in found]

    def mark_told(self, site: str, numbers: Sequence[int]) -> None:
        """See Outbox."""
        row = tables.told
        with self._database.write() as connection:
            connection.execute(delete(row).where(row.c.site == site, row.c.number.in_(list(numbers))))

    def marked(self, site: str) -> Mark:
        """See Outbox."""
        row = tables.told_mark.c
        with self._database.read() as connection:
            found = connection.execute(select(row.epoch, row.number).where(row.site == site)).one_or_none()
        known = Mark(0, 0) if found is None else Mark(*found)
        return known if known.epoch >= self.epoch else Mark(self.epoch, known.number)

    def marked_topic(self, site: str) -> str:
        """See Outbox."""
        row = tables.told_mark.c
        with self._database.read() as connection:
            return connection.execute(select(row.topic).where(row.site == site)).scalar() or ""

    def mark(self, site: str, mark: Mark, topic: str) -> None:
        """See Outbox."""
        with self._database.write() as connection:
            connection.execute(_MARK, {"site": site, "epoch": mark.epoch, "number": mark.number, "topic": topic})

    def partitions(self, topic: str, found: int) -> int:
        """See Outbox."""
        row = tables.topic
        wanted = select(row.c.partitions).where(row.c.name == topic)
        with self._database.read() as connection:
            known: int | None = connection.execute(wanted).scalar()
        if known is not None:
            return known
        with self._database.write() as connection:
            connection.execute(_REMEMBER, {"name": topic, "partitions": found})
            remembered: int = connection.execute(wanted).scalar_one()
        return remembered

    def publishing(self, site: str) -> AbstractContextManager[None]:
        """See Outbox."""
        return self._database.holding(f"publishing-{site}", f"publishing {site}")


def tell(
    connection: Connection, site: str, kind: str, name: str, event: str, at: datetime, value: bytes, *, change: int = 0
) -> None:
    """Puts an event among those to be sent, in the transaction that makes it true."""
    row = {"site": site, "kind": kind, "name": name, "event": event, "at": at, "value": value, "change": change}
    connection.execute(insert(tables.told).values(row))


def refused_by_reason(connection: Connection, site: str) -> dict[str, int]:
    """A site's changes that cannot be sent."""
    row = tables.refused.c
    found = connection.execute(select(row.reason, func.count()).where(row.site == site).group_by(row.reason))
    return dict(iter(found))


def waiting_of(connection: Connection, site: str, load_id: str) -> int:
    """How many of a load's changes are not published. That nothing of the site waits, as nearly always, the index of numbers
    tells; for those of one load, of which it has no statistics yet, PostgreSQL would read the whole table.
    """
    row = tables.record.c
    first = select(row.number).where(tables.pending(site)).order_by(row.number).limit(1)
    if connection.execute(first).first() is None:
        return 0
    return connection.execute(select(func.count()).where(tables.pending(site), row.load == load_id)).scalar_one()


_MARK = text(
    "INSERT INTO told_mark (site, epoch, number, topic) VALUES (:site, :epoch, :number, :topic)"
    " ON CONFLICT (site) DO UPDATE SET epoch = excluded.epoch, number = excluded.number, topic = excluded.topic"
)
_REMEMBER = text("INSERT INTO topic (name, partitions) VALUES (:name, :partitions) ON CONFLICT (name) DO NOTHING")
_REFUSE = text(
    "INSERT INTO refused (site, number, record, reason, size)"
    " SELECT site, number, id, :reason, :size FROM record WHERE site = :site AND number = :number"
    " ON CONFLICT (site, number) DO NOTHING"
)
_PUBLISHED = text(
    "INSERT INTO published (site, number) VALUES (:site, :number)"
    " ON CONFLICT (site) DO UPDATE SET number = excluded.number WHERE published.number < excluded.number"
)
_ADD = text(
    "INSERT INTO load_published (load, events)"
    " SELECT id, CAST(:events AS BIGINT) FROM load WHERE site = :site AND status = 'running'"
    " ON CONFLICT (load) DO UPDATE SET events = load_published.events + excluded.events"
)
_IN_ONE_QUESTION = 500


def _published_upto(connection: Connection, site: str) -> int:
    row = tables.published.c
    return connection.execute(select(row.number).where(row.site == site)).scalar() or 0


def _old_keys(connection: Connection, site: str, rows: Sequence[Change]) -> list[OldKey]:
    """Those below the sequences that `rows` have; one question where there is none."""
    row = tables.old_key.c
    if connection.execute(select(row.site).where(row.site == site).limit(1)).first() is None:
        return []
    sequences = {change.id: change.sequence for change in rows}
    ids = list(sequences)
    wanted = select(row.record, row.type, row.subject, row.sequence, row.changed).where(row.site == site)
    found: list[OldKey] = []
    for start in range(0, len(ids), _IN_ONE_QUESTION):
        some = wanted.where(row.record.in_(ids[start : start + _IN_ONE_QUESTION])).order_by(row.record, row.sequence)
        for id_, kind, subject, sequence, changed in connection.execute(some):
            if sequence < sequences[id_]:
                found.append(OldKey(id_, kind, subject, sequence, moment_of(changed)))
    return found


def _forget(connection: Connection, site: str, told: Sequence[OldKey]) -> None:
    if told:
        connection.execute(
            text("DELETE FROM old_key WHERE site = :site AND record = :record AND sequence = :sequence"),
            [{"site": site, "record": key.id, "sequence": key.sequence} for key in told],
        )


def _refuse(connection: Connection, site: str, refused: Sequence[Refused]) -> None:
    if refused:
        connection.execute(_REFUSE, [{"site": site, **each._asdict()} for each in refused])


def _move_published(connection: Connection, site: str, first: int, last: int) -> None:
    """The numbers from `first` to `last` are published or refused, so all up to `last` are, unless one before them waits."""
    row = tables.record.c
    before = select(row.number).where(tables.pending(site), row.number < first).order_by(row.number).limit(1)
    if connection.execute(before).first() is None:
        connection.execute(_PUBLISHED, {"site": site, "number": last})


def _add_published(connection: Connection, site: str, events: int) -> None:
    """To the figures of the site's open load."""
    if events:
        connection.execute(_ADD, {"site": site, "events": events})
