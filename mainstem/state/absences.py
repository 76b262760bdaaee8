"""What a full read lacks of what is held, and the withdrawals that are too many to be made unasked."""

from collections.abc import Container, Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, delete, func, insert, select, update

from mainstem.database import Database
from mainstem.state import tables
from mainstem.state.standings import stopped
from schemas.errors import OperatorError
from schemas.outcomes import MAPPED_TYPES, RECORD_TYPES, record_type_of
from transforms.mapped import REF_BYTES

_AT_ONCE = 10_000
_SOURCE = b'"source":[{"type":"%b"'
"""How the provenance of what a FHIR resource type gave begins."""


def _given_by(resource_type: str) -> list[str]:
    """The record types a FHIR resource type becomes, or gives where it contains what has no other place."""
    own = record_type_of(resource_type)
    return [own] if own else [name for name, model in RECORD_TYPES.items() if resource_type in model.lenders]


class Withheld(NamedTuple):
    """Withdrawals of one type that wait for an operator's word."""

    resource_type: str
    absent: int
    """Resources that the full read lacked."""
    held: int
    """Resources of the type that the state held then; none: nothing was compared yet."""
    since: datetime
    released: datetime | None

    @property
    def beforehand(self) -> bool:
        """Whether somebody said, before anything was compared, that what the next whole read lacks is gone."""
        return self.released is not None and not self.held


class Absences:
    """Of every site."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def refs(self, site: str, resource_type: str, of: Container[bytes] | None = None) -> Iterator[bytes]:
        """The refs of the resources of a FHIR type that live records came from, in their order; `of`: of these subjects, as
        their sources name them. Of subjects who withdrew nothing came, and nothing is told by that."""
        row = tables.record.c
        source = _SOURCE % resource_type.encode()
        columns = (row.provenance, func.coalesce(row.own_subject, row.subject), row.subject)
        closed = self._closed(site)
        for id_, provenance, own, subject in self._live(site, columns, row.type.in_(_given_by(resource_type))):
            if provenance.startswith(source) and (of is None or own in of) and subject not in closed:
                yield id_[:REF_BYTES]

    def held(self, site: str) -> Iterator[bytes]:
        """Refs of all resources that live records of types that resources become came from, in any order, which is the quickest;
        several records of one resource tell it several times."""
        row, made = tables.record.c, [kind for name in MAPPED_TYPES if (kind := record_type_of(name)) is not None]
        wanted = select(row.id).where(row.site == site, row.content.is_not(None), row.type.in_(made))
        with self._database.stream() as connection:
            for some in connection.execution_options(yield_per=_AT_ONCE).execute(wanted).partitions():
                yield from (id_[:REF_BYTES] for (id_,) in some)

    def sources(self, site: str) -> Iterator[tuple[str, bytes]]:
        """FHIR type and ref of all resources that live records came from, by one look at the state: `refs` of every type."""
        row = tables.record.c
        kinds = {(_SOURCE % name.encode(), record_type_of(name)): name for name in MAPPED_TYPES}
        closed, opening, last = self._closed(site), len(_SOURCE % b""), (b"", "")
        for id_, kind, provenance, subject in self._live(site, (row.type, row.provenance, row.subject)):
            source = provenance[: provenance.find(b'"', opening - 1) + 1]
            name, ref = kinds.get((source, kind)), id_[:REF_BYTES]
            if name is not None and (ref, name) != last and subject not in closed:
                last = ref, name
                yield name, ref

    def _closed(self, site: str) -> frozenset[bytes]:
        with self._database.read() as connection:
            return frozenset(connection.scalars(select(tables.standing.c.subject).where(stopped(site))))

    def _live(self, site: str, columns: Sequence[ColumnElement[Any]], *where: ColumnElement[bool]) -> Iterator[Any]:
        """Ids of live records, in their order, each with some columns."""
        row, after = tables.record.c, b""
        live = (row.site == site, row.content.is_not(None), *where)
        while True:
            wanted = select(row.id, *columns).where(*live, row.id > after).order_by(row.id).limit(_AT_ONCE)
            with self._database.read() as connection:
                found = connection.execute(wanted).all()
            yield from found
            if len(found) < _AT_ONCE:
                return
            after = found[-1].id

    def of(self, site: str) -> list[Withheld]:
        """What waits at a site, and what was released and is withdrawn by the next full read."""
        row = tables.withheld.c
        wanted = select(*(row[name] for name in Withheld._fields)).where(row.site == site).order_by(row.resource_type)
        with self._database.read() as connection:
            return [Withheld(*found) for found in connection.execute(wanted)]

    def hold(self, site: str, resource_type: str, absent: int, held: int, at: datetime) -> None:
        """So many wait from now on."""
        self.settle(site, resource_type)
        values = {"site": site, "resource_type": resource_type, "absent": absent, "held": held, "since": at}
        with self._database.write() as connection:
            connection.execute(insert(tables.withheld).values(values))

    def settle(self, site: str, resource_type: str) -> None:
        """Nothing of the type waits any more."""
        row = tables.withheld
        with self._database.write() as connection:
            connection.execute(delete(row).where(row.c.site == site, row.c.resource_type == resource_type))

    def release_beforehand(self, site: str, resource_type: str, at: datetime) -> None:
        """The next full read that comes whole withdraws what it lacks of the type, however many."""
        self.settle(site, resource_type)
        values = {"site": site, "resource_type": resource_type, "absent": 0, "held": 0, "since": at, "released": at}
        with self._database.write() as connection:
            connection.execute(insert(tables.withheld).values(values))

    def release(self, site: str, resource_type: str, at: datetime) -> Withheld:
        """The next full read withdraws what it lacks. Raises OperatorError, naming what waits, where nothing of the type does."""
        row = tables.withheld
        waiting = self.of(site)
        for each in waiting:
            if each.resource_type == resource_type:
                this = (row.c.site == site, row.c.resource_type == resource_type)
                with self._database.write() as connection:
                    connection.execute(update(row).where(*this).values(released=at))
                return each._replace(released=at)
        names = ", ".join(each.resource_type for each in waiting)
        raise OperatorError(f"{site}: no withdrawal of {resource_type} waits", f"Waiting are: {names or 'none'}.")
