"""A series' periods: one row a month or a quarter, those without visits too."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from services.charts.ladder import SMALLEST
from services.charts.point import Point
from services.measures.declared import Measure
from services.measures.evaluate.counts import Counts
from services.measures.evaluate.periods import Step
from services.measures.evaluate.sentences import value_of

SMALL = SMALLEST
"""Below this a period's proportion says little: drawn hollow; and where the typical month is so small, quarters are drawn."""


@dataclass(frozen=True, slots=True)
class Row:
    """One period of one series."""

    label: str
    """October 2026, or October to December 2026."""
    start: date
    end: date
    complete: bool
    """Whether the period was over when the data were last brought."""
    counts: Counts
    value: float | None
    """What its point shows: a share, a rate, a level."""
    point: Point | None = None
    notes: tuple[int, ...] = ()
    """Numbers of the notes on signals it is part of."""
    phase: int = 0
    """Of the lines it is judged by."""
    withheld: bool = False
    """Of so few, or of nobody, that nothing of it is told, not even which of the two."""

    @property
    def seen(self) -> int:
        """Who belongs to it."""
        return self.counts.seen

    @property
    def measured(self) -> int:
        """Of these, whose outcome is known."""
        return self.counts.measured

    @property
    def met(self) -> int:
        """Of these, who reached it; of a rate the events."""
        return self.counts.events if self.counts.days else self.counts.met

    @property
    def unmeasured(self) -> int:
        """Seen, and the outcome unknown."""
        return self.counts.unmeasured

    @property
    def small(self) -> bool:
        """Too few to say much."""
        return self.measured < SMALL


def withheld(row: Row) -> Row:
    """The period without any of its figures, and without what would tell them: its lines are the nearer the more it is of."""
    return Row(row.label, row.start, row.end, row.complete, Counts("", row.counts.period, 0, 0, 0), None, withheld=True)


def rows_of(measure: Measure, counts: Iterable[Counts], period: Step, since: str, until: str) -> tuple[Row, ...]:
    """One row a period from the month `since` to the date `until`; the last only if it is over or anybody was seen in it."""
    found = {count.period: count for count in counts}
    rows = []
    start, months = date.fromisoformat(since + "-01"), 1 if period == "month" else 3
    while start.isoformat() <= until:
        after = _months_later(start, months)
        name = start.isoformat()[:7] if months == 1 else f"{start.year}-Q{(start.month + 2) // 3}"
        rows.append(_row(measure, start, after - timedelta(days=1), found.get(name, Counts("", name, 0, 0, 0)), until))
        start = after
    while rows and not rows[-1].complete and not rows[-1].seen and len(rows) > 1:
        rows.pop()
    return tuple(rows)


def _row(measure: Measure, start: date, end: date, counts: Counts, until: str) -> Row:
    return Row(
        label=span(start, end),
        start=start,
        end=end,
        complete=end.isoformat() < until,
        counts=counts,
        value=value_of(measure, counts),
    )


def span(start: date, end: date) -> str:
    """From the month of one day to that of another: "March 2026", "January to March 2026", "October 2025 to March 2026"."""
    if (start.year, start.month) == (end.year, end.month):
        return f"{start:%B %Y}"
    return f"{start:%B} to {end:%B %Y}" if start.year == end.year else f"{start:%B %Y} to {end:%B %Y}"


def _months_later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    return date(start.year + years, month + 1, 1)


def typical(counts: Iterable[Counts]) -> float:
    """Median number of measured patients in a period that has any."""
    return median([count.measured for count in counts if count.measured] or [0])
