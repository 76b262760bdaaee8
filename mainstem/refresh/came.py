"""Which resources were landed, and by which of several loads last; on the disk once they are many."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from struct import Struct
from tempfile import TemporaryDirectory
from typing import NamedTuple

from connectors.outside.times import instant
from mainstem.mending.shares import SHARES, Shares
from transforms.mapped import REF_BYTES

_UPDATED = re.compile(rb'"lastUpdated"\s*:\s*"([^"]{1,40})"')
_AT_ONCE = 500
_REF = Struct(f"{REF_BYTES}s")


class Head(NamedTuple):
    """What tells one version of a resource from another."""

    ref: bytes
    updated: bytes
    """As written; empty where the line does not say."""


def heads(refs: Iterable[bytes], lines: Iterable[bytes]) -> list[Head]:
    """The heads of lines whose refs are known."""
    search = _UPDATED.search
    return [Head(ref, found[1] if (found := search(line)) else b"") for ref, line in zip(refs, lines, strict=True)]


class Came:
    """Loads have a number here: 0 is the newest.

    What came is set down by shares of the refs, to be looked for in their order: a tenth of the time of a table. Only of loads that have
    older ones behind them a table says, too, in which state it came.
    """

    def __init__(self) -> None:
        with ExitStack() as opened:
            self._rows = opened.enter_context(closing(sqlite3.connect("")))
            self._rows.execute("CREATE TABLE came (ref BLOB PRIMARY KEY, load INTEGER, updated BLOB) WITHOUT ROWID")
            folder = opened.enter_context(TemporaryDirectory(prefix="mainstem-"))
            self._shares = opened.enter_context(closing(Shares(Path(folder), _REF)))
            self._read: tuple[int, frozenset[bytes]] = -1, frozenset()
            self.close = opened.pop_all().close

    def add(self, refs: Iterable[bytes]) -> None:
        """These came, by whichever load."""
        self._shares.add((ref,) for ref in refs)
        self._read = -1, frozenset()

    def mark(self, load: int, landed: Iterable[Head]) -> None:
        """What a load landed; of newer ones it is known already."""
        rows = ((head.ref, load, head.updated) for head in landed)
        self._rows.executemany("INSERT OR IGNORE INTO came VALUES (?, ?, ?)", rows)

    def outdated(self, load: int, landed: Sequence[Head]) -> set[int]:
        """Places of resources that a newer load landed, unless what it landed is an older version."""
        newer: dict[bytes, bytes] = {}
        for start in range(0, len(landed), _AT_ONCE):
            refs = [head.ref for head in landed[start : start + _AT_ONCE]]
            marks = ",".join("?" * len(refs))
            wanted = f"SELECT ref, updated FROM came WHERE load < ? AND ref IN ({marks})"
            newer.update(self._rows.execute(wanted, (load, *refs)))
        return {
            place
            for place, head in enumerate(landed)
            if head.ref in newer and not _later(head.updated, newer[head.ref])
        }

    def all_came(self, refs: Iterable[bytes]) -> bool:
        """Whether all of these came, in whatever order they are told."""
        with TemporaryDirectory(prefix="mainstem-") as folder, closing(Shares(Path(folder), _REF)) as held:
            held.add((ref,) for ref in refs)
            return all(frozenset(self._shares.lines(each)).issuperset(held.lines(each)) for each in range(SHARES))

    def lacking(self, held: Iterable[tuple[str, bytes]]) -> dict[str, tuple[int, int]]:
        """Of resources that are held, by their type: how many of those were landed by none of the loads, and how many are held.

        They are best told in the order of their refs.
        """
        lacking, all_of = Counter[str](), Counter[str]()
        for name, ref in held:
            all_of[name] += 1
            lacking[name] += not self._came(ref)
        return {name: (lacking[name], number) for name, number in all_of.items()}

    def _came(self, ref: bytes) -> bool:
        if self._read[0] != ref[0]:
            self._read = ref[0], frozenset(each for (each,) in self._shares.lines(ref[0]))
        return ref in self._read[1]


def _later(one: bytes, other: bytes) -> bool:
    if one == other or not one or not other:
        return False
    moments = [instant(text.decode("utf-8", "replace")) for text in (one, other)]
    return moments[0] is not None and moments[1] is not None and moments[0] > moments[1]
