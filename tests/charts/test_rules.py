"""The signals of a control chart, against points worked out by hand."""

import pytest

from services.charts.limits import Point
from services.charts.rules import Rule, find_signals

CENTRE = 0.5


def points(*values: float, half: float = 0.3) -> list[Point]:
    """Points of a chart with the centre 0.5 and limits ± `half`, so that one standard error is a third of it."""
    return [Point(value, CENTRE - half, CENTRE + half, (value - CENTRE) / (half / 3)) for value in values]


def found(*values: float, rule: Rule) -> list[tuple[int, int, bool | None]]:
    """First, last and direction of the signals of one rule."""
    return [(s.first, s.last, s.up) for s in find_signals(points(*values), CENTRE) if s.rule is rule]


def test_point_on_the_limit_is_not_beyond_it() -> None:
    """The limit itself is still chance."""
    assert found(0.8, 0.81, 0.19, 0.2, rule=Rule.BEYOND_LIMITS) == [(1, 1, True), (2, 2, False)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.51] * 7, []),
        ([0.51] * 8, [(0, 7, True)]),
        ([0.49] * 9, [(0, 8, False)]),
        ([0.51] * 4 + [0.5] + [0.51] * 4, [(0, 8, True)]),
        ([0.51] * 4 + [0.5] + [0.51] * 3, []),
        ([0.51] * 4 + [0.49] + [0.51] * 4, []),
        ([0.5] + [0.51] * 8 + [0.5], [(1, 8, True)]),
    ],
    ids=["seven", "eight", "nine below", "centre skipped", "centre does not count", "broken", "centre at both ends"],
)
def test_shift_is_eight_on_one_side(values: list[float], expected: list[object]) -> None:
    """A point on the centre line neither counts nor breaks a shift."""
    assert found(*values, rule=Rule.SHIFT) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.40, 0.42, 0.44, 0.46, 0.48], []),
        ([0.40, 0.42, 0.44, 0.46, 0.48, 0.52], [(0, 5, True)]),
        ([0.60, 0.58, 0.56, 0.54, 0.52, 0.51, 0.49], [(0, 6, False)]),
        ([0.40, 0.42, 0.42, 0.44, 0.46, 0.48, 0.52], [(0, 6, True)]),
        ([0.40, 0.42, 0.42, 0.44, 0.46, 0.48], []),
        ([0.60, 0.40, 0.42, 0.44, 0.46, 0.48, 0.52, 0.41], [(1, 6, True)]),
        ([0.40, 0.42, 0.44, 0.46, 0.48, 0.5, 0.48, 0.46, 0.44, 0.42, 0.40], [(0, 5, True), (5, 10, False)]),
    ],
    ids=["five", "six rising", "seven falling", "tie skipped", "tie does not count", "within others", "up and down"],
)
def test_trend_is_six_in_one_direction(values: list[float], expected: list[object]) -> None:
    """A point equal to the one before is skipped."""
    assert found(*values, rule=Rule.TREND) == expected


def test_two_of_three_in_the_outer_third_on_one_side() -> None:
    """More than two standard errors (0.2) from the centre; on two sides they are no signal."""
    assert found(0.71, 0.5, 0.72, 0.5, 0.5, rule=Rule.OUTER_THIRD) == [(0, 2, True)]
    assert found(0.71, 0.5, 0.5, 0.72, rule=Rule.OUTER_THIRD) == []
    assert found(0.71, 0.29, 0.5, rule=Rule.OUTER_THIRD) == []
    assert found(0.70, 0.5, 0.70, rule=Rule.OUTER_THIRD) == []


def test_fifteen_in_the_inner_third() -> None:
    """Less than one standard error (0.1) from the centre, fifteen in succession."""
    assert found(*[0.55, 0.45] * 7, 0.55, rule=Rule.INNER_THIRD) == [(0, 14, None)]
    assert found(*[0.55, 0.45] * 7, rule=Rule.INNER_THIRD) == []
    assert found(*[0.55, 0.45] * 7, 0.65, *[0.55] * 5, rule=Rule.INNER_THIRD) == []
