"""What the outcome topic says last of each record, set down on the disk: as many records as there are, in little memory.

A partition's records come in its order, so of a key the last one that is set down counts. A share is a range of ids in a state.
"""

import tempfile
from binascii import unhexlify
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from struct import error as PackError
from typing import Any, NamedTuple

from kafka import KafkaConsumer, TopicPartition

from mainstem.kafka.heads import Head
from mainstem.kafka.reading import partitions_of, reader
from mainstem.kafka.record_batches import read_heads
from mainstem.kafka.settings import KafkaSettings
from mainstem.mending.shares import BUFFERED, Shares

POLLED = 64
"""Batches."""
FETCH_BYTES = 2 * 1024 * 1024
"""Compressed, of a partition; what is on its way and what waits to be read are a few times as much."""
_LINE = Struct(">32sIQ16sHHB")
_VERSION, _SAID = Struct(">IQ"), Struct(">HHB")
REMEMBERED = 10_000
KEY_BYTES = 34 + 1 + 34
NOTHING = bytes(16)


class Told(NamedTuple):
    """The topic's last word on a key."""

    key: bytes
    """The record's 16 bytes and the subject's."""
    epoch: int
    sequence: int
    digest: bytes
    source: int
    """Place in `TopicState.sources`."""
    schema: int
    """Place in `TopicState.schemas`."""
    live: bool


class TopicState:
    """The topic, set down."""

    def __init__(self, folder: Path) -> None:
        self._shares = Shares(folder, _LINE)
        self._numbers: tuple[dict[bytes, int], dict[bytes, int]] = ({}, {})
        self._versions: dict[bytes, bytes] = {}
        self._said: dict[tuple[bytes, bytes, bool], bytes] = {}
        self.events = 0
        self.unreadable = 0
        """Records that are no event of the contract; consumers make dead letters of them."""

    @property
    def sources(self) -> list[bytes]:
        """`ce_source` of all that were met."""
        return list(self._numbers[0])

    @property
    def schemas(self) -> list[bytes]:
        """`ce_dataschema` of all that were met."""
        return list(self._numbers[1])

    def add(self, heads: Sequence[Head]) -> None:
        """Sets down records of one partition, in their order."""
        buffers, versions, said = self._shares.buffers, self._versions, self._said
        for key, version, source, schema, digest, live in heads:
            try:
                both = unhexlify(key[37:] + key[2:34])
                content = unhexlify(digest) if live else NOTHING
                order = versions.get(version) or self._version(version)
            except (ValueError, PackError):
                self.unreadable += 1
                continue
            if len(key) != KEY_BYTES or len(content) != len(NOTHING):
                self.unreadable += 1
                continue
            share = both[0]
            buffer = buffers[share]
            buffer += both + order + content + (said.get((source, schema, live)) or self._place(source, schema, live))
            if len(buffer) >= BUFFERED:
                self._shares.write(share)
        self.events += len(heads)

    def _version(self, text: bytes) -> bytes:
        epoch, sequence = text.split(b".")
        if len(self._versions) > REMEMBERED:
            self._versions.clear()
        self._versions[text] = packed = _VERSION.pack(int(epoch), int(sequence))
        return packed

    def _place(self, source: bytes, schema: bytes, live: bool) -> bytes:
        sources, schemas = self._numbers
        numbers = sources.setdefault(source, len(sources)), schemas.setdefault(schema, len(schemas))
        self._said[source, schema, live] = packed = _SAID.pack(*numbers, live)
        return packed

    def share(self, number: int) -> dict[bytes, tuple[Any, ...]]:
        """The last word on each key of a share, by the key: what `Told` holds, as a plain tuple."""
        return {line[0]: line for line in self._shares.lines(number)}

    def close(self) -> None:
        """Forgets it."""
        self._shares.close()


@contextmanager
def read_topic(
    settings: KafkaSettings, topic: str, *, progress: Callable[[int], Any] = lambda events: None
) -> Iterator[TopicState]:
    """The state that a topic gives, as it is now; what comes meanwhile may be in it or not. Raises OperatorError where there is none."""
    with tempfile.TemporaryDirectory(prefix="mainstem-") as folder:
        state = TopicState(Path(folder))
        try:
            with reader(
                settings,
                max_poll_records=POLLED,
                fetch_max_bytes=2 * FETCH_BYTES,
                max_partition_fetch_bytes=FETCH_BYTES,
                receive_buffer_bytes=1024 * 1024,
            ) as client:
                heads_of = read_heads(client)
                for records in _up_to_now(client, topic):
                    for record in records:
                        state.add(heads := heads_of(record))
                        progress(len(heads))
            yield state
        finally:
            state.close()


def _up_to_now(client: KafkaConsumer, topic: str) -> Iterator[list[Any]]:
    """What each partition holds up to its end as it is at the beginning."""
    partitions = partitions_of(client, topic)
    client.assign(partitions)
    client.seek_to_beginning(*partitions)
    begins, ends = client.beginning_offsets(partitions), client.end_offsets(partitions)
    left = {each for each in partitions if ends[each] > begins[each]}
    seen: set[TopicPartition] = set()
    while left:
        yield from client.poll(timeout_ms=500).values()
        for each in list(left):
            if each not in seen and (mark := client.highwater(each)) is not None:
                seen.add(each)  # Tansu's end lies within the last batch; a fetch's watermark is behind it
                ends[each] = max(ends[each], mark)
            if each in seen and (client.position(each) or 0) >= ends[each]:
                left.discard(each)
                client.pause(each)
