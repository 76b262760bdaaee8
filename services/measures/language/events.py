"""Event series, the events in them, and single events picked out of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import cache
from typing import Literal, get_args

from schemas.events import IMPLAUSIBLE_FLAGS
from schemas.outcomes import RECORD_TYPES
from schemas.outcomes.observations import NO_RESULT
from services.measures.language.codes import Codes, CodeSet
from services.measures.language.moments import PERIOD, Moment, Span, SpanOf
from services.measures.language.truths import AllOf, AnyOf, Named, Not, Surely, Truth, all_of, any_of, named, not_

MAIN_SPAN = {
    "encounter": "period",
    "condition": "prevalence",
    "observation": "effective",
    "derived_observation": "effective",
    "pro_response": "effective",
    "procedure": "performed",
    "medication": "taking",
    "service_request": "authored",
    "enrolment": "membership",
    "set_aside": "validity",
}
"""When an event of a record type is, where nothing else is said."""
OF_THE_REGISTRY = frozenset({"flags", "arrived", "arrived_date"})
"""What the registry says of any record."""
SET_ASIDE = frozenset({"id", "site", "subject", "measure", "reason", "since_date", "until_date", "by"})
How = Literal["<", "<=", ">", ">="]
Number = int | float | Decimal | str


@dataclass(frozen=True, slots=True)
class Row:
    """One event: the one asked about (`THIS`), the one it is joined with (`OTHER`), or one that was picked."""

    which: Literal["this", "other"] | Pick

    @property
    def period(self) -> Span:
        """From start to end of a visit."""
        return SpanOf(self, "period")

    @property
    def prevalence(self) -> Span:
        """While a diagnosis holds: from its onset to its abatement, on and on while it is active."""
        return SpanOf(self, "prevalence")

    @property
    def effective(self) -> Span:
        """When a result was true of the person."""
        return SpanOf(self, "effective")

    @property
    def issued(self) -> Span:
        """When a result was made available."""
        return SpanOf(self, "issued")

    @property
    def performed(self) -> Span:
        """When a procedure was done."""
        return SpanOf(self, "performed")

    @property
    def authored(self) -> Span:
        """When an order was written."""
        return SpanOf(self, "authored")

    @property
    def supply(self) -> Span:
        """The days an order of a medication supplies."""
        return SpanOf(self, "supply")

    @property
    def taking(self) -> Span:
        """While a medicine is taken: to its end, else as long as the supply lasts, else on and on while the order is active."""
        return SpanOf(self, "taking")

    @property
    def arrival(self) -> Span:
        """When the site first stored it."""
        return SpanOf(self, "arrival")

    @property
    def membership(self) -> Span:
        """While an enrolment lasts."""
        return SpanOf(self, "membership")

    @property
    def validity(self) -> Span:
        """While a site's word on somebody holds."""
        return SpanOf(self, "validity")

    @property
    def value(self) -> Field:
        """Its number."""
        return Field(self, "value")

    def field(self, name: str) -> Field:
        """A field of its record."""
        return Field(self, name)

    def at(self, visit: Row) -> Truth:
        """It was recorded at a visit, or the visit names it among its diagnoses."""
        return Belongs(self, visit)

    def is_a(self, *codes: CodeSet) -> Truth:
        """Its normalised code is in one of these sets; where it has none, it is not."""
        return any_of(*(IsA(self, each) for each in codes))


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event's record, or a fact that a component of it holds (`part`)."""

    row: Row
    name: str
    part: Codes | None = None

    def __post_init__(self) -> None:
        if isinstance(self.row.which, Pick):
            demand_fields(self.row.which.series.record, [self.name])

    def one_of(self, *values: str) -> Truth:
        """It is one of these words; unknown where it is missing."""
        return OneOf(self, values)

    def coded(self, *codes: Codes) -> Truth:
        """One of its codings is among these codes."""
        return Coded(self, codes)

    @property
    def known(self) -> Truth:
        """There is something in it."""
        return Known(self.row, (self.name,))

    def compare(self, how: How, number: str, unit: str | None = None) -> Truth:
        """Its number against another; unknown where it has none, or is in another unit."""
        if how not in get_args(How):
            raise ValueError(f"numbers are compared by {', '.join(get_args(How))}, not by {how}")
        return Compare(self, how, Decimal(number), unit)

    def __lt__(self, number: Number) -> Truth:
        return self.compare("<", str(number))

    def __le__(self, number: Number) -> Truth:
        return self.compare("<=", str(number))

    def __gt__(self, number: Number) -> Truth:
        return self.compare(">", str(number))

    def __ge__(self, number: Number) -> Truth:
        return self.compare(">=", str(number))

    def within(self, lowest: str, highest: str) -> Truth:
        """The number that is written there lies between two others, both included; unknown where it has none."""
        return Within(self, Decimal(lowest), Decimal(highest))

    def decides(self, how: How, number: str) -> Truth:
        """It is certain on which side it lies: a bound such as `> 40` says nothing of 50."""
        so = self.compare(how, number)
        return named(f"It says whether it is {how} {number}", any_of(so, not_(so)))


@dataclass(frozen=True, slots=True)
class OneOf(Truth):
    """A word among words."""

    field: Field
    values: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Coded(Truth):
    """A coding among codes."""

    field: Field
    codes: tuple[Codes, ...]


@dataclass(frozen=True, slots=True)
class Known(Truth):
    """Any of these fields has something in it."""

    row: Row
    fields: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compare(Truth):
    """A number against a number. `unit`: the only one in which it says something."""

    field: Field
    how: How
    number: Decimal
    unit: str | None


@dataclass(frozen=True, slots=True)
class Within(Truth):
    """A number as it is written, between two others."""

    field: Field
    lowest: Decimal
    highest: Decimal


