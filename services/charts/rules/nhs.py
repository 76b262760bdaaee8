"""nhs: NHS England's Making Data Count, as its team corrected two of three in 2023.

All points beyond 2 sigma count, also those beyond 3; all three stand on one side of the mean; the third takes no part.
"""

from collections.abc import Iterator, Sequence

from services.charts.patterns import Rule, Signal, beyond, shifts, trends, two_of_three
from services.charts.point import Point
from services.charts.rules import RuleSet


def signals(points: Sequence[Point]) -> Iterator[Signal]:
    """One beyond 3 sigma, seven on one side, seven in one direction, two of three beyond 2 sigma."""
    yield from beyond(points, Rule.ONE_BEYOND_3_SIGMA)
    yield from shifts(points, Rule.SEVEN_ONE_SIDE, 7)
    yield from trends(points, Rule.SEVEN_RISING_OR_FALLING, 7)
    yield from two_of_three(points, Rule.TWO_OF_THREE_BEYOND_2_SIGMA, all_on_one_side=True)


RULES = RuleSet(signals)
