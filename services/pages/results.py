"""A measure's results as a page shows them: the network's and each site's series of periods, with their control charts."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from sqlalchemy import Connection

from services.charts.chart import BASELINE, Approval, Chart, Phase, draw
from services.charts.ladder import Rung, rung
from services.charts.patterns import Rule, Signal
from services.charts.point import Subgroup
from services.measures.compile.memory import Period
from services.measures.declared import Measure
from services.measures.evaluate.counts import NETWORK, Cohort, Counts, cohorts, evaluate, last_day, needed_types
from services.measures.evaluate.periods import Step, periods
from services.measures.evaluate.sentences import YEAR_DAYS
from services.pages.explaining import explain
from services.pages.periods import Row, rows_of, typical
from services.pages.wording import headline, title_of
from services.registry.completeness import SiteCompleteness, completeness

YEARS_BEFORE = 2
"""The chart begins in January, so many years before the year of the last visit; its first 12 points are the baseline."""
RULES = "control"
"""The set of rules by which signals are found."""


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
    period: Step
    rows: tuple[Row, ...]
    chart: Chart | None
    """None where there are too few patients even in a quarter: then the points alone are shown."""
    notes: tuple[Note, ...]
    headline: str
    site: SiteCompleteness | None
    known: Cohort | None
    lacking: tuple[str, ...] = ()

    @property
    def drawn(self) -> bool:
        """Whether there is a point to draw."""
        return any(row.measured for row in self.rows)

    @property
    def missing(self) -> list[str]:
        """Resource types the site never loaded: its figures cannot be known."""
        return list(self.lacking)


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


@dataclass(frozen=True, slots=True)
class _Evaluated:
    """What the registry answered about one measure."""

    measure: Measure
    since: str
    until: str
    loaded: Mapping[str, SiteCompleteness]
    known: Mapping[str, Cohort]
    counts: Mapping[Step, Sequence[Counts]]

    @property
    def sites(self) -> list[str]:
        """Everyone who announced a load, has patients of the cohort or saw some."""
        here = {count.site for count in self.counts["month"]} - {NETWORK}
        return sorted(self.loaded.keys() | self.known.keys() | here)

    def missing(self, site: str) -> list[str]:
        """Resource types the measure needs and the site never loaded."""
        if site not in self.loaded:
            return []
        types = self.loaded[site].types
        return [name for name in needed_types(self.measure) if types[name].state == "not loaded"]


def results_of(connection: Connection, measure: Measure, network: str, now: datetime) -> Results:
    """Evaluates the measure and lays its results out."""
    loaded = {site.site: site for site in completeness(connection)}
    as_of = max((site.last_completed for site in loaded.values() if site.last_completed), default=now)
    found = _evaluated(connection, measure, loaded, as_of.date().isoformat())
    telling = [site for site in found.sites if not found.missing(site)]
    where = f"Across {len(telling)} sites" if len(telling) > 1 else "In the network"
    sites = tuple(_series(found, site, title_of(site), f"At {title_of(site)}") for site in found.sites)
    return Results(measure, _series(found, NETWORK, network, where), sites, as_of)


def _evaluated(
    connection: Connection, measure: Measure, loaded: Mapping[str, SiteCompleteness], until: str
) -> _Evaluated:
    last = last_day(connection, measure, until)
    since = f"{int((last or until)[:4]) - YEARS_BEFORE}-01"
    months, quarters = periods("month", since, until), periods("quarter", since, until)
    both = evaluate(connection, measure, months | quarters) if last else []
    counts: dict[Step, list[Counts]] = {
        "month": [count for count in both if count.period in months],
        "quarter": [count for count in both if count.period in quarters],
    }
    shown = Period(date.fromisoformat(since + "-01"), date.fromisoformat(until))
    cohort = {site.site: site for site in cohorts(connection, measure, shown)}
    return _Evaluated(measure, since, until, loaded, cohort, counts)


def _series(found: _Evaluated, name: str, title: str, where: str) -> Series:
    """The series of a site, or of all together; by quarter where a typical month is small, without limits where a quarter is too."""
    ours = {period: [count for count in counts if count.site == name] for period, counts in found.counts.items()}
    step = rung(typical(ours["month"]), typical(ours["quarter"]))
    period: Step = "month" if step is Rung.MONTH else "quarter"
    rows = rows_of(found.measure, ours[period], period, found.since, found.until)
    drawn = [row for row in rows if row.measured and row.complete]
    chart = _chart(drawn, found.measure) if drawn and step is not Rung.RUN else None
    notes: tuple[Note, ...] = ()
    if chart:
        rows, notes = _annotated(rows, drawn, chart, found.measure, period)
    said = headline(found.measure, where, rows, found.since)
    lacking = found.missing(name)
    if lacking and not any(row.seen for row in rows):
        said = f"{where}, nothing is known yet: {', '.join(lacking)} not loaded."
    return Series(
        name, title, period, rows, chart, notes, said, found.loaded.get(name), found.known.get(name), tuple(lacking)
    )


def _chart(drawn: Sequence[Row], measure: Measure) -> Chart:
    """A version of the definition from the second on begins a phase, with lines of its own."""
    subgroups = [_subgroup(row, measure) for row in drawn]
    phases = [Phase(baseline=BASELINE)]
    for change in measure.changes[1:]:
        place = next((at for at, row in enumerate(drawn) if row.start.isoformat()[:7] >= change.since), None)
        if place is not None and place > phases[-1].first:
            approval = Approval(measure.owner, f"version {change.version} of the definition: {change.what}")
            phases.append(Phase(place, BASELINE, approval))
    return draw(
        measure.chart, subgroups, phases=phases, target=None if measure.target is None else float(measure.target)
    )


def _subgroup(row: Row, measure: Measure) -> Subgroup:
    counts = row.counts
    if measure.kind == "share":
        return Subgroup(counts.met, counts.measured)
    if measure.kind == "rate":
        return Subgroup(counts.events, counts.days / YEAR_DAYS / measure.per_years)
    return Subgroup(row.value, counts.measured, spread=counts.spread)


def _annotated(
    rows: Sequence[Row], drawn: Sequence[Row], chart: Chart, measure: Measure, period: Step
) -> tuple[tuple[Row, ...], tuple[Note, ...]]:
    """The rows with their points and the numbers of the notes they are part of, and the notes."""
    groups = _grouped(chart.signals(RULES))
    notes = tuple(_note(number, group, drawn, measure, period) for number, group in enumerate(groups, start=1))
    places = {id(row): place for place, row in enumerate(drawn)}

    def annotated(row: Row) -> Row:
        place = places.get(id(row))
        if place is None:
            return row
        numbers = tuple(
            number for number, group in enumerate(groups, start=1) if any(place in signal.places for signal in group)
        )
        return replace(row, point=chart.points[place], notes=numbers)

    return tuple(map(annotated, rows)), notes


def _grouped(signals: Iterable[Signal]) -> list[tuple[Signal, ...]]:
    """Signals that one note tells: points beyond the same limit together, every run on its own."""
    groups: dict[object, list[Signal]] = defaultdict(list)
    for signal in sorted(signals, key=lambda signal: (signal.first, signal.last)):
        groups[signal.up if signal.rule is Rule.ONE_BEYOND_3_SIGMA else signal].append(signal)
    return [tuple(group) for group in groups.values()]


def _note(number: int, group: Sequence[Signal], drawn: Sequence[Row], measure: Measure, period: Step) -> Note:
    when = [
        drawn[s.first].label if s.first == s.last else f"{drawn[s.first].label} to {drawn[s.last].label}" for s in group
    ]
    better = None if group[0].up is None else group[0].up == measure.higher_is_better
    return Note(number, ", ".join(when), drawn[group[-1].last].start, better, explain(group[0], f"{period}s"))
