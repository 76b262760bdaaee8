"""The hot path: a batch of records against the stored state, by few statements over all rows at once.

What is known is asked first, with the batch's ids, digests and times as three strings of bytes: 40 bytes a record go out and only the
records that differ come back, so a batch without changes writes nothing. (`insert … on conflict` would send every content and lock every
row, changed or not: half as fast.) New records then go in by binary COPY straight into the table, or `executemany` on SQLite; changed
ones by one update. The caller holds the site's row in `site_state`, so nobody changes the answer in between.
"""

import json
import struct
from binascii import hexlify
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, NamedTuple, Protocol

from transforms.mapped import ID_BYTES, REF_BYTES, Mapped

FIRST_PART, LAST_PART = b"\0" * (ID_BYTES - REF_BYTES), b"\xff" * (ID_BYTES - REF_BYTES)


Digested = tuple[Mapped, bytes]
"""A record and the BLAKE2b-128 of its content."""


class Difference(NamedTuple):
    """What is stored of a batch's record, where that is not the same already."""

    place: int
    """Place in the batch."""
    site: str | None
    """The site that owns the stored record; None where there is none."""
    same: bool
    """The content is the same; then the source's time or line is another."""
    updated: int | None
    withdrawn: bool


class Part(NamedTuple):
    """A stored record, not withdrawn."""

    id: bytes
    type: str
    updated: int | None


class Changed(NamedTuple):
    """The next state of a stored record."""

    id: bytes
    digest: bytes
    line_digest: bytes
    content: bytes | None
    provenance: bytes | None
    """None: as it was."""
    updated: int | None
    number: int


class Batches(Protocol):
    """How one kind of database does it; `cursor` is the driver's own, inside the caller's transaction."""

    def prepare(self, cursor: Any) -> None:
        """Once a transaction."""

    def differences(
        self, cursor: Any, site: str, records: Sequence[Mapped], digests: Sequence[bytes]
    ) -> list[Difference]:
        """The records that are not stored with this content, from this line, and with an equal or newer time."""

    def any_known(self, cursor: Any, records: Sequence[Mapped]) -> bool:
        """Whether any of the records is stored: in a first load none is, and asking that costs less than every row's answer."""

    def unrecognised(self, cursor: Any, site: str, ids: Sequence[bytes], line_digests: Sequence[bytes]) -> list[int]:
        """The places of the records that are not stored from these lines."""

    def insert(self, cursor: Any, site: str, load: str, at: int, records: Sequence[Digested], number: int) -> None:
        """Records not known before; they get the numbers after `number`."""

    def change(self, cursor: Any, load: str, at: int, changes: Sequence[Changed]) -> None:
        """New states of stored records."""

    def touch(self, cursor: Any, records: Sequence[Mapped]) -> None:
        """Newer source times, or other lines, of records whose content is the same."""

    def parts(self, cursor: Any, site: str, refs: Sequence[bytes]) -> list[Part]:
        """The stored records of some source resources that are not withdrawn."""

    def pending(self, cursor: Any, site: str, after: int, limit: int) -> list[Any]:
        """Rows of `PENDING_COLUMNS` in order of number."""

    def mark(self, cursor: Any, site: str, first: int, last: int, but: Collection[int]) -> int:
        """The changes with these numbers, but for some, are published; a record changed since has another number and stays."""


PENDING_COLUMNS = (
    "number, id, type, subject, digest, content, provenance, load, sequence, published_sequence, live, changed"
)


def _known(records: Sequence[Mapped]) -> tuple[bytes, bytes, bytes]:
    """Ids, times and line digests of a batch, each joined; an unknown time is older than any."""
    times = [0 if record.updated is None or record.updated < 0 else record.updated for record in records]
    return (
        b"".join([record.id for record in records]),
        struct.pack(f">{len(times)}q", *times),
        b"".join([record.line_digest for record in records]),
    )


