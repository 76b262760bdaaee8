"""S: the standard deviation of each subgroup's readings; the companion of the X̄-chart.

Montgomery 6.3: centre s̄, limits B₃·s̄ and B₄·s̄ with B = 1 ∓ 3√(1−c₄²)/c₄, not below 0; s̄ pooled and B by n where sizes differ.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import stdev

from services.charts.limits import Kind, Takes
from services.charts.limits.xbar import spread_within
from services.charts.point import Point, Subgroup, around
from services.charts.spread import c4


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each subgroup's standard deviation; one reading has none."""
    centre = spread_within(base)
    return [_point(one.readings, centre) for one in subgroups]


def _point(readings: Sequence[float], centre: float | None) -> Point:
    n = len(readings)
    if n < 2:
        return Point(None, n, centre)
    sigma = None if centre is None else centre * sqrt(1 - c4(n) ** 2) / c4(n)
    return around(stdev(readings), n, centre, sigma, floor=0.0)


KIND = Kind("S-chart", Takes.READINGS, points, "centre s̄, limits B3·s̄ and B4·s̄; s̄ pooled where n varies")
