"""What one person's records say, as values need it: decoded once, by day, in an order that no reading changes."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from datetime import date
from functools import cached_property
from operator import attrgetter
from typing import NamedTuple

from transforms.derive.history.facts import Coded, Fact, Facts, Step
from transforms.derive.references.growth import Sex

__all__ = ["Coded", "Fact", "Facts", "History", "Reading", "Step", "day_of"]

DAYS_A_MONTH = 365.25 / 12
"""As CDC and WHO count ages in months."""
_SEXES: dict[str | None, Sex] = {"male": "M", "female": "F"}


class Reading(NamedTuple):
    """A number on a known day."""

    day: int
    """The local date, as Python's ordinal."""
    value: float
    fact: Fact


def day_of(text: str | None) -> int | None:
    """The ordinal of a full date; none of a year or a month alone."""
    if text is None or len(text) != 10:
        return None
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


class History:
    """One person's current records of the types that are read."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        """Without those that others of them replace."""
        given = sorted(facts, key=attrgetter("id"))
        replaced = {id_ for fact in given for id_ in fact.replaces}
        self._by_type: dict[str, list[Fact]] = {}
        self._asked: dict[tuple[tuple[str, ...], str | None], list[Reading]] = {}
        for fact in given:
            if fact.id not in replaced:
                self._by_type.setdefault(fact.type, []).append(fact)

    def of(self, *types: str) -> Iterator[Fact]:
        """The records of some types."""
        for name in types:
            yield from self._by_type.get(name, ())

    @property
    def person(self) -> Fact | None:
        """The person's own record."""
        found = self._by_type.get("person", ())
        return found[0] if found else None

    @cached_property
    def born(self) -> int | None:
        """The day of birth, where it is known."""
        return day_of(self.person.birth_date) if self.person else None

    @cached_property
    def sex(self) -> Sex | None:
        """By which references are chosen: at birth where it is told, else administrative."""
        if self.person is None:
            return None
        return _SEXES.get(self.person.birth_sex) or _SEXES.get(self.person.sex)

    def months(self, day: int) -> float | None:
        """Age in months of 30.4375 days."""
        return None if self.born is None or day < self.born else (day - self.born) / DAYS_A_MONTH

    def years(self, day: int) -> float | None:
        """Age in years of 365.25 days."""
        return None if self.born is None or day < self.born else (day - self.born) / 365.25

    def birthdays(self, day: int) -> int | None:
        """Completed years."""
        if self.born is None or day < self.born:
            return None
        born, then = date.fromordinal(self.born), date.fromordinal(day)
        return then.year - born.year - ((then.month, then.day) < (born.month, born.day))

    @cached_property
    def _readings(self) -> dict[str, list[Reading]]:
        found: dict[str, list[Reading]] = {}
        for fact in self.of("observation", "pro_response"):
            day = day_of(fact.effective_date)
            if fact.code and fact.value is not None and fact.comparator is None and day is not None:
                found.setdefault(fact.code, []).append(Reading(day, fact.value, fact))
        return found

    @cached_property
    def held(self) -> set[str]:
        """The record types there are, and the codes of observations and answers."""
        coded = (each.code for fact in self.of("observation", "pro_response") for each in fact.codings)
        return {*self._by_type, *self._readings, *coded}

    def readings(self, codes: tuple[str, ...], unit: str | None = None) -> list[Reading]:
        """Exact numbers of some codes in one unit, on known days, by time."""
        asked = codes, unit
        if asked not in self._asked:
            found = [each for code in codes for each in self._readings.get(code, ())]
            fitting = (each for each in found if unit is None or each.fact.unit == unit)
            self._asked[asked] = sorted(fitting, key=_by_time)
        return self._asked[asked]


def _by_time(reading: Reading) -> tuple[int, str, str]:
    return reading.day, reading.fact.effective or "", reading.fact.id


def last_before(readings: list[Reading], day: int, within: int) -> Reading | None:
    """The last reading on a day or at most so many days before it."""
    place = bisect_right(readings, day, key=attrgetter("day"))
    found = readings[place - 1] if place else None
    return found if found is not None and day - found.day <= within else None
