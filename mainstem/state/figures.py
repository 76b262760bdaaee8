"""A load's figures, by the part of its work; a part keeps with them how far it has got, so that none is counted twice."""

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, insert, or_, select, update

from mainstem.state import tables
from mainstem.state.batch import Batch, Place, Saved
from schemas.loads import UNMAPPED_AT_MOST, TypeCounts, add_up

DONE = ("recorded", "amended", "withdrawn", "source_unusable")
"""Figures of changes that were made; they stay when a part starts anew."""
_SLICE = re.compile(r"(.+)/(\d+)-of-(\d+)")


class Slice(NamedTuple):
    """One of the slices that a type's lines are split into, each a part of the load's work."""

    name: str
    """The resource type."""
    number: int
    """From 1."""
    of: int

    @property
    def part(self) -> str:
        """What the part is called."""
        return f"{self.name}/{self.number}-of-{self.of}"


def slice_of(part: str) -> Slice | None:
    """The slice that a part is; none where it is something else."""
    found = _SLICE.fullmatch(part)
    return Slice(found[1], int(found[2]), int(found[3])) if found else None


def begin(connection: Connection, load_id: str, part: str, mapping: str) -> Place | None:
    """See Loads.begin_part."""
    found = _stored(connection, load_id, part)
    if found is None:
        _insert(connection, load_id, part, TypeCounts(), mapping=mapping)
        return None
    if found.mapping == mapping and found.place is not None:
        return Place(*found.place)
    done = TypeCounts(**{name: found.figures.get(name, 0) for name in DONE})
    _update(connection, load_id, part, done, mapping=mapping, place=None)
    return None


def add(connection: Connection, load_id: str, part: str, batch: Batch, saved: Saved) -> None:
    """Adds what a batch read and changed; the part goes on from the batch's place."""
    if batch.figures is None and batch.place is None and not any(saved):
        return
    found = _stored(connection, load_id, part)
    counts = add_up([TypeCounts(**(found.figures if found else {})), batch.figures or TypeCounts()])
    counts.unmapped = dict(Counter(counts.unmapped).most_common(UNMAPPED_AT_MOST))
    for name, count in saved._asdict().items():
        setattr(counts, name, getattr(counts, name) + count)
    place = {} if batch.place is None else {"place": list(batch.place)}
    if found is None:
        _insert(connection, load_id, part, counts, **place)
    else:
        _update(connection, load_id, part, counts, **place)


def keep(connection: Connection, load_id: str, part: str, counts: TypeCounts) -> None:
    """Adds figures of a part that is done in one transaction."""
    found = _stored(connection, load_id, part)
    if found is None:
        _insert(connection, load_id, part, counts)
    else:
        _update(connection, load_id, part, add_up([TypeCounts(**found.figures), counts]))


def note_empty(connection: Connection, load_id: str, parts: Sequence[str]) -> None:
    """See Loads.nothing_came."""
    row = tables.load_part
    known = begun(connection, load_id)
    empty = {
        "load": load_id,
        "mapping": "",
        "place": list(Place("", 0, whole=True)),
        "figures": TypeCounts().model_dump(),
    }
    if new := [{**empty, "part": part} for part in parts if part not in known]:
        connection.execute(insert(row), new)


def of_load(connection: Connection, load_id: str, resource_type: str = "") -> dict[str, TypeCounts]:
    """By resource type, of all or of one: what stands before the `/` of a part's name."""
    row = tables.load_part.c
    wanted = select(row.part, row.figures).where(row.load == load_id).order_by(row.part)
    if resource_type:
        wanted = wanted.where(or_(row.part == resource_type, row.part.startswith(f"{resource_type}/", autoescape=True)))
    by_type: dict[str, list[TypeCounts]] = {}
    for part, counts in connection.execute(wanted):
        by_type.setdefault(part.partition("/")[0], []).append(TypeCounts(**counts))
    return {name: add_up(counts) for name, counts in by_type.items()}


def of_part(connection: Connection, load_id: str, part: str) -> TypeCounts:
    """Of one part."""
    found = _stored(connection, load_id, part)
    return TypeCounts(**found.figures) if found else TypeCounts()


def unfinished(connection: Connection, load_id: str) -> set[str]:
    """Parts that were begun and of which something is left."""
    row = tables.load_part.c
    found = connection.execute(select(row.part, row.place).where(row.load == load_id))
    return {part for part, place in found if place is None or not Place(*place).whole}


def begun(connection: Connection, load_id: str) -> set[str]:
    """Those that were begun."""
    row = tables.load_part.c
    return set(connection.scalars(select(row.part).where(row.load == load_id)))


def _stored(connection: Connection, load_id: str, part: str) -> Any:
    row = tables.load_part.c
    wanted = select(row.mapping, row.place, row.figures).where(row.load == load_id, row.part == part)
    return connection.execute(wanted.with_for_update()).first()


def _insert(connection: Connection, load_id: str, part: str, counts: TypeCounts, **values: Any) -> None:
    values = {"mapping": "", "place": None, **values}
    connection.execute(insert(tables.load_part).values(load=load_id, part=part, figures=counts.model_dump(), **values))


def _update(connection: Connection, load_id: str, part: str, counts: TypeCounts, **values: Any) -> None:
    row = tables.load_part
    this = (row.c.load == load_id, row.c.part == part)
    connection.execute(update(row).where(*this).values(figures=counts.model_dump(), **values))
