"""control: the five rules of Provost and Murray, The Health Care Data Guide (2011), chapter 4; the default."""

from collections.abc import Iterator, Sequence

from services.charts.patterns import Rule, Signal, beyond, inner, shifts, trends, two_of_three
from services.charts.point import Point
from services.charts.rules import RuleSet


def signals(points: Sequence[Point]) -> Iterator[Signal]:
    """One beyond 3 sigma, eight on one side, six in one direction, two of three in an outer third, fifteen in the inner thirds."""
    yield from beyond(points, Rule.ONE_BEYOND_3_SIGMA)
    yield from shifts(points, Rule.EIGHT_ONE_SIDE, 8)
    yield from trends(points, Rule.SIX_RISING_OR_FALLING, 6)
    yield from two_of_three(points, Rule.TWO_OF_THREE_OUTER_THIRD, all_on_one_side=False)
    yield from inner(points, Rule.FIFTEEN_INNER_THIRD, 15)


RULES = RuleSet(signals)
