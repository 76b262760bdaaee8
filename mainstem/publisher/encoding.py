"""A site's changes → Kafka records, by partition. Everything constant is encoded once: most of an event's nine headers is."""

from binascii import hexlify
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from kafka import TopicPartition
from kafka.partitioner import murmur2

from mainstem.kafka.envelopes import id_of
from mainstem.kafka.record_batches import BATCH_BYTES, Batch, Filling
from mainstem.kafka.record_format import header, header_start, varint
from mainstem.outbox import SOURCE_UNUSABLE, TOO_LARGE, Change, Refused
from mainstem.telemetry import traceparent
from schemas.events import (
    CONTENT_TYPE,
    SPEC_VERSION,
    Header,
    Operation,
    WithdrawnBecause,
    data_schema,
    outcome_type,
    source_of,
)

MAX_EVENT_BYTES = 1_000_000
"""A larger event is refused: brokers, and consumers' memory, are set for 1 MiB."""
SUBJECTS_REMEMBERED = 500_000
ROOM = BATCH_BYTES - 16
"""A batch's room for records, which have up to this many bytes before their key."""
TOMBSTONE = varint(-1)
KEY_LENGTH = varint(34 + 1 + 34)
_REASON = Header.REASON, WithdrawnBecause.SOURCE_UNUSABLE.encode()
# Bytes, not members of the enumeration: those hash by a function in Python, thrice an event.
RECORDED, AMENDED, WITHDRAWN = (operation.value.encode() for operation in Operation)


class Encoded(NamedTuple):
    """A page of changes, ready to send."""

    batches: list[Batch]
    """In sending order."""
    refused: list[Refused]
    """Changes too large to send."""
    size: int
    """Of all records, in bytes."""


