"""p: the share of patients, binomial.

Montgomery 7.2 (variable sample size): p̄ = Σy / Σn, limits p̄ ± 3√(p̄(1−p̄)/nᵢ), kept within 0 and 1.
"""

from collections.abc import Sequence
from math import sqrt

from services.charts.limits import Kind, Takes
from services.charts.point import Point, Subgroup, around
from services.charts.spread import rate, ratio


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each share with the limits its own denominator gives."""
    centre = rate(base)
    return [
        around(ratio(one), one.n, centre, None if centre is None else sigma(centre, one.n), floor=0.0, ceiling=1.0)
        for one in subgroups
    ]


def sigma(centre: float, n: float | None) -> float | None:
    """The standard error of a share of n."""
    return sqrt(centre * (1 - centre) / n) if n else None


KIND = Kind("p-chart", Takes.SHARES, points, "centre Σy/Σn, limits ± 3√(centre(1−centre)/n), kept within 0 and 1")
