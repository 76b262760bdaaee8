"""A file's bytes in blocks, unpacked where gzip packed them: in flat memory, and telling whole data from half."""

import re
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from isal import igzip_lib

from connectors.formats.utf8 import BOM

BLOCK_BYTES = 1 << 17
"""What is held of a file at once: its lines are mapped together and should fit into a processor's cache."""
MAGIC = b"\x1f\x8b"
_TEXT = re.compile(rb"""\s*(?:[{\[]\s*["{}\[\]]|<[!?A-Za-z][\w-]*[\s>]|\Z)""")
"""What JSON and pages begin with; an empty body holds nothing that was packed."""


FREE_BYTES, RATIO = 64 << 20, 250
"""So much is unpacked of any file, and so many times its size of a larger one: FHIR gives eight, gzip's most is a thousand."""


class TruncatedGzip(Exception):
    """The compressed data ends before its end marker, or is damaged."""


class Bomb(TruncatedGzip):
    """It goes on unpacking to more than anything that was worth packing."""

    ratio = RATIO


def file_blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes as they are."""
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def plain(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks unpacked where they begin as gzip does, else as they are. Raises TruncatedGzip."""
    source = iter(blocks)
    head = b""
    while len(head) < len(MAGIC) and (block := next(source, b"")):
        head += block
    if head.startswith(MAGIC):
        yield from _unzipped(head, source)
    elif head:
        yield head
        yield from source


def inflated(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks unpacked where they begin as zlib's do (RFC 1950), or as bare deflate: servers mean either by the word. What begins
    as JSON or gzip comes as it is. Raises TruncatedGzip, and Bomb as gzip's do."""
    source = iter(blocks)
    head = b""
    while len(head) < len(MAGIC) and (block := next(source, b"")):
        head += block
    if head.startswith((MAGIC, BOM[:2])) or _TEXT.match(head):
        yield head
        yield from source
        return
    by_zlib = head[0] & 0x0F == zlib.DEFLATED and int.from_bytes(head[:2]) % 31 == 0
    packed, unpacked = 0, 0
    worker = zlib.decompressobj() if by_zlib else zlib.decompressobj(-zlib.MAX_WBITS)
    for block in chain([head], source):
        packed += len(block)
        full = False
        while (block or full) and not worker.eof:  # all may be taken in while some is still to be given out
            try:
                plain_block = worker.decompress(block, BLOCK_BYTES)
            except zlib.error as exc:
                raise TruncatedGzip from exc
            unpacked += len(plain_block)
            if unpacked > max(FREE_BYTES, RATIO * packed):
                raise Bomb
            yield plain_block
            block, full = worker.unconsumed_tail, len(plain_block) == BLOCK_BYTES
    if not worker.eof:
        raise TruncatedGzip


def _unzipped(head: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    """Any number of gzip members, unpacked in blocks of at most BLOCK_BYTES. Raises Bomb before the disk is full."""
    member: igzip_lib.IgzipDecompressor | None = None
    block = head
    packed = unpacked = 0
    while block:
        packed += len(block)
        while block:
            if member is None:
                block = block.lstrip(b"\0")  # RFC 1952 allows none, tape tools pad with zeros
                if not block:
                    break
                member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            for plain_block in _member_blocks(member, block):
                unpacked += len(plain_block)
                if unpacked > max(FREE_BYTES, RATIO * packed):
                    raise Bomb
                yield plain_block
            block = member.unused_data if member.eof else b""
            member = None if member.eof else member
        block = next(source, b"")
    if member is not None:
        raise TruncatedGzip


def _member_blocks(member: igzip_lib.IgzipDecompressor, block: bytes) -> Iterator[bytes]:
    while True:
        try:
            unpacked = member.decompress(block, BLOCK_BYTES)
        except igzip_lib.IsalError as exc:  # type: ignore[misc]  # its stub says instance where it is a class
            raise TruncatedGzip from exc
        if unpacked:
            yield unpacked
        if member.eof or member.needs_input:
            return
        block = b""
