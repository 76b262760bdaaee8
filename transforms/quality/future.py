"""What is said to have happened after today."""

from collections.abc import Iterator

from transforms.quality import About, Check
from transforms.quality.facts import Person
from transforms.quality.kinds.each import SLIP, Seen, each


def _look(person: Person, about: About) -> Iterator[Seen]:
    latest = about.today.isoformat()
    for fact in person.facts:
        told = (fact.birth_date, fact.death_date) if fact.type == "person" else (fact.dated if fact.happened else None,)
        if any(told):
            later = any(day is not None and day > latest[: len(day)] for day in told)
            yield Seen(fact.type, fact.id if later else None)


CHECK = Check(
    kind="plausibility",
    what="records of things that happened, dated after today",
    tolerated=SLIP,
    source="judgement, to be approved: one in a thousand; PCORnet's data check 2.01 allows 5 %",
    fix="Find out which field the feed takes the date from: a scheduled time is not the time it was done; check its time zone.",
    who="site IT",
    alone=True,
    begin=each(_look),
)
