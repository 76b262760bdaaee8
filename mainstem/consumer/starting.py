"""From where a group reads that has never read: the beginning, a time, or where another group of the same database stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from kafka import KafkaConsumer, TopicPartition


class StateOf(NamedTuple):
    """The state that another group of this database has made: its places, and what it has handled of each record.

    For a copy of a database, or a second handler over the same tables.
    """

    group: str


Start = Literal["beginning"] | datetime | StateOf
"""A time has a zone. Who starts there sees what was written since, and knows no record that did not change."""


def first_offsets(
    client: KafkaConsumer, partitions: Sequence[TopicPartition], start: Start
) -> dict[TopicPartition, int]:
    """Where each partition begins for a group that has never read it."""
    if not isinstance(start, datetime):
        return dict(client.beginning_offsets(partitions))
    moment = int(start.timestamp() * 1000)
    found = client.offsets_for_times(dict.fromkeys(partitions, moment))
    ends = client.end_offsets(partitions)
    return {partition: at.offset if (at := found.get(partition)) else ends[partition] for partition in partitions}
