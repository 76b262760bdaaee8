"""JSON documents → lines: a resource, an array of them, a Bundle, or several one after the other; pretty-printed or not.

Held in memory is one resource, or one Bundle as long as it is no longer than a line may be: what its entries call each other
holds within it. A longer one is given entry by entry.
"""

import re
from collections.abc import Iterable, Iterator

from connectors.formats.utf8 import BOM
from schemas.problems import Reason

_UPTO_BRACKET = re.compile(rb'(?:[^"\[\]{}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([\[\]{}])', re.DOTALL)
"""What stands before the next bracket outside of a string, and the bracket."""
_ENTRIES = re.compile(rb'"entry"\s*:\s*\Z')
_ONE_ENTRY = b'{"resourceType":"Bundle","entry":[%b]}'
_LIST = 2
"""Brackets open in the list of a Bundle's entries."""


def is_document(head: bytes) -> bool:
    """Whether a text is no NDJSON, by its beginning: an array, or an object that goes on in the next line."""
    text = head.removeprefix(BOM).lstrip()
    return re.match(rb"\[\s*\{|[\[{][ \t\r]*\n", text) is not None


def document_lines(blocks: Iterable[bytes], *, cap: int) -> Iterator[bytes | Reason]:
    """Each resource or Bundle as one line; a reason where one is longer than `cap` bytes, or the text ends within one."""
    scanner = _Scanner(cap)
    for block in blocks:
        yield from scanner.see(block)
        if scanner.lost:
            return
    yield from scanner.finish()


class _Scanner:
    """Counts brackets outside of strings, in one pass: depth costs nothing, and a value may come in any number of blocks."""

    def __init__(self, cap: int) -> None:
        self.lost = False
        """A single text is longer than a line may be: where it ends is not looked for."""
        self._cap = cap
        self._held = bytearray()
        self._at = self._retry = self._depth = 0
        self._begun: int | None = None
        """Where the value that is collected begins."""
        self._entries: list[tuple[int, int]] = []
        """Those of the value's that have come whole."""
        self._entry: int | None = None
        """Where the entry begins that has not; none where it is too long."""
        self._started = self._in_array = self._in_entries = self._too_long = self._in_parts = False

    def see(self, block: bytes) -> Iterator[bytes | Reason]:
        """What a block completes."""
        if not self._started:
            block, self._started = block.removeprefix(BOM), True
        self._held += block
        if len(self._held) < self._retry:
            return  # a long string is not looked through anew with each block
        while found := _UPTO_BRACKET.match(self._held, self._at):
            before, self._at = self._at, found.end()
            if found[1] in b"[{":
                self._open(found[1], before)
            elif self._depth:
                yield from self._close()
        yield from self._let_go()
        self._retry = 2 * len(self._held) - self._at

    def finish(self) -> Iterator[bytes | Reason]:
        """What is left at the end."""
        self._retry = 0
        yield from self.see(b"")
        if self._depth and not self.lost:
            yield Reason.TRUNCATED_FILE

    @property
    def _inside(self) -> int:
        """Brackets open, an array around everything aside."""
        return self._depth - self._in_array

    def _open(self, mark: bytes, before: int) -> None:
        if self._depth == 0:
            self._in_array = mark == b"["
        if mark == b"{" and self._inside == 0:
            self._begun = self._at - 1
        elif mark == b"[" and self._inside == 1:
            self._in_entries = _ENTRIES.search(self._held, before, self._at - 1) is not None
        elif mark == b"{" and self._inside == _LIST and self._in_entries:
            self._entry = self._at - 1
        self._depth += 1

    def _close(self) -> Iterator[bytes | Reason]:
        self._depth -= 1
        if self._in_entries and self._inside == _LIST:
            if self._entry is None or self._at - self._entry > self._cap:
                yield Reason.LINE_TOO_LONG
            else:
                self._entries.append((self._entry, self._at))
        elif self._inside == 1:
            self._in_entries = False
        elif self._inside == 0 and self._begun is not None:
            yield from self._value(self._begun)

    def _value(self, begun: int) -> Iterator[bytes | Reason]:
        """A resource or Bundle has come whole."""
        too_long = self._too_long or self._at - begun > self._cap
        if self._in_parts or (too_long and self._entries):
            yield from self._parts()
        elif too_long:
            yield Reason.LINE_TOO_LONG
        else:
            yield _one_line(self._held[begun : self._at])
        self._begun, self._entries = None, []
        self._in_parts = self._too_long = False

    def _parts(self) -> Iterator[bytes]:
        for begin, end in self._entries:
            yield _ONE_ENTRY % _one_line(self._held[begin:end])
        self._entries = []

    def _let_go(self) -> Iterator[bytes | Reason]:
        """Of what is not needed any longer; what is longer than a line may be is given in parts, or given up."""
        if len(self._held) - self._at > self._cap:
            self.lost = True
            yield from (Reason.LINE_TOO_LONG, Reason.TRUNCATED_FILE)
            return
        keep = self._at if self._begun is None else self._begun
        if self._at - keep > self._cap:
            self._in_parts = self._in_parts or bool(self._entries)
            yield from self._parts()
            self._too_long = not self._in_parts
            keep = self._at
            if self._in_entries and self._inside > _LIST and self._entry is not None:
                keep = self._entry
                if self._at - keep > self._cap:
                    self._entry, keep = None, self._at
        self._forget(keep)

    def _forget(self, upto: int) -> None:
        del self._held[:upto]
        self._at -= upto
        self._entry = None if self._entry is None else self._entry - upto
        self._entries = [(begin - upto, end - upto) for begin, end in self._entries]
        self._begun = None if self._begun is None else max(0, self._begun - upto)


def _one_line(raw: bytearray) -> bytes:
    """Between tokens a document may break lines, inside them JSON cannot."""
    return bytes(raw.replace(b"\r", b" ").replace(b"\n", b" "))
