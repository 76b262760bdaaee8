"""Event series, the events in them, and single events picked out of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from services.measures.language.codes import Codes
from services.measures.language.moments import Moment, Span, SpanOf
from services.measures.language.truths import AllOf, Not, Truth, all_of, any_of


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

    def field(self, name: str) -> Field:
        """A field of its record."""
        return Field(self, name)


@dataclass(frozen=True, slots=True)
class Field:
    """A field of an event's record, or a fact that a component of it holds (`part`)."""

    row: Row
    name: str
    part: Codes | None = None

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

    def compare(self, how: Literal["<", "<=", ">", ">="], number: str, unit: str | None = None) -> Truth:
        """Its number against another; unknown where it has none, or is in another unit."""
        return Compare(self, how, Decimal(number), unit)


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
    how: Literal["<", "<=", ">", ">="]
    number: Decimal
    unit: str | None


@dataclass(frozen=True, slots=True)
class Linked(Truth):
    """The visit that this event belongs to is such; unknown where it names none that is known."""

    row: Row
    such: Truth


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


@dataclass(frozen=True, slots=True)
class Series:
    """A person's events of one record type for which the condition holds. `noun` names them in words, in the plural."""

    record: str
    noun: str
    such: Truth = EVERY

    def where(self, *truths: Truth) -> Series:
        """Those of them for which all these hold too."""
        old = self.such.of if isinstance(self.such, AllOf) else (self.such,)
        return replace(self, such=AllOf((*old, *truths)))

    def with_any(self, other: Series | Pick, *such: Truth) -> Series:
        """Those that stand so to some event of another series: in the condition `THIS` is of this one, `OTHER` of that."""
        return self.where(Joined(other, all_of(*such)))

    def without_any(self, other: Series | Pick, *such: Truth) -> Series:
        """Those that stand so to no event of another series."""
        return self.where(Not(Joined(other, all_of(*such))))

    def first(self, name: str, by: Moment | Field) -> Pick:
        """The first of them, named in words; what has no such moment or number comes before all that have."""
        return Pick(self, "first", by, name)

    def last(self, name: str, by: Moment | Field) -> Pick:
        """The last of them, named in words."""
        return Pick(self, "last", by, name)

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

    def exists(self) -> Truth:
        """There is one."""
        return Exists(self)


THIS, OTHER = Row("this"), Row("other")


def either(series: Iterable[Series]) -> Truth:
    """There is an event in one of them."""
    return any_of(*(each.exist() for each in series))
