"""Results that say nothing: a code without a value."""

from collections.abc import Iterator

from transforms.quality import About, Check
from transforms.quality.facts import Person
from transforms.quality.kinds.each import Seen, each


def _look(person: Person, _: About) -> Iterator[Seen]:
    for fact in person.of("observation"):
        if fact.code and not fact.parts and not fact.members:
            yield Seen(fact.code, fact.id if fact.absent is not None else None)


CHECK = Check(
    kind="completeness",
    what="results that say that their value is absent",
    tolerated=0.1,
    least=20,
    source="judgement, to be approved: one in ten",
    fix="Look at some in the chart: where it has a value, the interface leaves it out (a text, an attachment, a result on another screen).",
    who="EHR vendor",
    begin=each(_look),
)
