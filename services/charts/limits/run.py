"""run: the values and their median, without limits; where there is too little for more.

Anhøj and Olesen, Run charts revisited, PLoS ONE 9 (2014) e113825.
"""

from collections.abc import Sequence
from statistics import median

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup
from services.charts.spread import known_values


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each value beside the median."""
    values = known_values(base)
    centre = median(values) if values else None
    return [Point(one.y, one.n, centre) for one in subgroups]


KIND = Kind("run chart", Takes.MEASUREMENTS, points, "centre the median, no limits")