class SqliteBatches:
    """SQLite: rows go through sqlite3's own cursor."""

    _DIFFERENCES = """
        WITH RECURSIVE batch (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM batch WHERE i + 1 < :count)
        SELECT i, r.site, r.digest = substr(:digests, i * 16 + 1, 16), r.updated, r.content IS NULL
        FROM batch LEFT JOIN record r ON r.id = substr(:ids, i * 16 + 1, 16)
        WHERE r.site IS NOT :site OR r.digest <> substr(:digests, i * 16 + 1, 16)
           OR printf('%016x', coalesce(r.updated, 0)) < CAST(substr(:times, i * 16 + 1, 16) AS TEXT)
           OR r.line_digest IS NOT substr(:lines, i * 16 + 1, 16)"""
    _KNOWN = """
        WITH RECURSIVE batch (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM batch WHERE i + 1 < :count)
        SELECT EXISTS (SELECT 1 FROM batch CROSS JOIN record r ON r.id = substr(:ids, i * 16 + 1, 16))"""
    _UNRECOGNISED = """
        WITH RECURSIVE batch (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM batch WHERE i + 1 < :count)
        SELECT i FROM batch LEFT JOIN record r ON r.id = substr(:ids, i * 16 + 1, 16)
        WHERE r.line_digest IS NOT substr(:lines, i * 16 + 1, 16) OR r.site IS NOT :site"""
    # +r.site: without the sign SQLite would build an index over the whole site for each batch.
    _PARTS = """
        WITH RECURSIVE batch (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM batch WHERE i + 1 < :count)
        SELECT r.id, r.type, r.updated
        FROM batch CROSS JOIN record r ON r.id BETWEEN substr(:first, i * 16 + 1, 16) AND substr(:last, i * 16 + 1, 16)
        WHERE +r.site = :site AND r.content IS NOT NULL"""
    _INSERT = """
        INSERT INTO record (id, subject, digest, updated, content, provenance, type, number, site, load, sequence, published_sequence, live, changed, line_digest)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, 0, 0, ?, ?)"""
    _CHANGE = """
        UPDATE record SET digest = ?, line_digest = ?, content = ?, provenance = coalesce(?, provenance), updated = ?, number = ?,
               load = ?, changed = ?, sequence = sequence + 1
        WHERE id = ?"""
    _PENDING = f"""
        SELECT {PENDING_COLUMNS} FROM record INDEXED BY ix_record_number
        WHERE site = ? AND sequence > published_sequence AND number > ? ORDER BY number LIMIT ?"""
    _MARK = """
        UPDATE record INDEXED BY ix_record_number SET published_sequence = sequence, live = content IS NOT NULL
        WHERE site = ? AND sequence > published_sequence AND number BETWEEN ? AND ?
          AND number NOT IN (SELECT value FROM json_each(?))"""

    def prepare(self, cursor: Any) -> None:
        """Nothing to prepare."""

    def differences(
        self, cursor: Any, site: str, records: Sequence[Mapped], digests: Sequence[bytes]
    ) -> list[Difference]:
        """See Batches."""
        ids, times, lines = _known(records)
        given = {"count": len(records), "site": site, "lines": lines, "ids": ids, "digests": b"".join(digests)}
        given["times"] = hexlify(times)
        return [
            Difference(i, owner, bool(same), updated, bool(gone))
            for i, owner, same, updated, gone in cursor.execute(self._DIFFERENCES, given)
        ]

    def any_known(self, cursor: Any, records: Sequence[Mapped]) -> bool:
        """See Batches."""
        given = {"count": len(records), "ids": b"".join([record.id for record in records])}
        return bool(cursor.execute(self._KNOWN, given).fetchone()[0])

    def unrecognised(self, cursor: Any, site: str, ids: Sequence[bytes], line_digests: Sequence[bytes]) -> list[int]:
        """See Batches."""
        given = {"count": len(ids), "ids": b"".join(ids), "lines": b"".join(line_digests), "site": site}
        return [row[0] for row in cursor.execute(self._UNRECOGNISED, given)]

    def insert(self, cursor: Any, site: str, load: str, at: int, records: Sequence[Digested], number: int) -> None:
        """See Batches."""
        cursor.executemany(
            self._INSERT,
            [
                (
                    r.id,
                    r.subject,
                    digest,
                    r.updated,
                    r.content,
                    r.provenance,
                    r.type,
                    place,
                    site,
                    load,
                    at,
                    r.line_digest,
                )
                for place, (r, digest) in enumerate(records, start=number + 1)
            ],
        )

    def change(self, cursor: Any, load: str, at: int, changes: Sequence[Changed]) -> None:
        """See Batches."""
        cursor.executemany(
            self._CHANGE,
            [(c.digest, c.line_digest, c.content, c.provenance, c.updated, c.number, load, at, c.id) for c in changes],
        )

    def touch(self, cursor: Any, records: Sequence[Mapped]) -> None:
        """See Batches."""
        cursor.executemany(
            "UPDATE record SET updated = coalesce(?, updated), line_digest = ? WHERE id = ?",
            [(record.updated, record.line_digest, record.id) for record in records],
        )

    def parts(self, cursor: Any, site: str, refs: Sequence[bytes]) -> list[Part]:
        """See Batches."""
        given = {"count": len(refs), "first": _joined(refs, FIRST_PART), "last": _joined(refs, LAST_PART), "site": site}
        return [Part(*row) for row in cursor.execute(self._PARTS, given)]

    def pending(self, cursor: Any, site: str, after: int, limit: int) -> list[Any]:
        """See Batches."""
        rows: list[Any] = cursor.execute(self._PENDING, (site, after, limit)).fetchall()
        return rows

    def mark(self, cursor: Any, site: str, first: int, last: int, but: Collection[int]) -> int:
        """See Batches."""
        return int(cursor.execute(self._MARK, (site, first, last, json.dumps(list(but)))).rowcount)


