"""A measure's results as a page shows them: the network's and each site's series of periods, with their control charts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from services.charts.chart import Chart
from services.charts.icons import Assurance, Variation, assurance, variation
from services.charts.ladder import Rung, rung
from services.charts.patterns import Rule, Signal
from services.measures.declared import Measure
from services.measures.evaluate.counts import NETWORK, Cohort, Counts
from services.measures.evaluate.periods import Step
from services.pages.counted import Counted, Memory, Said
from services.pages.explaining import explain
from services.pages.lines import Proposed, Stretch, chart_of_rows, proposed_in, stretches_of
from services.pages.periods import Row, rows_of, span, typical
from services.pages.wording import headline, title_of
from services.people.phases import Begun
from services.people.tests_of_change import Tried
from services.registry.completeness import SiteCompleteness

RULES = "control"
"""The set of rules by which signals are found."""


@dataclass(frozen=True, slots=True)
class Note:
    """A signal in plain words."""

    number: int
    when: str
    first: date
    last: date
    """Starts of its first and its last period."""
    better: bool | None
    text: str


@dataclass(frozen=True, slots=True)
class Series:
    """The network, one site, or one group of either."""

    name: str
    title: str
    period: Step
    rows: tuple[Row, ...]
    chart: Chart | None
    """None where there are too few patients even in a quarter: then the points alone are shown."""
    notes: tuple[Note, ...]
    headline: str
    site: SiteCompleteness | None
    known: Cohort | None
    lacking: tuple[str, ...] = ()
    variation: Variation = Variation.TOO_FEW
    assurance: Assurance = Assurance.TOO_FEW
    stretches: tuple[Stretch, ...] = ()
    """Where new lines began, and by whose word."""
    proposed: tuple[Proposed, ...] = ()
    """Where a rule proposes some."""
    tried: tuple[Tried, ...] = ()
    """Tests of change in the time shown."""
    where: str = ""
    """As its sentences begin: At West, Across 8 sites."""

    @property
    def drawn(self) -> bool:
        """Whether there is a point to draw."""
        return any(row.measured for row in self.rows)

    @property
    def missing(self) -> list[str]:
        """Resource types the site never loaded: its figures cannot be known."""
        return list(self.lacking)

    @property
    def seen(self) -> bool:
        """Whether anybody who belongs to it was seen."""
        return any(row.seen for row in self.rows)

    @property
    def stopped(self) -> Row | None:
        """The last complete period with a value, where people were seen after it and nobody was measured: what it says is of then."""
        last = next((row for row in reversed(self.rows) if row.complete and row.seen), None)
        return self.last if last is not None and not last.measured else None

    @property
    def last(self) -> Row | None:
        """The last complete period with a value."""
        return next((row for row in reversed(self.rows) if row.complete and row.measured), None)


@dataclass(frozen=True, slots=True)
class Results:
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

    def of(self, site: str) -> Series | None:
        """A site's series; none where there is no such site."""
        return next((series for series in self.sites if series.name == site), None)


def results_of(
    connection: Connection, measure: Measure, network: str, now: datetime, *, memory: Memory | None = None
) -> Results:
    """Evaluates the measure, or remembers, and lays its results out."""
    memory = memory or Memory()
    found, said = memory.counted(connection, measure, now)
    return memory.remembered(found, said, lambda: laid_out(found, said, network))


def laid_out(found: Counted, said: Said, network: str) -> Results:
    """Every series."""
    telling = [site for site in found.sites if not found.missing(site)]
    where = f"Across {len(telling)} sites" if len(telling) > 1 else "In the network"
    sites = tuple(series_of(found, said, site, title_of(site), f"At {title_of(site)}") for site in found.sites)
    return Results(found.measure, series_of(found, said, NETWORK, network, where), sites, found.as_of)


