"""Numbers that one person was observed with: what many say alike is held once, the rest in arrays; one is made when it is asked for.

Somebody may have a hundred thousand, whose records would take half a kilobyte each.
"""

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterator, Sequence
from datetime import date
from itertools import groupby
from typing import Any, NamedTuple, overload

from schemas.outcomes.replacing import names
from transforms.derive.history.facts import Coded, Fact

FEW = 500
"""Readings up to so many are made once and kept."""
_ID_BYTES = 16
_NO_ID = bytes(_ID_BYTES)


class Reading(NamedTuple):
    """A number on a known day."""

    day: int
    """The local date, as Python's ordinal."""
    value: float
    fact: Fact


class _Alike(NamedTuple):
    type: str
    code: str
    unit: str | None
    status: str | None
    codings: tuple[Coded, ...]


class Numbers:
    """Exact numbers of codes on known days, in the order in which they were told."""

    def __init__(self) -> None:
        self._alike: dict[tuple[Any, ...], int] = {}
        self._kinds: list[_Alike] = []
        self._which, self.days, self._values = array("I"), array("i"), array("d")
        self._ids, self._moments, self._ends = bytearray(), bytearray(), array("I")
        self._whole: dict[int, Fact] = {}
        """The first, for most persons have few; and those that say more than the arrays hold."""

    def add(self, fact: Fact, day: int) -> None:
        """An observation or answer with a code and a value."""
        assert fact.code is not None
        assert fact.value is not None
        place = len(self.days)
        alike = fact.type, fact.code, fact.unit, fact.status, fact.codings
        which = self._alike.get(alike)
        if which is None:
            which = self._alike[alike] = len(self._kinds)
            self._kinds.append(_Alike(*alike))
        self._which.append(which)
        self.days.append(day)
        self._values.append(fact.value)
        if place < FEW or fact.type != "observation" or fact.value_code or fact.value_codings or fact.replaces:
            self._whole[place] = fact
            self._ids += _NO_ID
        else:
            self._ids += bytes.fromhex(fact.id[2:])
            self._moments += (fact.effective or "").encode()
        self._ends.append(len(self._moments))

    def told(self) -> Iterator[str]:
        """The record types and all codes that there are."""
        for alike in self._kinds:
            yield alike.type
            yield alike.code
            yield from (each.code for each in alike.codings)

    def of(self, codes: Collection[str], but: Collection[str]) -> Iterator[Fact]:
        """The records that have one of some codes, as their own or in a coding; without those that some ids name."""
        wanted = {
            place
            for place, alike in enumerate(self._kinds)
            if alike.code in codes or any(each.code in codes for each in alike.codings)
        }
        for place, which in enumerate(self._which) if wanted else ():
            if which in wanted and not (but and names(but, self._id(place))):
                yield self._fact(place)

    def readings(self, codes: Collection[str], unit: str | None, above: float, but: Collection[str]) -> "Readings":
        """Those of some codes, by time; as in `History.readings`."""
        wanted = {
            place
            for place, alike in enumerate(self._kinds)
            if alike.code in codes and (unit is None or alike.unit == unit)
        }
        found = (
            place
            for place, which in enumerate(self._which if wanted else ())
            if which in wanted and self._values[place] > above and not (but and names(but, self._id(place)))
        )
        by_day = groupby(sorted(found, key=self.days.__getitem__), self.days.__getitem__)
        return Readings(self, array("I", (place for _, some in by_day for place in self._in_order(list(some)))))

    def reading(self, place: int) -> Reading:
        """One of them."""
        return Reading(self.days[place], self._values[place], self._fact(place))

    def _in_order(self, of_one_day: list[int]) -> list[int]:
        if len(of_one_day) > 1:
            of_one_day.sort(key=lambda place: (self._moment(place), self._id(place)))
        return of_one_day

    def _moment(self, place: int) -> str:
        if place in self._whole:
            return self._whole[place].effective or ""
        return self._moments[self._ends[place - 1] if place else 0 : self._ends[place]].decode()

    def _id(self, place: int) -> str:
        if place in self._whole:
            return self._whole[place].id
        return f"r-{self._ids[place * _ID_BYTES : (place + 1) * _ID_BYTES].hex()}"

    def _fact(self, place: int) -> Fact:
        if place in self._whole:
            return self._whole[place]
        alike = self._kinds[self._which[place]]
        return Fact(
            alike.type,
            self._id(place),
            alike.code,
            self._values[place],
            unit=alike.unit,
            status=alike.status,
            codings=alike.codings,
            effective=self._moment(place) or None,
            effective_date=date.fromordinal(self.days[place]).isoformat(),
        )


class Readings(Sequence[Reading]):
    """Some of them, by time."""

    def __init__(self, numbers: Numbers, places: "array[int]") -> None:
        self.days = array("i", map(numbers.days.__getitem__, places))
        self._numbers, self._places = numbers, places
        self._made = [numbers.reading(place) for place in places] if len(places) <= FEW else None

    def __len__(self) -> int:
        """How many."""
        return len(self._places)

    @overload
    def __getitem__(self, at: int) -> Reading: ...
    @overload
    def __getitem__(self, at: slice) -> list[Reading]: ...
    def __getitem__(self, at: int | slice) -> Reading | list[Reading]:
        """One, or some."""
        if self._made is not None:
            return self._made[at]
        if isinstance(at, slice):
            return [self._numbers.reading(place) for place in self._places[at]]
        return self._numbers.reading(self._places[at])

    def __iter__(self) -> Iterator[Reading]:
        """One after the other."""
        return map(self._numbers.reading, self._places) if self._made is None else iter(self._made)

    def of_day(self, day: int) -> list[Reading]:
        """Those of one day."""
        return self[bisect_left(self.days, day) : bisect_right(self.days, day)]

    def last_before(self, day: int, within: int) -> Reading | None:
        """The last on a day or at most so many days before it."""
        place = bisect_right(self.days, day)
        return self[place - 1] if place and day - self.days[place - 1] <= within else None
