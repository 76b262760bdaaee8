"""What the fast road puts on a topic is, byte for byte, what `KafkaProducer.send` would, as two independent clients read it."""

import json
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import confluent_kafka
import kafka
import pytest
from encoded import encoded
from hypothesis import given
from hypothesis import strategies as st
from kafka import KafkaProducer, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.errors import CorruptRecordError, KafkaError
from kafka.partitioner import murmur2
from kafka.record._crc32c import crc as calc_crc32c
from kafka.record.default_records import DefaultRecordBatchBuilder
from kafka.record.memory_records import MemoryRecords
from structlog.testing import capture_logs

from mainstem.kafka import topics
from mainstem.kafka.record_batches import (
    BATCH_BYTES,
    PROVEN,
    Batch,
    PlainSend,
    RecordsOfBatches,
    WholeBatches,
    introduce,
    road,
    settle,
)
from mainstem.kafka.record_format import Record, records_in, varint
from mainstem.kafka.settings import KafkaSettings

PARTITIONS = 12
ROADS = pytest.mark.parametrize("plain", [False, True], ids=["whole-batches", "plain-send"])


class Seen(NamedTuple):
    """A record as a client read it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@pytest.fixture(
    params=["stream", pytest.param("kafka_stream", marks=[pytest.mark.kafka, pytest.mark.slow])],
    ids=["tansu", "apache"],
)
def any_stream(request: pytest.FixtureRequest) -> Any:
    """A network's topics on either broker."""
    return request.getfixturevalue(request.param)


@ROADS
def test_topic_equals_one_filled_by_hand_through_plain_send(any_stream, outbox, fill, plain):
    """Keys, values, tombstones, headers, partitions, offsets, order; large events, texts of any script among them."""
    fill(outbox, 500, subjects=60)
    for number, row in enumerate(list(outbox.rows.values())):
        if number % 3:
            outbox.published[row.id] = (row.sequence, True)
            outbox.change(row.id, row.subject, row.content if number % 3 == 1 else None)
    outbox.change(bytes(16), b"\xff" * 16, '{"text":"Müller – 糖尿病 \\u0007"}'.encode(), type_="condition")
    outbox.change(b"\1" * 16, b"\xff" * 16, b'{"text":"%b"}' % (b"a" * (BATCH_BYTES + 100)))
    by_hand = f"{any_stream.network}.by-hand"
    topics.create_missing(any_stream.bootstrap, [topics.Topic(by_hand, PARTITIONS, 1, {})])
    send_by_hand(any_stream, by_hand, outbox)

    with any_stream.publisher(outbox, reach=KafkaSettings(any_stream.bootstrap, plain_send=plain)) as publisher:
        assert publisher.publish().events == 502

    outcome = f"{any_stream.network}.outcome.v1"
    expected = read_by_kafka_python(any_stream.bootstrap, by_hand, 502)
    assert read_by_kafka_python(any_stream.bootstrap, outcome, 502) == expected
    assert read_by_librdkafka(any_stream.bootstrap, outcome, 502) == expected


@ROADS
@pytest.mark.slow
def test_what_the_broker_refuses_is_heard_of_on_either_road(stream, plain):
    """A batch for a partition that is not there fails with Kafka's own error, and the producer can be abandoned."""
    chosen = road(plain=plain)
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap, delivery_timeout_ms=3000, request_timeout_ms=1000)
    nowhere = Batch(
        TopicPartition(f"{stream.network}.outcome.v1", 99), 1, bytearray(encoded(Record(b"key", b"value", [])))
    )

    with pytest.raises((KafkaError, ValueError)):
        chosen.send(producer, nowhere).arrived(10)
    chosen.abandon(producer)


def test_producer_knows_its_topics_at_once(stream):
    """It waited between two questions about topics, a tenth of a second by default, and asked for each topic by itself."""
    names = [f"{stream.network}.outcome.v1", f"{stream.network}.load.v1"]
    patient = {"retry_backoff_ms": 60_000, "max_block_ms": 10_000}
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap, **patient)

    settle(producer)
    introduce(producer, names)

    assert [len(producer.partitions_for(name)) for name in names] == [PARTITIONS, 1]
    producer.close()


def test_fast_road_is_taken_only_with_the_version_it_was_proven_with(monkeypatch):
    """The lock's version is the proven one; another, or a setting, takes the public interface, and the log says why."""
    assert kafka.__version__ == PROVEN
    assert isinstance(road(), WholeBatches)
    assert isinstance(road(plain=True), PlainSend)
    monkeypatch.setattr(kafka, "__version__", "3.0.13")
    with capture_logs() as logs:
        assert isinstance(road(), PlainSend)
    assert [entry["found"] for entry in logs] == ["3.0.13"]


@given(st.integers(-(2**40), 2**40))
def test_varints_are_kafka_s(value):
    """Ours equal kafka-python's own."""
    from kafka.record.util import encode_varint

    expected = bytearray()
    encode_varint(value, expected.append)
    assert varint(value) == bytes(expected)


RECORDS = st.lists(
    st.builds(
        Record,
        st.none() | st.binary(max_size=140),
        st.none() | st.binary(max_size=9000),
        st.lists(st.tuples(st.text(max_size=70), st.none() | st.binary(max_size=70)), max_size=12),
        st.just(0),
        st.integers(-(2**40), 2**40),
    ),
    min_size=1,
    max_size=5,
)


