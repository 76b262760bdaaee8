"""I: one measurement a period.

Montgomery 6.4: x̄ ± 3·MR̄/1.128. MR̄ is the mean of all moving ranges: none is screened out.
"""

from collections.abc import Sequence
from statistics import fmean

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, around
from services.charts.spread import individual_sigma, known_values


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each measurement; limits need two of them."""
    values = known_values(base)
    centre = fmean(values) if values else None
    sigma = individual_sigma(values)
    return [around(one.y, one.n, centre, sigma) for one in subgroups]


KIND = Kind("I-chart", Takes.MEASUREMENTS, points, "centre the mean, sigma MR̄/1.128 over all moving ranges, unscreened")
