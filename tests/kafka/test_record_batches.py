"""What the fast road puts on a topic is, byte for byte, what `KafkaProducer.send` would, as two independent clients read it."""

from hashlib import sha1
from typing import Any, NamedTuple
from uuid import UUID

import confluent_kafka
import kafka
import pytest
from kafka import KafkaProducer, TopicPartition
from kafka.errors import KafkaError, MessageSizeTooLargeError
from kafka.partitioner import DefaultPartitioner

from mainstem.kafka import record_batches, topics
from mainstem.kafka.record_batches import BATCH_BYTES, PROVEN, Batch, PlainSend, WholeBatches, road
from mainstem.kafka.record_format import NO_ATTRIBUTES_NO_DELAY, Record, header, records_of, varint
from mainstem.kafka.settings import KafkaSettings

PARTITIONS = 12


class Seen(NamedTuple):
    """A record as a client read it."""

    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


@pytest.fixture(params=["stream", pytest.param("kafka_stream", marks=pytest.mark.kafka)], ids=["tansu", "apache"])
def any_stream(request: pytest.FixtureRequest) -> Any:
    """A network's topics on either broker."""
    return request.getfixturevalue(request.param)


@pytest.mark.parametrize("plain", [False, True], ids=["whole batches", "plain send"])
def test_either_road_is_the_same_as_plain_send_to_two_clients(any_stream, outbox, fill, observe, plain):
    """Keys, values, tombstones, headers, partitions, order: the publisher's topic equals one filled by hand through `send`."""
    fill(outbox, 400, subjects=60)
    any_stream.publish(outbox)
    for number in range(0, 100, 3):
        observe(outbox, number, "8.25", subject=number % 60)
    for number in range(1, 100, 3):
        observe(outbox, number, None, subject=number % 60)
    outbox.change(b"\0" * 16, b"\xff" * 16, '{"type":"condition","text":"Müller – 糖尿病 \\u0007"}'.encode(), type_="condition")
    outbox.change(b"\1" * 16, b"\xff" * 16, b'{"text":"%b"}' % (b"a" * (BATCH_BYTES + 100)))
    by_hand = f"{any_stream.network}.by-hand"
    topics.create_missing(any_stream.bootstrap, [topics.Topic(by_hand, PARTITIONS, 1, {})])
    send_by_hand(any_stream, by_hand, already := len(any_stream.records()), outbox)

    any_stream.publish(outbox, reach=KafkaSettings(any_stream.bootstrap, plain_send=plain))

    outcome = f"{any_stream.network}.outcome.v1"
    published = read_by_kafka_python(any_stream, outcome)
    assert len(published) == already + 33 + 33 + 2
    assert published == read_by_librdkafka(any_stream, outcome)
    assert [seen[2:] for seen in new_ones(published)] == [seen[2:] for seen in read_by_librdkafka(any_stream, by_hand)]
    assert [seen.partition for seen in new_ones(published)] == [
        seen.partition for seen in read_by_kafka_python(any_stream, by_hand)
    ]
