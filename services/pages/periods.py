"""A series' periods: one row a month or a quarter, those without visits too."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from statistics import median

from services.charts.ladder import SMALLEST
from services.charts.point import Point
from services.measures.evaluate import Counts, Period

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
    seen: int
    measured: int
    met: int
    age_unknown: int
    point: Point | None = None
    notes: tuple[int, ...] = ()
    """Numbers of the notes on signals it is part of."""

    @property
    def unmeasured(self) -> int:
        """Seen, and the outcome unknown."""
        return self.seen - self.measured

    @property
    def proportion(self) -> float | None:
        """Met of measured."""
        return self.met / self.measured if self.measured else None

    @property
    def small(self) -> bool:
        """Too few to say much."""
        return self.measured < SMALL


def rows_of(counts: Iterable[Counts], period: Period, since: str, until: str) -> tuple[Row, ...]:
    """One row a period from the month `since` to the date `until`; the last only if it is over or anybody was seen in it."""
    found: dict[str, list[Counts]] = defaultdict(list)
    for count in counts:
        found[count.period].append(count)
    rows = []
    start, months = date.fromisoformat(since + "-01"), 1 if period == "month" else 3
    while start.isoformat() <= until:
        after = _months_later(start, months)
        cells = found[start.isoformat()[:7] if months == 1 else f"{start.year}-Q{(start.month + 2) // 3}"]
        rows.append(_row(start, after - timedelta(days=1), cells, until))
        start = after
    while rows and not rows[-1].complete and not rows[-1].seen and len(rows) > 1:
        rows.pop()
    return tuple(rows)


def _row(start: date, end: date, cells: Iterable[Counts], until: str) -> Row:
    cells = list(cells)
    same_month = (start.year, start.month) == (end.year, end.month)
    return Row(
        label=f"{start:%B %Y}" if same_month else f"{start:%B} to {end:%B %Y}",
        start=start,
        end=end,
        complete=end.isoformat() < until,
        seen=sum(cell.seen for cell in cells),
        measured=sum(cell.measured for cell in cells),
        met=sum(cell.met for cell in cells),
        age_unknown=sum(cell.age_unknown for cell in cells),
    )


def _months_later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    return date(start.year + years, month + 1, 1)


def typical(counts: Iterable[Counts]) -> float:
    """Median number of measured patients in a period that has any."""
    periods: dict[str, int] = defaultdict(int)
    for count in counts:
        periods[count.period] += count.measured
    return median([n for n in periods.values() if n] or [0])
