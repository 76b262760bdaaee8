"""What of a measure's results is whose to see: the network's everybody's, a site's its own and the coordinator's, of a few nobody's else."""

from dataclasses import replace

from services.access.viewers import Viewer
from services.charts.ladder import SMALLEST
from services.measures.declared import Measure
from services.pages.periods import withheld
from services.pages.results import Results, Series
from services.pages.wording import headline


def seen_by_viewer(results: Results, viewer: Viewer) -> Results:
    """The results without what is not theirs; a site that is not theirs is as one that does not exist."""
    sites = tuple(series for series in results.sites if viewer.sees(series.name))
    network = results.network if viewer.sees_few else _without_few(results.network, results.measure)
    return replace(results, network=network, sites=sites)


def _without_few(series: Series, measure: Measure) -> Series:
    """Of periods that tell of fewer people than may be told of, or of nobody, nothing but that they were: in figures and in words."""
    rows = tuple(row if row.measured >= SMALLEST else withheld(row) for row in series.rows)
    if not any(row.withheld for row in rows) or not series.seen:
        return replace(series, rows=rows)
    said = f"{series.where}, fewer than {SMALLEST} {measure.people[1]} were measured in each period: no figure is told."
    told = any(not row.withheld for row in rows)
    return replace(series, rows=rows, headline=headline(measure, series.where, rows, "") if told else said)
