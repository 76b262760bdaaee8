"""What a measure declares: who is in, who is left out, who met it; what it is for and how it is shown; and how the counts follow."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from typing import Literal

from services.measures.language.codes import CodeSet
from services.measures.language.events import Exists, Field, Series
from services.measures.language.moments import PERIOD, Span
from services.measures.language.nodes import Periodic, found_in
from services.measures.language.truths import AllOf, AnyOf, Named, Surely, Truth, all_of, not_
from services.measures.language.vocabulary import set_aside

NOBODY = Named("Nobody", AnyOf(()))
PROPOSAL = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class Populations:
    """A proportion of persons. Each condition is of one person; the denominator is of the initial population."""

    initial: Named
    numerator: Named
    denominator: Named | None = None
    """Within the initial population; none: all of it."""
    exclusions: Named = NOBODY
    exceptions: Named | None = None
    """Who leaves the denominator where the numerator is not met; none: the measure knows no exceptions."""
    strata: tuple[Named, ...] = field(default=(), repr=False)
    """Groups of people that are told of beside all of them."""

    def named(self) -> dict[str, Named]:
        """The conditions by the codes of FHIR's measure-population."""
        found = {
            "initial-population": self.initial,
            "denominator": self.denominator,
            "denominator-exclusion": self.exclusions,
            "numerator": self.numerator,
            "denominator-exception": self.exceptions,
        }
        return {code: condition for code, condition in found.items() if condition is not None}

    def asked_of(self, population: str) -> Named:
        """The condition that decides a population; of the denominator the initial population's, where it has none of its own."""
        return self.named().get(population, self.initial)

    def members(self) -> dict[str, Truth]:
        """Who is counted in each, as FHIR's Quality Measure guide scores a proportion: excluded before met, met before excepted.

        Unknown is not counted: it is no member.
        """
        initial, met = Surely(self.initial), Surely(self.numerator)
        denominator = initial if self.denominator is None else all_of(initial, Surely(self.denominator))
        counting = all_of(denominator, not_(Surely(self.exclusions)))
        found: dict[str, Truth] = {
            "initial-population": initial,
            "denominator": denominator,
            "denominator-exclusion": all_of(denominator, Surely(self.exclusions)),
            "numerator": all_of(counting, met),
        }
        if self.exceptions is not None:
            found["denominator-exception"] = all_of(counting, not_(met), Surely(self.exceptions))
        return found

    def of_stratum(self, stratum: Named) -> dict[str, Truth]:
        """Who is counted in each, of a stratum alone."""
        return {code: all_of(truth, Surely(stratum)) for code, truth in self.members().items()}

    def in_doubt(self) -> Truth:
        """Of whom it is unknown whether they are in the initial population: counted beside."""
        return all_of(not_(Surely(self.initial)), not_(Surely(not_(self.initial))))


def _joined(truth: Truth) -> Iterator[Truth]:
    """A condition, and those all of which it asks for."""
    yield truth
    for part in truth.of if isinstance(truth, AllOf) else (truth.of,) if isinstance(truth, Named) else ():
        yield from _joined(part)


@dataclass(frozen=True, slots=True)
class Definition:
    """A published measure for one measurement year."""

    id: str
    version: str
    title: str
    sources: tuple[str, ...]
    sentence: str
    """What it says of people, in plain words."""
    direction: Literal["increase", "decrease"]
    """Which way is better."""
    groups: tuple[Populations, ...]
    differs: tuple[str, ...] = ()
    """Where it is not as published, since the stream does not hold what is asked for, or holds it otherwise; in plain words."""


@dataclass(frozen=True, slots=True)
class Change:
    """A version of a definition. From the second on, charts begin a new phase with it."""

    version: str
    since: str
    """The month from which it counts: `2026-10`."""
    what: str
    proposal: str = ""
    """The id of the proposal that it follows, as its page names it; empty where it follows none."""


