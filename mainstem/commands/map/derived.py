"""Values of several records for `mainstem map --derive`: a person's records, in whatever file and order they come."""

import sqlite3
from collections.abc import Callable, Iterator
from itertools import groupby
from operator import attrgetter

from transforms.derive import Deriver, values
from transforms.mapped import REF_BYTES, Current, Mapped, Outcomes

_TABLE = (
    "CREATE TABLE kept (id BLOB PRIMARY KEY, ref BLOB, type TEXT, subject BLOB, content BLOB, updated INTEGER)",
    "CREATE INDEX kept_ref ON kept (ref)",
)
_NEWER = (
    "INSERT INTO kept VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET type = excluded.type,"
    " subject = excluded.subject, content = excluded.content, updated = excluded.updated"
    " WHERE coalesce(excluded.updated >= updated, true)"
)
_GONE = "DELETE FROM kept WHERE ref = ? AND coalesce(? >= updated, true)"
_BY_SUBJECT = "SELECT id, type, subject, content FROM kept ORDER BY subject, id"


class Kept:
    """Records that values read, the newest version of each; on the disk once they are many, gone when closed."""

    def __init__(self, site: str, subject_key: bytes) -> None:
        self._deriver = Deriver(site=site, subject_key=subject_key, values=values())
        self._rows = sqlite3.connect("")  # SQLite's private database: in memory until its cache is full
        for statement in _TABLE:
            self._rows.execute(statement)
        self.close = self._rows.close

    def take(self, outcomes: Outcomes) -> None:
        """What lines gave: records, and withdrawals of what was given before."""
        reads = self._deriver.inputs.reads
        wanted = (record for record in outcomes.records if reads(Current(*record[:4])))
        rows = ((each.id, each.id[:REF_BYTES], *each[1:4], each.updated) for each in wanted)
        self._rows.executemany(_NEWER, rows)
        gone = ((each.ref, each.updated) for each in outcomes.unusual.values() if each.withdrawn)
        self._rows.executemany(_GONE, gone)

    def derived(self, progress: Callable[[str, str, int], None]) -> Iterator[Mapped]:
        """Of each person in turn."""
        records = (Current(*row) for row in self._rows.execute(_BY_SUBJECT))
        for done, (_subject, of_one) in enumerate(groupby(records, attrgetter("subject")), 1):
            for found in self._deriver.derive(of_one):
                if isinstance(found, Mapped):
                    yield found
            progress("derive", "subjects", done)
