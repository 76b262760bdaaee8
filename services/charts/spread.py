"""How chance spreads values: estimates and constants that several charts share.

Sources: Montgomery, Introduction to Statistical Quality Control (7th ed., 2013), chapters 6 and 7 and appendix VI; Laney,
Improved control charts for attributes, Quality Engineering 14 (2002) 531–537.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise
from math import exp, lgamma, sqrt
from statistics import fmean

from services.charts.point import Subgroup

D2 = 1.128
"""Mean range of two standard normal values (Montgomery, appendix VI, n = 2)."""
D4 = 3.267
"""Upper limit of a range of two as a multiple of its mean."""


def known_values(subgroups: Iterable[Subgroup]) -> list[float]:
    """The measurements there are, in their order."""
    return [subgroup.y for subgroup in subgroups if subgroup.y is not None]


def mean_moving_range(values: Sequence[float]) -> float | None:
    """MR̄ over all moving ranges of two, none screened out; across a missing value the range is that of its neighbours."""
    ranges = [abs(after - before) for before, after in pairwise(values)]
    return fmean(ranges) if ranges else None


def individual_sigma(values: Sequence[float]) -> float | None:
    """MR̄ / 1.128; none for fewer than two values."""
    mean = mean_moving_range(values)
    return None if mean is None else mean / D2


def rate(subgroups: Iterable[Subgroup]) -> float | None:
    """Σy / Σn of those that are known: it weighs patients, not periods."""
    known = [(subgroup.y, subgroup.n) for subgroup in subgroups if subgroup.y is not None and subgroup.n]
    return sum(y for y, _ in known) / sum(n for _, n in known) if known else None


def ratio(subgroup: Subgroup) -> float | None:
    """y / n; none without a denominator."""
    return subgroup.y / subgroup.n if subgroup.y is not None and subgroup.n else None


def laney(
    base: Iterable[Subgroup], centre: float | None, sigma_of: Callable[[float, float | None], float | None]
) -> float | None:
    """σ_z: how many times wider the values spread than chance within the periods gives; none for fewer than two of them."""
    z = []
    for subgroup in base:
        value = ratio(subgroup)
        sigma = None if centre is None else sigma_of(centre, subgroup.n)
        if centre is not None and value is not None and sigma is not None:
            z.append((value - centre) / sigma if sigma else 0.0)
    return individual_sigma(z)


def widened(sigma: float | None, factor: float | None) -> float | None:
    """The sigma of chance within a period, widened by σ_z."""
    return None if sigma is None or factor is None else sigma * factor


def c4(n: int) -> float:
    """Mean standard deviation of n standard normal values; n ≥ 2."""
    return sqrt(2 / (n - 1)) * exp(lgamma(n / 2) - lgamma((n - 1) / 2))
