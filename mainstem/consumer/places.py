"""Where we are in each partition. The database says from where; the broker says which partitions, at any moment."""

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import IllegalStateError

from mainstem.consumer.ledger import Ledger
from mainstem.consumer.progress import At
from mainstem.consumer.starting import Start, first_offsets

log = structlog.get_logger(__name__)

Polled = Mapping[TopicPartition, list[Any]]


class Rebalances(ConsumerRebalanceListener):  # type: ignore[misc]
    """Notes which partitions were taken from us or given to us.

    The client calls it on its own I/O thread at any moment, so it only notes; the polling thread reads the notes after a poll.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._noted: set[TopicPartition] = set()

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        with self._lock:
            self._noted.update(revoked)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        with self._lock:
            self._noted.update(assigned)

    def take(self) -> set[TopicPartition]:
        """What was noted since the last call."""
        with self._lock:
            noted, self._noted = self._noted, set()
        return noted


class Places:
    """The next offset of every partition that is ours, as the database has it. Only the polling thread enters here."""

    def __init__(
        self,
        client: KafkaConsumer,
        ledger: Ledger,
        rebalances: Rebalances,
        *,
        start: Start = "beginning",
        prove: Callable[[Mapping[TopicPartition, At]], Any] = lambda places: None,
    ) -> None:
        self._client = client
        self._ledger = ledger
        self._rebalances = rebalances
        self._start = start
        self._prove = prove
        """Told each partition's place and end before it is read; raises where going on would miss something."""
        self._offsets: dict[TopicPartition, int] = {}
        self._doubtful: set[TopicPartition] = set()

    @property
    def settled(self) -> bool:
        """Whether every place is known to lie within its partition."""
        return not self._doubtful

    def ours(self) -> set[TopicPartition]:
        """The partitions that are ours and whose place is known."""
        return set(self._offsets.keys() & self._client.assignment())

    def offsets(self) -> dict[TopicPartition, int]:
        """The places of the partitions that are ours."""
        return {partition: self._offsets[partition] for partition in self.ours()}

    def forget(self, partitions: Iterable[TopicPartition] | None = None) -> None:
        """Read the places, or these, from the database before anything of the partitions is handled."""
        for partition in list(self._offsets if partitions is None else partitions):
            self._offsets.pop(partition, None)
            self._doubtful.discard(partition)

    def admit(self, polled: Polled) -> dict[TopicPartition, list[Any]]:
        """What of a poll may be handled: what continues from a place that we know.

        The rest was fetched from Kafka's idea of our place, and the database's counts: it is fetched again from there.
        """
        noted = self._rebalances.take()
        assigned = self._client.assignment()
        self.forget(noted | (self._offsets.keys() - assigned))
        if unknown := assigned - self._offsets.keys():
            self._load(unknown)
        self._settle_doubts()
        return {partition: got for partition, got in polled.items() if partition in self._offsets.keys() - unknown}

    def moves(self, polled: Polled) -> dict[TopicPartition, tuple[int, int]]:
        """From where to where each partition goes when this is handled."""
        return {partition: (self._offsets[partition], got[-1].offset + 1) for partition, got in polled.items()}

    def moved(self, moves: Mapping[TopicPartition, tuple[int, int]]) -> None:
        """This is handled and in the database."""
        self._offsets.update({partition: after for partition, (_, after) in moves.items()})

    def _load(self, partitions: Iterable[TopicPartition]) -> None:
        wanted = list(partitions)
        starts, ends = first_offsets(self._client, wanted, self._start), self._client.end_offsets(wanted)
        known = self._ledger.offsets(starts)
        self._prove({partition: At(known[partition], ends[partition]) for partition in wanted})
        for partition in wanted:
            try:
                self._client.seek(partition, known[partition])
            except (ValueError, KeyError):
                continue  # taken from us since we asked
            self._offsets[partition] = known[partition]
            if known[partition] > ends[partition]:
                self._doubtful.add(partition)

    def _settle_doubts(self) -> None:
        """A place beyond the end means that the topic was made anew; then it is read from its start.

        Apache Kafka says "out of range" and the client starts over by itself. Tansu says nothing; and asked for the
        end it gives the start of the last batch plus one, so only the high watermark of a fetch can be believed."""
        for partition in list(self._doubtful):
            try:
                if (end := self._client.highwater(partition)) is None:
                    continue
                if self._offsets[partition] > end:
                    log.warning("the topic was made anew; reading from its start", partition=partition)
                    self._client.seek_to_beginning(partition)
            except (IllegalStateError, ValueError):
                continue  # taken from us since we asked; the next poll forgets it
            self._doubtful.discard(partition)