@dataclass(frozen=True, slots=True)
class IsA(Truth):
    """A normalised code among the codes of a set."""

    row: Row
    codes: CodeSet


@dataclass(frozen=True, slots=True)
class Belongs(Truth):
    """An event and a visit that it was recorded at, or that names it among its diagnoses."""

    row: Row
    visit: Row


@dataclass(frozen=True, slots=True)
class Linked(Truth):
    """The visit that this event belongs to is such; unknown where it names none that is known."""

    row: Row
    such: Truth

    def __post_init__(self) -> None:
        demand_fields("encounter", asked_of(self.such, "this"))


@dataclass(frozen=True, slots=True)
class Joined(Truth):
    """With some event of a series it stands so."""

    series: Series | Pick
    such: Truth


@dataclass(frozen=True, slots=True)
class Exists(Truth):
    """There is an event in the series."""

    series: Series | Pick


EVERY = AllOf(())
WITH_STATUS = ("observation", "pro_response")
"""Records whose result may be none yet, or no more."""


@dataclass(frozen=True, slots=True)
class Series:
    """A person's events of one record type for which the condition holds. `noun` names them in words, in the plural."""

    record: str
    noun: str
    such: Truth = EVERY

    def where(self, *truths: Truth) -> Series:
        """Those of them for which all these hold too. ValueError for a field that such a record has not."""
        for truth in truths:
            demand_fields(self.record, asked_of(truth, "this"))
        old = self.such.of if isinstance(self.such, AllOf) else (self.such,)
        return replace(self, such=AllOf((*old, *truths)))

    def with_any(self, other: Series | Pick, *such: Truth) -> Series:
        """Those that stand so to some event of another series: in the condition `THIS` is of this one, `OTHER` of that."""
        return self.where(_joined(other, such))

    def without_any(self, other: Series | Pick, *such: Truth) -> Series:
        """Those that stand so to no event of another series."""
        return self.where(Not(_joined(other, such)))

    @property
    def when(self) -> Span:
        """When each of them is."""
        return SpanOf(THIS, MAIN_SPAN[self.record])

    def in_period(self) -> Series:
        """Those that begin in the measurement period."""
        return self.where(self.when.starts_during(PERIOD))

    def in_the_days_up_to_the_end(self, days: int) -> Series:
        """Those that begin in so many days that end with the measurement period."""
        return self.where(self.when.start.days_before(days - 1, PERIOD.end))

    def usable(self, lowest: str | None = None, highest: str | None = None) -> Series:
        """Those with a final number that nothing flags as implausible; within bounds, where they are given."""
        value = Field(THIS, "value")
        bounded = lowest is not None and highest is not None
        conditions = [value.within(str(lowest), str(highest)) if bounded else value.known]
        if self.record in WITH_STATUS:
            conditions.append(not_(Surely(Field(THIS, "status").one_of(*NO_RESULT))))
        conditions.append(not_(Surely(Field(THIS, "flags").one_of(*IMPLAUSIBLE_FLAGS))))
        between = f" from {lowest} to {highest}" if bounded else ""
        return self.where(named(f"Usable: a final number{between} that nothing flags as implausible", *conditions))

    def first(self, name: str = "", by: Moment | Field | None = None) -> Pick:
        """The first of them, named in words; what has no such moment or number comes before all that have."""
        return Pick(self, "first", by or self.when.start, name or f"the first of the {self.noun}")

    def last(self, name: str = "", by: Moment | Field | None = None) -> Pick:
        """The last of them, named in words."""
        return Pick(self, "last", by or self.when.start, name or f"the last of the {self.noun}")

    def exist(self) -> Truth:
        """There is one."""
        return Exists(self)


@dataclass(frozen=True, slots=True)
class Pick:
    """One event of a series, or none. Ties: the one with the smaller record id."""

    series: Series
    which: Literal["first", "last"]
    by: Moment | Field
    name: str

    @property
    def event(self) -> Row:
        """The event, to ask about it."""
        return Row(self)

    @property
    def value(self) -> Field:
        """Its number."""
        return self.event.value

    def exists(self) -> Truth:
        """There is one."""
        return Exists(self)


THIS, OTHER = Row("this"), Row("other")


def _joined(other: Series | Pick, such: tuple[Truth, ...]) -> Joined:
    record = other.record if isinstance(other, Series) else other.series.record
    demand_fields(record, asked_of(all_of(*such), "other"))
    return Joined(other, all_of(*such))


def asked_of(truth: Truth, which: Literal["this", "other"]) -> Iterator[str]:
    """The fields that a condition asks one of its events for. A condition within it that joins has another `OTHER`."""
    if isinstance(truth, OneOf | Coded | Compare | Within) and truth.field.row.which == which:
        yield truth.field.name
    elif isinstance(truth, Known) and truth.row.which == which:
        yield from truth.fields
    elif isinstance(truth, AllOf | AnyOf):
        for each in truth.of:
            yield from asked_of(each, which)
    elif isinstance(truth, Not | Surely | Named):
        yield from asked_of(truth.of, which)
    elif isinstance(truth, Joined) and which == "this":
        yield from asked_of(truth.such, which)


def demand_fields(record: str, names: Iterable[str]) -> None:
    """ValueError for a name that no record of the type has: it would be unknown of all of them, in silence."""
    if wrong := [name for name in names if name not in _fields(record)]:
        raise ValueError(f"a record of the type {record} has no field {wrong[0]}")


@cache
def _fields(record: str) -> frozenset[str]:
    own = SET_ASIDE if record == "set_aside" else frozenset(RECORD_TYPES[record].model_fields)
    return own | OF_THE_REGISTRY


def either(series: Iterable[Series]) -> Truth:
    """There is an event in one of them."""
    return any_of(*(each.exist() for each in series))
