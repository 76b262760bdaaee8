"""Centre line and limits of control charts.

The p-chart is Shewhart's chart of a proportion as Montgomery gives it (Introduction to Statistical Quality Control, control
charts for fraction nonconforming, variable sample size): centre line p̄ = Σ met / Σ n of the baseline, limits
p̄ ± 3√(p̄(1−p̄)/nᵢ) for each subgroup, kept within 0 and 1.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

BASELINE = 12


@dataclass(frozen=True, slots=True)
class Subgroup:
    """One period's count: `met` of `n`; n ≥ 1."""

    met: int
    n: int


@dataclass(frozen=True, slots=True)
class Point:
    """A subgroup on the chart: its proportion, its limits and its distance from the centre in standard errors (none at 0)."""

    value: float
    lower: float
    upper: float
    z: float | None


@dataclass(frozen=True, slots=True)
class PChart:
    """A p-chart with its centre line, set by the first `baseline` points and frozen then."""

    centre: float
    baseline: int
    points: tuple[Point, ...]


def p_chart(subgroups: Sequence[Subgroup], *, baseline: int = BASELINE) -> PChart | None:
    """The p-chart of the subgroups in their order; none where there is no subgroup."""
    first = subgroups[:baseline]
    if not first:
        return None
    centre = sum(s.met for s in first) / sum(s.n for s in first)
    return PChart(centre, len(first), tuple(_point(subgroup, centre) for subgroup in subgroups))


def _point(subgroup: Subgroup, centre: float) -> Point:
    value = subgroup.met / subgroup.n
    error = sqrt(centre * (1 - centre) / subgroup.n)
    lower, upper = max(0.0, centre - 3 * error), min(1.0, centre + 3 * error)
    return Point(value, lower, upper, (value - centre) / error if error else None)
