"""A measure's results as a page shows them: the network's and each site's series of periods, with their control charts."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from statistics import median

from sqlalchemy import Connection

from schemas.loads import LoadEventType
from services.charts.spc import PChart, Point, Rule, Signal, Subgroup, p_chart
from services.measures.evaluate import Counts, Known, Period, evaluate, known, last_visit
from services.measures.measure import Measure
from services.registry.completeness import SiteCompleteness, completeness

SMALL = 5
"""Below this a period's proportion says little: drawn hollow; and where the typical month is so small, quarters are drawn."""
YEARS_BEFORE = 2
"""The chart begins in January, so many years before the year of the last visit; its first 12 points are the baseline."""
NEEDED = ("Patient", "Encounter", "Condition", "Observation")
"""FHIR resource types a measure of this kind needs from a site."""


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
    def middle(self) -> date:
        """The day in the middle of the period."""
        return self.start + (self.end - self.start) // 2

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


@dataclass(frozen=True, slots=True)
class Note:
    """A signal in plain words."""

    number: int
    when: str
    last: date
    """Start of its last period."""
    better: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """The network or one site."""

    name: str
    title: str
    period: Period
    rows: tuple[Row, ...]
    chart: PChart | None
    """None where there are too few patients even in a quarter: then the points alone are shown."""
    notes: tuple[Note, ...]
    headline: str
    site: SiteCompleteness | None
    known: Known | None

    @property
    def drawn(self) -> bool:
        """Whether there is a point to draw."""
        return any(row.measured for row in self.rows)

    @property
    def missing(self) -> list[str]:
        """Resource types the site never loaded: its figures cannot be known."""
        return missing_types(self.site) if self.site else []


@dataclass(frozen=True, slots=True)
class Report:
    """A measure on one network's registry."""

    measure: Measure
    network: Series
    sites: tuple[Series, ...]
    as_of: datetime
    """When the last site's data were brought."""

    @property
    def drawn(self) -> bool:
        """Whether there is anything to draw."""
        return self.network.drawn


def make_report(connection: Connection, measure: Measure, network: str, now: datetime) -> Report:
    """Evaluates the measure and lays its results out."""
    loaded = {site.site: site for site in completeness(connection)}
    as_of = max((site.last_completed for site in loaded.values() if site.last_completed), default=now)
    until = as_of.date().isoformat()
    last = last_visit(connection, measure, until=until) or until
    since = f"{int(last[:4]) - YEARS_BEFORE}-01"
    counts = {
        "month": evaluate(connection, measure, "month", since=since, until=until),
        "quarter": evaluate(connection, measure, "quarter", since=since, until=until),
    }
    cohort = {site.site: site for site in known(connection, measure, since=since, until=until)}
    names = sorted(loaded.keys() | cohort.keys() | {count.site for count in counts["month"]})

    def series(name: str, title: str, where: str, sites: Sequence[str]) -> Series:
        ours = {period: [count for count in found if count.site in sites] for period, found in counts.items()}
        period: Period = "quarter" if _typical(ours["month"]) < SMALL else "month"
        rows = _rows(ours[period], period, since, until)
        chart, drawn = _chart(rows), [row for row in rows if row.measured and row.complete]
        if chart and _typical(ours[period]) >= SMALL:
            rows, notes = _annotated(rows, drawn, chart, measure, period)
        else:
            chart, notes = None, ()
        headline = _headline(measure, where, rows, since)
        if name in loaded and (lacking := missing_types(loaded[name])) and not any(row.seen for row in rows):
            headline = f"{where}, nothing is known yet: {', '.join(lacking)} not loaded."
        return Series(name, title, period, rows, chart, notes, headline, loaded.get(name), cohort.get(name))

    telling = [name for name in names if name not in loaded or not missing_types(loaded[name])]
    where = f"Across {len(telling)} sites" if len(telling) > 1 else "In the network"
    whole = series("", network, where, names)
    return Report(measure, whole, tuple(series(n, title_of(n), f"At {title_of(n)}", [n]) for n in names), as_of)


def missing_types(site: SiteCompleteness) -> list[str]:
    """Resource types a measure needs and the site never loaded."""
    return [name for name in NEEDED if site.types[name].state == "not loaded"]


def title_of(site: str) -> str:
    """A site's id as a name."""
    return site.replace("-", " ").replace("_", " ").title()


def _typical(counts: Iterable[Counts]) -> float:
    """Median number of measured patients in a period that has any."""
    periods: dict[str, int] = defaultdict(int)
    for count in counts:
        periods[count.period] += count.measured
    return median([n for n in periods.values() if n] or [0])


