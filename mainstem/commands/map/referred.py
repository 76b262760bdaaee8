"""What of the files others are read with, and what they say of others: kept aside once something asks for it, whatever order the files come in."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.formats.bundles import without_bundles
from connectors.formats.ndjson import holds_any, read_batches
from schemas.outcomes import LENDING_TYPES, REFERRED_TYPES
from schemas.problems import Problem
from transforms import ALL_TYPES, Mapper
from transforms.mapped import REF_BYTES, Lent, Outcomes
from transforms.resources import declared
from transforms.rules.declaring import Resource

if TYPE_CHECKING:
    import sqlite3

_EXPORTED = re.compile(r"([A-Z][A-Za-z]+)([-_.]?[0-9]+)*\.(ndjson|jsonl)(\.gz)?")
MapperOf = Callable[[Collection[str]], Mapper]
"""A mapper of some types alone."""
_TABLE = "CREATE TABLE referred (ref BLOB PRIMARY KEY, content BLOB, updated INTEGER) WITHOUT ROWID"
_LENT = (
    'CREATE TABLE lent ("to" BLOB, "by" BLOB, content BLOB, updated INTEGER, PRIMARY KEY ("to", "by")) WITHOUT ROWID'
)
_NEWER = (
    "INSERT INTO referred VALUES (?, ?, ?) ON CONFLICT (ref) DO UPDATE SET content = excluded.content,"
    " updated = excluded.updated WHERE coalesce(excluded.updated >= updated, true)"
)


class Aside:
    """Referred resources by ref, the newest version of each, and what is said of others; on the disk once they are many, gone when closed.

    `fill` reads them all, when the first is asked for: where nothing is looked up, no file is read twice.
    """

    def __init__(self, fill: Callable[["Aside"], None]) -> None:
        self._fill: Callable[[Aside], None] | None = fill
        self._lends = False
        self._closing = ExitStack()
        self.close = self._closing.close

    @cached_property
    def _rows(self) -> "sqlite3.Connection":
        """Made with the first that is kept: most files name nothing that would be."""
        import sqlite3

        rows = sqlite3.connect("")  # SQLite's private database: in memory until its cache is full
        self._closing.callback(rows.close)
        rows.execute(_TABLE)
        rows.execute(_LENT)
        rows.execute('CREATE INDEX lent_by ON lent ("by")')
        return rows

    def look_up(self, refs: Collection[bytes]) -> Mapping[bytes, bytes]:
        """The contents of those that are known."""
        self._filled()
        found: dict[bytes, bytes] = {}
        for ref in refs:
            for content in self._rows.execute("SELECT content FROM referred WHERE ref = ?", (ref,)):
                if content[0] is not None:
                    found[ref] = content[0]
        return found

    def lent(self, refs: Collection[bytes]) -> Mapping[bytes, Sequence[bytes]] | None:
        """What is said of those of which anything is; None where nothing is said at all."""
        self._filled()
        if not self._lends:
            return None
        wanted = 'SELECT content FROM lent WHERE "to" = ? AND content IS NOT NULL ORDER BY "by"'
        said = {ref: [row[0] for row in self._rows.execute(wanted, (ref,))] for ref in refs}
        return {ref: contents for ref, contents in said.items() if contents}

    def _filled(self) -> None:
        if (fill := self._fill) is not None:
            self._fill = None
            fill(self)

    def take(self, outcomes: Outcomes) -> None:
        """What a batch of lines gave, also that something is known no more."""
        gone = [(each.ref, None, each.updated) for each in outcomes.unusual.values() if each.withdrawn]
        self._rows.executemany(_NEWER, [(each.ref, each.content, each.updated) for each in outcomes.referred])
        self._rows.executemany(_NEWER, gone)
        for each in outcomes.lent:
            self._lend(each)
        if self._lends:
            for ref, _, updated in gone:
                self._lend(Lent(ref, {}, updated))

    def _lend(self, lent: Lent) -> None:
        """What is said now, in place of what the same resource said before; not by an older version."""
        known = self._rows.execute('SELECT max(updated) FROM lent WHERE "by" = ?', (lent.by,)).fetchone()[0]
        if known is not None and lent.updated is not None and lent.updated < known:
            return
        self._rows.execute('DELETE FROM lent WHERE "by" = ?', (lent.by,))
        rows: Mapping[bytes, bytes | None] = lent.to or {b"": None}  # nothing more is said, since then
        self._rows.executemany(
            "INSERT INTO lent VALUES (?, ?, ?, ?)",
            [(to, lent.by, content, lent.updated) for to, content in rows.items()],
        )
        self._lends = True


def set_aside(aside: Aside, paths: Iterable[Path], mapper_of: MapperOf, *, cap: int) -> None:
    """Reads files for the resources that others are read with; the mapper maps nothing else."""
    wanted = {path: words for path in paths if (words := _words_of(path.name)) and holds_any(path, words)}
    if not wanted:
        return
    mapper = mapper_of([name for name in ALL_TYPES if _words(name)])
    for path, words in wanted.items():
        for _, lines in without_bundles(read_batches(path, cap=cap)):
            if not isinstance(lines, Problem):
                aside.take(mapper.map_lines([line for line in lines if any(word in line for word in words)]))


class Patients:
    """Which Patients some files hold; they are read once somebody asks."""

    def __init__(self, paths: Sequence[Path], mapper_of: MapperOf, *, cap: int) -> None:
        self._paths, self._mapper_of, self._cap = paths, mapper_of, cap

    def __call__(self, ref: bytes) -> bool:
        """Whether one of that ref is among them."""
        return ref in self._refs

    @cached_property
    def _refs(self) -> set[bytes]:
        found: set[bytes] = set()
        mapper = self._mapper_of(["Patient"])
        for path in self._paths:
            for _, lines in without_bundles(read_batches(path, cap=self._cap)):
                if not isinstance(lines, Problem):
                    found.update(id_[:REF_BYTES] for id_ in mapper.record_ids("Patient", lines))
        return found


def _words_of(name: str) -> list[bytes]:
    """What stands in every resource of a file that is kept aside: one of an export (`Patient.ndjson`) holds one type alone."""
    exported = _EXPORTED.fullmatch(name)
    types = [exported[1]] if exported and exported[1] in ALL_TYPES else ALL_TYPES
    return [b'"%b"' % word.encode() for each in types for word in _words(each)]


def _words(resource_type: str) -> Sequence[str]:
    """What tells that something of a resource is kept aside; of one that gives records, that it says something of others."""
    if resource_type in (*REFERRED_TYPES, *LENDING_TYPES):
        return (resource_type,)
    found = declared(resource_type)
    return tuple(found.lends) if isinstance(found, Resource) else ()
