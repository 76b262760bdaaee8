"""What checks found of records: flags that join those of mapping in the provenance of what is published.

They stand apart from the record, so a line that comes again neither loses them nor is read anew for them. A record whose
flags change is a change to be published, of the same content.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy import Connection, delete, insert, select, text

from mainstem.database import Database
from mainstem.state import figures, tables
from mainstem.state.batch import Batch, Saved
from mainstem.state.flags import Flags
from mainstem.state.loads import hold_open
from mainstem.state.moments import microseconds
from mainstem.state.numbers import hold_number, keep_number

_AT_ONCE = 500
_NONE: tuple[bytes, Flags] = (b"", ())


class Findings:
    """Of every site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def save(
        self,
        load_id: str,
        part: str,
        subjects: Sequence[bytes],
        found: Mapping[bytes, tuple[bytes, Flags]],
        at: datetime,
    ) -> int:
        """All that was found of some subjects: by record its subject and flags. Returns how many records have other flags now.

        Raises OperatorError for a load that is not its site's open one.
        """
        with self._database.write() as connection:
            load = hold_open(connection, load_id)
            known = _known(connection, load.site, subjects)
            differing = [record for record in {*known, *found} if known.get(record) != found.get(record)]
            _put(connection, load.site, differing, found)
            changed = [record for record in differing if known.get(record, _NONE)[1] != found.get(record, _NONE)[1]]
            if not changed:
                return 0
            amended = self._number(connection, load.site, load_id, sorted(changed), microseconds(at))
            figures.add(connection, load_id, part, Batch([]), Saved(0, amended, 0, 0, 0))
        return amended

    def _number(self, connection: Connection, site: str, load_id: str, records: Sequence[bytes], at: int) -> int:
        """Those of the records that are current are to be published again."""
        row, current = tables.record.c, list[bytes]()
        for start in range(0, len(records), _AT_ONCE):
            some = row.id.in_(records[start : start + _AT_ONCE])
            current += connection.scalars(select(row.id).where(some, row.site == site, row.content.is_not(None)))
        if current:
            first = hold_number(connection, site) + 1
            given = [
                {"load": load_id, "at": at, "number": first + place, "id": id_} for place, id_ in enumerate(current)
            ]
            connection.execute(_AGAIN, given)
            keep_number(connection, site, first + len(current) - 1)
        return len(current)


_AGAIN = text("UPDATE record SET number = :number, sequence = sequence + 1, load = :load, changed = :at WHERE id = :id")


def _known(connection: Connection, site: str, subjects: Sequence[bytes]) -> dict[bytes, tuple[bytes, Flags]]:
    row, known = tables.finding.c, dict[bytes, tuple[bytes, Flags]]()
    for start in range(0, len(subjects), _AT_ONCE):
        some = row.subject.in_(subjects[start : start + _AT_ONCE])
        wanted = select(row.record, row.subject, row.flags).where(row.site == site, some)
        known |= {record: (subject, tuple(flags)) for record, subject, flags in connection.execute(wanted)}
    return known


def _put(
    connection: Connection, site: str, changed: Sequence[bytes], found: Mapping[bytes, tuple[bytes, Flags]]
) -> None:
    row = tables.finding
    for start in range(0, len(changed), _AT_ONCE):
        connection.execute(delete(row).where(row.c.record.in_(changed[start : start + _AT_ONCE])))
    rows = [
        {"record": record, "site": site, "subject": found[record][0], "flags": list(found[record][1])}
        for record in changed
        if record in found
    ]
    if rows:
        connection.execute(insert(row), rows)
