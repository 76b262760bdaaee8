"""What of the files others are read with: kept aside once something asks for it, whatever order the files come in."""

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path

from connectors.formats.bundles import without_bundles
from connectors.formats.ndjson import read_batches
from schemas.outcomes import REFERRED_TYPES
from schemas.problems import Problem
from transforms import Mapper
from transforms.mapped import Outcomes

_NAMED = tuple(b'"%b"' % name.encode() for name in REFERRED_TYPES)
_TABLE = "CREATE TABLE referred (ref BLOB PRIMARY KEY, content BLOB, updated INTEGER) WITHOUT ROWID"
_NEWER = (
    "INSERT INTO referred VALUES (?, ?, ?) ON CONFLICT (ref) DO UPDATE SET content = excluded.content,"
    " updated = excluded.updated WHERE coalesce(excluded.updated >= updated, true)"
)


class Aside:
    """Referred resources by ref, the newest version of each; on the disk once they are many, gone when closed.

    `fill` reads them all, when the first is asked for: where nothing is looked up, no file is read twice.
    """

    def __init__(self, fill: Callable[["Aside"], None]) -> None:
        self._fill: Callable[[Aside], None] | None = fill
        self._rows = sqlite3.connect("")  # SQLite's private database: in memory until its cache is full
        self._rows.execute(_TABLE)
        self.close = self._rows.close

    def look_up(self, refs: Collection[bytes]) -> Mapping[bytes, bytes]:
        """The contents of those that are known."""
        if (fill := self._fill) is not None:
            self._fill = None
            fill(self)
        found: dict[bytes, bytes] = {}
        for ref in refs:
            for content in self._rows.execute("SELECT content FROM referred WHERE ref = ?", (ref,)):
                if content[0] is not None:
                    found[ref] = content[0]
        return found

    def take(self, outcomes: Outcomes) -> None:
        """What a batch of lines gave, also that something is known no more."""
        gone = [(each.ref, None, each.updated) for each in outcomes.unusual.values() if each.withdrawn]
        self._rows.executemany(_NEWER, [(each.ref, each.content, each.updated) for each in outcomes.referred])
        self._rows.executemany(_NEWER, gone)


def set_aside(aside: Aside, paths: Iterable[Path], mapper: Mapper, *, cap: int) -> None:
    """Reads files for the resources that others are read with; `mapper` maps nothing else."""
    for path in paths:
        for _, lines in without_bundles(read_batches(path, cap=cap)):
            if not isinstance(lines, Problem):
                aside.take(mapper.map_lines([line for line in lines if any(name in line for name in _NAMED)]))
