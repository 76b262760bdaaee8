"""given: values with the centre and sigma somebody else found; limits at 3 sigma, only the rules are ours."""

from collections.abc import Sequence

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, around


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each value beside its own lines; no baseline sets them."""
    return [around(one.y, one.n, one.centre, one.sigma) for one in subgroups]


KIND = Kind("chart with given lines", Takes.LINES, points, "centre and sigma as given, limits ± 3 sigma")
