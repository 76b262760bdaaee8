"""Kafka's record format (magic 2), as its protocol guide describes it: the records of a batch, written and read by us.

    Record => length attributes timestampDelta offsetDelta keyLength key valueLength value headerCount *(nameLength name valueLength value)

Lengths are zigzag varints; a length of -1 stands for no value (a tombstone).
"""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from struct import Struct
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


new_record = partial(tuple.__new__, Record)
"""From a sequence of all fields, in half the time."""


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


def body(key: bytes, value: bytes | None, headers: Iterable[tuple[str, bytes]]) -> bytes:
    """A record from the length of its key on."""
    fields = [header(*each) for each in headers]
    told = varint(-1) if value is None else varint(len(value)) + value
    return b"".join((varint(len(key)), key, told, varint(len(fields)), *fields))


def records_in(encoded: bytes, at: int, count: int) -> list[Record]:
    """So many records that stand one after the other, from a place on and to the end, in their order.

    A record with a header's name that is not UTF-8, which C clients can write, has all its headers' names, as far as they are text, and
    no header's value: whoever needs one finds the record unusable. Raises IndexError or ValueError where no such records stand.
    """
    found: list[Record] = []
    for _ in range(count):
        length, at = number_at(encoded, at)
        end = at + length
        if end > len(encoded):
            raise ValueError
        delay, at = number_at(encoded, at + 1)  # behind attributes, which say nothing
        place, at = number_at(encoded, at)
        length, at = number_at(encoded, at)
        key = encoded[at : at + length] if length >= 0 else None
        length, at = number_at(encoded, at + length if length > 0 else at)
        value = encoded[at : at + length] if length >= 0 else None
        at = at + length if length > 0 else at
        headers = _laid_out(encoded, at, end) or _headers(encoded, at, end)
        found.append(new_record((key, value, headers, place, delay)))
        at = end
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


class _Layout(NamedTuple):
    """How the headers of many records lie: all but their values is alike, to the byte."""

    unpack: Callable[[bytes, int], tuple[bytes, ...]]
    """What is alike and values, in turns."""
    alike: tuple[bytes, ...]
    names: tuple[str, ...]


_layouts: dict[int, list[_Layout]] = {}
"""Those that were met, by the length of all. What is as long as another and lies otherwise is rare."""
_SAME_LENGTH, _LENGTHS = 4, 256


def _laid_out(encoded: bytes, at: int, end: int) -> list[Header] | None:
    """Headers that lie as others did: a tenth of the time of reading them one by one."""
    for unpack, alike, names in _layouts.get(end - at, ()):
        pieces = unpack(encoded, at)
        if pieces[::2] == alike:
            return list(zip(names, pieces[1::2], strict=True))
    return None


def _headers(encoded: bytes, at: int, end: int) -> list[Header]:
    """The headers between two places, read one by one. Raises ValueError where they end elsewhere."""
    headers, sizes, alike, first = list[Header](), list[int](), list[bytes](), at
    are_text = are_there = True
    count, at = number_at(encoded, at)
    for _ in range(count):
        size, at = number_at(encoded, at)
        middle = at + size
        length, start = number_at(encoded, middle)
        name, is_text = _name(encoded[at:middle])
        at = start + length if length > 0 else start
        are_text, are_there = are_text and is_text, are_there and length >= 0
        headers.append((name, encoded[start:at] if length >= 0 else None))
        alike.append(encoded[first:start])
        sizes += start - first, at - start
        first = at
    if at != end or count < 0:
        raise ValueError
    if not are_text:
        return [(name, None) for name, _ in headers]
    if are_there:
        _learn(sizes, alike, [name for name, _ in headers])
    return headers


def _learn(sizes: Sequence[int], alike: Sequence[bytes], names: Sequence[str]) -> None:
    """Headers that lie so will come again. Whoever writes all sorts of them is read one by one, once there is no room."""
    same = _layouts.setdefault(sum(sizes), []) if len(_layouts) < _LENGTHS else _layouts.get(sum(sizes), [])
    if len(same) < _SAME_LENGTH:
        unpack = Struct("".join(f"{size}s" for size in sizes)).unpack_from
        same.append(_Layout(unpack, tuple(alike), tuple(names)))


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