@given(RECORDS)
def test_records_are_read_back_from_their_batch(given):
    """What the plain road sends is what was encoded."""
    records = [record._replace(place=place, delay=0) for place, record in enumerate(given)]

    assert records_in(b"head" + b"".join(map(encoded, records)), 4, len(records)) == records


@given(RECORDS, st.sampled_from([0, 1, 3]), st.booleans(), st.integers(0, 6))
def test_ours_are_the_records_that_kafka_python_reads(given, compression, appended, after):
    """From any place in a batch on, compressed or not, with the times of the producer or of the broker."""
    batch = built(given, compression)
    batch[22] |= 8 * appended  # the broker's time
    batch[26] += 1  # its last record is gone by compaction
    signed = bytes(batch[:17]) + calc_crc32c(memoryview(batch)[21:]).to_bytes(4, "big") + bytes(batch[21:])

    def read(kind: Any) -> tuple[list[Any], int]:
        reading, found = kind(FIRST + after, TopicPartition("t", 3), MemoryRecords(signed)), []
        while reading:
            found += reading.take(2)
        return [record[:9] for record in found], reading.next_fetch_offset

    assert read(RecordsOfBatches) == read(Fetcher.PartitionRecords)


def test_what_is_no_batch_of_records_is_said_as_kafka_python_does():
    """Whoever reads ends with Kafka's own error, whether headers that lie so are known or not."""
    batch = built([Record(b"k", b"v", [("a", b"b")])], 0)
    take_all(RecordsOfBatches(0, TopicPartition("t", 3), MemoryRecords(bytes(batch)), check_crcs=False))
    for place, byte in [(-1, None), (61, 100), (65, 0x80)]:
        broken = batch[:place] if byte is None else batch[:place] + bytes([byte]) + batch[place + 1 :]
        broken[8:12] = (len(broken) - 12).to_bytes(4, "big")
        for kind in (RecordsOfBatches, Fetcher.PartitionRecords):
            reading = kind(0, TopicPartition("t", 3), MemoryRecords(bytes(broken)), check_crcs=False)
            with pytest.raises(CorruptRecordError):
                take_all(reading)


def take_all(reading: Any) -> None:
    """Whatever there is."""
    while reading:
        reading.take()


FIRST = 5


def built(records: list[Record], compression: int) -> bytearray:
    """kafka-python's own batch of them, from offset 5 on; 0: not compressed, 1: gzip, 3: LZ4."""
    builder = DefaultRecordBatchBuilder(2, compression, False, -1, -1, -1, 1 << 24)
    for place, record in enumerate(records):
        builder.append(place, 2**41 + record.delay, record.key, record.value, record.headers)
    batch = bytearray(builder.build())
    batch[7] = FIRST
    return batch


def send_by_hand(stream: Any, topic: str, outbox: Any) -> None:
    """The pending changes as events.md describes their events, through kafka-python's public interface alone."""
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap, acks="all", max_request_size=4_000_000)
    for row in outbox.pending("north", limit=10_000):
        record, subject = f"r-{row.id.hex()}", f"s-{row.subject.hex()}"
        operation = "withdrawn" if row.content is None else "amended" if row.live else "recorded"
        change = {"op": operation, "sequence": row.sequence, "previous": row.previous, "digest": row.digest.hex()}
        origin = b'{"site":"north","load":"%b","software":"0.1.0",%b}' % (row.load.encode(), row.provenance)
        value = b'{"record":%b,"change":%b,"provenance":%b}' % (
            row.content or b"",
            json.dumps(change, separators=(",", ":")).encode(),
            origin,
        )
        headers = {
            "ce_specversion": "1.0",
            "ce_source": "/site/north",
            "content-type": "application/json",
            "ce_id": str(uuid5(uuid5(NAMESPACE_URL, "urn:mainstem:event"), f"{record}/1.{row.sequence}")),
            "ce_type": f"{stream.network}.outcome.{operation}.v1",
            "ce_dataschema": f"/schemas/{row.type}.v1.json",
            "ce_time": "2026-03-02T05:00:00Z",
            "ce_subject": record,
            "ce_sequence": f"1.{row.sequence}",
        }
        producer.send(
            topic,
            key=f"{subject}/{record}".encode(),
            value=None if row.content is None else value,
            headers=[(name, text.encode()) for name, text in headers.items()],
            partition=(murmur2(subject.encode()) & 0x7FFFFFFF) % PARTITIONS,
        ).get(timeout=60)
    producer.close()


def read_by_kafka_python(bootstrap: str, topic: str, records: int) -> list[Seen]:
    client = kafka.KafkaConsumer(bootstrap_servers=bootstrap.split(","), auto_offset_reset="earliest")
    try:
        client.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
        found: list[Any] = []
        while len(found) < records:
            found += [record for records in client.poll(timeout_ms=500).values() for record in records]
        return sorted(Seen(r.partition, r.offset, r.key, r.value, list(r.headers)) for r in found)
    finally:
        client.close()


def read_by_librdkafka(bootstrap: str, topic: str, records: int) -> list[Seen]:
    client = confluent_kafka.Consumer({"bootstrap.servers": bootstrap, "group.id": "reader", "check.crcs": True})
    try:
        client.assign([confluent_kafka.TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
        found: list[Any] = []
        while len(found) < records:
            found += client.consume(500, timeout=0.5)
        assert not any(record.error() for record in found)
        return sorted(
            Seen(r.partition(), r.offset(), r.key(), r.value(), [tuple(h) for h in r.headers() or ()]) for r in found
        )
    finally:
        client.close()
