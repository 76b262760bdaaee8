"""P′: the share of patients where denominators are so large that the p-chart's limits would be too narrow.

Laney 2002: the p-chart's sigma times σ_z, with σ_z = MR̄(z)/1.128 of the standardised shares.
"""

from collections.abc import Sequence

from services.charts.limits import Kind, Takes
from services.charts.limits.p import sigma
from services.charts.point import Point, Subgroup, around
from services.charts.spread import laney, rate, ratio, widened


def points(subgroups: Sequence[Subgroup], base: Sequence[Subgroup]) -> list[Point]:
    """Each share with limits of both spreads: within a period and between periods."""
    centre = rate(base)
    factor = laney(base, centre, sigma)
    spread = [widened(None if centre is None else sigma(centre, one.n), factor) for one in subgroups]
    return [
        around(ratio(one), one.n, centre, wide, floor=0.0, ceiling=1.0)
        for one, wide in zip(subgroups, spread, strict=True)
    ]


KIND = Kind("P′-chart", Takes.SHARES, points, "the p-chart's sigma × σ_z (Laney), σ_z = MR̄(z)/1.128")
