"""The p-chart and its signals, against values worked out by hand from the formulas."""

from math import isclose

import pytest

from services.charts.spc import Point, Rule, Signal, Subgroup, find_signals, p_chart

CENTRE = 0.5


def points(*values: float, half: float = 0.3) -> list[Point]:
    """Points of a chart with the centre 0.5 and limits ± `half`, so that one standard error is a third of it."""
    return [Point(value, CENTRE - half, CENTRE + half, (value - CENTRE) / (half / 3)) for value in values]


def found(*values: float, rule: Rule) -> list[tuple[int, int, bool | None]]:
    """First, last and direction of the signals of one rule."""
    return [(s.first, s.last, s.up) for s in find_signals(points(*values), CENTRE) if s.rule is rule]


def test_limits_are_three_standard_errors_of_the_average_proportion() -> None:
    """120 of 240: p̄ = 0.5; n = 20: 3·√(0.25/20) = 0.33541; n = 100: 3·√(0.25/100) = 0.15."""
    chart = p_chart([Subgroup(10, 20)] * 12 + [Subgroup(60, 100)])
    assert chart is not None
    assert chart.centre == 0.5
    assert isclose(chart.points[0].lower, 0.16459, abs_tol=1e-5)
    assert isclose(chart.points[0].upper, 0.83541, abs_tol=1e-5)
    assert isclose(chart.points[12].upper, 0.65)
    assert isclose(chart.points[12].z or 0, 2.0)


def test_average_weighs_patients_not_periods() -> None:
    """9 of 10 and 10 of 90: p̄ = 19/100, not the mean of 0.9 and 0.11."""
    chart = p_chart([Subgroup(9, 10), Subgroup(10, 90)])
    assert chart is not None
    assert isclose(chart.centre, 0.19)


def test_limits_stay_within_nought_and_one() -> None:
    """n = 4: 0.5 ± 0.75 is kept within 0 and 1."""
    chart = p_chart([Subgroup(2, 4)])
    assert chart is not None
    assert (chart.points[0].lower, chart.points[0].upper) == (0.0, 1.0)


def test_average_is_frozen_after_twelve_points() -> None:
    """What comes after the baseline does not move the average it is judged by."""
    before = p_chart([Subgroup(10, 20)] * 12)
    after = p_chart([Subgroup(10, 20)] * 12 + [Subgroup(20, 20)] * 12)
    assert before is not None
    assert after is not None
    assert (after.centre, after.baseline) == (before.centre, 12)


def test_everybody_reached_it_has_no_spread() -> None:
    """p̄ = 1: limits fall together, a lower point is beyond them, and there are no thirds."""
    chart = p_chart([Subgroup(5, 5)] * 12 + [Subgroup(4, 5)])
    assert chart is not None
    assert chart.signals == (Signal(Rule.BEYOND_LIMITS, 12, 12, False),)
    assert chart.points[0].z is None


def test_no_subgroup_has_no_chart() -> None:
    """Without a patient there is no average."""
    assert p_chart([]) is None


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
