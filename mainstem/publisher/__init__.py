"""Pending changes of a site → Kafka, in order, acknowledged, then marked published.

`Publisher.publish()` sends what is pending and returns; `Publisher.follow(stop)` goes on while another process maps.
A change is marked only after the broker acknowledged it; after any error the producer is closed and a new one sends again what the
store still has as pending, so a change can come twice (with the same `ce_id`) but never be lost.

An event of 900 bytes with nine headers costs 12 µs of CPU here, all told, and 66 µs through `KafkaProducer.send` (one
run), which checks, measures and encodes each header in Python and keeps a future with a lock for each record. Most of
the headers is constant, so `_Encoder` writes records in Kafka's batch format itself and hands whole batches to
kafka-python, which numbers, compresses, checksums, sends and retries them. That hand-over (`_enqueue`) is the one place
that knows kafka-python's insides; its version is pinned below 3.1, and the tests read every header back.
"""

import random
import time
from binascii import hexlify
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from hashlib import sha1
from itertools import chain
from typing import Any, NamedTuple, Protocol
from uuid import NAMESPACE_URL, uuid5

import structlog
from kafka import KafkaProducer, TopicPartition
from kafka.errors import IllegalStateError, KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError
from kafka.partitioner import murmur2
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder
from kafka.record.util import encode_varint

from mainstem import __version__
from mainstem.config.settings import Settings
from mainstem.kafka.settings import Reach, as_settings, explain, kafka_errors, probe
from mainstem.outbox import TOO_LARGE, Change, Outbox, Refused
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.events import (
    CONTENT_TYPE,
    SPEC_VERSION,
    Header,
    Operation,
    data_schema,
    outcome_topic,
    outcome_type,
    source_of,
)
from schemas.loads import LoadEvent, load_topic, load_type

log = structlog.get_logger(__name__)

EVENT_NAMESPACE = uuid5(NAMESPACE_URL, "urn:mainstem:event")
"""`ce_id` = uuid5 of this and `record/epoch.sequence`."""
PAGE = 8000
"""Rows read, sent and marked at once."""
BATCH_BYTES = 512 * 1024
"""A partition's batch before compression; Kafka's default limit for one is 1 MiB."""
HEADER_ALLOWANCE = 600
MAX_EVENT_BYTES = 1_000_000
"""A larger event is refused: brokers, and consumers' memory, are set for 1 MiB."""
ATTEMPTS = 6
SUBJECTS_REMEMBERED = 500_000
MAGIC = 2
"""Kafka's record format since 0.11."""


class StopSignal(Protocol):
    """Tells `follow` to drain and end: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> Any: ...


class Published(NamedTuple):
    """What a publisher's run did."""

    events: int = 0
    """Events acknowledged, tombstones among them."""
    tombstones: int = 0
    bytes: int = 0
    """Size of the records before compression."""
    coalesced: int = 0
    """Changes that a later change of the same record replaced before they were published."""
    refused: tuple[str, ...] = ()
    """Records too large to send; they stay pending."""

    def plus(self, other: "Published") -> "Published":
        """Both runs together."""
        return Published(
            self.events + other.events,
            self.tombstones + other.tombstones,
            self.bytes + other.bytes,
            self.coalesced + other.coalesced,
            tuple(dict.fromkeys(self.refused + other.refused)),
        )


