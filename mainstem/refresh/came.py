"""Which resources were landed, by which of several loads last; on the disk once they are many."""

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import NamedTuple

from connectors.outside.times import instant

_UPDATED = re.compile(rb'"lastUpdated"\s*:\s*"([^"]{1,40})"')
_AT_ONCE = 500


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
    """Loads have a number here: 0 is the newest."""

    def __init__(self) -> None:
        self._rows = sqlite3.connect("")
        self._rows.execute("CREATE TABLE came (ref BLOB PRIMARY KEY, load INTEGER, updated BLOB) WITHOUT ROWID")
        self.close = self._rows.close

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

    def lacking(self, held: Iterable[tuple[str, bytes]]) -> dict[str, tuple[int, int]]:
        """Of resources that are held, by their type: how many of those were landed by none of the loads, and how many are held."""
        lacking, all_of, left = Counter[str](), Counter[str](), iter(held)
        while some := list(islice(left, _AT_ONCE)):
            came = self._known([ref for _, ref in some])
            all_of.update(name for name, _ in some)
            lacking.update(name for name, ref in some if ref not in came)
        return {name: (lacking[name], number) for name, number in all_of.items()}

    def _known(self, refs: Sequence[bytes]) -> set[bytes]:
        marks = ",".join("?" * len(refs))
        return {ref for (ref,) in self._rows.execute(f"SELECT ref FROM came WHERE ref IN ({marks})", refs)}


def _later(one: bytes, other: bytes) -> bool:
    if one == other or not one or not other:
        return False
    moments = [instant(text.decode("utf-8", "replace")) for text in (one, other)]
    return moments[0] is not None and moments[1] is not None and moments[0] > moments[1]
