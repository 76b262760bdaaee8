"""A partition from an offset up to its end, for who reads once and belongs to no group."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from mainstem.kafka.record_batches import settle
from mainstem.kafka.settings import KafkaSettings, kafka_errors
from schemas.errors import OperatorError


@contextmanager
def reading(
    settings: KafkaSettings, partition: TopicPartition, start: int = 0, *, name: str = "mainstem-reading"
) -> Iterator[Iterator[Any]]:
    """The records of a partition from an offset on up to its end, as it is when all of them are read."""
    with reader(settings, name=name) as client:
        yield _records(client, partition, start)


@contextmanager
def reader(settings: KafkaSettings, *, name: str = "mainstem-reading", **options: Any) -> Iterator[KafkaConsumer]:
    """A client that belongs to no group, closed afterwards; its errors come out as ours."""
    with kafka_errors(settings):
        client = KafkaConsumer(
            **settings.client_options(),
            client_id=name,
            auto_offset_reset="earliest",
            enable_auto_commit=False,
            isolation_level="read_committed",
            allow_auto_create_topics=False,
            metrics_enabled=False,
            **options,
        )
        settle(client)
        try:
            yield client
        finally:
            client.close(autocommit=False, timeout_ms=1000)


def partitions_of(client: KafkaConsumer, topic: str) -> list[TopicPartition]:
    """In their order. Raises OperatorError where there is no such topic."""
    numbers = client.partitions_for_topic(topic)
    if not numbers:
        raise OperatorError(f"there is no topic {topic}", "Create it: `mainstem topics create`.")
    return [TopicPartition(topic, number) for number in sorted(numbers)]


def _records(client: KafkaConsumer, partition: TopicPartition, start: int) -> Iterator[Any]:
    client.assign([partition])
    first = client.beginning_offsets([partition])[partition]
    end = client.end_offsets([partition])[partition]
    if start > end or first == end:
        return
    client.seek(partition, max(start, first))
    while True:
        for records in client.poll(timeout_ms=500).values():
            yield from records
        # Tansu's end lies within the last batch; a fetch's watermark is behind it.
        if (client.position(partition) or 0) >= max(end, client.highwater(partition) or 0):
            return
