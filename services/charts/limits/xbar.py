"""X̄: the mean of each subgroup's readings, limits by the standard deviations within (X̄ with S).

Montgomery 6.3: x̿ ± A₃·s̄ with A₃ = 3/(c₄√n). Subgroups of one size: s̄ is the mean of the standard deviations. Of several
sizes: x̿ weighs readings, s̄ = √(Σ(n−1)s² / Σ(n−1)), A₃ by each subgroup's n. One reading alone has no limits.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, around
from services.charts.spread import c4


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each subgroup's mean."""
    readings = [value for one in base for value in one.readings]
    centre = fmean(readings) if readings else None
    typical = spread_within(base)
    return [_point(one.readings, centre, typical) for one in subgroups]


def spread_within(base: Sequence[Subgroup]) -> float | None:
    """s̄ of the subgroups; none where no subgroup has two readings."""
    sizes = {len(one.readings) for one in base if one.readings}
    deviations = [(len(one.readings), stdev(one.readings)) for one in base if len(one.readings) > 1]
    if not deviations:
        return None
    if len(sizes) == 1:
        return fmean(s for _, s in deviations)
    return sqrt(sum((n - 1) * s * s for n, s in deviations) / sum(n - 1 for n, _ in deviations))


def _point(readings: Sequence[float], centre: float | None, typical: float | None) -> Point:
    n = len(readings)
    sigma = typical / (c4(n) * sqrt(n)) if typical is not None and n > 1 else None
    return around(fmean(readings) if n else None, n, centre, sigma)


KIND = Kind(
    "X̄-chart", Takes.READINGS, points, "centre the mean of all readings, limits ± A3·s̄; s̄ pooled where n varies"
)
