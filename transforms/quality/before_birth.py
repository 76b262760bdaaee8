"""What is said to have happened before the person was born."""

from collections.abc import Iterator

from transforms.quality import About, Check
from transforms.quality.facts import Person
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, Seen, each

_ZONES = 1
"""Days by which an instant of birth and the date of birth may differ: they are told in two time zones."""


def _look(person: Person, _: About) -> Iterator[Seen]:
    if person.born is None:
        return
    for fact in person.facts:
        day = fact.day
        if day is not None and fact.type != "person":
            yield Seen(fact.type, fact.id if day < person.born - _ZONES else None)


CHECK = Check(
    kind="plausibility",
    what="records dated more than a day before the day of birth",
    tolerated=SLIP,
    source=SLIP_SOURCE,
    fix="Check the birth date and the dates in the chart: a mother's record, a default date such as 1900-01-01, or a day and month exchanged.",
    who="site IT",
    alone=True,
    begin=each(_look),
)
