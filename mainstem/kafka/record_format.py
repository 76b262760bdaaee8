"""Kafka's record format (magic 2), as its protocol guide describes it: the records of a batch, written and read by us.

    Record => length attributes timestampDelta offsetDelta keyLength key valueLength value headerCount *(nameLength name valueLength value)

Lengths are zigzag varints; a length of -1 stands for no value (a tombstone).
"""

from collections.abc import Iterator
from typing import NamedTuple

NO_ATTRIBUTES_NO_DELAY = b"\0\0"


class Record(NamedTuple):
    """One record as `KafkaProducer.send` takes it."""

    key: bytes | None
    value: bytes | None
    headers: list[tuple[str, bytes]]


def varint(value: int) -> bytes:
    """A number as a zigzag varint."""
    return SMALL[value] if 0 <= value < len(SMALL) else _encoded(value)


def header_start(name: str, length: int) -> bytes:
    """A header up to its value, whose length is known beforehand."""
    encoded = name.encode()
    return varint(len(encoded)) + encoded + varint(length)


def header(name: str, value: bytes) -> bytes:
    """A whole header."""
    return header_start(name, len(value)) + value


def records_of(encoded: bytes | bytearray) -> Iterator[Record]:
    """The records that stand one after the other in a batch, in their order."""
    reader = _Reader(encoded)
    while not reader.at_end:
        reader.number()  # the record's length
        reader.take(len(NO_ATTRIBUTES_NO_DELAY))
        reader.number()  # its place in the batch
        key, value = reader.field(), reader.field()
        names_and_values = [(reader.field() or b"", reader.field() or b"") for _ in range(reader.number())]
        yield Record(key, value, [(name.decode(), content) for name, content in names_and_values])


class _Reader:
    """Reads encoded records from their start."""

    def __init__(self, encoded: bytes | bytearray) -> None:
        self._encoded = bytes(encoded)
        self._at = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._encoded)

    def number(self) -> int:
        zigzag = shift = 0
        while True:
            byte = self._encoded[self._at]
            self._at += 1
            zigzag |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return (zigzag >> 1) ^ -(zigzag & 1)

    def take(self, length: int) -> bytes:
        self._at += length
        return self._encoded[self._at - length : self._at]

    def field(self) -> bytes | None:
        length = self.number()
        return None if length < 0 else self.take(length)


def _encoded(value: int) -> bytes:
    out = bytearray()
    rest = (value << 1) ^ (value >> 63)
    while rest > 0x7F:
        out.append(0x80 | (rest & 0x7F))
        rest >>= 7
    out.append(rest)
    return bytes(out)


SMALL = [_encoded(value) for value in range(1 << 13)]
