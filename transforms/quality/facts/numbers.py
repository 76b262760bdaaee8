"""Numbers of one person that are set beside one another, in arrays: somebody may have a hundred thousand of them."""

from array import array
from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import groupby
from typing import NamedTuple, overload

_ID_BYTES = 16
_NO_MOMENT = float("-inf")
_FEW = 500
"""Readings up to so many are made once and kept."""


class Reading(NamedTuple):
    """A number on a known day."""

    day: int
    value: float
    record: str
    """The id of the record that tells it."""


class Readings(Sequence[Reading]):
    """Some of them; each is made when it is asked for."""

    def __init__(self) -> None:
        self._all: list[Reading] | None = None
        self._days, self._values, self._moments, self._ids = array("i"), array("d"), array("d"), bytearray()
        self._order: Sequence[int] = ()

    def add(self, day: int, value: float, moment: str | None, record: str) -> None:
        """One more."""
        self._days.append(day)
        self._values.append(value)
        self._moments.append(_seconds(moment))
        self._ids += bytes.fromhex(record[2:])

    def extend(self, others: "Readings") -> None:
        """Those of another code."""
        self._days += others._days
        self._values += others._values
        self._moments += others._moments
        self._ids += others._ids

    def by_time(self) -> "Readings":
        """The same in their order."""
        by_day = groupby(sorted(range(len(self._days)), key=self._days.__getitem__), self._days.__getitem__)
        self._order = array("I", (at for _day, some in by_day for at in self._of_one_day(list(some))))
        self._all = list(map(self._made, self._order)) if len(self._order) <= _FEW else None
        return self

    def _of_one_day(self, some: list[int]) -> list[int]:
        return sorted(some, key=self._moment) if len(some) > 1 else some

    def _moment(self, at: int) -> tuple[float, bytes]:
        return self._moments[at], self._id(at)

    def _id(self, at: int) -> bytes:
        return bytes(self._ids[at * _ID_BYTES : (at + 1) * _ID_BYTES])

    def _made(self, at: int) -> Reading:
        return Reading(self._days[at], self._values[at], f"r-{self._id(at).hex()}")

    def __len__(self) -> int:
        """How many."""
        return len(self._order)

    @overload
    def __getitem__(self, at: int) -> Reading: ...
    @overload
    def __getitem__(self, at: slice) -> list[Reading]: ...
    def __getitem__(self, at: int | slice) -> Reading | list[Reading]:
        """One, or some."""
        if self._all is not None:
            return self._all[at]
        return self._made(self._order[at]) if isinstance(at, int) else list(map(self._made, self._order[at]))

    def __iter__(self) -> Iterator[Reading]:
        """One after the other."""
        return map(self._made, self._order) if self._all is None else iter(self._all)


class Numbers:
    """By code and unit."""

    def __init__(self) -> None:
        self._told: dict[tuple[str, str | None], Readings] = {}
        self._ordered: dict[tuple[frozenset[str], str], Readings] = {}

    def add(self, code: str, unit: str | None, day: int, value: float, moment: str | None, record: str) -> None:
        """A reading."""
        self._told.setdefault((code, unit), Readings()).add(day, value, moment, record)

    def of(self, codes: frozenset[str], unit: str) -> Readings:
        """Those of some codes in a unit, by time; none are added afterwards."""
        if (codes, unit) not in self._ordered:
            found = Readings()
            for code in sorted(codes):
                if (told := self._told.get((code, unit))) is not None:
                    found.extend(told)
            self._ordered[codes, unit] = found.by_time()
        return self._ordered[codes, unit]


def _seconds(moment: str | None) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp() if moment else _NO_MOMENT
    except ValueError:
        return _NO_MOMENT
