"""What the subject topic says that a group has not come to yet: there is no order between topics, and who gave consent again must not
lose what is told of them since."""

from collections.abc import Mapping
from typing import Any

from kafka import TopicPartition

from mainstem.consumer.ledger import Ledger
from mainstem.kafka.reading import reader
from mainstem.kafka.settings import KafkaSettings


class Ahead:
    """Reads a topic from the group's places to its end, whichever member its partitions belong to; moves no place."""

    def __init__(self, settings: KafkaSettings, topic: str, ledger: Ledger) -> None:
        self._settings, self._topic, self._ledger = settings, topic, ledger
        self._kept: dict[TopicPartition, int] = {}
        self._read: dict[TopicPartition, int] = {}

    def read(self) -> Mapping[TopicPartition, list[Any]]:
        """Each partition's records up to the end that it has now, without those whose content was kept before."""
        stored, found = self._ledger.stored(), dict[TopicPartition, list[Any]]()
        with reader(self._settings, name=f"mainstem-ahead-{self._ledger.group}") as client:
            partitions = [TopicPartition(self._topic, n) for n in client.partitions_for_topic(self._topic) or ()]
            if not partitions:
                return found
            client.assign(partitions)
            first, ends = client.beginning_offsets(partitions), client.end_offsets(partitions)
            left = {each for each in partitions if ends[each] > first[each]}
            for each in left:
                known = max(stored.get(each, 0), self._kept.get(each, 0))
                client.seek(each, max(first[each], known if known <= ends[each] else 0))
            while left:
                for partition, records in client.poll(timeout_ms=500).items():
                    found.setdefault(partition, []).extend(records)
                # Tansu's end lies within the last batch; a fetch's watermark is behind it.
                at = {each: client.position(each) or 0 for each in left}
                left = {each for each in left if at[each] < max(ends[each], client.highwater(each) or 0)}
            self._read = {each: records[-1].offset + 1 for each, records in found.items()}
        return found

    def kept(self) -> None:
        """What was read last is in the database."""
        self._kept |= self._read
        self._read = {}

    def forget(self) -> None:
        """The topic may be another."""
        self._kept, self._read = {}, {}
