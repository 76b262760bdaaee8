"""The p-chart's centre line and limits, against values worked out by hand from the formulas."""

from math import isclose

from services.charts.limits import Subgroup, p_chart
from services.charts.rules import Rule, Signal, find_signals


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
    assert list(find_signals(chart.points, chart.centre)) == [Signal(Rule.BEYOND_LIMITS, 12, 12, False)]
    assert chart.points[0].z is None


def test_no_subgroup_has_no_chart() -> None:
    """Without a patient there is no average."""
    assert p_chart([]) is None
