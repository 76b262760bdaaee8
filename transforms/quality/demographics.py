"""Persons of whom what every measure needs is not known."""

from collections.abc import Iterator

from transforms.quality import About, Check
from transforms.quality.facts import Person
from transforms.quality.kinds.each import Seen, each


def _look(person: Person, _: About) -> Iterator[Seen]:
    told = person.record
    if told is not None and person.last:
        yield Seen("day of birth", None if person.born is not None else told.id)
        yield Seen("sex", None if told.sex else told.id)


CHECK = Check(
    kind="completeness",
    what="persons without a day of birth or a sex",
    tolerated=0.05,
    source="judgement, to be approved: 5 %",
    fix="Let registration fill them in; check that the service account may read them.",
    who="site IT",
    begin=each(_look),
)