@dataclass(frozen=True)
class Measure:
    """A measure of the network. Texts are in plain words, for patients and families too."""

    id: str
    owner: str
    """Who answers for the definition."""
    title: str
    question: str
    people: tuple[str, str]
    """Whom it counts: one, several."""
    achievement: str
    """What is wanted of them, after "had"; of a rate what is counted; of a level what is measured."""
    rationale: str
    sources: tuple[str, ...]
    direction: Literal["increase", "decrease"]
    """Which way is better."""
    chart: Literal["p", "pp", "u", "i", "xbar"]
    cohort: Named
    """Whose measure it is: people of any age, seen or not."""
    among: Series
    """The events of a period that make a person, or each of themselves, count in it."""
    who: Populations
    changes: tuple[Change, ...]
    """Its versions, the first one first."""
    unknown: str
    """Who counts beside the chart, in words."""
    per: Literal["person", "event", "person-time"] = "person"
    target: Decimal | None = None
    """What is wanted of the network: a share, a rate or a level."""
    minimum: int = 5
    """Below so many in a period a point says little."""
    strata: tuple[str, ...] = ("sex", "race", "ethnicity", "language", "payer", "distance")
    """Besides the site."""
    attribution: str = (
        "The site of the last visit of the period, while the site has the person enrolled or enrols nobody"
    )
    value: Field | None = None
    """Of a level: the number of each."""
    unit: str = ""
    events: Series | None = None
    """Of a rate: what is counted."""
    time: Span | None = None
    """Of a rate: when it could happen to somebody."""
    per_years: int = 100
    """Of a rate: events in so many years of one person."""

    def __post_init__(self) -> None:
        charts = {"share": ("p", "pp"), "rate": ("u",), "level": ("i", "xbar")}[self.kind]
        if self.chart not in charts:
            raise ValueError(f"{self.id}: a {self.kind} is drawn as {' or '.join(charts)}, not as {self.chart}")
        if self.kind == "rate" and (self.events is None or self.time is None):
            raise ValueError(f"{self.id}: a rate needs `events` and `time`")
        if not self.changes:
            raise ValueError(f"{self.id}: it has no version: give `changes`")
        if wrong := [each.version for each in self.changes if each.proposal and not PROPOSAL.fullmatch(each.proposal)]:
            raise ValueError(f"{self.id}: version {wrong[0]} names a proposal by no id: give the 32 digits of its page")
        if not Periodic()(self.among):
            raise ValueError(f"{self.id}: `among` must ask for the period: in_period()")

    @property
    def version(self) -> str:
        """The present one."""
        return self.changes[-1].version

    @property
    def slug(self) -> str:
        """Its name in addresses: `cf2`."""
        return self.id.replace("-", "").lower()

    @property
    def higher_is_better(self) -> bool:
        """Which way is better."""
        return self.direction == "increase"

    @property
    def kind(self) -> Literal["share", "rate", "level"]:
        """What a point of its chart is."""
        return "rate" if self.per == "person-time" else "share" if self.value is None else "level"

    @property
    def aside(self) -> Named:
        """Whom the site has excluded for the time of the period."""
        return set_aside(self.id, PERIOD)

    @cached_property
    def confined_to(self) -> Series | None:
        """The events without one of which nobody can be in the initial population, nor perhaps be; none: anybody may be in it."""
        whose = self.cohort.of
        if not isinstance(whose, Exists) or not isinstance(whose.series, Series) or Periodic()(whose):
            return None
        return whose.series if self.cohort in _joined(self.who.initial) else None

    @cached_property
    def truths(self) -> dict[str, Truth]:
        """What is asked of each person or event: FHIR's populations without those set aside, these, and those in doubt."""
        members, aside = self.who.members(), Surely(self.aside)
        counted: dict[str, Truth] = {name: all_of(truth, not_(aside)) for name, truth in members.items()}
        return counted | {
            "set-aside": all_of(members["initial-population"], aside),
            "unknown": all_of(self.who.in_doubt(), not_(aside)),
        }

    @property
    def parts(self) -> tuple[object, ...]:
        """What it declares of people and their records, but for who is set aside."""
        return self.cohort, self.among, self.who, self.value, self.events, self.time

    @cached_property
    def records(self) -> tuple[str, ...]:
        """The record types it reads besides the person."""
        return tuple(dict.fromkeys(each.record for each in found_in(self.parts, Series)))

    @cached_property
    def code_sets(self) -> tuple[CodeSet, ...]:
        """The code sets it asks for."""
        return tuple(sorted(set(found_in(self.parts, CodeSet)), key=lambda each: each.id))

    @cached_property
    def checksum(self) -> str:
        """SHA-256 of what it computes, code sets and all: another is another version."""
        parts = (self.per, self.cohort, self.among, self.who, self.value, self.events, self.time, self.per_years)
        strata = (self.who.strata,) if self.who.strata else ()
        return sha256(repr((*parts, *strata)).encode()).hexdigest()
