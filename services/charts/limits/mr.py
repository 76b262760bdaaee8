"""MR: how far a measurement is from the one before it; the companion of the I-chart.

Montgomery 6.4: centre MR̄ over all moving ranges, upper limit 3.267·MR̄, lower 0. Sigma is a third of centre to limit.
"""

from collections.abc import Sequence
from statistics import fmean

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, around
from services.charts.spread import D4


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each range; the first measurement has none."""
    ranges = moving_ranges(subgroups)
    known = [value for value in ranges[: len(base)] if value is not None]
    centre = fmean(known) if known else None
    sigma = None if centre is None else centre * (D4 - 1) / 3
    return [around(value, one.n, centre, sigma, floor=0.0) for one, value in zip(subgroups, ranges, strict=True)]


def moving_ranges(subgroups: Sequence[Subgroup]) -> list[float | None]:
    """The distance of each measurement from the last one before it."""
    ranges: list[float | None] = []
    before: float | None = None
    for one in subgroups:
        ranges.append(None if one.y is None or before is None else abs(one.y - before))
        before = before if one.y is None else one.y
    return ranges


KIND = Kind("MR-chart", Takes.MEASUREMENTS, points, "centre MR̄, upper limit 3.267·MR̄, lower 0")