class PostgresBatches:
    """PostgreSQL: psycopg's cursor; COPY rows packed here, which is quicker than writing them field by field."""

    # A fresh table has no statistics and a temporary one never: without this the planner reads whole tables or sorts the outbox.
    _PLANNER = "SELECT " + ", ".join(
        f"set_config('enable_{way}', 'off', true)" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort")
    )
    _DIFFERENCES = """
        SELECT i, r.site, coalesce(r.digest = substring(%(digests)s::bytea FROM i * 16 + 1 FOR 16), false), r.updated, coalesce(r.gone, false)
        FROM generate_series(0, %(count)s - 1) batch (i)
        LEFT JOIN LATERAL (
            SELECT site, digest, line_digest, updated, content IS NULL AS gone FROM record WHERE id = substring(%(ids)s::bytea FROM i * 16 + 1 FOR 16) OFFSET 0
        ) r ON true
        WHERE r.site IS DISTINCT FROM %(site)s OR r.digest <> substring(%(digests)s::bytea FROM i * 16 + 1 FOR 16)
           OR int8send(coalesce(r.updated, 0)) < substring(%(times)s::bytea FROM i * 8 + 1 FOR 8)
           OR r.line_digest IS DISTINCT FROM substring(%(lines)s::bytea FROM i * 16 + 1 FOR 16)"""
    _KNOWN = """
        SELECT EXISTS (
            SELECT FROM generate_series(0, %(count)s - 1) batch (i)
            JOIN LATERAL (SELECT FROM record WHERE id = substring(%(ids)s::bytea FROM i * 16 + 1 FOR 16) OFFSET 0) r ON true
        )"""
    _UNRECOGNISED = """
        SELECT i FROM generate_series(0, %(count)s - 1) batch (i)
        LEFT JOIN LATERAL (
            SELECT site, line_digest FROM record WHERE id = substring(%(ids)s::bytea FROM i * 16 + 1 FOR 16) OFFSET 0
        ) r ON true
        WHERE r.line_digest IS DISTINCT FROM substring(%(lines)s::bytea FROM i * 16 + 1 FOR 16) OR r.site IS DISTINCT FROM %(site)s"""
    _PARTS = """
        SELECT r.id, r.type, r.updated FROM generate_series(0, %(count)s - 1) batch (i)
        JOIN LATERAL (
            SELECT id, type, updated FROM record
            WHERE id BETWEEN substring(%(first)s::bytea FROM i * 16 + 1 FOR 16) AND substring(%(last)s::bytea FROM i * 16 + 1 FOR 16)
              AND site = %(site)s AND content IS NOT NULL OFFSET 0
        ) r ON true"""
    _INSERT = """
        COPY record (id, subject, digest, line_digest, updated, number, content, provenance, type, site, load, sequence, published_sequence, live, changed)
        FROM STDIN (FORMAT BINARY)"""
    _INCOMING = """
        CREATE TEMPORARY TABLE IF NOT EXISTS incoming
        (id bytea, digest bytea, line_digest bytea, number bigint, updated bigint, content bytea, provenance bytea) ON COMMIT DELETE ROWS"""
    _COPY_INCOMING = (
        "COPY incoming (id, digest, line_digest, number, updated, content, provenance) FROM STDIN (FORMAT BINARY)"
    )
    _CHANGE = """
        UPDATE record SET digest = i.digest, line_digest = i.line_digest, content = i.content, provenance = coalesce(i.provenance, record.provenance), updated = i.updated,
               number = i.number, load = %s, changed = %s, sequence = sequence + 1
        FROM incoming i WHERE record.id = i.id"""
    _TOUCH = """
        UPDATE record SET updated = coalesce(i.updated, record.updated), line_digest = i.line_digest
        FROM incoming i WHERE record.id = i.id"""
    _PENDING = f"""
        SELECT {PENDING_COLUMNS} FROM record
        WHERE site = %s AND sequence > published_sequence AND number > %s ORDER BY number LIMIT %s"""
    _MARK = """
        UPDATE record SET published_sequence = sequence, live = content IS NOT NULL
        WHERE site = %s AND sequence > published_sequence AND number BETWEEN %s AND %s AND number <> ALL(%s::bigint[])"""

    def prepare(self, cursor: Any) -> None:
        """The plans these statements need."""
        cursor.execute(self._PLANNER)

    def differences(
        self, cursor: Any, site: str, records: Sequence[Mapped], digests: Sequence[bytes]
    ) -> list[Difference]:
        """See Batches."""
        ids, times, lines = _known(records)
        given = {"count": len(records), "site": site, "lines": lines, "ids": ids, "digests": b"".join(digests)}
        given["times"] = times
        return [Difference(*row) for row in cursor.execute(self._DIFFERENCES, given, prepare=False)]

    def any_known(self, cursor: Any, records: Sequence[Mapped]) -> bool:
        """See Batches."""
        given = {"count": len(records), "ids": b"".join([record.id for record in records])}
        return bool(cursor.execute(self._KNOWN, given, prepare=False).fetchone()[0])

    def unrecognised(self, cursor: Any, site: str, ids: Sequence[bytes], line_digests: Sequence[bytes]) -> list[int]:
        """See Batches."""
        given = {"count": len(ids), "ids": b"".join(ids), "lines": b"".join(line_digests), "site": site}
        return [row[0] for row in cursor.execute(self._UNRECOGNISED, given, prepare=False)]

    def insert(self, cursor: Any, site: str, load: str, at: int, records: Sequence[Digested], number: int) -> None:
        """See Batches."""
        constant = b"".join((_text(site), _text(load), _integer(1), _integer(0), _BOOLEAN(1, 0), _BIGINT(8, at)))
        ends: dict[str, bytes] = {}
        fields: list[bytes] = [_COPY_START]
        add = fields.extend
        for place, (record, digest) in enumerate(records, start=number + 1):
            id_, type_, subject, content, provenance, updated, line = record
            if (end := ends.get(type_)) is None:
                end = ends[type_] = _text(type_) + constant
            if updated is None:
                start = _NEW_UNDATED(15, 16, id_, 16, subject, 16, digest, 16, line, -1, 8, place, len(content))
            else:
                start = _NEW(15, 16, id_, 16, subject, 16, digest, 16, line, 8, updated, 8, place, len(content))
            add((start, content, _LENGTH(len(provenance)), provenance, end))
        _copy(cursor, self._INSERT, fields)

    def change(self, cursor: Any, load: str, at: int, changes: Sequence[Changed]) -> None:
        """See Batches."""
        self._incoming(cursor, changes)
        cursor.execute(self._CHANGE, (load, at), prepare=False)

    def touch(self, cursor: Any, records: Sequence[Mapped]) -> None:
        """See Batches."""
        self._incoming(
            cursor, [Changed(record.id, b"", record.line_digest, None, None, record.updated, 0) for record in records]
        )
        cursor.execute(self._TOUCH, prepare=False)

    def _incoming(self, cursor: Any, changes: Iterable[Changed]) -> None:
        cursor.execute(self._INCOMING)
        cursor.execute("DELETE FROM incoming")
        fields: list[bytes] = [_COPY_START]
        for change in changes:
            fields += (_COUNT(7), _bytes(change.id), _bytes(change.digest), _bytes(change.line_digest))
            fields.append(_BIGINT(8, change.number))
            fields += (
                _NULL if change.updated is None else _BIGINT(8, change.updated),
                _bytes(change.content),
                _bytes(change.provenance),
            )
        _copy(cursor, self._COPY_INCOMING, fields)

    def parts(self, cursor: Any, site: str, refs: Sequence[bytes]) -> list[Part]:
        """See Batches."""
        given = {"count": len(refs), "first": _joined(refs, FIRST_PART), "last": _joined(refs, LAST_PART), "site": site}
        return [Part(*row) for row in cursor.execute(self._PARTS, given, prepare=False)]

    def pending(self, cursor: Any, site: str, after: int, limit: int) -> list[Any]:
        """See Batches."""
        rows: list[Any] = cursor.execute(self._PENDING, (site, after, limit), prepare=False).fetchall()
        return rows

    def mark(self, cursor: Any, site: str, first: int, last: int, but: Collection[int]) -> int:
        """See Batches."""
        return int(cursor.execute(self._MARK, (site, first, last, list(but)), prepare=False).rowcount)


