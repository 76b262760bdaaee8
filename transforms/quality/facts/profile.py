"""How many persons a site has with a type and code in a month: what one load is compared with another by."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date
from functools import lru_cache

from transforms.quality.facts import Person

_KEYS = 400_000
"""Codes and months that are counted apart; those beyond are counted with their type alone."""
ALL = ""
"""Of every code."""
UNDATED = 0


class Profile:
    """Persons by type, code and month; a month is its number from year 0, `UNDATED` of what has no day."""

    def __init__(self, counted: Mapping[tuple[str, str, int], int]) -> None:
        self._months: dict[tuple[str, str], dict[int, int]] = defaultdict(dict)
        for (kind, code, month), count in counted.items():
            self._months[kind, code][month] = count

    def __iter__(self) -> Iterator[tuple[str, str]]:
        """Types and codes, a type before its codes."""
        return iter(sorted(self._months))

    def months(self, kind: str, code: str = ALL) -> dict[int, int]:
        """By month; nothing of what is not there."""
        return self._months.get((kind, code), {})

    def total(self, kind: str, code: str = ALL) -> int:
        """Persons and months."""
        return sum(self.months(kind, code).values())

    def as_json(self) -> dict[str, dict[str, dict[str, int]]]:
        """By type, code and month."""
        told: dict[str, dict[str, dict[str, int]]] = {}
        for kind, code in self:
            told.setdefault(kind, {})[code] = {str(month): count for month, count in self.months(kind, code).items()}
        return told

    @classmethod
    def from_json(cls, told: Mapping[str, Mapping[str, Mapping[str, int]]]) -> "Profile":
        """As it was kept."""
        return cls(
            {
                (kind, code, int(month)): count
                for kind, codes in told.items()
                for code, months in codes.items()
                for month, count in months.items()
            }
        )


def profile_of(person: Person, counted: "Counter[tuple[str, str, int]]") -> None:
    """Adds a person: once for each type, code and month, however often."""
    before, seen = person.kept(_Seen), set()
    for fact in person.facts:
        month = month_of(fact.day)
        seen.add((fact.type, ALL, month))
        if fact.code:
            seen.add((fact.type, fact.code, month))
    known = len(counted)
    for key in seen - before:
        if key[1] == ALL or key in counted or known < _KEYS:
            counted[key] += 1
    if not person.last:
        before |= seen


class _Seen(set[tuple[str, str, int]]):
    """What a person was counted with."""


@lru_cache(maxsize=50_000)
def month_of(day: int | None) -> int:
    """The number of a day's month."""
    if day is None:
        return UNDATED
    found = date.fromordinal(day)
    return found.year * 12 + found.month - 1


def named(month: int) -> str:
    """`2026-03`."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}" if month else "no day"
