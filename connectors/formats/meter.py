"""What is told of NDJSON that only passes: how much, how new, and whether it is whole."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime
from operator import methodcaller

from connectors.formats.gzip import Bomb, TruncatedGzip, plain
from connectors.formats.utf8 import BOM, utf8
from connectors.outside.decoding import is_whole
from connectors.outside.times import instant, newest

_OPENS = methodcaller("startswith", b"{")
_BLANK = re.compile(rb"\n[ \t\r]*(?=\n)")
_STAMPED = b'"lastUpdated"'
_LAST_UPDATED = re.compile(rb'"lastUpdated"\s*:\s*"([^"]{10,40})"')


class TooLarge(Exception):
    """More came, or would be unpacked, than a file may hold; the message says which bound was passed."""


class Meter:
    """What passed through: lines, bytes, the newest `meta.lastUpdated`, and whether the end is a line's end."""

    def __init__(self, *, cap: int, most: int) -> None:
        """`cap`: bytes of a line; `most`: bytes of the file, unpacked."""
        self.lines = 0
        self.bytes = 0
        self.newest: datetime | None = None
        self.truncated = False
        self._most = most
        self._last = _LastLine(cap)

    def through(self, blocks: Iterable[bytes], *, not_after: datetime) -> Iterator[bytes]:
        """Unpacked blocks, passed on while they are measured; stamps after `not_after` are ignored.

        A compressed source that breaks off ends the blocks and sets `truncated`. Raises TooLarge and NotUtf8.
        """
        try:
            for block in utf8(plain(blocks)):
                self._see(block, not_after)
                yield block
        except Bomb as exc:
            raise TooLarge(f"unpacks to more than {exc.ratio} times its size") from None
        except TruncatedGzip:
            self.truncated = True
            return
        if self._last.begun:
            self.truncated = not self._last.is_whole()
            self.lines += not self.truncated

    def _see(self, block: bytes, not_after: datetime) -> None:
        self.bytes += len(block)
        if self.bytes > self._most:
            raise TooLarge(f"holds more than {self._most} bytes")
        first, *lines = block.split(b"\n")
        ends = len(lines)
        if lines and not lines[-1]:
            lines.pop()
        begins = self._last.begun or first.startswith(b"{")
        usual = begins and all(map(_OPENS, lines))  # nearly always: no line is blank
        self.lines += ends if usual else ends - self._blank_lines(block)
        self._last.see(block)
        if _STAMPED not in block:
            return
        stamps = [
            stamp for text in set(_LAST_UPDATED.findall(block)) if (stamp := instant(text.decode("ascii", "replace")))
        ]
        self.newest = newest(self.newest, *(stamp for stamp in stamps if stamp <= not_after))

    def _blank_lines(self, block: bytes) -> int:
        """Ends of lines in which nothing stands: writers separate or end their lines by such."""
        first = block.find(b"\n")
        if first < 0:
            return 0
        blank = not self._last.begun and not block[:first].removeprefix(BOM).strip()
        return blank + (len(_BLANK.findall(block)) if _BLANK.search(block) else 0)


class _LastLine:
    """What follows the last newline, as far as a line may be long: a line without an end costs no more than another."""

    def __init__(self, cap: int) -> None:
        self._cap = cap
        self._parts: list[bytes] = []
        self._size = 0
        self.begun = False
        """Whether anything but blanks stands in it."""

    def see(self, block: bytes) -> None:
        end = block.rfind(b"\n")
        if end >= 0:
            self._parts, self._size, self.begun = [], 0, False
        rest = block[end + 1 :]
        self._size += len(rest)
        self.begun = self.begun or self._size > self._cap or bool(rest.removeprefix(BOM).strip())
        if rest and self._size <= self._cap:
            self._parts.append(rest)

    def is_whole(self) -> bool:
        return self._size <= self._cap and is_whole(b"".join(self._parts).removeprefix(BOM))
