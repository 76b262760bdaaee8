"""What is told of NDJSON that only passes: how much, how new, and whether it is whole."""

import re
from collections.abc import Iterable, Iterator
from datetime import datetime

from connectors.formats.gzip import TruncatedGzip, plain
from connectors.formats.ndjson import BOM, is_json
from connectors.outside.times import instant, newest

_LAST_UPDATED = re.compile(rb'"lastUpdated"\s*:\s*"([^"]{10,40})"')


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
