"""What is told of NDJSON that only passes: how much, how new, and whether it is whole."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from connectors.formats.gzip import Bomb, TruncatedGzip, plain
from connectors.formats.utf8 import BOM, utf8
from connectors.outside.decoding import is_whole
from connectors.outside.times import instant, newest

_BLANK = re.compile(rb"\n[ \t\r]*(?=\n)")
_ODD = re.compile(rb"\n(?!\{|\Z)")
"""An end after which no object begins."""
_STAMPED = b'"lastUpdated"'
_LAST_UPDATED = re.compile(rb'"lastUpdated"\s*:\s*"')
_LONGEST = 40
_EARLIER = timedelta(days=2)
"""A stamp whose day is that much before another's is the older one, whatever their offsets."""


class TooLarge(Exception):
    """More came, or would be unpacked, than a file may hold; the message says which bound was passed."""


class Meter:
    """What passed through: lines, bytes, the newest `meta.lastUpdated`, and whether the end is a line's end."""

    def __init__(self, *, cap: int, most: int, kind: str = "") -> None:
        """`cap`: bytes of a line; `most`: bytes of the file, unpacked; `kind`: the resource type of its lines, if it has one."""
        self.lines = 0
        self.alike = 0
        """Lines that begin as those of `kind` nearly always do: a look that costs next to nothing."""
        self.bytes = 0
        self.newest: datetime | None = None
        self.truncated = False
        self._most = most
        self._last = _LastLine(cap)
        self._kind, self._opening = kind.encode(), b""
        self._key, self._latest = b'"lastUpdated":"', b""
        """How a stamp begins as the server writes it; the latest that was taken, as it stands there."""
        self._begun = b""
        """Of a line that goes on in the next block, as much as tells how it begins."""

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
        alike, ends = self._count(block)
        begins = self._last.begun or block.startswith(b"{")
        usual = begins and (alike == ends or not _ODD.search(block))  # nearly always: no line is blank
        self.lines += ends if usual else ends - self._blank_lines(block)
        self._last.see(block)
        if _STAMPED in block:
            self._see_stamps(block, not_after)

    def _count(self, block: bytes) -> tuple[int, int]:
        """Ends of lines after which a line begins as those of the type do; ends of lines.

        A server writes all its lines alike, and as the first.
        """
        if not self._kind:
            return 0, block.count(b"\n")
        if not self._opening:
            wide = block.startswith(b'{"resourceType": ')
            self._opening = b'{"resourceType":%b"%b"' % (b" " if wide else b"", self._kind)
        opening, find, begins = self._opening, block.find, block.startswith
        short, first = len(opening), find(b"\n")
        if len(self._begun) < short:
            self.alike += (self._begun + block[: short if first < 0 else min(short, first)]).startswith(opening)
        alike = ends = 0
        end, last = first, 0
        while end >= 0:  # one letter is sought from end to end in less time than it is counted
            last = end + 1
            ends += 1
            alike += begins(opening, last)
            end = find(b"\n", last)
        self.alike += alike
        self._begun = block[last : last + short] if last else (self._begun + block[:short])[:short]
        return alike, ends

    def _see_stamps(self, block: bytes, not_after: datetime) -> None:
        """The newest of the block's stamps, all of which a server writes alike.

        In UTC the latest by its letters is the newest; of other offsets each is looked at that may be, and so where the latest
        lies in the future.
        """
        _, *behind = block.split(self._key)
        if not behind:
            found = _LAST_UPDATED.search(block)
            self._key = found[0] if found else self._key
            _, *behind = block.split(self._key)
        latest = _stamp(max(behind, default=b""))
        if latest.endswith(b"Z") and self._note(latest, not_after):
            return
        least = (self.newest - _EARLIER).date().isoformat().encode() if self.newest else b""
        for each in {_stamp(tail) for tail in behind if tail > least}:
            self._note(each, not_after)

    def _note(self, written: bytes, not_after: datetime) -> bool:
        """Whether a stamp is one, and not of the future."""
        if written == self._latest:
            return True
        stamp = instant(written.decode("ascii", "replace"))
        if stamp is None or stamp > not_after:
            return False
        self._latest, self.newest = written, newest(self.newest, stamp)
        return True

    def _blank_lines(self, block: bytes) -> int:
        """Ends of lines in which nothing stands: writers separate or end their lines by such."""
        first = block.find(b"\n")
        if first < 0:
            return 0
        blank = not self._last.begun and not block[:first].removeprefix(BOM).strip()
        return blank + (len(_BLANK.findall(block)) if _BLANK.search(block) else 0)


def _stamp(tail: bytes) -> bytes:
    """What stands at the beginning of a text up to a quotation mark; nothing where none follows soon."""
    text, closed, _ = tail[:_LONGEST].partition(b'"')
    return text if closed else b""


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
