"""Records by subject: who changed in a load, and what of them is current.

The index it takes is made when somebody first asks by subject: kept from the beginning, it would cost each first load on
SQLite a seventh of what saving takes, and most sites have neither a derived value nor an alias.
"""

from collections.abc import Collection, Iterator, Sequence

from sqlalchemy import inspect, select, text, union

from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.loads import last_number
from transforms.derive import Current
from transforms.mapped import ID_BYTES

_AT_ONCE = 500
_INDEX = "ix_record_subject"


class Subjects:
    """What the step derive reads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._indexed = False

    def changed(self, load_id: str, *, after: bytes = b"") -> Iterator[bytes]:
        """Subjects of which a record changed since the last completed load, ascending, those after a subject; those that lost
        a record to another among them. The same while the load is open, but for what it adds itself: so it can be restarted.
        """
        row, touched, load = tables.record.c, tables.touched.c, tables.load.c
        with self._database.read() as connection:
            site, first, last = connection.execute(
                select(load.site, load.first_number, load.last_number).where(load.id == load_id)
            ).one()
            last = last_number(connection, site) if last is None else last
            wanted = union(
                *(
                    select(table.subject).where(table.site == site, table.number > first, table.number <= last)
                    for table in (row, touched)
                )
            ).subquery()
            found = bytearray()  # 16 bytes each: no transaction stays open while they are derived
            statement = select(wanted.c.subject).where(wanted.c.subject > after).order_by(wanted.c.subject)
            for (subject,) in connection.execution_options(yield_per=2000).execute(statement):
                found += subject
        return (bytes(found[start : start + ID_BYTES]) for start in range(0, len(found), ID_BYTES))

    def current(self, site: str, subjects: Sequence[bytes], types: Collection[str] = ()) -> list[Current]:
        """The records of some subjects, by subject; of some record types or of all."""
        if not self._indexed:
            index_subjects(self._database)
            self._indexed = True
        row = tables.record.c
        wanted = select(row.id, row.type, row.subject, row.content).where(row.site == site, row.content.is_not(None))
        if types:
            wanted = wanted.where(row.type.in_(sorted(types)))
        found: list[Current] = []
        with self._database.read() as connection:
            for start in range(0, len(subjects), _AT_ONCE):
                some = wanted.where(row.subject.in_(list(subjects[start : start + _AT_ONCE])))
                found += [Current(*each) for each in connection.execute(some.order_by(row.subject, row.id))]
        return found


def index_subjects(database: Database) -> None:
    """Makes the index of records by subject where it is missing; in a transaction of its own, for it locks out who writes."""
    with database.read() as connection:
        if inspect(connection).has_index(tables.record.name, _INDEX):
            return
    with database.write() as connection:
        connection.execute(text(f"CREATE INDEX IF NOT EXISTS {_INDEX} ON record (subject)"))