# PostgreSQL's binary COPY: a row is a 16-bit count of fields, a field its 32-bit length (-1 null) and its bytes, all big-endian.
_COPY_START = b"PGCOPY\n\xff\r\n\0" + b"\0" * 8
_COPY_END = b"\xff\xff"
_NULL = b"\xff\xff\xff\xff"
_COUNT: Callable[..., bytes] = struct.Struct(">h").pack
_LENGTH: Callable[..., bytes] = struct.Struct(">i").pack
_BIGINT: Callable[..., bytes] = struct.Struct(">iq").pack
_BOOLEAN: Callable[..., bytes] = struct.Struct(">ib").pack
_NEW: Callable[..., bytes] = struct.Struct(">hi16si16si16si16siqiqi").pack
_NEW_UNDATED: Callable[..., bytes] = struct.Struct(">hi16si16si16si16siiqi").pack


def _integer(value: int) -> bytes:
    return struct.pack(">ii", 4, value)


def _bytes(value: bytes | None) -> bytes:
    return _NULL if value is None else _LENGTH(len(value)) + value


def _text(value: str) -> bytes:
    return _bytes(value.encode())


def _copy(cursor: Any, statement: str, fields: list[bytes]) -> None:
    fields.append(_COPY_END)
    with cursor.copy(statement) as copy:
        copy.write(b"".join(fields))


def _joined(refs: Sequence[bytes], part: bytes) -> bytes:
    return b"".join([ref + part for ref in refs])
