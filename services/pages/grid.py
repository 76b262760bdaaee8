"""Sites and measures in a grid: a cell is a site's last result with its icons, or why there is none."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from services.charts.icons import Assurance, Variation
from services.measures.declared import Measure
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


def grid_of(results: Sequence[Results], brought: Sequence[SiteCompleteness]) -> Grid:
    """The grid of all results. A site that announced a load has its line, whatever it brought."""
    loaded = {site.site: site for site in brought}
    series: dict[str, dict[str, Series]] = {}
    for result in results:
        for each in result.sites:
            series.setdefault(each.name, {})[result.measure.slug] = each
    lines = [
        Line(
            name,
            next(iter(of.values())).title,
            tuple(_cell(result.measure, of) for result in results),
            loaded.get(name),
        )
        for name, of in sorted(series.items())
    ]
    return Grid(
        tuple(result.measure for result in results),
        tuple(_of(result.measure, result.network) for result in results),
        tuple(lines),
        max(result.as_of for result in results),
    )


def _cell(measure: Measure, series: Mapping[str, Series]) -> Cell:
    found = series.get(measure.slug)
    return Cell(measure, "not seen here", None, "", None, None) if found is None else _of(measure, found)


def _of(measure: Measure, series: Series) -> Cell:
    row = next((row for row in reversed(series.rows) if row.complete and row.measured), None)
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
        next((note for note in reversed(series.notes) if note.last == row.start), None),
        tuple(note for note in series.notes if note.better),
    )


def _why(series: Series) -> str:
    if series.missing:
        return f"not loaded: {', '.join(series.missing)}"
    return "nobody measured" if any(row.seen for row in series.rows) else "nobody seen"
