"""Sites and measures in a grid: a cell is a site's last result with its icons, or why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.charts.icons import Assurance, Variation
from services.measures.declared import Measure
from services.pages.explaining import many
from services.pages.results import Note, Results, Series
from services.pages.wording import shown
from services.registry.completeness import SiteCompleteness


@dataclass(frozen=True, slots=True)
class Cell:
    """One measure at one site."""

    measure: Measure
    value: str
    """The last complete period's share, or what stands in its place."""
    n: int | None
    """Measured in that period; none where nobody was, or nothing is known."""
    when: str
    variation: Variation | None
    """None where there is no chart."""
    assurance: Assurance | None
    old: bool = False
    """Whether periods ended since in which nobody was measured."""
    now: Note | None = None
    """The signal that the last point is part of."""
    better: tuple[Note, ...] = ()
    """Every signal to the better."""


@dataclass(frozen=True, slots=True)
class Line:
    """One site."""

    site: str
    title: str
    cells: tuple[Cell, ...]
    brought: SiteCompleteness | None


@dataclass(frozen=True, slots=True)
class Grid:
    """Every site and measure."""

    measures: tuple[Measure, ...]
    network: tuple[Cell, ...]
    lines: tuple[Line, ...]
    as_of: datetime
    empty: tuple[tuple[Measure, str], ...] = ()
    """Of which no site has a figure, and why: they have no column."""


def grid_of(results: Sequence[Results], brought: Sequence[SiteCompleteness]) -> Grid:
    """The grid of all results. A site that announced a load has its line, whatever it brought."""
    loaded = {site.site: site for site in brought}
    series: dict[str, dict[str, Series]] = {}
    for result in results:
        for each in result.sites:
            series.setdefault(each.name, {})[result.measure.slug] = each
    filled = sorted((result for result in results if any(each.last for each in result.sites)), key=_urgency)
    lines = [
        Line(
            name,
            next(iter(of.values())).title,
            tuple(_cell(result.measure, of) for result in filled),
            loaded.get(name),
        )
        for name, of in sorted(series.items())
    ]
    return Grid(
        tuple(result.measure for result in filled),
        tuple(_of(result.measure, result.network) for result in filled),
        tuple(lines),
        max(result.as_of for result in results),
        tuple((result.measure, _why_nowhere(result)) for result in results if result not in filled),
    )


def _urgency(result: Results) -> int:
    """Measures that are worse somewhere stand first, then those that are better: the others follow as they are declared."""
    tones = {note.better for note in map(_now, result.sites) if note is not None}
    return 0 if False in tones else 1 if True in tones else 2


def _now(series: Series) -> Note | None:
    """The signal that the last figure is part of."""
    row = series.last
    return next((note for note in reversed(series.notes) if row and note.last == row.start), None)


def _cell(measure: Measure, series: Mapping[str, Series]) -> Cell:
    found = series.get(measure.slug)
    return Cell(measure, "not seen here", None, "", None, None) if found is None else _of(measure, found)


def _of(measure: Measure, series: Series) -> Cell:
    row = series.last
    if row is None:
        return Cell(measure, _why(series), None, "", None, None)
    old = row is not next(row for row in reversed(series.rows) if row.complete)
    if series.chart is None:
        return Cell(measure, shown(row.value, measure), row.measured, row.label, None, None, old)
    return Cell(
        measure,
        shown(row.value, measure),
        row.measured,
        row.label,
        series.variation,
        series.assurance,
        old,
        _now(series),
        tuple(note for note in series.notes if note.better),
    )


def _why_nowhere(result: Results) -> str:
    lacking = sum(bool(each.missing) for each in result.sites)
    return f"not loaded at {many(lacking, 'site')}" if lacking else _why(result.network)


def _why(series: Series) -> str:
    if series.missing:
        return f"not loaded: {', '.join(series.missing)}"
    return "nobody measured" if any(row.seen for row in series.rows) else "nobody seen"
