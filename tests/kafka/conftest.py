"""What the Kafka tests share: a network with topics on Tansu or Apache Kafka, and an outbox that holds changes in memory."""

import importlib.util
import itertools
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any, NamedTuple

import pytest

APACHE_KAFKA = Path(__file__).parent.parent / "apache_kafka.py"
if "apache_kafka" not in sys.modules:
    spec = importlib.util.spec_from_file_location("apache_kafka", APACHE_KAFKA)
    assert spec and spec.loader
    sys.modules["apache_kafka"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["apache_kafka"])

from apache_kafka import apache_kafka, own_apache_kafka, three_brokers  # noqa: E402, F401


class Row(NamedTuple):
    """A pending change, as mainstem.store.Pending."""

    number: int
    id: bytes
    type: str
    subject: bytes
    digest: bytes
    content: bytes | None
    provenance: bytes
    load: str
    sequence: int
    previous: int
    live: bool
    changed: datetime


class MemoryOutbox:
    """Record state and pending changes in memory, with the store's port: what C's tests prove of the real one."""

    epoch = 1

    def __init__(self) -> None:
        self.rows: dict[bytes, Row] = {}
        self.published: dict[bytes, tuple[int, bool]] = {}
        self.locked = False
        self._numbers = itertools.count(1)
        self.now = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)

    def change(self, record: bytes, subject: bytes, content: bytes | None, *, type_: str = "observation") -> None:
        """Store a change of a record, or its withdrawal."""
        sequence = self.rows[record].sequence + 1 if record in self.rows else 1
        provenance = (
            b'"source":[{"type":"Observation","ref":"h-%b","version":"3"}],"mapping":"observation@1"' % record[:12].hex().encode()
        )
        self.rows[record] = Row(
            next(self._numbers),
            record,
            type_,
            subject,
            blake2b(content or b"", digest_size=16).digest(),
            content,
            provenance,
            "north/2026-03-02T05:00Z",
            sequence,
            0,
            False,
            self.now,
        )

    def pending(self, site: str, *, after: int = 0, limit: int) -> list[Row]:
        rows = []
        for row in sorted(self.rows.values()):
            sent, live = self.published.get(row.id, (0, False))
            if row.sequence > sent and row.number > after:
                rows.append(row._replace(previous=sent, live=live))
        return rows[:limit]

    def mark_published(self, site: str, rows: list[Row]) -> int:
        for row in rows:
            self.published[row.id] = (row.sequence, row.content is not None)
        return len(rows)

    @contextmanager
    def publishing(self, site: str) -> Iterator[None]:
        assert not self.locked
        self.locked = True
        try:
            yield
        finally:
            self.locked = False


def observation(record: bytes, subject: bytes, value: str = "7.1") -> bytes:
    """An outcome record's JSON, as transforms writes it."""
    return (
        b'{"type":"observation","id":"r-%b","subject":"s-%b","system":"http://loinc.org","code":"4548-4","status":"final",'
        b'"value":%b,"unit":"%%","effective":"2026-03-02T09:10:00Z","display":"Hemoglobin A1c/Hemoglobin.total in Blood"}'
        % (record.hex().encode(), subject.hex().encode(), value.encode())
    )


def name(kind: str, number: int) -> bytes:
    """16 bytes that stand for a record or a subject."""
    return blake2b(f"{kind}{number}".encode(), digest_size=16).digest()


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


def filled(outbox: Any, records: int, *, subjects: int = 50) -> Any:
    """The outbox with that many new observations."""
    for number in range(records):
        record, subject = name("record", number), name("subject", number % subjects)
        outbox.change(record, subject, observation(record, subject))
    return outbox
