"""When: moments, spans of time, and how they lie to one another.

Days are the site's local days. A relation compares days unless it says `exactly`; then instants, where both sides have one.
A date that says only its month or year is any day of it; published measures compare it as CQL does (`stated`, `timed`).
What is missing is unknown; a span without an end goes on where its kind says so (a stay, an active diagnosis).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Literal

from services.measures.language.truths import Truth

if TYPE_CHECKING:
    from services.measures.language.events import Row

Precision = Literal["day", "stated", "timed", "instant"]
"""By days: so where every reading of a date known in part agrees. The others are as CQL compares, so only where what both state decides.
`stated`: days; 2026 is neither on nor before 2026-12-31. `instant`: a day is neither on nor before an instant of its own, and is on itself.
`timed`: instants likewise, where the other is from the first instant of a day to the last one of another."""
Relation = Literal[
    "overlaps",
    "overlaps_after",
    "during",
    "starts_during",
    "ends_during",
    "starts_before",
    "starts_no_later_than",
    "ends_no_later_than",
]


class Moment:
    """A point in time, known to the day or to the instant."""

    __slots__ = ()

    def plus(self, *, years: int = 0, months: int = 0, days: int = 0) -> Moment:
        """Later by calendar time, to the day; negative is earlier. A month's missing day is its last."""
        return Shifted(self, 12 * years + months, days)

    def during(self, span: Span) -> Truth:
        """Its day is one of the span's."""
        return Lies(Between(self, self), "during", span)

    def during_exactly(self, span: Span) -> Truth:
        """It is within the span, to the instant."""
        return Lies(Between(self, self), "during", span, "instant")

    def on_or_before(self, other: Moment) -> Truth:
        """Its day is not after another moment's."""
        return Lies(Between(self, self), "ends_no_later_than", Between(other, other))

    def same_day(self, other: Moment) -> Truth:
        """Both are on one day."""
        return WithinDays(self, other, 0)

    def days_before(self, most: int, later: Moment) -> Truth:
        """On the day of another moment, or at most so many days before it."""
        return WithinDays(self, later, most)

    def days_after(self, most: int, earlier: Moment) -> Truth:
        """On the day of another moment, or at most so many days after it."""
        return WithinDays(earlier, self, most)


class Span:
    """From a first to a last moment, both included."""

    __slots__ = ()

    @property
    def start(self) -> Moment:
        """Its first moment."""
        return Edge(self, "start")

    @property
    def end(self) -> Moment:
        """Its last moment."""
        return Edge(self, "end")

    @property
    def latest(self) -> Moment:
        """Its end where it has one, else its start."""
        return Edge(self, "latest")

    def lasts(self) -> Truth:
        """It has a day: it does not end before it starts."""
        return Lies(Between(self.start, self.start), "starts_no_later_than", Between(self.end, self.end))

    def overlaps(self, other: Span) -> Lies:
        """Some day is in both."""
        return Lies(self, "overlaps", other)

    def overlaps_exactly(self, other: Span) -> Truth:
        """Some instant is in both."""
        return Lies(self, "overlaps", other, "instant")

    def overlaps_after(self, other: Span) -> Truth:
        """It begins before the other is over, and goes on after it."""
        return Lies(self, "overlaps_after", other)

    def during(self, other: Span) -> Truth:
        """All of its days are the other's."""
        return Lies(self, "during", other)

    def starts_during(self, other: Span) -> Truth:
        """Its first day is one of the other's."""
        return Lies(self, "starts_during", other)

    def starts_during_exactly(self, other: Span) -> Truth:
        """Its first instant is one of the other's."""
        return Lies(self, "starts_during", other, "instant")

    def ends_during(self, other: Span) -> Lies:
        """Its last day is one of the other's."""
        return Lies(self, "ends_during", other)

    def starts_before(self, other: Span) -> Truth:
        """Its first day is before the other's first."""
        return Lies(self, "starts_before", other)

    def starts_before_exactly(self, other: Span) -> Truth:
        """Its first instant is before the other's first."""
        return Lies(self, "starts_before", other, "instant")

    def starts_no_later_than(self, other: Span) -> Lies:
        """Its first day is not after the other's last."""
        return Lies(self, "starts_no_later_than", other)

    def starts_no_later_than_exactly(self, other: Span) -> Truth:
        """Its first instant is not after the other's last."""
        return Lies(self, "starts_no_later_than", other, "instant")

    def ends_no_later_than(self, other: Span) -> Lies:
        """Its last day is not after the other's last."""
        return Lies(self, "ends_no_later_than", other)


@dataclass(frozen=True, slots=True)
class Bound(Moment):
    """First or last day of the measurement period, or the last known one."""

    which: Literal["start", "end", "known"]
    """`known`: the last day of it of which anything can be known."""


@dataclass(frozen=True, slots=True)
class Birthday(Moment):
    """The day a person turns so many years old."""

    years: int


@dataclass(frozen=True, slots=True)
class Death(Moment):
    """The day a person died; after all days where none is recorded."""


@dataclass(frozen=True, slots=True)
class Extreme(Moment):
    """The earliest or the latest of some moments."""

    which: Literal["earliest", "latest"]
    of: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class Edge(Moment):
    """An end of a span."""

    span: Span
    which: Literal["start", "end", "latest"]


@dataclass(frozen=True, slots=True)
class Shifted(Moment):
    """A moment moved by calendar time, to the day."""

    moment: Moment
    months: int
    days: int


@dataclass(frozen=True, slots=True)
class Between(Span):
    """From one moment to another; the name is for words."""

    first: Moment
    last: Moment
    name: str = ""


@dataclass(frozen=True, slots=True)
class SpanOf(Span):
    """A span that an event has, by name: `columns.py` says which fields hold it."""

    row: Row
    name: str


@dataclass(frozen=True, slots=True)
class Lies(Truth):
    """How one span lies to another."""

    left: Span
    relation: Relation
    right: Span
    by: Precision = "day"

    @property
    def timed(self) -> Lies:
        """The same to the instant, where the other is of whole days."""
        return replace(self, by="timed")


@dataclass(frozen=True, slots=True)
class WithinDays(Truth):
    """One moment is not after another, and at most so many days before it."""

    earlier: Moment
    later: Moment
    most: int
    by: Precision = field(default="day", repr=False)
    """No measure of the network says so: what identifies theirs leaves it out."""


PERIOD = Between(Bound("start"), Bound("end"), "the measurement period")
"""The measurement period."""
KNOWN = Bound("known")
"""The last day of the measurement period that was over when the data were last brought."""


def earliest(*moments: Moment) -> Moment:
    """The earliest of them."""
    return Extreme("earliest", moments)


def latest(*moments: Moment) -> Moment:
    """The latest of them."""
    return Extreme("latest", moments)
