"""What a record of the outcome topic says of itself, without its content: read straight from a batch's bytes, for who compares."""

from typing import Any, NamedTuple

from mainstem.kafka.record_format import header_start
from schemas.events import Header

DIGEST = b'"digest":"'
DIGITS = 32
QUOTE = ord('"')
WANTED = (Header.SEQUENCE, Header.SOURCE, Header.DATA_SCHEMA)
SEQUENCE, SOURCE, SCHEMA = (header_start(name, 0)[:-1] for name in WANTED)
"""A header's name as it stands in a record, behind its length."""
LONG = 64
"""A length from here on takes two bytes; none of these headers' values does."""


class Head(NamedTuple):
    """One record. Empty: it has no such header, or one that is no value of ours."""

    key: bytes
    sequence: bytes
    source: bytes
    schema: bytes
    digest: bytes
    """32 hexadecimal digits; empty where the value has none behind its record."""
    live: bool
    """It has a value."""


def heads_in(encoded: bytes, at: int, count: int) -> list[Head]:
    """The heads of so many records that stand one after the other. Raises IndexError or ValueError where they do not."""
    heads = []
    for _ in range(count):
        length, at = _number(encoded, at)
        end = at + length
        at += 1
        while encoded[at] > 127:  # how much later than the batch it was written
            at += 1
        _, at = _number(encoded, at + 1)
        length, at = _number(encoded, at)
        key, at = encoded[at : at + max(length, 0)], at + max(length, 0)
        length, at = _number(encoded, at)
        live = length >= 0
        value_end = at + max(length, 0)
        heads.append(_head(key, encoded[value_end:end], _digest(encoded, at, value_end) if live else b"", live))
        at = end
    return heads


def head_of(record: Any) -> Head:
    """The same of a record as kafka-python reads it."""
    headers = dict(record.headers)
    sequence, source, schema = (headers.get(name) or b"" for name in WANTED)
    value = record.value
    digest = b"" if value is None else _digest(value, 0, len(value))
    return Head(record.key or b"", sequence, source, schema, digest, value is not None)


def _head(key: bytes, headers: bytes, digest: bytes, live: bool) -> Head:
    return Head(key, _value(headers, SEQUENCE), _value(headers, SOURCE), _value(headers, SCHEMA), digest, live)


def _value(headers: bytes, name: bytes) -> bytes:
    place = headers.find(name)
    if place < 0:
        return b""
    place += len(name)
    length = headers[place] >> 1
    return headers[place + 1 : place + 1 + length] if length < LONG else b""


def _digest(value: bytes, start: int, end: int) -> bytes:
    first = value.rfind(DIGEST, start, end) + len(DIGEST)
    last = first + DIGITS
    return value[first:last] if first >= start + len(DIGEST) and last < end and value[last] == QUOTE else b""


def _number(encoded: bytes, at: int) -> tuple[int, int]:
    """A zigzag varint, and the place behind it."""
    byte = encoded[at]
    if byte < 128:
        return (byte >> 1) ^ -(byte & 1), at + 1
    zigzag, shift, at = byte & 127, 7, at + 1
    while (byte := encoded[at]) > 127:
        zigzag |= (byte & 127) << shift
        shift += 7
        at += 1
    zigzag |= byte << shift
    return (zigzag >> 1) ^ -(zigzag & 1), at + 1
