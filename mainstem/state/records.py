"""Every record's state: batches saved, lines recognised."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import Connection, select

from mainstem.database import Database
from mainstem.state import aliases, consents, figures, lending, quarantine, references, tables
from mainstem.state.batch import Batch, Saved
from mainstem.state.batches import Batches
from mainstem.state.keys import move, note_own
from mainstem.state.loads import hold_open
from mainstem.state.moments import microseconds
from mainstem.state.numbers import add_to_tally, hold_number, keep_number
from mainstem.state.saving import Saving
from transforms.mapped import REF_BYTES, Mapped

_AT_ONCE = 500


class Records:
    """A site's records. Saves of one site come one after the other, so its changes commit in the order of their numbers."""

    def __init__(self, database: Database, batches: Batches) -> None:
        self._database, self._batches = database, batches

    def save(self, load_id: str, part: str, batch: Batch, at: datetime) -> Saved:
        """Compares a batch with the state and stores what differs, with all that belongs to it, in one transaction.

        Raises OperatorError for a load that is not its site's open one.
        """
        with self._database.write() as connection:
            load = hold_open(connection, load_id)
            standing = _standing(connection, batch.records, batch.outdated_by)
            consents.heed(connection, load.site, standing, at)
            saving = self._saving(connection, load.site, load_id, at)
            saved = _saved(connection, load.site, batch, saving)
            self._close(connection, load.site, saving)
            told = lending.save(connection, load.site, batch, saving)
            references.save(connection, load.site, batch, saving, told)
            if batch.mapped_again:
                listed = (record.id[:REF_BYTES] for record in batch.records)
                usable = {*listed, *(each.ref for each in batch.alike), *(ref for ref, _ in batch.withdrawn)}
                quarantine.heal(connection, load.site, usable)
            quarantine.note(connection, load_id, load.site, batch.quarantined)
            figures.add(connection, load_id, part, batch, saved)
        return saved

    def unrecognised(self, site: str, ids: Sequence[bytes], line_digests: Sequence[bytes]) -> list[int]:
        """Which of some lines, known by the ids of their records and their digests, did not give what is stored: their places."""
        with self._database.read() as connection:
            return self._batches.unrecognised(self._database.cursor(connection), site, ids, line_digests)

    def stands(self, site: str, record_id: bytes) -> bool:
        """Whether a record is there and not withdrawn."""
        row = tables.record.c
        wanted = select(row.id).where(row.id == record_id, row.site == site, row.content.is_not(None))
        with self._database.read() as connection:
            return connection.execute(wanted).first() is not None

    def _saving(self, connection: Connection, site: str, load_id: str, at: datetime) -> Saving:
        cursor = self._database.cursor(connection)
        self._batches.prepare(cursor)
        return Saving(self._batches, cursor, site, load_id, microseconds(at), hold_number(connection, site))

    def _close(self, connection: Connection, site: str, saving: Saving) -> None:
        if saving.number > saving.first:
            keep_number(connection, site, saving.number)
            add_to_tally(connection, site, saving.added)


def _saved(connection: Connection, site: str, batch: Batch, saving: Saving) -> Saved:
    """Stores what a batch brings, some of it at a time, each record under the subject that survives, and withdraws what goes."""
    saving.begin(batch)
    withdrawn, left_out, outdated = [*batch.withdrawn], set[bytes](), 0
    own, noted = dict[bytes, bytes | None](), list[tuple[bytes, bytes | None]]()
    for given in batch.portions():
        standing = _standing(connection, given, batch.outdated_by)
        renamed = aliases.apply(connection, site, standing)
        admitted = consents.admitted(connection, site, renamed.records)
        saving.store(admitted)
        withdrawn += renamed.withdrawn
        own |= renamed.own
        noted += renamed.noted
        if missing := len(given) - len(standing) + len(renamed.records) - len(admitted):
            left_out |= _left_out(given, standing) | _left_out(renamed.records, admitted)
            outdated += missing
    saved = saving.end(batch, withdrawn, left_out)
    move(connection, site, [each._replace(own=own.get(each.id)) for each in saving.moves])
    note_own(connection, noted)
    gone = len(withdrawn) - len(batch.withdrawn)
    return saved._replace(unchanged=saved.unchanged + gone, stale=saved.stale + outdated)


def _left_out(before: Sequence[Mapped], after: Sequence[Mapped]) -> set[bytes]:
    return {record.id for record in before} - {record.id for record in after}


def _standing(connection: Connection, records: Sequence[Mapped], outdated_by: Collection[str]) -> Sequence[Mapped]:
    """Records without those that a later load withdrew."""
    if not outdated_by:
        return records
    row, withdrawn = tables.record.c, set[bytes]()
    ids = [record.id for record in records]
    for start in range(0, len(ids), _AT_ONCE):
        some = row.id.in_(ids[start : start + _AT_ONCE])
        wanted = select(row.id).where(some, row.content.is_(None), row.load.in_(outdated_by))
        withdrawn.update(connection.scalars(wanted))
    return [record for record in records if record.id not in withdrawn]