def _rows(counts: Iterable[Counts], period: Period, since: str, until: str) -> tuple[Row, ...]:
    """One row a period from `since` to `until`, those without visits too."""
    found: dict[str, list[Counts]] = defaultdict(list)
    for count in counts:
        found[count.period].append(count)
    rows = []
    start, months = date.fromisoformat(since + "-01"), 1 if period == "month" else 3
    while start.isoformat() <= until:
        after = _months_later(start, months)
        cells = found[start.isoformat()[:7] if months == 1 else f"{start.year}-Q{(start.month + 2) // 3}"]
        end = after - timedelta(days=1)
        rows.append(
            Row(
                label=f"{start:%B %Y}" if months == 1 else f"{start:%B} to {end:%B %Y}",
                start=start,
                end=end,
                complete=end.isoformat() < until,
                seen=sum(c.seen for c in cells),
                measured=sum(c.measured for c in cells),
                met=sum(c.met for c in cells),
                age_unknown=sum(c.age_unknown for c in cells),
            )
        )
        start = after
    while rows and not rows[-1].complete and not rows[-1].seen and len(rows) > 1:
        rows.pop()
    return tuple(rows)


def _months_later(start: date, months: int) -> date:
    years, month = divmod(start.month - 1 + months, 12)
    return date(start.year + years, month + 1, 1)


def _chart(rows: Iterable[Row]) -> PChart | None:
    return p_chart([Subgroup(row.met, row.measured) for row in rows if row.measured and row.complete])


def _annotated(
    rows: Sequence[Row], drawn: Sequence[Row], chart: PChart, measure: Measure, period: Period
) -> tuple[tuple[Row, ...], tuple[Note, ...]]:
    """The rows with their points and the numbers of the notes they are part of, and the notes."""
    groups = _grouped(chart.signals)
    notes = tuple(_note(number, group, drawn, measure, period) for number, group in enumerate(groups, start=1))
    places = {id(row): place for place, row in enumerate(drawn)}

    def annotated(row: Row) -> Row:
        place = places.get(id(row))
        if place is None:
            return row
        numbers = tuple(
            number
            for number, group in enumerate(groups, start=1)
            if any(signal.first <= place <= signal.last for signal in group)
        )
        return replace(row, point=chart.points[place], notes=numbers)

    return tuple(map(annotated, rows)), notes


def _grouped(signals: Iterable[Signal]) -> list[tuple[Signal, ...]]:
    """Signals that one note tells: points beyond the same limit together, every run on its own."""
    groups: dict[object, list[Signal]] = defaultdict(list)
    for signal in sorted(signals, key=lambda signal: (signal.first, signal.last)):
        groups[signal.up if signal.rule is Rule.BEYOND_LIMITS else signal].append(signal)
    return [tuple(group) for group in groups.values()]


def _note(number: int, group: Sequence[Signal], drawn: Sequence[Row], measure: Measure, period: Period) -> Note:
    when = [
        drawn[s.first].label if s.first == s.last else f"{drawn[s.first].label} to {drawn[s.last].label}" for s in group
    ]
    better = None if group[0].up is None else group[0].up == measure.higher_is_better
    return Note(number, ", ".join(when), drawn[group[-1].last].start, better, explain(group[0], period))


def explain(signal: Signal, period: Period) -> str:
    """What a signal says, in plain words."""
    length, way = signal.last - signal.first + 1, "above" if signal.up else "below"
    match signal.rule:
        case Rule.BEYOND_LIMITS:
            return f"{way} the {'upper' if signal.up else 'lower'} limit: further from the average than chance would take it"
        case Rule.SHIFT:
            return f"{length} {period}s in a row {way} the average: the level has changed"
        case Rule.TREND:
            return f"{'rising' if signal.up else 'falling'} over {length} {period}s in a row"
        case Rule.OUTER_THIRD:
            return f"two of three {period}s in a row close to or beyond the {'upper' if signal.up else 'lower'} limit"
        case Rule.INNER_THIRD:
            return f"{length} {period}s in a row unusually close to the average: less variation than chance gives; look at how it is counted"


def _headline(measure: Measure, where: str, rows: Sequence[Row], since: str) -> str:
    """The last complete period with visits in plain words; else the one under way; else that nobody was seen."""
    seen = [row for row in rows if row.seen]
    row = next((row for row in reversed(seen) if row.complete), seen[-1] if seen else None)
    if row is None:
        return measure.sentence(
            where, f"the time since {date.fromisoformat(since + '-01'):%B %Y}", measured=0, met=0, unmeasured=0
        )
    when = row.label if row.complete else f"{row.label} so far"
    return measure.sentence(where, when, measured=row.measured, met=row.met, unmeasured=row.unmeasured)


def freshness(site: SiteCompleteness) -> str:
    """When the site's data were last brought, in plain words."""
    if site.last_completed is None:
        return "no load completed yet"
    when = f"{site.last_completed.astimezone(UTC):%-d %B %Y, %H:%M} UTC"
    if site.last_event == LoadEventType.FAILED:
        return f"{when}; the load after it failed"
    return when
