"""anhoj: one point beyond 3 sigma, and runs: too long a run or too few crossings of the centre (`services.charts.runs`)."""

from collections.abc import Iterator, Sequence

from services.charts.patterns import Rule, Signal, beyond
from services.charts.point import Point
from services.charts.rules import RuleSet


def signals(points: Sequence[Point]) -> Iterator[Signal]:
    """One beyond 3 sigma; runs are of the series, no points take part in them."""
    yield from beyond(points, Rule.ONE_BEYOND_3_SIGMA)


RULES = RuleSet(signals, by_runs=True)