def series_of(
    found: Counted,
    said: Said,
    name: str,
    title: str,
    where: str,
    counts: Mapping[Step, Sequence[Counts]] | None = None,
) -> Series:
    """The series of a site, of all together, or of the `counts` of one group; by quarter where a typical month is small, without
    limits where a quarter is too.
    """
    measure, ours = found.measure, found.of(name) if counts is None else counts
    begun = [each for each in said.begun if each.site == name] if counts is None else []
    since = max([first for each in begun if (first := each.since.isoformat()[:7]) <= found.since], default=found.since)
    step = rung(typical(ours["month"]), typical(ours["quarter"]))
    period: Step = "month" if step is Rung.MONTH else "quarter"
    rows = rows_of(measure, ours[period], period, since, found.until)
    series = Series(
        name,
        title,
        period,
        rows,
        None,
        (),
        headline(measure, where, rows, since),
        found.loaded.get(name),
        found.known.get(name),
        tuple(found.missing(name)),
        tried=tuple(each for each in said.tried if each.site == name and rows and each.since >= rows[0].start),
        where=where,
    )
    if series.lacking and not any(row.seen for row in rows):
        said_of_it = f"{where}, nothing is known yet: {', '.join(series.lacking)} not loaded."
        return replace(series, headline=said_of_it)
    return series if step is Rung.RUN else _charted(series, measure, begun)


def _charted(series: Series, measure: Measure, begun: Sequence[Begun]) -> Series:
    """With its chart and all that follows from it. Limits of single values know nothing of how many they are of: few are left out."""
    drawn = [row for row in series.rows if row.measured and row.complete and not (row.small and measure.chart == "i")]
    if not drawn:
        return series
    stretches = stretches_of(drawn, measure, begun)
    chart = chart_of_rows(drawn, measure, stretches)
    signals = list(chart.signals(RULES))
    rows, notes = _annotated(series.rows, drawn, chart, signals, measure, series.period)
    return replace(
        series,
        rows=rows,
        chart=chart,
        notes=notes,
        stretches=stretches,
        proposed=proposed_in(chart, drawn, measure, series.tried, begun),
        variation=variation(chart, signals, higher_is_better=measure.higher_is_better),
        assurance=assurance(chart, higher_is_better=measure.higher_is_better),
    )


def by_lines_before(series: Series, measure: Measure, day: date) -> Series:
    """The series by those approved lines alone that began before a day: what later ones took in stands out again."""
    begun = [each.begun for each in series.stretches if each.begun]
    held = [each for each in begun if each.since < day]
    return series if len(held) == len(begun) else _charted(series, measure, held)


def _annotated(
    rows: Sequence[Row], drawn: Sequence[Row], chart: Chart, signals: Sequence[Signal], measure: Measure, period: Step
) -> tuple[tuple[Row, ...], tuple[Note, ...]]:
    """The rows with their points and the numbers of the notes they are part of, and the notes."""
    groups = _grouped(signals)
    notes = tuple(_note(number, group, drawn, measure, period) for number, group in enumerate(groups, start=1))
    places = {id(row): place for place, row in enumerate(drawn)}

    def annotated(row: Row) -> Row:
        place = places.get(id(row))
        if place is None:
            return row
        numbers = tuple(
            number for number, group in enumerate(groups, start=1) if any(place in signal.places for signal in group)
        )
        phase = sum(place >= each.first for each in chart.phases[1:])
        return replace(row, point=chart.points[place], notes=numbers, phase=phase)

    return tuple(map(annotated, rows)), notes


def _grouped(signals: Iterable[Signal]) -> list[tuple[Signal, ...]]:
    """Signals that one note tells: points beyond the same limit together, every run on its own; of what lies wholly within a
    longer one that goes the same way nothing more is told.
    """
    ordered = sorted(signals, key=lambda signal: (signal.first, signal.last))
    told = [signal for signal in ordered if not any(_within(signal, other) for other in ordered)]
    groups: dict[object, list[Signal]] = defaultdict(list)
    for signal in told:
        groups[signal.up if signal.rule is Rule.ONE_BEYOND_3_SIGMA else signal].append(signal)
    return [tuple(group) for group in groups.values()]


def _within(signal: Signal, other: Signal) -> bool:
    """Whether the other one tells of the same rise or fall, and of more of it."""
    return (
        signal is not other
        and signal.up == other.up
        and signal.up is not None
        and set(signal.places) < set(other.places)
    )


def _note(number: int, group: Sequence[Signal], drawn: Sequence[Row], measure: Measure, period: Step) -> Note:
    when = ", ".join(span(drawn[signal.first].start, drawn[signal.last].end) for signal in group)
    first, last = drawn[group[0].first].start, drawn[group[-1].last].start
    better = None if group[0].up is None else group[0].up == measure.higher_is_better
    return Note(number, when, first, last, better, explain(group[0], f"{period}s"))