class Publisher:
    """The one publisher of a site. Nothing connects before `publish`, `follow` or `send_load_event`."""

    def __init__(
        self,
        reach: Reach,
        *,
        network: str,
        store: Outbox,
        site: str,
        software: str,
        page: int = PAGE,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], Any] = time.sleep,
        progress: Callable[[int], Any] = lambda events: None,
        **client_options: Any,
    ) -> None:
        self._settings = as_settings(reach)
        self._network = network
        self._store = store
        self._site = site
        self._software = software
        self._page = page
        self._attempts = attempts
        self._sleep = sleep
        self._progress = progress
        self._options = client_options
        self._producer: KafkaProducer | None = None
        self._encoder: _Encoder | None = None
        self._refused: dict[int, str] = {}

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def publish(self) -> Published:
        """Send all that is pending. Raises TemporaryError when the broker stays away or another publisher has the site."""
        with self._store.publishing(self._site):
            return self._drain()

    def follow(self, stop: StopSignal, *, idle: float = 0.2) -> Published:
        """Publish what another process stores until `stop` is set, then drain."""
        total = Published()
        with self._store.publishing(self._site):
            while True:
                last = stop.is_set()
                done = self._drain()
                total = total.plus(done)
                if last:
                    return total
                if not done.events:
                    stop.wait(idle)

    def send_load_event(self, event: LoadEvent) -> None:
        """Send a load's event to the network's load topic, keyed by site, and wait for the acknowledgement.

        Sent again after a crash, it has the same `ce_id`."""
        headers = {
            Header.SPEC_VERSION: SPEC_VERSION,
            Header.ID: str(uuid5(EVENT_NAMESPACE, f"{event.load}/{event.event}")),
            Header.SOURCE: source_of(event.site),
            Header.TYPE: load_type(self._network, event.event),
            Header.TIME: _instant(event.ended or event.started),
            Header.SUBJECT: event.load,
            Header.DATA_SCHEMA: data_schema("load"),
            Header.CONTENT_TYPE: CONTENT_TYPE,
        }
        value = event.model_dump_json(exclude_none=True).encode()
        with kafka_errors(self._settings):
            try:
                sent = self._connected().send(
                    load_topic(self._network),
                    key=event.site.encode(),
                    value=value,
                    headers=[(str(name), text.encode()) for name, text in headers.items()],
                )
                sent.get(timeout=40)
            except KafkaError:
                self._discard()
                raise

    def close(self) -> None:
        """Close the connection to the brokers."""
        if self._producer is not None:
            self._producer.close(timeout=5)
        self._producer = self._encoder = None

    def _drain(self) -> Published:
        """Sweep from the oldest change until a sweep finds nothing: a change with a lower number may be committed late."""
        total = Published()
        while (sweep := self._sweep_again_after_errors()).events:
            total = total.plus(sweep)
        return total.plus(sweep)

    def _sweep_again_after_errors(self) -> Published:
        done = Published()
        for attempt in range(1, self._attempts + 1):
            tally = _Tally()
            try:
                self._sweep(tally)
                return done.plus(tally.published)
            except (KafkaError, TemporaryError) as exc:
                done = done.plus(tally.published)
                never_connected = self._producer is None and attempt == 1
                self._discard()
                problem = exc if isinstance(exc, MainstemError) else explain(self._settings, exc)
                if never_connected or attempt == self._attempts or not isinstance(problem, TemporaryError):
                    raise problem from exc
                pause = min(15.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
                log.warning(
                    "publishing again", site=self._site, cause=problem.cause, attempt=attempt, pause=round(pause, 1)
                )
                self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _sweep(self, tally: "_Tally") -> None:
        """Send page after page; while one is on its way, the next is read and encoded."""
        after = 0
        flying: _Flight | None = None
        while rows := self._store.pending(self._site, after=after, limit=self._page):
            after = rows[-1].number
            launched = self._launch(rows)
            if flying:
                self._land(flying, tally)
            flying = launched
        if flying:
            self._land(flying, tally)

    def _launch(self, rows: Sequence[Change]) -> "_Flight | None":
        producer = self._connected()
        assert self._encoder is not None
        sendable = [row for row in rows if row.number not in self._refused] if self._refused else rows
        batches, refused, size = self._encoder.encode(sendable)
        if refused:
            self._refused.update(refused)
            log.error(
                "event too large to send", site=self._site, records=sorted(refused.values()), limit=MAX_EVENT_BYTES
            )
            sendable = [row for row in sendable if row.number not in refused]
        if not sendable:
            return None
        futures = [_enqueue(producer, batch) for batch in batches]
        return _Flight(sendable, futures, size)

    def _land(self, flight: "_Flight", tally: "_Tally") -> None:
        for future in flight.futures:
            if not future.wait(timeout=60):
                raise TemporaryError(
                    f"Kafka at {self._settings.bootstrap} acknowledged nothing for a minute", "Look at the brokers."
                )
            _, _, failure = future.value
            if failure is not None:
                raise failure(0)
        self._store.mark_published(
            self._site, flight.rows, refused=[Refused(number, TOO_LARGE, MAX_EVENT_BYTES) for number in self._refused]
        )
        tally.add(flight, tuple(self._refused.values()))
        self._progress(len(flight.rows))

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            with kafka_errors(self._settings):
                self._producer = KafkaProducer(
                    **{
                        **self._settings.client_options(),
                        "client_id": f"mainstem-publisher-{self._site}",
                        "acks": "all",
                        "enable_idempotence": True,
                        "compression_type": "lz4",
                        "max_in_flight_requests_per_connection": 5,
                        "linger_ms": 0,
                        "batch_size": BATCH_BYTES,
                        "max_request_size": 8 * BATCH_BYTES,
                        "max_block_ms": 5000,
                        "delivery_timeout_ms": 30_000,
                        "allow_auto_create_topics": False,
                        "metrics_enabled": False,
                        **self._options,
                    }
                )
                topic = outcome_topic(self._network)
                partitions = self._partitions_of(self._producer, topic)
            self._encoder = _Encoder(
                self._network,
                self._site,
                self._software,
                topic=topic,
                partitions=len(partitions),
                epoch=self._store.epoch,
            )
        return self._producer

    def _partitions_of(self, producer: KafkaProducer, topic: str) -> set[int]:
        try:
            return set(producer.partitions_for(topic))
        except (KafkaTimeoutError, UnknownTopicOrPartitionError) as exc:
            if any(not found.stage for found in probe(self._settings)):
                raise OperatorError(
                    f"Kafka at {self._settings.bootstrap} has no topic {topic}", "Create it: `mainstem topics create`."
                ) from exc
            raise

    def _discard(self) -> None:
        """Drop a producer that failed; what it still held must not be sent behind a newer change."""
        producer, self._producer, self._encoder = self._producer, None, None
        if producer is not None:
            producer._sender.force_close()
            producer._sender.join(5)
            producer._closed = True


def publisher_of(
    site: str, settings: Settings, store: Outbox, *, progress: Callable[[int], Any] = lambda events: None
) -> Publisher:
    """A site's publisher on the configured brokers."""
    return Publisher(
        settings.kafka_settings(),
        network=settings.network,
        store=store,
        site=site,
        software=__version__,
        progress=progress,
    )


class _Batch(NamedTuple):
    """Encoded records of one partition."""

    partition: TopicPartition
    events: int
    records: bytearray


class _Flight(NamedTuple):
    """A page on its way."""

    rows: Sequence[Change]
    futures: list[Any]
    size: int


class _Tally:
    """Sums of what has been acknowledged and marked."""

    def __init__(self) -> None:
        self.published = Published()

    def add(self, flight: _Flight, refused: tuple[str, ...]) -> None:
        rows = flight.rows
        self.published = self.published.plus(
            Published(
                events=len(rows),
                tombstones=sum(row.content is None for row in rows),
                bytes=flight.size,
                coalesced=sum(row.sequence - row.previous - 1 for row in rows),
                refused=refused,
            )
        )


class _Encoder:
    """Rows of one site → Kafka record batches, by partition. Everything constant is encoded once."""

    def __init__(self, network: str, site: str, software: str, *, topic: str, partitions: int, epoch: int) -> None:
        self._network = network
        self._partitions = [TopicPartition(topic, number) for number in range(partitions)]
        self._partition_of: dict[bytes, int] = {}
        self._of_type: dict[tuple[Operation, str], bytes] = {}
        self._of_load: dict[str, bytes] = {}
        self._of_sequence: dict[int, bytes] = {}
        self._instants: dict[datetime, bytes] = {}
        self._epoch = f"/{epoch}.".encode()
        self._store_epoch = epoch
        self._site = site
        self._software = software
        self._head = b"".join(
            (
                _varint(9),
                _header(Header.SPEC_VERSION, SPEC_VERSION.encode()),
                _header(Header.SOURCE, source_of(site).encode()),
                _header(Header.CONTENT_TYPE, CONTENT_TYPE.encode()),
                _header_start(Header.ID, 36),
            )
        )
        self._subject_start = _header_start(Header.SUBJECT, 34)

    def encode(self, rows: Sequence[Change]) -> tuple[list[_Batch], dict[int, str], int]:
        """Batches in sending order, the rows too large to send (number → record id), and the size in bytes."""
        open_batches: dict[int, list[Any]] = {}
        full: list[_Batch] = []
        refused: dict[int, str] = {}
        partition_of, of_load, namespace = self._partition_of, self._of_load, EVENT_NAMESPACE.bytes
        for row in rows:
            number, record, type_, subject, digest, content, provenance, load, sequence, previous, live, changed = row
            record_id = b"r-" + hexlify(record)
            subject_id = b"s-" + hexlify(subject)
            partition = partition_of.get(subject)
            if partition is None:
                partition = self._place(subject, subject_id)
            digits = b"%d" % sequence
            if content is None:
                operation = Operation.WITHDRAWN
                value_length, value = TOMBSTONE, b""
            else:
                operation = Operation.AMENDED if live else Operation.RECORDED
                value = b'{"record":%b,"change":{"op":"%b","sequence":%b,"previous":%d,"digest":"%b%b%b}}' % (
                    content,
                    OPERATION_BYTES[operation],
                    digits,
                    previous,
                    hexlify(digest),
                    of_load.get(load) or self._load_part(load),
                    provenance,
                )
                value_length = _varint(len(value))
            # RFC 9562 version 5: the first 16 bytes of the SHA-1, with version and variant.
            name = sha1(namespace + record_id + self._epoch + digits, usedforsecurity=False).hexdigest()
            variant = VARIANT[name[16]]
            event_id = f"{name[:8]}-{name[8:12]}-5{name[13:16]}-{variant}{name[17:20]}-{name[20:32]}".encode()
            batch = open_batches.get(partition)
            if batch is not None and len(batch[1]) + len(value) + HEADER_ALLOWANCE > BATCH_BYTES:
                full.append(_Batch(self._partitions[partition], *batch))
                batch = None
            if batch is None:
                batch = open_batches[partition] = [0, bytearray()]
            body = b"".join(
                (
                    NO_ATTRIBUTES_NO_DELAY,
                    _varint(batch[0]),
                    KEY_LENGTH,
                    subject_id,
                    b"/",
                    record_id,
                    value_length,
                    value,
                    self._head,
                    event_id,
                    self._of_type.get((operation, type_)) or self._type_part(operation, type_),
                    self._instants.get(changed) or self._instant_part(changed),
                    self._subject_start,
                    record_id,
                    self._of_sequence.get(sequence) or self._sequence_part(sequence),
                )
            )
            if len(body) > MAX_EVENT_BYTES:
                refused[number] = record_id.decode()
                continue
            batch[0] += 1
            records = batch[1]
            records += _varint(len(body))
            records += body
        full += [_Batch(self._partitions[partition], *batch) for partition, batch in open_batches.items()]
        batches = [batch for batch in full if batch.events]
        return batches, refused, sum(len(batch.records) for batch in batches)

    def _place(self, subject: bytes, subject_id: bytes) -> int:
        if len(self._partition_of) >= SUBJECTS_REMEMBERED:
            self._partition_of.clear()
        partition = partition_of_subject(subject_id, len(self._partitions))
        self._partition_of[subject] = partition
        return partition

    def _type_part(self, operation: Operation, type_: str) -> bytes:
        part = b"".join(
            (
                _header(Header.TYPE, outcome_type(self._network, operation).encode()),
                _header(Header.DATA_SCHEMA, data_schema(type_).encode()),
                _header_start(Header.TIME, 20),
            )
        )
        self._of_type[operation, type_] = part
        return part

    def _load_part(self, load: str) -> bytes:
        part = f'"}},"provenance":{{"site":"{self._site}","load":"{load}","software":"{self._software}",'.encode()
        self._of_load.clear()
        self._of_load[load] = part
        return part

    def _sequence_part(self, sequence: int) -> bytes:
        part = _header(Header.SEQUENCE, b"%d.%d" % (self._store_epoch, sequence))
        if sequence < 1000:
            self._of_sequence[sequence] = part
        return part

    def _instant_part(self, changed: datetime) -> bytes:
        if len(self._instants) > 1000:
            self._instants.clear()
        part = _instant(changed).encode()
        self._instants[changed] = part
        return part


def partition_of_subject(subject_id: bytes, partitions: int) -> int:
    """The partition of `s-…`: Kafka's default hash of the subject, so that any client can compute it."""
    return int((murmur2(subject_id) & 0x7FFFFFFF) % partitions)


def event_id_of(record_id: str, epoch: int, sequence: int) -> str:
    """`ce_id` of a record's change."""
    return str(uuid5(EVENT_NAMESPACE, f"{record_id}/{epoch}.{sequence}"))


class _WholeBatch(ProducerBatch):  # type: ignore[misc]
    """A batch with one future instead of one a record. Counted as one record, so that the sender never splits it: a
    broker that refuses its size fails it, and we hear of it."""

    record_count = 1


def _enqueue(producer: KafkaProducer, batch: _Batch) -> Any:
    """Hand an encoded batch to the producer's sender, as `KafkaProducer.send` does for the batches it fills; returns its future."""
    records = MemoryRecordsBuilder(MAGIC, producer.config["compression_attrs"], BATCH_BYTES)
    builder = records._builder
    builder._buffer += batch.records
    builder._num_records = records._next_offset = batch.events
    builder._last_offset = batch.events - 1
    builder._first_timestamp = builder._max_timestamp = int(time.time() * 1000)
    queued = _WholeBatch(batch.partition, records)
    accumulator = producer._accumulator
    with accumulator._tp_lock(batch.partition):
        if accumulator._closed:
            raise IllegalStateError("the producer is closed")
        accumulator._batches[batch.partition].append(queued)
        accumulator._incomplete.add(queued)
    producer._sender.wakeup()
    return queued.produce_future


def _instant(when: datetime) -> str:
    return when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _encoded_varint(value: int) -> bytes:
    out = bytearray()
    encode_varint(value, out.append)
    return bytes(out)


VARINTS = [_encoded_varint(value) for value in range(1 << 13)]
TOMBSTONE = _encoded_varint(-1)
KEY_LENGTH = _encoded_varint(34 + 1 + 34)
NO_ATTRIBUTES_NO_DELAY = b"\0\0"
VARIANT = dict(zip("0123456789abcdef", chain.from_iterable(["89ab"] * 4), strict=True))
OPERATION_BYTES = {operation: operation.value.encode() for operation in Operation}


def _varint(value: int) -> bytes:
    return VARINTS[value] if value < (1 << 13) else _encoded_varint(value)


def _header_start(name: Header, length: int) -> bytes:
    encoded = name.value.encode()
    return _varint(len(encoded)) + encoded + _varint(length)


def _header(name: Header, value: bytes) -> bytes:
    return _header_start(name, len(value)) + value
