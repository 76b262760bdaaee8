"""Values of several records for `mainstem map --derive`: a person's records, in whatever file and order they come."""

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from operator import attrgetter
from typing import NamedTuple

from schemas.problems import NOT_LOADED
from transforms.derive import Deriver, values
from transforms.mapped import REF_BYTES, SAYS_NOTHING, Current, Mapped, Outcome, Outcomes

_TABLES = (
    "CREATE TABLE kept (id BLOB PRIMARY KEY, ref BLOB, type TEXT, subject BLOB, content BLOB) WITHOUT ROWID",
    "CREATE INDEX kept_ref ON kept (ref)",
    "CREATE TABLE version (ref BLOB PRIMARY KEY, updated INTEGER, gone INTEGER, batch INTEGER) WITHOUT ROWID",
)
_NEWER = (
    "INSERT INTO version VALUES (?, ?, ?, ?) ON CONFLICT (ref) DO UPDATE SET updated = excluded.updated,"
    " gone = excluded.gone, batch = excluded.batch WHERE excluded.updated IS NOT -1 AND"
    " coalesce(excluded.updated > updated OR (excluded.updated = updated AND excluded.gone >= gone), true)"
)
_OLDER = "DELETE FROM kept WHERE ref = ?1 AND EXISTS (SELECT 1 FROM version WHERE ref = ?1 AND batch = ?2)"
_NEW = (
    "INSERT OR REPLACE INTO kept SELECT ?1, ?2, ?3, ?4, ?5"
    " WHERE EXISTS (SELECT 1 FROM version WHERE ref = ?2 AND batch = ?6)"
)
_BY_SUBJECT = "SELECT id, type, subject, content FROM kept ORDER BY subject, id"


_NAMED_ONLY = -1
_SAYS_NOTHING = b'"%b"' % SAYS_NOTHING.encode()


class _Version(NamedTuple):
    """What a line says of its resource."""

    updated: int | None
    """As in Mapped; before all others where it says nothing."""
    gone: bool
    """It was entered in error, is no fact or cannot be used: what an older version gave does not hold."""
    records: Sequence[Mapped] = ()

    def replaces(self, other: "_Version") -> bool:
        """Of the same time a withdrawal wins, else the later line; it does where a time is not told."""
        if self.updated == _NAMED_ONLY:
            return False
        if self.updated is None or other.updated is None:
            return True
        return (self.updated, self.gone) >= (other.updated, other.gone)


class Kept:
    """Records that values read, the newest version of each; on the disk once they are many, gone when closed."""

    def __init__(self, site: str, subject_key: bytes) -> None:
        self._deriver = Deriver(site=site, subject_key=subject_key, values=values())
        self._rows = sqlite3.connect("")  # SQLite's private database: in memory until its cache is full
        for statement in _TABLES:
            self._rows.execute(statement)
        self._batch = 0
        self.close = self._rows.close

    def take(self, outcomes: Outcomes) -> None:
        """What lines gave: the records of each resource in place of what an older version of it gave, in whatever order these come."""
        found, reads = _newest(outcomes), self._deriver.inputs.reads
        self._batch = batch = self._batch + 1
        self._rows.executemany(_NEWER, ((ref, each.updated, each.gone, batch) for ref, each in found.items()))
        self._rows.executemany(_OLDER, ((ref, batch) for ref in found))
        records = ((ref, record) for ref, each in found.items() for record in each.records)
        wanted = ((ref, record) for ref, record in records if reads(Current(*record[:4])))
        self._rows.executemany(_NEW, ((record.id, ref, *record[1:4], batch) for ref, record in wanted))

    def derived(self, progress: Callable[[str, str, int], None]) -> Iterator[Mapped]:
        """Of each person in turn."""
        records = (Current(*row) for row in self._rows.execute(_BY_SUBJECT))
        for done, (_subject, of_one) in enumerate(groupby(records, attrgetter("subject")), 1):
            for found in self._deriver.derive(of_one):
                if isinstance(found, Mapped):
                    yield found
            progress("derive", "subjects", done)


def _newest(outcomes: Outcomes) -> dict[bytes, _Version]:
    """By resource, the version that stands when all lines were read."""
    found: dict[bytes, _Version] = {}
    for place, record in enumerate(outcomes.usual):
        if record is not None:
            ref, version = record.id[:REF_BYTES], _given((record,))
        elif (told := _told(outcomes.unusual[place])) is not None:
            ref, version = outcomes.unusual[place].ref, told
        else:
            continue
        if (known := found.get(ref)) is None or version.replaces(known):
            found[ref] = version
    return found


def _told(outcome: Outcome) -> _Version | None:
    """None of what says nothing of an older version."""
    if outcome.records:
        return _given(outcome.records)
    problem = outcome.problem
    gone = outcome.withdrawn or (problem is not None and outcome.ref != b"" and problem.reason not in NOT_LOADED)
    return _Version(outcome.updated, gone=True) if gone else None


def _given(records: Sequence[Mapped]) -> _Version:
    first = records[0]
    return _Version(_NAMED_ONLY if _SAYS_NOTHING in first.provenance else first.updated, gone=False, records=records)
