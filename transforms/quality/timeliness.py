"""Types of which nothing new has come, though they are said to be complete."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

from transforms.quality import NOTHING, About, Check, Found, Line
from transforms.quality.facts import Person
from transforms.quality.facts.profile import Profile

_TYPES = ("encounter", "observation")
"""Of which there is something new each week at a site that sees patients."""
_DAYS = 92
_YEAR = 365
_LEAST = 100
"""Records in the year before the newest."""


class _Timeliness:
    def __init__(self, about: About) -> None:
        self._about = about
        self._days: dict[str, dict[int, int]] = {kind: {} for kind in _TYPES}

    def see(self, person: Person) -> Sequence[Found]:
        """Counts records by day."""
        latest = self._about.today.toordinal()
        for fact in person.of(*_TYPES):
            day = fact.day
            if day is not None and day <= latest and fact.happened:
                self._days[fact.type][day] = self._days[fact.type].get(day, 0) + 1
        return NOTHING

    def lines(self, profile: Profile) -> Iterator[Line]:
        """By type: days between the newest fact and the day up to which the type is complete."""
        for kind, days in self._days.items():
            newest = max(days, default=0)
            upto = self._about.complete.get(kind)
            if upto is None:
                yield Line(kind, 0, 0, said="it is not known up to when the type is complete")
                continue
            upto = min(upto, self._about.today)
            if sum(count for day, count in days.items() if day > newest - _YEAR) < _LEAST:
                yield Line(kind, 0, 0, said="fewer than 100 records in a year")
                continue
            late = upto - date.fromordinal(newest)
            said = f"newest of {date.fromordinal(newest)}, complete up to {upto}"
            yield Line(kind, 1, int(late > timedelta(_DAYS)), said=said)


CHECK = Check(
    kind="completeness",
    what="types whose newest fact is more than 92 days older than the day up to which they are complete",
    tolerated=0,
    source="judgement, to be approved: a quarter; a site that sees patients has visits and results each week, and a type that falls silent is a gap before",
    fix="Look into the EHR for newer visits: where there are, the export stands still behind a fresh date; where there are none, tell the network.",
    who="site IT",
    begin=_Timeliness,
)
