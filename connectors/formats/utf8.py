"""Bytes that are to be UTF-8, told from UTF-16: that is refused by name, where its lines would only be so many faults."""

from collections.abc import Iterable, Iterator

BOM = b"\xef\xbb\xbf"
UTF16 = (b"\xff\xfe", b"\xfe\xff")


class NotUtf8(Exception):
    """The bytes are UTF-16."""

    encoding = "UTF-16"


def utf8(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks as they are. Raises NotUtf8 where they begin as UTF-16 does, marked or not: JSON begins with ASCII."""
    source = iter(blocks)
    head = b""
    while len(head) < len(BOM) and (block := next(source, b"")):
        head += block
    if head.startswith(UTF16) or b"\0" in head[:2]:
        raise NotUtf8
    if head:
        yield head
    yield from source
