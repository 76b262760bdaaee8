"""Files of resources, line by line: fast, in flat memory, an end in mid-line told from a whole file's. NDJSON as a rule."""

from collections.abc import Collection, Iterable, Iterator
from itertools import chain, groupby
from pathlib import Path

from connectors.formats.gzip import Bomb, TruncatedGzip, file_blocks, plain
from connectors.formats.json import document_lines, is_document
from connectors.formats.utf8 import BOM, NotUtf8, utf8
from connectors.formats.zip import MAGIC, UnreadableZip, member_blocks, members
from connectors.outside.decoding import is_whole
from connectors.outside.file_names import is_json, is_read
from schemas.problems import Problem, Reason

_MARK = BOM[:1]
_SELDOM = 256
"""Times in a block."""
_SHORTEST = 2
"""Longer lines need no look whether they are empty: `\\r` and a blank at most."""


def read_lines(path: Path, *, cap: int) -> Iterator[bytes | Problem]:
    """The lines and problems of `read_batches`, one by one."""
    for _, found in read_batches(path, cap=cap):
        if isinstance(found, Problem):
            yield found
        else:
            yield from found


def read_batches(path: Path, *, cap: int, blocks: int = 1) -> Iterator[tuple[int, list[bytes] | Problem]]:
    """Lines of a plain, gzipped or zipped file without their newline, those of some blocks at a time; empty ones are left out.

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


def holds_any(path: Path, words: Collection[bytes]) -> bool:
    """Whether one of these stands in a file's text, in a tenth of the time that its lines take; also where that cannot be told."""
    edge = max(map(len, words)) - 1
    sought = [(word, _rare(word)) for word in words]
    try:
        for _, blocks in _texts(path):
            end = b""
            for block in plain(blocks):
                seam = end + block[:edge]
                if any(_holds(block, word, rare) or word in seam for word, rare in sought):
                    return True
                end = (seam if len(block) < edge else block)[-edge:]
    except (TruncatedGzip, UnreadableZip):
        return True
    return False


def _rare(word: bytes) -> int:
    """Where in a word its rarest letter stands: few capitals stand in JSON."""
    return next((place for place, letter in enumerate(word) if 65 <= letter <= 90), 0)


def _holds(block: bytes, word: bytes, rare: int) -> bool:
    """Whether a word stands there: one letter is sought in a third of the time of several, as long as it is seldom met."""
    find, letter = block.find, word[rare : rare + 1]
    place = find(letter)
    for _ in range(_SELDOM):
        if place < 0:
            return False
        if block.startswith(word, max(0, place - rare)):
            return True
        place = find(letter, place + 1)
    return word in block


def _line_batches(path: Path, cap: int) -> Iterator[list[bytes] | Reason]:
    try:
        for name, blocks in _texts(path):
            yield from text_batches(blocks, cap=cap, name=name)
    except UnreadableZip:
        yield Reason.TRUNCATED_FILE


def _texts(path: Path) -> Iterator[tuple[str, Iterable[bytes]]]:
    """A file's own text, or those of the archive that it is."""
    whole = file_blocks(path)
    first = next(whole, b"")
    if not first.startswith(MAGIC):
        yield path.name, chain([first], whole)
        return
    with path.open("rb") as file:
        for member in members(file):
            if is_read(member.name):
                yield member.name, member_blocks(file, member)


def text_batches(blocks: Iterable[bytes], *, cap: int, name: str) -> Iterator[list[bytes] | Reason]:
    """A text's lines, those of a block at a time, without empty ones; a document's resources, each as a line."""
    try:
        text = utf8(plain(blocks))
        head = next(text, b"")
        whole = chain([head], text)
        if is_document(head) or (is_json(name) and not is_whole(head.removeprefix(BOM).partition(b"\n")[0])):
            for found in document_lines(whole, cap=cap):
                yield [found] if isinstance(found, bytes) else found
        else:
            yield from _lines(whole, cap)
    except Bomb:
        yield Reason.FILE_TOO_LARGE
    except TruncatedGzip:
        yield Reason.TRUNCATED_FILE
    except NotUtf8:
        yield Reason.OTHER_ENCODING


def _lines(blocks: Iterable[bytes], cap: int) -> Iterator[list[bytes] | Reason]:
    held: list[bytes] = []
    size, too_long = 0, False
    for block in blocks:
        if not size:
            block = block.removeprefix(BOM)
        if _MARK in block:  # files were put together, each with its mark in front
            block = block.replace(b"\n" + BOM, b"\n")
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
    if too_long or size > cap:
        yield Reason.LINE_TOO_LONG
    elif line := b"".join(held).strip():
        yield [line] if is_whole(line) else Reason.TRUNCATED_FILE


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
