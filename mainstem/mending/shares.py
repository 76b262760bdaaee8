"""Lines of one length, set down on the disk by their first byte: 256 shares, each small enough to be looked at as a whole."""

from collections.abc import Iterable, Iterator
from io import BufferedRandom
from pathlib import Path
from struct import Struct
from typing import Any

SHARES = 256
BUFFERED = 32 * 1024
"""Bytes of a share before they are written."""


class Shares:
    """The lines; whoever adds many puts them into `buffers` and has them written."""

    def __init__(self, folder: Path, line: Struct) -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._line = folder, line
        self._files: dict[int, BufferedRandom] = {}
        self.buffers = [bytearray() for _ in range(SHARES)]

    def add(self, rows: Iterable[tuple[Any, ...]]) -> None:
        """Sets rows down, each by the first byte of its first field."""
        buffers, pack = self.buffers, self._line.pack
        for row in rows:
            share = row[0][0]
            buffer = buffers[share]
            buffer += pack(*row)
            if len(buffer) >= BUFFERED:
                self.write(share)

    def write(self, share: int) -> None:
        """Empties a buffer; the first time, into a new file."""
        if share not in self._files:
            self._files[share] = (self._folder / f"{share:02x}").open("w+b")
        self._files[share].write(self.buffers[share])
        self.buffers[share].clear()

    def lines(self, share: int) -> Iterator[tuple[Any, ...]]:
        """All of a share, in the order in which they were set down."""
        held = bytes(self.buffers[share])
        if file := self._files.get(share):
            file.seek(0)
            held = file.read() + held
            file.seek(0, 2)
        return self._line.iter_unpack(held)

    def close(self) -> None:
        """Forgets them."""
        for file in self._files.values():
            file.close()
