"""Kafka's record format (magic 2), as its protocol guide describes it: the records of a batch, written and read by us.

    Record => length attributes timestampDelta offsetDelta keyLength key valueLength value headerCount *(nameLength name valueLength value)

Lengths are zigzag varints; a length of -1 stands for no value (a tombstone).
"""

from functools import lru_cache
from typing import NamedTuple

NO_ATTRIBUTES_NO_DELAY = b"\0\0"
LONGEST_NUMBER = 63
"""Bits; what has more is no number, and would cost more with each byte."""


Header = tuple[str, bytes | None]


class Record(NamedTuple):
    """One record as it stands in a batch."""

    key: bytes | None
    value: bytes | None
    headers: list[Header]
    place: int = 0
    """From the batch's first offset."""
    delay: int = 0
    """Milliseconds from the batch's first time."""


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


def records_in(encoded: bytes, at: int, count: int) -> list[Record]:
    """So many records that stand one after the other, from a place on and to the end, in their order.

    A record with a header's name that is not UTF-8, which C clients can write, has all its headers' names, as far as they are text, and
    no header's value: whoever needs one finds the record unusable. Raises IndexError or ValueError where no such records stand.
    """
    found: list[Record] = []
    for _ in range(count):
        length, at = number_at(encoded, at)
        end = at + length
        delay, at = number_at(encoded, at + 1)  # behind attributes, which say nothing
        place, at = number_at(encoded, at)
        length, at = number_at(encoded, at)
        key = encoded[at : at + length] if length >= 0 else None
        length, at = number_at(encoded, at + length if length > 0 else at)
        value = encoded[at : at + length] if length >= 0 else None
        fields, at = number_at(encoded, at + length if length > 0 else at)
        headers, at = _headers(encoded, at, fields)
        if at != end or fields < 0:
            raise ValueError
        found.append(Record(key, value, headers, place, delay))
    if at != len(encoded):
        raise ValueError
    return found


def number_at(encoded: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint, and the place behind it. Raises ValueError where it is too long for a number."""
    byte = encoded[at]
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at + 1
    after = encoded[at + 1]
    if after < 128:
        zigzag = byte & 127 | after << 7
        return (zigzag >> 1) ^ -(zigzag & 1), at + 2
    zigzag, shift, at = byte & 127 | (after & 127) << 7, 14, at + 2
    while (byte := encoded[at]) > 127:
        zigzag |= (byte & 127) << shift
        shift += 7
        at += 1
        if shift > LONGEST_NUMBER:
            raise ValueError
    zigzag |= byte << shift
    return (zigzag >> 1) ^ -(zigzag & 1), at + 1


def _headers(encoded: bytes, at: int, count: int) -> tuple[list[Header], int]:
    """So many headers, and the place behind them."""
    headers: list[Header] = []
    append, are_text = headers.append, True
    for _ in range(count):
        size = encoded[at]
        if size < 128:  # as nearly every header's: without a call
            at += 1
            size >>= 1
        else:
            size, at = number_at(encoded, at)
        middle = at + size
        size = encoded[middle]
        if size < 128 and not size & 1:
            start = middle + 1
            after = start + (size >> 1)
            value: bytes | None = encoded[start:after]
        else:
            size, start = number_at(encoded, middle)
            after = start + size if size > 0 else start
            value = encoded[start:after] if size >= 0 else None
        name, is_text = _name(encoded[at:middle])
        are_text = are_text and is_text
        append((name, value))
        at = after
    return headers if are_text else [(name, None) for name, _ in headers], at


@lru_cache(1024)
def _name(encoded: bytes) -> tuple[str, bool]:
    """A header's name, and whether all of it is text."""
    try:
        return encoded.decode(), True
    except UnicodeDecodeError:
        return encoded.decode(errors="replace"), False


def _encoded(value: int) -> bytes:
    out = bytearray()
    rest = (value << 1) ^ (value >> 63)
    while rest > 0x7F:
        out.append(0x80 | (rest & 0x7F))
        rest >>= 7
    out.append(rest)
    return bytes(out)


SMALL = [_encoded(value) for value in range(1 << 13)]
