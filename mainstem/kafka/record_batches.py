"""Encoded record batches → a producer. Every touch of kafka-python's private parts stands in this file, and in no other.

Two roads, with the same records on the topic:

- `WholeBatches` appends a batch to the queue of the producer's sender thread, as `KafkaProducer.send` does with the batches
  it fills itself; kafka-python numbers, compresses, checksums, sends and retries it. An event of 900 bytes with nine headers
  costs 12 µs of CPU so, all told, and 66 µs through `send` (one run), which checks, measures and encodes each header in
  Python and keeps a future with a lock for each record.
- `PlainSend` reads the records back from the batch and gives them to `KafkaProducer.send`, one by one.

`settle` makes every client of ours keep what it promises: that it makes no topic, and reads what any producer wrote.

`road` takes the first where the installed kafka-python is the one it was proven with, and no setting forbids it.
A new version: raise PROVEN, run the tests of this file, which compare both roads' bytes through independent clients.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar, cast

import kafka
import structlog
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.consumer.fetcher import ConsumerRecord, Fetcher
from kafka.errors import CorruptRecordError, IllegalStateError, KafkaTimeoutError
from kafka.producer.producer_batch import ProducerBatch
from kafka.record.memory_records import MemoryRecordsBuilder

from mainstem.kafka.heads import Head, head_of, heads_in
from mainstem.kafka.record_format import NO_ATTRIBUTES_NO_DELAY, Record, records_in, varint
from schemas.errors import TemporaryError

log = structlog.get_logger(__name__)
T = TypeVar("T", Record, Head)

PROVEN = "3.0.12"
"""The kafka-python whose private parts were read and tested."""
BATCH_BYTES = 512 * 1024
"""A partition's batch before compression; Kafka's default limit for one is 1 MiB."""
DELIVERY_SECONDS = 30
"""A producer gives a batch up after this; nothing it held can reach a topic later."""
MAGIC = 2
"""Kafka's record format since 0.11."""


class Batch(NamedTuple):
    """Encoded records of one partition."""

    partition: TopicPartition
    events: int
    records: bytearray


class Filling:
    """A partition's batch while records come."""

    __slots__ = ("events", "partition", "records")

    def __init__(self, partition: TopicPartition) -> None:
        self.partition = partition
        self.events = 0
        self.records = bytearray()

    def add(self, record: bytes) -> None:
        """A record from the length of its key on."""
        place = varint(self.events)
        records = self.records
        records += varint(len(NO_ATTRIBUTES_NO_DELAY) + len(place) + len(record))
        records += NO_ATTRIBUTES_NO_DELAY
        records += place
        records += record
        self.events += 1

    def done(self) -> Batch:
        """What it holds."""
        return Batch(self.partition, self.events, self.records)


class Sent(Protocol):
    """A batch on its way."""

    def offsets(self) -> Sequence[int]:
        """Where its records lie, once it arrived; -1 where the broker did not say."""
        ...

    def arrived(self, seconds: float) -> bool:
        """Waits for the acknowledgement; False when none came in time. Raises the KafkaError the batch failed with."""
        ...


class Road(Protocol):
    """How batches are handed to a producer."""

    def send(self, producer: KafkaProducer, batch: Batch) -> Sent:
        """Hand a batch over; returns at once."""
        ...

    def abandon(self, producer: KafkaProducer) -> None:
        """End a producer that failed; what it still held must not be sent behind a newer change."""
        ...


def road(*, plain: bool = False) -> Road:
    """The fast road, or the public interface where that is wished or the fast one is not proven."""
    if not plain and kafka.__version__ == PROVEN:
        return WholeBatches()
    if not plain:
        log.warning("slow publishing: this kafka-python is not the one tested", found=kafka.__version__, tested=PROVEN)
    return PlainSend()


class WholeBatches:
    """Batches go to the sender's queue as they are."""

    def send(self, producer: KafkaProducer, batch: Batch) -> Sent:
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
        return _SentBatch(queued.produce_future, batch.events)

    def abandon(self, producer: KafkaProducer) -> None:
        producer._sender.force_close()
        producer._sender.join(5)
        producer._closed = True


class _WholeBatch(ProducerBatch):  # type: ignore[misc]
    """A batch with one future instead of one a record. Counted as one record, so that the sender never splits it: a
    broker that refuses its size fails it, and we hear of it."""

    record_count = 1


class _SentBatch:
    def __init__(self, future: Any, events: int) -> None:
        self._future, self._events = future, events

    def offsets(self) -> Sequence[int]:
        first = self._future.value[0]
        return range(first, first + self._events) if first >= 0 else [-1] * self._events

    def arrived(self, seconds: float) -> bool:
        if not self._future.wait(timeout=seconds):
            return False
        _, _, failure = self._future.value
        if failure is not None:
            raise failure(0)
        return True


class PlainSend:
    """Records go through `KafkaProducer.send`; only kafka-python's public interface is used."""

    def send(self, producer: KafkaProducer, batch: Batch) -> Sent:
        topic, partition = batch.partition
        now = int(time.time() * 1000)
        return SentRecords(
            [
                producer.send(topic, each.value, each.key, each.headers, partition=partition, timestamp_ms=now)
                for each in records_in(bytes(batch.records), 0, batch.events)
            ]
        )

    def abandon(self, producer: KafkaProducer) -> None:
        """Waits until the producer gave up what it held: the public interface knows no other way to be sure of it."""
        try:
            producer.close(timeout=DELIVERY_SECONDS + 15)
        except KafkaTimeoutError as exc:
            raise TemporaryError("a Kafka producer that failed would not end", "Run it again.") from exc


