"""What a site's records say, searched: every row is looked at, so this is for people's questions, not for a night."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, LargeBinary, bindparam, func, select

from mainstem.database import Database
from mainstem.outbox import SOURCE_UNUSABLE
from mainstem.state import tables
from transforms.mapped import REF_BYTES, WHOLE

_AT_ONCE = 2_000
_REFS = 500
_CODE = re.compile(rb'"(?:code|icd10cm)":"([^"\\]*)"')


class Contents:
    """The current records of every site, by what stands in them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def flagged(self, site: str, flag: str) -> Iterator[tuple[str, bytes]]:
        """(record type, content) of the records that carry a flag."""
        row = tables.record.c
        with self._database.stream() as connection:
            held = _holds(connection, row.provenance, f'"{flag}"')
            wanted = select(row.type, row.content).where(row.site == site, row.content.is_not(None), held)
            found = connection.execution_options(yield_per=_AT_ONCE).execute(wanted)
            yield from ((kind, content) for kind, content in found)

    def withdrawn_as_unusable(self, refs: Sequence[bytes]) -> set[bytes]:
        """The resources of which a record stood, and was withdrawn because the resource came and could not be used."""
        row, found = tables.record.c, set[bytes]()
        with self._database.read() as connection:
            for start in range(0, len(refs), _REFS):
                whole = row.id.in_([ref + WHOLE for ref in refs[start : start + _REFS]])
                wanted = select(row.id).where(whole, row.content.is_(None), row.provenance == SOURCE_UNUSABLE)
                found.update(id_[:REF_BYTES] for id_ in connection.scalars(wanted))
        return found

    def codes(self, site: str) -> Iterator[set[str]]:
        """The codes that each record names, in whichever system."""
        row = tables.record.c
        with self._database.stream() as connection:
            wanted = select(row.content).where(row.site == site, row.content.is_not(None))
            for content in connection.execution_options(yield_per=_AT_ONCE).execute(wanted).scalars():
                yield {code.decode() for code in _CODE.findall(content)}


def _holds(connection: Connection, column: ColumnElement[Any], said: str) -> ColumnElement[bool]:
    """Whether bytes hold a text; each database has its own way to ask."""
    if connection.dialect.name == "sqlite":
        return func.instr(column, bindparam(None, said.encode(), LargeBinary)) > 0
    escaped = "".join(f"\\{char}" if char in "\\%_" else char for char in said)
    return column.op("LIKE", is_comparison=True)(bindparam(None, f"%{escaped}%".encode(), LargeBinary))