class Encoder:
    """Changes of one site → record batches of one topic."""

    def __init__(
        self,
        network: str,
        site: str,
        software: str,
        *,
        topic: str,
        partitions: int,
        epoch: int,
        replay: bool = False,
        more: int = 0,
    ) -> None:
        """`replay`: the events were sent before, and say so. `more` headers are added by whoever knows them."""
        self._network = network
        self._site = site
        self._software = software
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._epoch = epoch
        self._epoch_name = f"/{epoch}.".encode()
        self._partition_of: dict[bytes, int] = {}
        self._of_type: dict[tuple[bytes, str], bytes] = {}
        self._of_load: dict[str, bytes] = {}
        self._of_sequence: dict[int, tuple[bytes, bytes]] = {}
        self._instants: dict[datetime, bytes] = {}
        again = header(Header.REPLAY, b"1") if replay else b""
        constant = again + b"".join(
            (
                header(Header.SPEC_VERSION, SPEC_VERSION.encode()),
                header(Header.SOURCE, source_of(site).encode()),
                header(Header.CONTENT_TYPE, CONTENT_TYPE.encode()),
                header_start(Header.ID, 36),
            )
        )
        count = 9 + replay + more
        self._head, self._head_with_reason = varint(count) + constant, varint(count + 1) + header(*_REASON) + constant
        self._subject_start = header_start(Header.SUBJECT, 34)

    def encode(self, rows: Sequence[Change]) -> Encoded:
        """The rows as batches of `BATCH_BYTES` at most; a larger event has one of its own."""
        filling: dict[int, Filling] = {}
        full: list[Batch] = []
        refused: list[Refused] = []
        partition_of, record_of = self._partition_of, self._record
        for row in rows:
            partition = partition_of.get(row.subject)
            if partition is None:
                partition = self._place(row.subject)
            record = record_of(row)
            if len(record) > MAX_EVENT_BYTES:
                refused.append(Refused(row.number, TOO_LARGE, len(record)))
                continue
            batch = filling.get(partition)
            if batch is None or len(batch.records) + len(record) > ROOM:
                if batch is not None:
                    full.append(batch.done())
                batch = filling[partition] = Filling(self._partitions[partition])
            batch.add(record)
        batches = [*full, *(batch.done() for batch in filling.values())]
        return Encoded(batches, refused, sum(len(batch.records) for batch in batches))

    def _record(self, row: Change) -> bytes:
        """A record from its key on: what stands before depends on its place in the batch."""
        _, record, type_, subject, digest, content, provenance, load, sequence, previous, live, changed = row
        record_id = b"r-" + hexlify(record)
        digits, sequence_header = self._of_sequence.get(sequence) or self._sequence_part(sequence)
        if content is None:
            operation = WITHDRAWN
            value_length, value = TOMBSTONE, b""
            head = self._head_with_reason if provenance == SOURCE_UNUSABLE else self._head
        else:
            head = self._head
            operation = AMENDED if live else RECORDED
            value = b'{"record":%b,"change":{"op":"%b","sequence":%b,"previous":%d,"digest":"%b%b%b}}' % (
                content,
                operation,
                digits,
                previous,
                hexlify(digest),
                self._of_load.get(load) or self._load_part(load),
                provenance,
            )
            value_length = varint(len(value))
        return b"".join(
            (
                KEY_LENGTH,
                b"s-",
                hexlify(subject),
                b"/",
                record_id,
                value_length,
                value,
                head,
                id_of(record_id + self._epoch_name + digits),
                self._of_type.get((operation, type_)) or self._type_part(operation, type_),
                self._instants.get(changed) or self._instant_part(changed),
                self._subject_start,
                record_id,
                sequence_header,
            )
        )

    def _place(self, subject: bytes) -> int:
        if len(self._partition_of) >= SUBJECTS_REMEMBERED:
            self._partition_of.clear()
        partition = partition_of_subject(b"s-" + hexlify(subject), len(self._partitions))
        self._partition_of[subject] = partition
        return partition

    def _type_part(self, operation: bytes, type_: str) -> bytes:
        part = b"".join(
            (
                header(Header.TYPE, outcome_type(self._network, Operation(operation.decode())).encode()),
                header(Header.DATA_SCHEMA, data_schema(type_).encode()),
                header_start(Header.TIME, 20),
            )
        )
        self._of_type[operation, type_] = part
        return part

    def _load_part(self, load: str) -> bytes:
        part = f'"}},"provenance":{{"site":"{self._site}","load":"{load}","software":"{self._software}",'.encode()
        self._of_load.clear()
        self._of_load[load] = part
        return part

    def _sequence_part(self, sequence: int) -> tuple[bytes, bytes]:
        """Its digits and its header."""
        part = b"%d" % sequence, header(Header.SEQUENCE, b"%d.%d" % (self._epoch, sequence))
        if sequence < 1000:
            self._of_sequence[sequence] = part
        return part

    def _instant_part(self, changed: datetime) -> bytes:
        if len(self._instants) > 1000:
            self._instants.clear()
        part = instant(changed).encode()
        self._instants[changed] = part
        return part


class TracedEncoder(Encoder):
    """The same, with the trace of the load that made each change."""

    def __init__(self, *named: Any, **options: Any) -> None:
        super().__init__(*named, **options, more=1)
        self._traces: dict[str, bytes] = {}

    def _record(self, row: Change) -> bytes:
        return super()._record(row) + (self._traces.get(row.load) or self._trace(row.load))

    def _trace(self, load: str) -> bytes:
        self._traces = {load: header(Header.TRACE_PARENT, traceparent(load).encode())}
        return self._traces[load]


def partition_of_subject(subject_id: bytes, partitions: int) -> int:
    """The partition of `s-…`: Kafka's default hash of the subject, so that any client can compute it."""
    return int((murmur2(subject_id) & 0x7FFFFFFF) % partitions)


def event_id_of(record_id: str, epoch: int, sequence: int) -> str:
    """`ce_id` of a record's change."""
    return id_of(f"{record_id}/{epoch}.{sequence}".encode()).decode()


def instant(when: datetime) -> str:
    """A `ce_time`: UTC, to the second."""
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
