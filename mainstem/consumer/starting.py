"""From where a group reads that has never read: the beginning, a time, or where another group of the same database stands."""

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from schemas.subjects import is_subject_topic


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
    """Where each partition begins for a group that has never read it; how it stands with subjects is read whole, whenever one starts."""
    whole = [each for each in partitions if is_subject_topic(each.topic) or not isinstance(start, datetime)]
    first = dict(client.beginning_offsets(whole)) if whole else {}
    later = [each for each in partitions if each not in first]
    if not later or not isinstance(start, datetime):
        return first
    found = client.offsets_for_times(dict.fromkeys(later, int(start.timestamp() * 1000)))
    ends = client.end_offsets(later)
    return first | {each: at.offset if (at := found.get(each)) else ends[each] for each in later}
