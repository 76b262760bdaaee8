"""What a record of the outcome topic says of itself, without its content: read straight from a batch's bytes, for who compares."""

from functools import partial
from typing import Any, NamedTuple

from mainstem.kafka.record_format import header_start, number_at, varint
from schemas.events import Header

DIGEST = b'"digest":"'
DIGITS = 32
QUOTE = ord('"')
WANTED = (Header.SEQUENCE, Header.SOURCE, Header.DATA_SCHEMA)
SEQUENCE, SOURCE, SCHEMA = (header_start(name, 0)[:-1] for name in WANTED)
"""A header's name as it stands in a record, behind its length."""
LONG = 128
"""A length that is written so or higher takes two bytes; none of these headers' values does."""
SEQUENCE_BYTES, SOURCE_BYTES, SCHEMA_BYTES = map(len, (SEQUENCE, SOURCE, SCHEMA))
KEY_BYTES = 34 + 1 + 34
OUR_KEY = varint(KEY_BYTES)
"""How a key of ours begins: by its length."""


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


new_head = partial(tuple.__new__, Head)
"""From a sequence of all fields, in half the time."""


def heads_in(encoded: bytes, at: int, count: int) -> list[Head]:
    """The heads of so many records that stand one after the other. Raises IndexError or ValueError where they do not."""
    heads: list[Head] = []
    find, append = encoded.find, heads.append
    for _ in range(count):
        length, at = number_at(encoded, at)
        end = at + length
        at += 1
        while encoded[at] > 127:  # how much later than the batch it was written
            at += 1
        at += 1
        while encoded[at] > 127:  # its place in the batch
            at += 1
        if encoded[at + 1] == OUR_KEY[0] and encoded[at + 2] == OUR_KEY[1]:
            at += 3
            key_end = at + KEY_BYTES
        else:
            length, at = number_at(encoded, at + 1)
            key_end = at + length if length > 0 else at
        length, value = number_at(encoded, key_end)
        behind = value + length if length > 0 else value
        place = find(SEQUENCE, behind, end) + SEQUENCE_BYTES
        held = encoded[place] if place >= SEQUENCE_BYTES else LONG
        sequence = encoded[place + 1 : place + 1 + (held >> 1)] if held < LONG else b""
        place = find(SOURCE, behind, end) + SOURCE_BYTES
        held = encoded[place] if place >= SOURCE_BYTES else LONG
        source = encoded[place + 1 : place + 1 + (held >> 1)] if held < LONG else b""
        place = find(SCHEMA, behind, end) + SCHEMA_BYTES
        held = encoded[place] if place >= SCHEMA_BYTES else LONG
        schema = encoded[place + 1 : place + 1 + (held >> 1)] if held < LONG else b""
        digest = _digest(encoded, value, behind) if length >= 0 else b""
        append(new_head((encoded[at:key_end], sequence, source, schema, digest, length >= 0)))
        at = end
    return heads


def head_of(record: Any) -> Head:
    """The same of a record as kafka-python reads it."""
    headers = dict(record.headers)
    sequence, source, schema = (headers.get(name) or b"" for name in WANTED)
    value = record.value
    digest = b"" if value is None else _digest(value, 0, len(value))
    return Head(record.key or b"", sequence, source, schema, digest, value is not None)


def _digest(value: bytes, start: int, end: int) -> bytes:
    first = value.rfind(DIGEST, start, end) + len(DIGEST)
    last = first + DIGITS
    return value[first:last] if first >= start + len(DIGEST) and last < end and value[last] == QUOTE else b""
