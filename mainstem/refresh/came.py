"""Which resources of a type were landed, by which of several loads last; on the disk once they are many."""

import re
import sqlite3
from collections.abc import Iterable, Sequence
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
        self._rows.execute("CREATE TABLE held (ref BLOB PRIMARY KEY) WITHOUT ROWID")
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

    def lacking(self, held: Iterable[bytes]) -> tuple[int, int]:
        """How many of the resources held were landed by none of the loads, and how many are held."""
        self._rows.executemany("INSERT OR IGNORE INTO held VALUES (?)", ((ref,) for ref in held))
        return self._one("SELECT count(*) FROM held WHERE ref NOT IN (SELECT ref FROM came)"), self._one(
            "SELECT count(*) FROM held"
        )

    def _one(self, query: str) -> int:
        number: int = self._rows.execute(query).fetchone()[0]
        return number


def _later(one: bytes, other: bytes) -> bool:
    if one == other or not one or not other:
        return False
    moments = [instant(text.decode("utf-8", "replace")) for text in (one, other)]
    return moments[0] is not None and moments[1] is not None and moments[0] > moments[1]
