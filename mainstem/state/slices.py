"""A type's lines split over processes: each slice is a part of the load's work, with its place and its figures."""

from collections.abc import Iterable

from mainstem.database import Database
from mainstem.state import figures
from mainstem.state.figures import Slice, slice_of
from mainstem.state.loads import hold_open, keep_to_oneself
from schemas.loads import TypeCounts


class Slices:
    """The slices of every load."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def split(self, load_id: str, name: str, wanted: int) -> list[Slice]:
        """The slices of a type in this load: as many as wanted, unless its work was begun otherwise; none where it is whole.

        All of them are noted at once: a type of which one was never begun is not taken for mapped.
        """
        with self._database.write() as connection:
            keep_to_oneself(connection, load_id)
            hold_open(connection, load_id)
            begun = figures.begun(connection, load_id)
            if found := _by_type(begun).get(name):
                return found
            if wanted == 1 or name in begun:
                return []
            slices = [Slice(name, number, wanted) for number in range(1, wanted + 1)]
            for each in slices:
                figures.keep(connection, load_id, each.part, TypeCounts())
            return slices

    def of(self, load_id: str) -> dict[str, list[Slice]]:
        """Those that were noted, by type."""
        with self._database.read() as connection:
            return _by_type(figures.begun(connection, load_id))

    def figures(self, load_id: str, some: Slice) -> TypeCounts:
        """What was read of one, and what it changed."""
        with self._database.read() as connection:
            return figures.of_part(connection, load_id, some.part)

    def left(self, load_id: str) -> list[Slice]:
        """Those of which something is left."""
        with self._database.read() as connection:
            by_type = _by_type(figures.unfinished(connection, load_id))
        return [each for found in by_type.values() for each in found]


def _by_type(parts: Iterable[str]) -> dict[str, list[Slice]]:
    found: dict[str, list[Slice]] = {}
    for each in sorted(filter(None, map(slice_of, parts))):
        found.setdefault(each.name, []).append(each)
    return found
