"""What evaluates a person, and where the person stands then."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from hashlib import sha256
from typing import Literal, NamedTuple

from services.measures.compile import EVALUATION
from services.measures.compile.asked import Reads, fields_asked, reads
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person
from services.measures.declared import Definition
from services.measures.keeping.tables import POPULATIONS
from services.measures.language.events import Series
from services.measures.language.truths import Surely
from services.measures.valuesets import ValueSets


class Stands(NamedTuple):
    """One person, or one of their events, in one measure, period and rate."""

    measure: str
    version: str
    period: str
    rate: int
    event: str
    """The record's id; empty where the person counts."""
    populations: Mapping[str, bool]
    value: float | None = None
    events: int | None = None
    days: int | None = None

    def columns(self) -> tuple[int, ...]:
        """The populations in the order of their columns."""
        of = self.populations.get
        return tuple([1 if of(code) else 0 for code in POPULATIONS])


class Belongs(NamedTuple):
    """A group that a person is of."""

    scope: str
    """Of which measure and version, `CMS155/2026`; empty: of every one that asks for this kind."""
    kind: str
    """How people are told apart: `sex`, `payer` …"""
    name: str | None
    """The group; none: it is not known."""


Evaluate = Callable[[Person], Iterable[Stands]]
"""A pure function of a person's records. Whoever counts in nothing of a period has no standing in it."""
Grouping = Callable[[Person], Iterable[Belongs]]
"""Likewise: the groups that a person is of."""
STRATUM = "stratum"
"""The kind of the groups that a published measure names itself."""


@dataclass(frozen=True, slots=True)
class Counted:
    """A measure in a period."""

    measure: str
    version: str
    period: str
    first: str
    last: str
    """Local dates, both included."""
    populations: tuple[str, ...]
    """Their codes, those that the measure has."""
    record_types: tuple[str, ...]
    """What it reads."""
    checksum: str
    """Of the definition, value sets and all: another is another version."""
    fields: frozenset[str] = field(repr=False)
    """The fields that it asks records for: they follow from what the checksum is of."""
    kind: Literal["share", "rate", "level"] = "share"
    """What is counted."""
    rates: int = 1
    """How many rates it has."""
    strata: tuple[str, ...] = ()
    """Kinds of groups that are told of beside everybody."""

    @property
    def scopes(self) -> tuple[str, str]:
        """Where its groups stand."""
        return "", scope_of(self.measure, self.version)


def scope_of(measure: str, version: str) -> str:
    """Of groups that one measure names itself."""
    return f"{measure}/{version}"


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept: these measures and periods, by these functions."""

    counted: tuple[Counted, ...]
    functions: tuple[Evaluate, ...]
    groupings: tuple[Grouping, ...] = ()

    @property
    def checksum(self) -> str:
        """Of all of it, and of how it is evaluated."""
        return sha256(repr((EVALUATION, sorted(map(repr, self.counted)))).encode()).hexdigest()

    @property
    def reads(self) -> Reads:
        """The record types and fields that decide; of others nothing need be read."""
        paid = {"coverage"} if any("payer" in each.strata for each in self.counted) else set[str]()
        fields_ = frozenset[str]().union(*(each.fields for each in self.counted))
        return reads(paid.union(*(each.record_types for each in self.counted)), fields_)

    def evaluate(self, person: Person) -> Iterator[Stands]:
        """Everything that the person stands in."""
        for function in self.functions:
            yield from function(person)

    def groups(self, person: Person) -> Iterator[Belongs]:
        """Every group that the person is of."""
        for grouping in self.groupings:
            yield from grouping(person)

    def __add__(self, other: "Plan") -> "Plan":
        return Plan(
            self.counted + other.counted,
            self.functions + other.functions,
            self.groupings + other.groupings,
        )


NOTHING = Plan((), ())


def official(definition: Definition, year: str, period: Period, valuesets: ValueSets) -> Plan:
    """A published measure of one year. Only those stand in it who are in its initial population, or may be."""
    evaluator = InMemory(period, valuesets)
    rates = [
        {name: evaluator.of_person(truth) for name, truth in (*each.members().items(), ("unknown", each.in_doubt()))}
        for each in definition.groups
    ]

    def evaluate(person: Person) -> Iterator[Stands]:
        for number, rate in enumerate(rates, start=1):
            found = {name: answer(person) is True for name, answer in rate.items()}
            if found["initial-population"] or found["unknown"]:
                yield Stands(definition.id, definition.version, year, number, "", found)

    strata = [(each.name, evaluator.of_person(Surely(each))) for each in definition.groups[0].strata]

    def groups(person: Person) -> Iterator[Belongs]:
        for name, answer in strata:
            if answer(person) is True:
                yield Belongs(scope_of(definition.id, definition.version), STRATUM, name)

    counted = Counted(
        definition.id,
        definition.version,
        year,
        period.first.isoformat(),
        period.last.isoformat(),
        tuple(rates[0]),
        tuple(sorted(set(_record_types(definition.groups)))),
        sha256(repr((definition.groups, _checksums(valuesets))).encode()).hexdigest(),
        fields_asked(definition.groups),
        rates=len(rates),
        strata=(STRATUM,) if strata else (),
    )
    return Plan((counted,), (evaluate,), (groups,) if strata else ())


def _record_types(node: object) -> Iterator[str]:
    if isinstance(node, Series):
        yield node.record
    parts = node if isinstance(node, tuple) else ()
    if is_dataclass(node):
        parts = tuple(getattr(node, each.name) for each in fields(node))
    for part in parts:
        yield from _record_types(part)


def _checksums(valuesets: ValueSets) -> list[tuple[str, str]]:
    return sorted((url, each.checksum) for url, each in valuesets.by_url.items())
