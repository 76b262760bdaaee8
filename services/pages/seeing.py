"""What of a measure's results is whose to see: the network's everybody's, a site's its own and the coordinator's, of a few nobody's else."""

from dataclasses import replace

from services.access.viewers import Viewer
from services.charts.ladder import SMALLEST
from services.pages.results import Results, Series


def seen_by_viewer(results: Results, viewer: Viewer) -> Results:
    """The results without what is not theirs; a site that is not theirs is as one that does not exist."""
    sites = tuple(series for series in results.sites if viewer.sees(series.name))
    network = results.network if viewer.sees_few else _without_few(results.network)
    return replace(results, network=network, sites=sites)


def _without_few(series: Series) -> Series:
    """Without the periods that tell of fewer people than may be told of."""
    rows = tuple(row for row in series.rows if row.measured >= SMALLEST)
    return replace(series, rows=rows)
