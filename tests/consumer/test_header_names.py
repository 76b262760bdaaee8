"""A C client can name a header by any bytes. kafka-python would end at such a record for good; the consumer goes on behind it."""

import json
from typing import Any

import pytest
from encoded import sized
from kafka import KafkaProducer, TopicPartition
from services_cases import record_id, subject_id
from streams import of_network

from mainstem.consumer.tail import tail
from mainstem.kafka.envelopes import id_of
from mainstem.kafka.record_batches import Batch, WholeBatches
from mainstem.kafka.record_format import NO_ATTRIBUTES_NO_DELAY, varint

ODD = b"trace\xff\xfe"


@pytest.fixture(
    params=["stream", pytest.param("kafka_stream", marks=[pytest.mark.kafka, pytest.mark.slow])],
    ids=["tansu", "apache"],
)
def any_stream(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


def event(number: int, *odd: tuple[bytes, bytes]) -> tuple[bytes, bytes, list[tuple[bytes, bytes]]]:
    """A good event of the number's record; the odd headers stand among its own."""
    record, subject = record_id(str(number)), subject_id("ada")
    content = {"type": "observation", "id": record, "subject": subject, "site": "north", "code": "4548-4", "value": 7.1}
    change = {"op": "recorded", "sequence": 1, "previous": 0, "digest": "0" * 32}
    provenance = {"site": "north", "source": [], "load": "north/1", "mapping": "observation@1", "software": "0.1.0"}
    headers = {
        "ce_specversion": b"1.0",
        "ce_id": id_of(f"{record}/1.1".encode()),
        "ce_source": b"/site/north",
        "ce_type": b"lhn.outcome.recorded.v1",
        "ce_time": b"2026-03-02T05:00:00Z",
        "ce_subject": record.encode(),
        "ce_dataschema": b"/schemas/observation.v1.json",
        "ce_sequence": b"1.1",
        "content-type": b"application/json",
    }
    named = [(name.encode(), text) for name, text in headers.items()]
    value = json.dumps({"record": content, "change": change, "provenance": provenance}).encode()
    return f"{subject}/{record}".encode(), value, [*named[:4], *odd, *named[4:]]


def put(stream: Any, *events: tuple[bytes, bytes, list[tuple[bytes, bytes]]], compression: str | None = "lz4") -> None:
    """The events as one batch of one partition, their headers' names byte for byte."""
    records = bytearray()
    for place, (key, value, headers) in enumerate(events):
        fields = [text for header in of_network(stream.network, headers) for text in header]
        parts = [NO_ATTRIBUTES_NO_DELAY, varint(place), *map(sized, (key, value)), varint(len(headers))]
        records += sized(b"".join([*parts, *map(sized, fields)]))
    producer = KafkaProducer(bootstrap_servers=stream.bootstrap.split(","), compression_type=compression)
    topic = f"{stream.network}.outcome.v1"
    producer.partitions_for(topic)
    assert WholeBatches().send(producer, Batch(TopicPartition(topic, 0), len(events), records)).arrived(20)
    producer.close()


def test_record_with_a_name_that_is_no_text_is_put_aside_and_those_around_it_are_handled(
    any_stream, latest_of, sqlite_engine
):
    """First, last and in the middle of a batch; two in one; a good event whose names have letters of any script."""
    odd, any_script = (ODD, b"x"), ("trace-ü-糖".encode(), b"x")
    put(any_stream, event(1, odd), event(2), event(3, odd, odd), event(4, any_script))
    put(any_stream, event(5), event(6, odd))
    put(any_stream, event(7))
    latest = latest_of(sqlite_engine)

    with any_stream.consumer(sqlite_engine, latest, attempts=1) as consumer:
        assert consumer.run_until_caught_up() == 4

    assert sorted(latest.state()) == sorted(record_id(str(number)) for number in (2, 4, 5, 7))
    letters = any_stream.records("dlq.test")
    facts = [{name: text.decode() for name, text in letter.headers} for letter in letters]
    assert sorted((fact["reason"], fact["offset"]) for fact in facts) == [
        ("invalid-header", n) for n in ("0", "2", "5")
    ]
    assert {letter.key for letter in letters} == {event(number)[0] for number in (1, 3, 6)}


def test_tail_goes_on_behind_it(stream):
    put(stream, event(1), event(2, (ODD, b"x")), event(3), compression=None)
    topic = f"{stream.network}.outcome.v1"
    seen = list(tail(stream.bootstrap, topic, from_beginning=True, follow=False))
    assert [one.operation for one in seen] == ["recorded", "unreadable", "recorded"]
