"""u: events over what they could happen in (patient days, child-years), Poisson.

Montgomery 7.3: ū = Σy / Σn, limits ū ± 3√(ū/nᵢ), not below 0.
"""

from collections.abc import Sequence
from math import sqrt

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, around
from services.charts.spread import rate, ratio


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each rate with the limits its own size gives."""
    centre = rate(base)
    return [
        around(ratio(one), one.n, centre, None if centre is None else sigma(centre, one.n), floor=0.0)
        for one in subgroups
    ]


def sigma(centre: float, n: float | None) -> float | None:
    """The standard error of a rate over n."""
    return sqrt(centre / n) if n else None


KIND = Kind("u-chart", Takes.RATES, points, "centre Σy/Σn, limits ± 3√(centre/n), not below 0")
