"""NDJSON files, line by line: fast, in flat memory, and telling a whole file from half a file."""

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import msgspec
from isal import igzip_lib

from schemas.errors import OperatorError
from schemas.problems import Problem, Reason

BLOCK_BYTES = 1 << 17
"""What is held of a file at once: its lines are mapped together and should fit into a processor's cache."""
_SHORTEST = 2
"""Longer lines need no look whether they are empty: `\\r` and a blank at most."""

GZIP_MAGIC = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
PATTERNS = ("*.ndjson", "*.ndjson.gz")
_LAST_UPDATED = re.compile(rb'"lastUpdated"\s*:\s*"([^"]{10,40})"')


class TruncatedGzip(Exception):
    """The compressed data ends before its end marker, or is damaged."""


def find_files(path: Path) -> Iterator[Path]:
    """A file itself; of a folder, every `*.ndjson` and `*.ndjson.gz` at any depth, sorted. Hidden ones are left out.

    Raises OperatorError where there is no such file or folder.
    """
    if path.is_file():
        yield path
        return
    if not path.is_dir():
        raise OperatorError(f"no such file or folder: {path}", "Correct the path; check that the share is mounted.")
    found = {file for pattern in PATTERNS for file in path.rglob(pattern) if file.is_file()}
    yield from sorted(file for file in found if not any(part.startswith(".") for part in file.relative_to(path).parts))


def read_lines(path: Path, *, cap: int) -> Iterator[bytes | Problem]:
    """The lines and problems of `read_batches`, one by one."""
    for _, found in read_batches(path, cap=cap):
        if isinstance(found, Problem):
            yield found
        else:
            yield from found


def read_batches(path: Path, *, cap: int, blocks: int = 1) -> Iterator[tuple[int, list[bytes] | Problem]]:
    """Lines of a plain or gzip-compressed file without their newline, those of some blocks at a time; empty ones are left out.

    Gives (number of the first line, lines). A line longer than `cap` bytes and an end inside a line or a compressed
    block give (number, Problem) in the line's place. A UTF-8 byte order mark at the start is dropped.
    """
    resource_type = path.name.split(".")[0].split("-")[0]
    number = 1
    lines: list[bytes] = []
    held = 0
    for found in _line_batches(path, cap):
        if not isinstance(found, Reason):
            lines += found
            held += 1
        if lines and (held >= blocks or isinstance(found, Reason)):
            yield number, lines
            number += len(lines)
            lines, held = [], 0
        if isinstance(found, Reason):
            yield number, Problem(found, resource_type)
            number += 1
    if lines:
        yield number, lines


def _line_batches(path: Path, cap: int) -> Iterator[list[bytes] | Reason]:
    held: list[bytes] = []
    size, too_long, started = 0, False, False
    try:
        for block in plain(file_blocks(path)):
            if not started:
                started = True
                block = block.removeprefix(BOM)
            first, *lines = block.split(b"\n")
            size += len(first)
            too_long = too_long or size > cap
            if too_long:
                held.clear()
            else:
                held.append(first)
            if not lines:
                continue
            if too_long:
                yield Reason.LINE_TOO_LONG
            last = lines.pop()
            if not too_long and (line := b"".join(held).strip()):
                lines.insert(0, line)
            yield from _checked(lines, cap)
            held, size, too_long = [last], len(last), False
    except TruncatedGzip:
        yield Reason.TRUNCATED_FILE
        return
    if too_long or size > cap:
        yield Reason.LINE_TOO_LONG
    elif line := b"".join(held).strip():
        yield [line] if is_json(line) else Reason.TRUNCATED_FILE


def _checked(lines: list[bytes], cap: int) -> Iterator[list[bytes] | Reason]:
    """The lines without empty ones; one that is too long stands alone, as a reason."""
    sizes = list(map(len, lines))
    if lines and min(sizes) <= _SHORTEST:
        lines = [line for line in lines if len(line) > _SHORTEST or line.strip()]
    if not lines or max(sizes) <= cap:
        yield lines
        return
    for is_long, some in groupby(lines, lambda line: len(line) > cap):
        if is_long:
            yield from (Reason.LINE_TOO_LONG for _ in some)
        else:
            yield list(some)


def is_json(line: bytes) -> bool:
    """Whether the bytes are one whole JSON value."""
    try:
        msgspec.json.decode(line, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def file_blocks(path: Path) -> Iterator[bytes]:
    """The file's bytes as they are."""
    with path.open("rb", buffering=0) as stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def plain(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The blocks unpacked where they begin as gzip does, else as they are. Raises TruncatedGzip."""
    source = iter(blocks)
    head = b""
    while len(head) < len(GZIP_MAGIC) and (block := next(source, b"")):
        head += block
    if head.startswith(GZIP_MAGIC):
        yield from _unzipped(head, source)
    elif head:
        yield head
        yield from source


def _unzipped(head: bytes, source: Iterator[bytes]) -> Iterator[bytes]:
    """Any number of gzip members, unpacked in blocks of at most BLOCK_BYTES, so a bomb cannot fill the memory."""
    member: igzip_lib.IgzipDecompressor | None = None
    block = head
    while block:
        while block:
            if member is None:
                block = block.lstrip(b"\0")  # RFC 1952 allows none, tape tools pad with zeros
                if not block:
                    break
                member = igzip_lib.IgzipDecompressor(flag=igzip_lib.DECOMP_GZIP)
            yield from _member_blocks(member, block)
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


class Meter:
    """What passed through: lines, bytes, the newest `meta.lastUpdated`, and whether the end is a line's end."""

    def __init__(self, *, cap: int) -> None:
        self.lines = 0
        self.bytes = 0
        self.newest: datetime | None = None
        self.truncated = False
        self._cap = cap

    def through(self, blocks: Iterable[bytes], *, not_after: datetime) -> Iterator[bytes]:
        """Unpacked blocks, passed on while they are measured; stamps after `not_after` are ignored.

        A compressed source that breaks off ends the blocks and sets `truncated`.
        """
        tail = b""
        try:
            for block in plain(blocks):
                self.bytes += len(block)
                self.lines += block.count(b"\n")
                self._see_stamps(block, not_after)
                end = block.rfind(b"\n")
                tail = block[end + 1 :] if end >= 0 else (tail + block)[-self._cap - 1 :]
                yield block
        except TruncatedGzip:
            self.truncated = True
            return
        if tail.strip():
            self.truncated = len(tail) > self._cap or not is_json(tail.removeprefix(BOM))
            self.lines += not self.truncated

    def _see_stamps(self, block: bytes, not_after: datetime) -> None:
        stamps = [
            stamp for text in set(_LAST_UPDATED.findall(block)) if (stamp := instant(text.decode("ascii", "replace")))
        ]
        self.newest = newest(self.newest, *(stamp for stamp in stamps if stamp <= not_after))


def newest(*stamps: datetime | None) -> datetime | None:
    """The latest of the stamps there are."""
    return max((stamp for stamp in stamps if stamp is not None), default=None)


def instant(text: str) -> datetime | None:
    """A FHIR instant in UTC; None where it is none, or has no offset."""
    try:
        stamp = datetime.fromisoformat(text)
    except ValueError:
        return None
    return stamp.astimezone(UTC) if stamp.tzinfo else None
