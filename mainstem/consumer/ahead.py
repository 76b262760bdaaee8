"""What the subject topic says that a group has not come to yet: there is no order between topics, and who gave consent again must not
lose what is told of them since."""

import time
from collections.abc import Mapping
from typing import Any

from kafka import KafkaConsumer, TopicPartition

from mainstem.consumer.ledger import Ledger
from mainstem.kafka.reading import reader
from mainstem.kafka.settings import KafkaSettings
from schemas.errors import TemporaryError

PATIENCE_SECONDS = 60.0


class Ahead:
    """Reads a topic from the group's places to its end, whichever member its partitions belong to; moves no place."""

    def __init__(self, settings: KafkaSettings, topic: str, ledger: Ledger) -> None:
        self._settings, self._topic, self._ledger = settings, topic, ledger
        self._kept: dict[TopicPartition, int] = {}
        self._read: dict[TopicPartition, int] = {}

    def read(self) -> Mapping[TopicPartition, list[Any]]:
        """Each partition's records up to the end that it has now, without those whose content was kept before."""
        stored, found = self._ledger.stored(), dict[TopicPartition, list[Any]]()
        with reader(self._settings, name=f"mainstem-ahead-{self._ledger.group}", fetch_max_wait_ms=10) as client:
            partitions = [TopicPartition(self._topic, n) for n in client.partitions_for_topic(self._topic) or ()]
            if not partitions:
                return found
            client.assign(partitions)
            first, ends = client.beginning_offsets(partitions), client.end_offsets(partitions)
            left = {each for each in partitions if ends[each] > first[each]}
            for each in left:
                known = max(stored.get(each, 0), self._kept.get(each, 0))
                client.seek(each, max(first[each], known if known <= ends[each] else 0))
            deadline = time.monotonic() + PATIENCE_SECONDS
            while left:
                if time.monotonic() > deadline:
                    raise TemporaryError(f"{self._topic} could not be read to its end", "Run it again.")
                for partition, records in client.poll(timeout_ms=500).items():
                    found.setdefault(partition, []).extend(records)
                left = {each for each in left if not _at_end(client, each, ends[each])}
            self._read = {each: records[-1].offset + 1 for each, records in found.items()}
        return found

    def kept(self) -> None:
        """What was read last is in the database."""
        self._kept |= self._read
        self._read = {}

    def forget(self) -> None:
        """The topic may be another."""
        self._kept, self._read = {}, {}


def _at_end(client: KafkaConsumer, partition: TopicPartition, end: int) -> bool:
    """Tansu's end lies within the last batch; a fetch's watermark is behind it, and before the first fetch nothing is known."""
    mark = client.highwater(partition)
    return mark is not None and (client.position(partition) or 0) >= max(end, mark)
