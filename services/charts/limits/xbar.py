"""X̄: the mean of each subgroup's readings, limits by the standard deviations within (X̄ with S).

Montgomery 6.3: x̿ ± A₃·s̄ with A₃ = 3/(c₄√n). Subgroups of one size: s̄ is the mean of the standard deviations. Of several
sizes: x̿ weighs readings, s̄ = √(Σ(n−1)s² / Σ(n−1)), A₃ by each subgroup's n. One reading alone has no limits.
"""

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, around
from services.charts.spread import c4


class Group(NamedTuple):
    """A subgroup's readings in three numbers."""

    n: int
    mean: float | None
    spread: float | None
    """Their standard deviation; none of one reading."""


def group_of(one: Subgroup) -> Group:
    """From the readings, where they are there; else as given."""
    if one.readings:
        n = len(one.readings)
        return Group(n, fmean(one.readings), stdev(one.readings) if n > 1 else None)
    return Group(int(one.n or 0), one.y, one.spread)


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each subgroup's mean."""
    known = [each for each in map(group_of, base) if each.mean is not None and each.n]
    readings = [value for one in base for value in one.readings]
    centre = (
        fmean(readings)
        if readings
        else fmean([each.mean or 0.0 for each in known], weights=[each.n for each in known])
        if known
        else None
    )
    typical = spread_within(base)
    return [_point(group_of(one), centre, typical) for one in subgroups]


def spread_within(base: Sequence[Subgroup]) -> float | None:
    """s̄ of the subgroups; none where no subgroup has two readings."""
    groups = [each for each in map(group_of, base) if each.n]
    deviations = [(each.n, each.spread) for each in groups if each.spread is not None]
    if not deviations:
        return None
    if len({each.n for each in groups}) == 1:
        return fmean(s for _, s in deviations)
    return sqrt(sum((n - 1) * s * s for n, s in deviations) / sum(n - 1 for n, _ in deviations))


def _point(group: Group, centre: float | None, typical: float | None) -> Point:
    n = group.n
    sigma = typical / (c4(n) * sqrt(n)) if typical is not None and n > 1 else None
    return around(group.mean, n, centre, sigma)


KIND = Kind(
    "X̄-chart", Takes.READINGS, points, "centre the mean of all readings, limits ± A3·s̄; s̄ pooled where n varies"
)
