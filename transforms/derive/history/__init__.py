"""What one person's records say, as values need it: decoded once, by day, in an order that no reading changes."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import date
from functools import cached_property
from itertools import chain, islice
from operator import attrgetter
from typing import Any, TypeVar

from schemas.outcomes.observations import NO_RESULT
from schemas.outcomes.replacing import Naming, names, note, replaced_of
from transforms.derive.history.facts import Coded, Fact, Facts, Step
from transforms.derive.history.numbers import FEW, Numbers, Reading, Readings
from transforms.derive.references.growth import Sex

__all__ = ["Coded", "Fact", "Facts", "History", "Reading", "Readings", "Step", "about_day_of", "day_of"]

T = TypeVar("T")
DAYS_A_MONTH = 365.25 / 12
"""As CDC and WHO count ages in months."""
_SEXES: dict[str | None, Sex] = {"male": "M", "female": "F"}
_RESULTS = ("observation", "pro_response")


def day_of(text: str | None) -> int | None:
    """The ordinal of a full date; none of a year or a month alone."""
    if text is None or len(text) != 10:
        return None
    try:
        return date.fromisoformat(text).toordinal()
    except ValueError:
        return None


def about_day_of(text: str | None) -> int | None:
    """The ordinal of a date; of a month alone its 15th, of a year alone the first of July: the middle, where nobody knows more."""
    return day_of(text + {4: "-07-01", 7: "-15"}.get(len(text), "")) if text else None


class History:
    """One person's current records of the types that are read."""

    def __init__(self, facts: Iterable[Fact]) -> None:
        """Without those that others of them replace, and without results that are not yet there or no longer hold."""
        self._numbers, self._others, self._naming = Numbers(), list[Fact](), Naming()
        self._asked: dict[tuple[tuple[str, ...], str | None, float], Readings] = {}
        self._kept: dict[Callable[[History], Iterator[Any]], list[Any] | None] = {}
        for fact in facts:
            if fact.type in _RESULTS and fact.status in NO_RESULT:
                continue
            if fact.replaces:
                note(self._naming, fact.id, fact.replaces)
            if (day := _day_of_number(fact)) is not None:
                self._numbers.add(fact, day)
            else:
                self._others.append(fact)

    def once(self, made_by: "Callable[[History], Iterator[T]]") -> Iterable[T]:
        """What a function makes of this history, for several values that need the same: few are kept, many are made again."""
        if made_by not in self._kept:
            each = made_by(self)
            some = list(islice(each, FEW + 1))
            self._kept[made_by] = some if len(some) <= FEW else None
            return chain(some, each)
        kept = self._kept[made_by]
        return made_by(self) if kept is None else kept

    @cached_property
    def _replaced(self) -> set[str]:
        return replaced_of(self._naming)

    @cached_property
    def _by_type(self) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = {}
        for fact in sorted(self._others, key=attrgetter("id")):
            if not (self._replaced and names(self._replaced, fact.id)):
                found.setdefault(fact.type, []).append(fact)
        return found

    def of(self, *types: str) -> Iterator[Fact]:
        """The records of some types; of observations and answers those without a number of a known day."""
        for name in types:
            yield from self._by_type.get(name, ())

    def coded(self, codes: Collection[str]) -> Iterator[Fact]:
        """The observations and answers that have one of some codes, as their own or in a coding."""
        for fact in self.of(*_RESULTS):
            if fact.code in codes or any(each.code in codes for each in fact.codings):
                yield fact
        yield from self._numbers.of(codes, self._replaced)

    @property
    def person(self) -> Fact | None:
        """The person's own record."""
        return next(self.of("person"), None)

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
    def held(self) -> set[str]:
        """The record types there are, and the codes of observations and answers."""
        coded = (
            code for fact in self.of(*_RESULTS) for code in (fact.code, *(each.code for each in fact.codings)) if code
        )
        return {*self._by_type, *coded, *self._numbers.told()}

    def readings(self, codes: tuple[str, ...], unit: str | None = None, above: float = float("-inf")) -> Readings:
        """Exact numbers of some codes in one unit, on known days, by time; those above a number."""
        asked = codes, unit, above
        if asked not in self._asked:
            self._asked[asked] = self._numbers.readings(*asked, self._replaced)
        return self._asked[asked]


def _day_of_number(fact: Fact) -> int | None:
    """The day of what is an exact number of a code; none of all else."""
    if fact.type not in _RESULTS or fact.value is None or not fact.code or fact.comparator is not None:
        return None
    return day_of(fact.effective_date)
