"""Months in which a type, or a code of it, is missing between months in which it is not."""

from collections.abc import Iterator, Mapping, Sequence
from statistics import median_low

from transforms.quality import NOTHING, About, Check, Found, Judge, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import ALL, UNDATED, Profile, month_of, named

_BESIDE = 6
"""Months on either side that a month is compared with."""
_SHARE = 0.25
_EXPECTED, _EXPECTED_OF_NONE = 20, 10
"""Persons a month, by the months beside it, below which few (or none) may be chance."""


def missing(months: Mapping[int, int], this: int) -> tuple[int, list[int]]:
    """How many months could be looked at, and those that are missing; the month that is not over is not looked at."""
    known = [month for month in months if month != UNDATED and month < this]
    looked, found = 0, []
    for month in range(min(known, default=0), max(known, default=-1) + 1):
        beside = [
            months.get(other, 0)
            for other in range(month - _BESIDE, month + _BESIDE + 1)
            if min(known) <= other < this and other != month
        ]
        usual = median_low(beside) if beside else 0
        count = months.get(month, 0)
        if usual >= _EXPECTED or (usual >= _EXPECTED_OF_NONE and not count):
            looked += 1
            if count <= _SHARE * usual:
                found.append(month)
    return looked, found


class _Months:
    def __init__(self, about: About) -> None:
        self._this = month_of(about.today.toordinal())

    def see(self, person: Person) -> Sequence[Found]:
        """The profile has counted it."""
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By type; by code where the type itself is there."""
        of_type: set[int] = set()
        for kind, code in profile:
            looked, found = missing(profile.months(kind, code), self._this)
            if code == ALL:
                of_type = set(found)
            else:
                found = [month for month in found if month not in of_type]
            if looked or code == ALL:
                yield Line(f"{kind} {code}".strip(), looked, len(found), said=", ".join(map(named, found)))


def _begin(about: About) -> Judge:
    return _Months(about)


CHECK = Check(
    kind="completeness",
    what="months with a quarter or less of the persons that the months beside them have",
    tolerated=0,
    source="judgement, to be approved: a quarter of the median of six months on either side, where that is 20 persons or more; none, where it is 10 or more",
    fix="Ask what stood still in that month (an upgrade, an interface, a conversion), and have the month delivered again.",
    who="site IT",
    begin=_begin,
)
