"""What is said to have happened long after the person died."""

from collections.abc import Iterator

from transforms.quality import About, Check
from transforms.quality.facts import Person
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, Seen, each

_ADMINISTRATIVE = 60
"""Days after a death in which records are still closed."""


def _look(person: Person, _: About) -> Iterator[Seen]:
    if person.died is None:
        return
    for fact in person.facts:
        day = fact.day
        if day is not None and fact.happened:
            yield Seen(fact.type, fact.id if day > person.died + _ADMINISTRATIVE else None)


CHECK = Check(
    kind="plausibility",
    what="records of things that happened more than 60 days after the day of death",
    tolerated=SLIP,
    source="60 days: OHDSI Data Quality Dashboard, plausibleBeforeDeath "
    f"(https://ohdsi.github.io/DataQualityDashboard/articles/checks/plausibleBeforeDeath.html); {SLIP_SOURCE}",
    fix="Check the date of death in the chart, and whether records of another person were filed under this one.",
    who="site IT",
    alone=True,
    begin=each(_look),
)
