"""What evaluates a person, and where the person stands then."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, is_dataclass
from hashlib import sha256
from typing import Literal, NamedTuple

from services.measures.compile import EVALUATION
from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person
from services.measures.declared import Definition
from services.measures.keeping.tables import POPULATIONS
from services.measures.language.events import Series
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
        return tuple(int(self.populations.get(code, False)) for code in POPULATIONS)


Evaluate = Callable[[Person], Iterable[Stands]]
"""A pure function of a person's records. Whoever counts in nothing of a period has no standing in it."""


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
    kind: Literal["share", "rate", "level"] = "share"
    """What is counted."""
    rates: int = 1
    """How many rates it has."""


_ALWAYS = frozenset(["person", "encounter", "observation", "set_aside"])
"""Who it is, the visit that a record names, the parts of a panel, and what the site said: no measure names them itself."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What is kept: these measures and periods, by these functions."""

    counted: tuple[Counted, ...]
    functions: tuple[Evaluate, ...]

    @property
    def checksum(self) -> str:
        """Of all of it, and of how it is evaluated."""
        return sha256(repr((EVALUATION, sorted(map(repr, self.counted)))).encode()).hexdigest()

    @property
    def reads(self) -> frozenset[str]:
        """The record types that decide; of others nothing need be read."""
        return _ALWAYS.union(*(each.record_types for each in self.counted))

    def evaluate(self, person: Person) -> Iterator[Stands]:
        """Everything that the person stands in."""
        for function in self.functions:
            yield from function(person)

    def __add__(self, other: "Plan") -> "Plan":
        return Plan(self.counted + other.counted, self.functions + other.functions)


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

    counted = Counted(
        definition.id,
        definition.version,
        year,
        period.first.isoformat(),
        period.last.isoformat(),
        tuple(rates[0]),
        tuple(sorted(set(_record_types(definition.groups)))),
        sha256(repr((definition.groups, _checksums(valuesets))).encode()).hexdigest(),
        rates=len(rates),
    )
    return Plan((counted,), (evaluate,))


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