class SentRecords:
    """What `KafkaProducer.send` gave for each of some records."""

    def __init__(self, futures: Sequence[Any]) -> None:
        self._futures = futures

    def offsets(self) -> Sequence[int]:
        """See Sent."""
        return [future.value.offset for future in self._futures]

    def arrived(self, seconds: float) -> bool:
        """See Sent."""
        deadline = time.monotonic() + seconds
        for future in self._futures:
            try:
                future.get(timeout=max(0.0, deadline - time.monotonic()))
            except KafkaTimeoutError:
                if not future.is_done:
                    return False
                raise
        return True


def introduce(producer: KafkaProducer, topics: Collection[str]) -> None:
    """A producer that was just settled asks where these topics are, at once and in one question.

    By itself it would wait a tenth of a second before it asks for each: it has only just asked for the brokers.
    """
    if kafka.__version__ == PROVEN and isinstance(producer, KafkaProducer):
        producer._metadata._topics.update(topics)
        producer._metadata._last_refresh_ms = 0
    for topic in topics:
        producer.partitions_for(topic)


def settle(client: KafkaConsumer | KafkaProducer) -> None:
    """A client that was just made, before it is used. Another version than the proven one is left as it is.

    kafka-python takes `allow_auto_create_topics` and forgets it: whenever it asks again where a topic is that was deleted,
    the broker would make it, with settings of its own. And a header's name that is not UTF-8, which C clients can write,
    ends its reading for good at that place; ours goes on, at a third of the time.
    """
    if kafka.__version__ != PROVEN:
        return
    if isinstance(client, KafkaProducer):
        client._metadata.config["allow_auto_create_topics"] = False
    else:
        client._cluster.config["allow_auto_create_topics"] = False
        client._fetcher.PartitionRecords = RecordsOfBatches


def identities(client: KafkaConsumer, topics: Iterable[str]) -> dict[str, str]:
    """The brokers' own names of topics, as of the last time it asked where they are; another topic of the same name has another. Those
    of which nothing is known are left out."""
    if kafka.__version__ != PROVEN:
        return {}
    found = {topic: client._cluster.topic_id(topic) for topic in topics}
    return {topic: str(identity) for topic, identity in found.items() if identity is not None and identity.int}


def read_heads(client: KafkaConsumer) -> Callable[[Any], Sequence[Head]]:
    """A client that was just settled gives heads alone, a batch a record: a sixth of the time of reading all of each. Returns what takes
    them out of a polled record."""
    if kafka.__version__ != PROVEN:
        return lambda record: [head_of(record)]
    client._fetcher.PartitionRecords = _HeadsOfBatches
    return lambda record: cast(Sequence[Head], record.value)


class RecordsOfBatches(Fetcher.PartitionRecords):  # type: ignore[misc]
    """Knows of a batch whether it counts (transactions, checksums), as kafka-python does; its records are read by us."""

    next_fetch_offset: int

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
        topic, partition = tp
        for found in super()._unpack_records(tp, _Batches(records), *deserializers):
            batch = found.value
            if not isinstance(batch, _Whole):
                yield found  # of an older format
                continue
            first, epoch, kind = batch.base_offset, batch.leader_epoch, batch.timestamp_type
            since, latest = batch.first_timestamp, batch.max_timestamp if kind else None
            for key, value, headers, place, delay in batch.records():
                offset, time = first + place, since + delay if latest is None else latest
                self.next_fetch_offset = offset + 1
                given = topic, partition, epoch, offset, time, kind, key, value, headers, None, -1, -1, -1
                yield tuple.__new__(ConsumerRecord, given)  # in half the time of its own constructor


class _HeadsOfBatches(Fetcher.PartitionRecords):  # type: ignore[misc]
    """The same; a record's value are the heads of a batch."""

    def _unpack_records(self, tp: Any, records: Any, *deserializers: Any) -> Iterator[Any]:
        for found in super()._unpack_records(tp, _Batches(records), *deserializers):
            yield found._replace(value=found.value.heads() if isinstance(found.value, _Whole) else [head_of(found)])


class _Batches:
    def __init__(self, records: Any) -> None:
        self._records = records

    def next_batch(self) -> Any:
        batch = self._records.next_batch()
        return batch if batch is None or batch.magic != MAGIC else _Batch(batch)


class _Batch:
    """A batch that seems to hold one record."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __iter__(self) -> Iterator["_Carrier"]:
        self._batch._maybe_uncompress()
        yield _Carrier(_Whole(self._batch))


class _Carrier:
    """That record: its value is the batch."""

    key = checksum = timestamp_type = None
    headers = ()

    def __init__(self, batch: "_Whole") -> None:
        self.offset, self.timestamp, self.size_in_bytes = batch.last_offset, batch.max_timestamp, batch.size_in_bytes
        self.value = batch

    def validate_crc(self) -> bool:
        return True  # its batch's was looked at


class _Whole:
    """A batch that is uncompressed."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __getattr__(self, name: str) -> Any:
        return getattr(self._batch, name)

    def __len__(self) -> int:
        return len(self._batch._buffer)

    def records(self) -> list[Record]:
        return self._read(records_in)

    def heads(self) -> list[Head]:
        return self._read(heads_in)

    def _read(self, read: Callable[[bytes, int, int], list[T]]) -> list[T]:
        batch = self._batch
        try:
            return read(bytes(batch._buffer), batch._pos, batch.records_count)
        except (IndexError, ValueError) as exc:
            raise CorruptRecordError(f"records of the batch at offset {batch.base_offset} cannot be read") from exc
