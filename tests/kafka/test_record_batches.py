"""What the fast road puts on a topic is what `KafkaProducer.send` does: the publisher's two roads, read back by a plain client."""

import copy
from typing import Any

import pytest

from mainstem.kafka import record_batches
from mainstem.kafka.settings import KafkaSettings


@pytest.fixture(params=["stream", pytest.param("kafka_stream", marks=pytest.mark.kafka)], ids=["tansu", "apache"])
def any_stream(request: pytest.FixtureRequest) -> Any:
    """A network's topics on either broker."""
    return request.getfixturevalue(request.param)


def test_both_roads_give_the_same_records(any_stream, outbox, fill, observe):
    """Keys, values, tombstones, headers, partitions and their order."""
    fill(outbox, 400, subjects=60)
    for number in range(1, 100, 3):
        observe(outbox, number, None, subject=number % 60)
    text = '{"type":"condition","text":"Müller – 糖尿病 \\u0007"}'.encode()
    outbox.change(b"\0" * 16, b"\xff" * 16, text, type_="condition")
    again = copy.deepcopy(outbox)

    fast = any_stream.publish(outbox)
    first = seen(any_stream)
    plain = any_stream.publish(again, reach=KafkaSettings(any_stream.bootstrap, plain_send=True))
    both = seen(any_stream)

    assert fast.events == plain.events == sum(map(len, first.values()))
    assert {partition: rows[len(first[partition]) :] for partition, rows in both.items()} == first


def test_another_kafka_python_takes_the_public_road(monkeypatch):
    """Its private parts were not read: slower, and safe."""
    assert isinstance(record_batches.road(), record_batches.WholeBatches)
    monkeypatch.setattr(record_batches.kafka, "__version__", "3.0.99")
    assert isinstance(record_batches.road(), record_batches.PlainSend)


def seen(stream: Any) -> dict[int, list[Any]]:
    """What a plain client reads, by partition."""
    found: dict[int, list[Any]] = {}
    for record in stream.records():
        found.setdefault(record.partition, []).append((record.key, record.value, list(record.headers)))
    return found
