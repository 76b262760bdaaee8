"""Records by subject: who changed in a load, and what of them is current.

The index it takes is made when somebody first asks for some subjects: kept from the beginning, it would cost each first
load on SQLite a seventh of what saving takes. PostgreSQL, which sorts on disk, reads all subjects without it, in one pass.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Select, and_, false, func, literal, or_, select, text, union

from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.loads import last_number
from transforms.mapped import ID_BYTES, Current

_AT_ONCE = 500
_INDEX = "ix_record_subject"
_CODED = "observation"
_CODE = b'"code":"'
_CODINGS = b'"codings":['
_LOINC = re.compile(r"\d+-\d")
_LONGEST_CODE = 24
_INDEXED = text("SELECT 1 FROM pg_index WHERE indexrelid = to_regclass(:index) AND indisvalid")
_INDEXED_SQLITE = text("SELECT 1 FROM sqlite_master WHERE type = 'index' AND name = :index")
"""Asked as each of them says it: to inspect tables takes five questions of PostgreSQL, every night."""


class Reads(NamedTuple):
    """Which records are asked for."""

    types: Collection[str]
    """Record types."""
    codes: Collection[str] | None = None
    """Of observations those of these codes; None: all."""


class Subjects:
    """What the step derive reads."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._indexed = False

    def changed(self, load_id: str, *, after: bytes = b"", reads: Reads | None = None) -> Iterator[bytes]:
        """Subjects of which a record changed since the last completed load, ascending, those after a subject; those that lost
        a record to another among them. The same while the load is open, but for what it adds itself: so it can be restarted.

        With `reads`, those of which such a record changed; one that was amended or withdrawn may have been one.
        """
        row, touched = tables.record.c, tables.touched.c
        with self._database.stream() as connection:
            site, first, last = self._numbers(connection, load_id)
            records = select(row.subject).where(row.site == site, row.number > first, row.number <= last)
            if reads is not None:
                asked = self._asked(reads)
                was = and_(row.type.in_(sorted(reads.types)), or_(row.sequence > 1, row.content.is_(None)))
                records = records.where(or_(asked, was))
            moved = select(touched.subject).where(touched.site == site, touched.number > first, touched.number <= last)
            wanted = union(records, moved).subquery()
            found = bytearray()  # 16 bytes each: no transaction stays open while they are derived
            statement = select(wanted.c.subject).where(wanted.c.subject > after).order_by(wanted.c.subject)
            for (subject,) in connection.execution_options(yield_per=2000).execute(statement):
                found += subject
        return (bytes(found[start : start + ID_BYTES]) for start in range(0, len(found), ID_BYTES))

    def any_changed(self, load_id: str) -> bool:
        """Whether a record changed since the last completed load."""
        row, touched = tables.record.c, tables.touched.c
        with self._database.read() as connection:
            site, first, last = self._numbers(connection, load_id)
            return any(
                connection.execute(
                    select(each.number).where(each.site == site, each.number > first, each.number <= last).limit(1)
                ).first()
                for each in (row, touched)
            )

    def _numbers(self, connection: Any, load_id: str) -> tuple[str, int, int]:
        load = tables.load.c
        site, first, last = connection.execute(
            select(load.site, load.first_number, load.last_number).where(load.id == load_id)
        ).one()
        return site, first, last_number(connection, site) if last is None else last

    def current(self, site: str, subjects: Sequence[bytes], types: Collection[str] = ()) -> list[Current]:
        """The records of some subjects, by subject; of some record types or of all."""
        return list(self.histories(site, subjects, Reads(types) if types else None))

    def histories(self, site: str, subjects: Iterable[bytes] | None, reads: Reads | None) -> Iterator[Current]:
        """Records of some subjects, or of all, by subject; those that are asked for, or all. As they are wanted."""
        row = tables.record.c
        # By an index of the site SQLite, which cannot know better, would read all of it for each portion.
        all_at_once = subjects is None and not self._database.is_sqlite
        of_site = row.site == site if all_at_once else func.coalesce(row.site, "") == site
        wanted = select(row.id, row.type, row.subject, row.content).where(of_site, row.content.is_not(None))
        if reads is not None:
            wanted = wanted.where(self._asked(reads))
        wanted = wanted.order_by(row.subject)  # and by nothing else: what no index orders SQLite sorts in memory
        if all_at_once:
            yield from self._read(wanted)
            return
        if not self._indexed:
            index_subjects(self._database)
            self._indexed = True
        left = self.all(site) if subjects is None else iter(subjects)
        while some := list(islice(left, _AT_ONCE)):
            yield from self._read(wanted.where(row.subject.in_(some)))

    def all(self, site: str) -> Iterator[bytes]:
        """All that have, or had, a record, ascending."""
        row, after = tables.record.c, b""
        of_site = func.coalesce(row.site, "") == site
        wanted = select(row.subject).distinct().where(of_site).order_by(row.subject).limit(_AT_ONCE)
        while True:
            with self._database.read() as connection:
                found = connection.scalars(wanted.where(row.subject > after)).all()
            if not found:
                return
            yield from found
            after = found[-1]

    def _read(self, wanted: "Select[Any]") -> Iterator[Current]:
        with self._database.stream() as connection:
            for each in connection.execution_options(yield_per=2000).execute(wanted):
                yield Current(*each)

    def _asked(self, reads: Reads) -> ColumnElement[bool]:
        row = tables.record.c
        if reads.codes is None or _CODED not in reads.types:
            return row.type.in_(sorted(reads.types))
        of_code = or_(self._code().in_([code.encode() for code in sorted(reads.codes)]), self._locally(reads.codes))
        others = row.type.in_(sorted({*reads.types} - {_CODED}))
        return or_(others, and_(row.type == _CODED, of_code))

    def _code(self) -> ColumnElement[bytes]:
        """The first code in a record's content: an observation's own, where it has one, stands before all others."""
        content = tables.record.c.content
        behind = func.substr(content, place_in(self._database, content, _CODE) + len(_CODE), _LONGEST_CODE)
        return func.substr(behind, 1, place_in(self._database, behind, b'"') - 1, type_=tables.record.c.content.type)

    def _locally(self, codes: Collection[str]) -> ColumnElement[bool]:
        """An observation without a code of its own, one of whose codings has one of the codes that are no LOINC."""
        content = tables.record.c.content
        codings = place_in(self._database, content, _CODINGS)
        local = (code for code in sorted(codes) if not _LOINC.fullmatch(code))
        named = [place_in(self._database, content, _CODE + code.encode() + b'"') > 0 for code in local]
        return and_(codings > 0, codings < place_in(self._database, content, _CODE), or_(false(), *named))


def place_in(database: Database, within: ColumnElement[Any], found: bytes) -> ColumnElement[int]:
    """Where bytes first stand in others, from 1; 0 where they do not."""
    if database.is_sqlite:
        return func.instr(within, literal(found))
    return func.position(literal(found).op("IN")(within))


def index_subjects(database: Database) -> None:
    """Makes the index of records by subject where it is missing; in a transaction of its own, for it locks out who writes.

    PostgreSQL lets two make it at once, `IF NOT EXISTS` or not, and fails the later (23505): who comes second waits.
    """
    with database.read() as connection:
        if (
            connection.execute(_INDEXED_SQLITE if database.is_sqlite else _INDEXED, {"index": _INDEX}).first()
            is not None
        ):
            return
    with database.write() as connection:
        if not database.is_sqlite:
            connection.execute(text("LOCK TABLE record IN SHARE ROW EXCLUSIVE MODE"))
        connection.execute(text(f"CREATE INDEX IF NOT EXISTS {_INDEX} ON record (subject)"))
