"""Batches on PostgreSQL: psycopg's cursor, rows by binary COPY."""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import starmap
from typing import Any

from mainstem.database.binary_copy import BIGINT, BOOLEAN, COUNT, LENGTH, NULL, START, copy_rows, field, integer, text
from mainstem.state.batches import (
    FIRST_PART,
    LAST_PART,
    PENDING_COLUMNS,
    Changed,
    Difference,
    Digested,
    LiveRecord,
    joined,
    known,
)
from transforms.mapped import Mapped

_NEW: Callable[..., bytes] = struct.Struct(">hi16si16si16si16siqiqi").pack
_NEW_UNDATED: Callable[..., bytes] = struct.Struct(">hi16si16si16si16siiqi").pack


class PostgresBatches:
    """PostgreSQL: psycopg's cursor; COPY rows packed here, which is quicker than writing them field by field."""

    # A fresh table has no statistics and a temporary one never: without this the planner reads whole tables or sorts the outbox.
    _PLANNER = "SELECT " + ", ".join(
        f"set_config('enable_{way}', 'off', true)" for way in ("seqscan", "bitmapscan", "hashjoin", "mergejoin", "sort")
    )
    _DIFFERENCES = """
        SELECT i, r.site, coalesce(r.digest = substring(%(digests)s::bytea FROM i * 16 + 1 FOR 16), false), r.updated, coalesce(r.gone, false), r.subject
        FROM generate_series(0, %(count)s - 1) batch (i)
        LEFT JOIN LATERAL (
            SELECT site, digest, line_digest, updated, content IS NULL AS gone, subject FROM record WHERE id = substring(%(ids)s::bytea FROM i * 16 + 1 FOR 16) OFFSET 0
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
        WHERE site = %s AND sequence > published_sequence AND number > %s
        {{but}} ORDER BY number LIMIT %s"""
    _MARK = """
        UPDATE record SET published_sequence = sequence, live = content IS NOT NULL
        WHERE site = %s AND sequence > published_sequence AND number BETWEEN %s AND %s {but}"""

    def prepare(self, cursor: Any) -> None:
        """The plans these statements need."""
        cursor.execute(self._PLANNER)

    def differences(
        self, cursor: Any, site: str, records: Sequence[Mapped], digests: Sequence[bytes]
    ) -> list[Difference]:
        """See Batches."""
        ids, times, lines = known(records)
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
        with (
            cursor.connection.pipeline()
        ):  # one round trip for both: each waits for the interpreter, which maps meanwhile
            self.prepare(cursor.connection.cursor())
            cursor.execute(self._UNRECOGNISED, given, prepare=False)
        return [row[0] for row in cursor]

    def insert(self, cursor: Any, site: str, load: str, at: int, records: Sequence[Digested], number: int) -> None:
        """See Batches."""
        constant = b"".join((text(site), text(load), integer(1), integer(0), BOOLEAN(1, 0), BIGINT(8, at)))
        ends: dict[str, bytes] = {}
        fields: list[bytes] = [START]
        add = fields.extend
        for place, (record, digest) in enumerate(records, start=number + 1):
            id_, type_, subject, content, provenance, updated, line = record
            if (end := ends.get(type_)) is None:
                end = ends[type_] = text(type_) + constant
            if updated is None:
                start = _NEW_UNDATED(15, 16, id_, 16, subject, 16, digest, 16, line, -1, 8, place, len(content))
            else:
                start = _NEW(15, 16, id_, 16, subject, 16, digest, 16, line, 8, updated, 8, place, len(content))
            add((start, content, LENGTH(len(provenance)), provenance, end))
        copy_rows(cursor, self._INSERT, fields)

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
        fields: list[bytes] = [START]
        for change in changes:
            fields += (COUNT(7), field(change.id), field(change.digest), field(change.line_digest))
            fields.append(BIGINT(8, change.number))
            fields += (
                NULL if change.updated is None else BIGINT(8, change.updated),
                field(change.content),
                field(change.provenance),
            )
        copy_rows(cursor, self._COPY_INCOMING, fields)

    def parts(self, cursor: Any, site: str, refs: Sequence[bytes]) -> Iterator[LiveRecord]:
        """See Batches."""
        given = {"count": len(refs), "first": joined(refs, FIRST_PART), "last": joined(refs, LAST_PART), "site": site}
        return starmap(LiveRecord, cursor.execute(self._PARTS, given, prepare=False))

    def provenances(self, cursor: Any, ids: Sequence[bytes]) -> dict[bytes, bytes]:
        """See Batches."""
        wanted = "SELECT id, provenance FROM record WHERE id = ANY(%s)"
        return {id_: bytes(said) for id_, said in cursor.execute(wanted, (list(ids),), prepare=False)}

    def pending(self, cursor: Any, site: str, after: int, limit: int) -> list[Any]:
        """See Batches."""
        rows: list[Any] = cursor.execute(
            self._PENDING.format(but=self._but(cursor, site)), (site, after, limit), prepare=False
        ).fetchall()
        return rows

    def mark(self, cursor: Any, site: str, first: int, last: int) -> int:
        """See Batches."""
        return int(
            cursor.execute(self._MARK.format(but=self._but(cursor, site)), (site, first, last), prepare=False).rowcount
        )

    @staticmethod
    def _but(cursor: Any, site: str) -> str:
        """Leaves out what is refused, which costs a tenth of the time, where there is any."""
        cursor.execute("SELECT number FROM refused WHERE site = %s ORDER BY number", (site,), prepare=False)
        numbers = ", ".join(str(row[0]) for row in cursor.fetchall())
        return f"AND number NOT IN ({numbers})" if numbers else ""
