"""Records that say of each other that they replace them."""

from collections.abc import Iterator

from schemas.outcomes.replacing import whole_of
from transforms.quality import About, Check
from transforms.quality.facts import Person
from transforms.quality.kinds.each import SLIP, SLIP_SOURCE, Seen, each


def _look(person: Person, _: About) -> Iterator[Seen]:
    circles = person.circles
    for fact in person.facts:
        if fact.replaces or circles:
            yield Seen(fact.type, fact.id if whole_of(fact.id) in circles else None)


CHECK = Check(
    kind="conformance",
    what="records that replace what replaces them: one of them counts, and which is right is not known",
    tolerated=SLIP,
    source=SLIP_SOURCE,
    fix="Let the newer alone name the older, or withdraw the one that is wrong (entered-in-error).",
    who="EHR vendor",
    alone=True,
    begin=each(_look),
)
