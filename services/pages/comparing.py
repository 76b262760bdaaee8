"""A site beside its own past, beside a few like it, and in the network's funnel; never in a list from best to worst."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from services.charts.funnel import Flag, Funnel, Place, Site, funnel
from services.charts.funnel_chart import FunnelChart, specification
from services.measures.declared import Measure
from services.pages.results import Results, Series

ALIKE = 3
"""Sites that are told together as those most like one; fewer would tell of a single one."""
YEAR = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Sum:
    """A share of a year."""

    met: int
    measured: int

    @property
    def share(self) -> float | None:
        """Met of measured."""
        return self.met / self.measured if self.measured else None


@dataclass(frozen=True, slots=True)
class Compared:
    """Where a site stands, for a measure that is a share."""

    now: Sum
    before: Sum
    """The year before that."""
    alike: Sum | None
    """The sites most like it in size, together; none where there are too few."""
    network: Sum
    funnel: Funnel
    place: Place | None

    @property
    def said(self) -> str:
        """Its place in the funnel, in a sentence."""
        if self.place is None or self.place.value is None or self.funnel.centre is None:
            return "Nobody was measured in the last twelve months, so there is no place in the funnel."
        where = "above" if self.place.value > self.funnel.centre else "below"
        if self.place.flag is None:
            return (
                "Within the funnel: the difference from the other sites is what chance and their own differences give."
            )
        far = "far " if self.place.flag is Flag.ALARM else ""
        return f"Outside the funnel, {far}{where} the others: more than chance and their own differences give."


def compared(results: Results, site: str) -> Compared | None:
    """None where the measure is no share, or there is no such site."""
    ours = results.of(site)
    if ours is None or results.measure.kind != "share":
        return None
    sums = {series.name: year_of(series) for series in results.sites}
    places = [Site(series.name, sums[series.name].met, sums[series.name].measured) for series in results.sites]
    drawn = funnel([each for each in places if each.n])
    return Compared(
        sums[site],
        year_of(ours, back=1),
        _alike(sums, site),
        Sum(sum(each.met for each in sums.values()), sum(each.measured for each in sums.values())),
        drawn,
        next((place for place in drawn.places if place.site.name == site), None),
    )


def year_of(series: Series, *, back: int = 0) -> Sum:
    """The last twelve months that are over; `back`: so many years before them."""
    over = [row for row in series.rows if row.complete]
    if not over:
        return Sum(0, 0)
    end = over[-1].end - back * YEAR
    rows = [row for row in over if end - YEAR < row.end <= end]
    return Sum(sum(row.met for row in rows), sum(row.measured for row in rows))


def _alike(sums: dict[str, Sum], site: str) -> Sum | None:
    """Of the sites that measured most nearly as many."""
    others = [each for name, each in sums.items() if name != site and each.measured]
    nearest = sorted(others, key=lambda each: abs(each.measured - sums[site].measured))[:ALIKE]
    if len(nearest) < ALIKE:
        return None
    return Sum(sum(each.met for each in nearest), sum(each.measured for each in nearest))


def funnel_chart_of(found: Compared, measure: Measure, site: str, title: str) -> dict[str, Any]:
    """The funnel, with this site's name alone."""
    sites = [
        Place(Site(title if place.site.name == site else "", place.site.y, place.site.n), *_rest(place))
        for place in found.funnel.places
    ]
    anonymous = Funnel(found.funnel.centre, found.funnel.tau2, found.funnel.phi, tuple(sites))
    said = f"Funnel of {len(sites)} sites over the last twelve months; {title}: {found.said}"
    return specification(FunnelChart("", said, anonymous, measure.higher_is_better, "measured in twelve months", title))


def _rest(place: Place) -> Sequence[Any]:
    return (place.value, place.z, place.lower2, place.upper2, place.lower3, place.upper3, place.flag)
