"""References to records that are not there."""

from collections.abc import Iterable, Iterator

from transforms.quality import About, Check, Judge, Line
from transforms.quality.facts import Fact, Person
from transforms.quality.facts.profile import Profile
from transforms.quality.kinds.each import Seen, Tally

_TARGET = {"person": "person", "encounter": "encounter", "focus": "condition"}
"""What a field names; of a type of which the site has nothing, nothing is missing."""


def _named(fact: Fact) -> Iterator[tuple[str, Iterable[str]]]:
    yield "encounter", (fact.encounter,) if fact.encounter else ()
    yield "focus", (fact.focus,) if fact.focus else ()
    yield "parent", (fact.parent,) if fact.parent else ()
    yield "parts", fact.parts


def _look(person: Person) -> Iterator[Seen]:
    anybody = person.facts[0].id if person.facts else ""
    yield Seen("person", None if person.record else anybody)
    for fact in person.facts:
        for field, names in _named(fact):
            for name in names:
                yield Seen(f"{fact.type}.{field}", None if name in person.ids else fact.id)


class _Orphans(Tally):
    def lines(self, profile: Profile) -> Iterator[Line]:
        """Without those that name a type that the site does not have at all."""
        for line in super().lines(profile):
            target = _TARGET.get(line.of.rpartition(".")[2])
            if target is not None and not profile.total(target):
                yield line._replace(looked=0, found=0, examples=(), said=f"the site has no {target}")
            else:
                yield line


def _begin(_: About) -> Judge:
    return _Orphans(_look)


CHECK = Check(
    kind="conformance",
    what="persons without a record of their own, and references to visits, conditions and parts that are not there",
    tolerated=0.05,
    source="judgement, to be approved: 5 %, for visits before the first day that is delivered",
    fix="Deliver the missing type for the same patients and years; where a type has a gap, close it first (`mainstem gaps list`).",
    who="site IT",
    begin=_begin,
)
