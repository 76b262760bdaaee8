"""Runs: how often a series crosses its centre and how long it stays on one side, against what chance gives.

Anhøj and Olesen, Run charts revisited, PLoS ONE 9 (2014) e113825: of n points not on the centre the longest run is at most
round(log₂ n) + 3 (Schilling 2012), the crossings at least the 5 % quantile of a binomial of n − 1 and ½ (Chen 2010).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from math import log2

from services.charts.point import Point


@dataclass(frozen=True, slots=True)
class Runs:
    """A series' runs. The bounds are none where every point is on the centre."""

    useful: int
    """Points not on the centre."""
    longest: int
    longest_max: int | None
    crossings: int
    crossings_min: int | None
    signal: bool
    """The longest run is longer, or the crossings are fewer, than chance gives."""


def runs_of(points: Sequence[Point]) -> Runs | None:
    """The runs of the points; none without a centre."""
    if all(point.centre is None for point in points):
        return None
    sides = [point.side for point in points if point.side]
    lengths = [len(list(run)) for _, run in groupby(sides)]
    useful, longest, crossings = len(sides), max(lengths, default=0), max(len(lengths) - 1, 0)
    if not useful:
        return Runs(0, 0, None, 0, None, signal=False)
    most, least = round(log2(useful)) + 3, fewest_crossings(useful)
    return Runs(useful, longest, most, crossings, least, signal=longest > most or crossings < least)


def fewest_crossings(useful: int) -> int:
    """The 5 % quantile of a binomial of useful − 1 and ½: the fewest crossings that chance gives nineteen times in twenty."""
    trials = useful - 1
    ways, below = 1, 1
    crossings = 0
    while 20 * below < 2**trials:
        ways = ways * (trials - crossings) // (crossings + 1)
        crossings += 1
        below += ways
    return crossings
