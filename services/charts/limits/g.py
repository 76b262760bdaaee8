"""g: cases between two rare events, geometric.

Provost and Murray, The Health Care Data Guide (2011), chapter 7: centre the median of the counts, upper limit c̄ + 3σ with
σ = √(c̄(c̄+1)) of their mean c̄ (Montgomery 7.3); the lower limit is 0, since c̄ − 3σ is always below.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, median

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, distance
from services.charts.spread import known_values


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each count between two events: many are far apart."""
    values = known_values(base)
    if not values:
        return [Point(one.y, one.n) for one in subgroups]
    mean, centre = fmean(values), median(values)
    sigma = sqrt(mean * (mean + 1))
    upper = mean + 3 * sigma
    return [Point(one.y, one.n, centre, 0.0, upper, sigma, distance(one.y, centre, sigma)) for one in subgroups]


KIND = Kind(
    "g-chart", Takes.GAPS, points, "centre the median, σ = √(c̄(c̄+1)) of the mean c̄, upper limit c̄ + 3σ, lower 0"
)
