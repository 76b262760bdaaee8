"""Events by a code or a word that one of their fields holds: looked up among all that a person has, not asked of each."""

from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from services.measures.compile.people import Person, Record, Said
from services.measures.language.codes import CodeSet
from services.measures.language.columns import NORMALISED
from services.measures.language.events import IsA, OneOf, Series
from services.measures.language.truths import AllOf, Truth

Events = Callable[[Person], Sequence[Record]]


class Sought(NamedTuple):
    """What a field must hold. `beginnings`: of the codes below a category, in a field that is no list."""

    field: str
    values: frozenset[str]
    beginnings: tuple[str, ...] = ()

    def is_in(self, record: Record) -> bool:
        """Whether a record holds it."""
        said = record.get(self.field)
        if isinstance(said, list):
            return not self.values.isdisjoint(said)
        return said is not None and (said in self.values or said.startswith(self.beginnings))

    def places(self, said: Said) -> Iterator[int]:
        """Of the records that hold it."""
        for holding in said:
            for value in self.values.intersection(holding):
                yield from holding[value]
        for value, some in said.words.items() if self.beginnings else ():
            if value.startswith(self.beginnings):
                yield from some


def sought(record: str, codes: CodeSet) -> tuple[Sought, ...]:
    """What a record of a type must hold, in one of the fields named, to have a code of the set."""
    found = []
    for (kind, system), names in NORMALISED.items():
        own = frozenset(each.code for each in (*codes.codes, *codes.categories) if each.system == system)
        below = tuple(f"{each.code}." for each in codes.categories if each.system == system)
        found += [Sought(name, own, below) for name in names if kind == record and own]
    return tuple(found)


def each_of(truth: Truth) -> tuple[Truth, ...]:
    """The conditions all of which a condition asks for."""
    return truth.of if isinstance(truth, AllOf) else (truth,)


def looked_up(series: Series) -> tuple[Events, tuple[Truth, ...]]:
    """The person's events of the type, those that one condition on a code or a word leaves where there is one; and what else is asked."""
    asked = each_of(series.such)
    for each in asked:
        if isinstance(each, IsA) and each.row.which == "this":
            return _holding(series.record, sought(series.record, each.codes)), _without(asked, each)
    for each in asked:
        if isinstance(each, OneOf) and each.field.row.which == "this":
            wanted = (Sought(each.field.name, frozenset(each.values)),)
            return _holding(series.record, wanted), _without(asked, each)
    return lambda person: person.of[series.record], asked


def _without(asked: Sequence[Truth], one: Truth) -> tuple[Truth, ...]:
    return tuple(each for each in asked if each is not one)


def _holding(record: str, wanted: Sequence[Sought]) -> Events:
    key = object()

    def events(person: Person) -> Sequence[Record]:
        if key not in person.found:
            places = {place for each in wanted for place in each.places(person.said(record, each.field))}
            person.found[key] = [person.of[record][place] for place in sorted(places)]
        found: Sequence[Record] = person.found[key]
        return found

    return events
