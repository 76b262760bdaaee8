"""T: time between two rare events, Weibull.

Nelson, A control chart for parts-per-million nonconforming items, Journal of Quality Technology 26 (1994) 239–240, and
Montgomery 7.3: the I-chart of y^(1/3.6), its centre and limits taken back by ^3.6; a lower limit below 0 is 0. Sigma and
the thirds are those of the transformed times.
"""

from collections.abc import Sequence
from dataclasses import replace

from services.charts.limits import Kind, Takes, i
from services.charts.point import Point, Subgroup

POWER = 3.6


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each time between two events: long is far apart."""
    transformed = i.points([_transformed(one) for one in subgroups], [_transformed(one) for one in base])
    return [_back(one, point) for one, point in zip(subgroups, transformed, strict=True)]


def _transformed(one: Subgroup) -> Subgroup:
    return one if one.y is None else replace(one, y=one.y ** (1 / POWER))


def _back(one: Subgroup, point: Point) -> Point:
    centre, lower, upper = (
        None if line is None else max(0.0, line) ** POWER for line in (point.centre, point.lower, point.upper)
    )
    return replace(point, value=one.y, centre=centre, lower=lower, upper=upper)


KIND = Kind("T-chart", Takes.GAPS, points, "the I-chart of y^(1/3.6), lines taken back by ^3.6; sigma is of y^(1/3.6)")
