"""References to records that are not there."""

from collections.abc import Iterable, Iterator

from transforms.mapped import ID_BYTES
from transforms.quality import About, Check, Judge, Line
from transforms.quality.facts import Fact, Person
from transforms.quality.facts.hashes import Hashes
from transforms.quality.facts.profile import Profile
from transforms.quality.kinds.each import Seen, Tally

_TARGET = {"person": "person", "encounter": "encounter", "focus": "condition"}
"""What a field names; of a type of which the site has nothing, nothing is missing."""


def _named(fact: Fact) -> Iterator[tuple[str, Iterable[str]]]:
    yield "encounter", (fact.encounter,) if fact.encounter else ()
    yield "focus", (fact.focus,) if fact.focus else ()
    yield "parent", (fact.parent,) if fact.parent else ()
    yield "parts", fact.parts


class _Names:
    """Of one person: the records there are, and by name and field those that name what has not come so far."""

    def __init__(self) -> None:
        self.first = ""
        self._there = Hashes()
        self._open: dict[tuple[str, str], bytearray] = {}

    def add(self, record: str) -> None:
        """A record that is there."""
        self._there.first(hash(record))

    def seen(self, field: str, name: str, by: str) -> Iterator[Seen]:
        """That a record names another, where that has come; else it is kept."""
        if hash(name) in self._there:
            yield Seen(field)
        else:
            self._open.setdefault((field, name), bytearray()).extend(bytes.fromhex(by[2:]))

    def left(self) -> Iterator[Seen]:
        """When all have come."""
        for (field, name), records in self._open.items():
            missing = hash(name) not in self._there
            for at in range(0, len(records), ID_BYTES):
                yield Seen(field, f"r-{records[at : at + ID_BYTES].hex()}" if missing else None)


def _look(person: Person) -> Iterator[Seen]:
    names = person.kept(_Names)
    for record in person.given:
        names.add(record)
    for fact in person.facts:
        names.first = names.first or fact.id
        for field, named in _named(fact):
            for name in named:
                yield from names.seen(f"{fact.type}.{field}", name, fact.id)
    if person.last:
        yield Seen("person", None if person.record else names.first)
        yield from names.left()


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
