"""Centre lines and limits against published worked examples and values worked out by hand."""

from math import isclose, sqrt
from statistics import fmean

import pytest

from services.charts.chart import Chart, Phase, draw
from services.charts.patterns import Rule
from services.charts.point import Subgroup
from services.charts.spread import c4

# Montgomery, Introduction to Statistical Quality Control, 7th edition, tables 6.3, 6.6, 7.1, 7.4, 7.10 and 7.11.
CANS = (
    *(12, 15, 8, 10, 4, 7, 16, 9, 14, 10, 5, 6, 17, 12, 22),
    *(8, 10, 5, 13, 11, 20, 18, 24, 15, 9, 12, 7, 13, 9, 6),
)
ORDERS = (
    *((12, 100), (8, 80), (6, 80), (9, 100), (10, 110), (12, 110), (11, 100), (16, 100), (10, 90), (6, 90), (20, 110)),
    *((15, 120), (9, 120), (8, 120), (6, 110), (8, 80), (10, 80), (7, 80), (5, 90), (8, 100), (5, 100), (8, 100)),
    *((10, 100), (6, 90), (9, 90)),
)
SHIPMENTS = (2, 3, 8, 1, 1, 4, 1, 4, 5, 1, 8, 2, 4, 3, 4, 1, 8, 3, 7, 4)
CLOTH = (
    *((14, 10.0), (12, 8.0), (20, 13.0), (11, 10.0), (7, 9.5)),
    *((10, 10.0), (21, 12.0), (16, 10.5), (19, 12.0), (23, 12.5)),
)
COSTS = (310, 288, 297, 298, 307, 303, 294, 297, 308, 306, 294, 299, 297, 299, 314, 295, 293, 306, 301, 304)
RINGS = (
    *((30, 2, 19, -8, 8), (-5, -8, 1, 11, 4), (-12, 24, 21, 5, 2), (2, -4, -7, 15, 9), (-8, 7, 15, -11, 14)),
    *((9, -6, -3, -15, -7), (-5, 6, -6, 0, 5), (-15, 3, -7, 15, -12), (8, -5, 9, 5, 4), (-2, 0, -10, 7, -5)),
    *((-6, -2, -6, -5, -10), (4, 0, 7, 0, -4), (-17, 2, -2, -3, 12), (6, -33, -6, 0, -16), (12, 14, -2, -1, 7)),
    *((0, -16, 5, -2, -4), (-6, 12, -14, 5, 7), (6, 10, 18, 3, 0), (-16, 2, 3, 5, -3), (0, 10, 13, 20, 3)),
    *((-18, 1, 15, 5, -4), (4, -1, -10, 6, 9), (10, -11, -10, 9, 14), (15, 8, -7, 0, 10), (-18, -16, -5, 17, 13)),
)
"""Thousandths of a millimetre off 74."""
FAILURES = (*(286, 948, 536, 124, 816, 729, 4, 143, 431, 8, 2837, 596, 81, 227, 603, 492, 1199, 1214, 2831, 96),)


def measured(*values: float | None) -> list[Subgroup]:
    """One measurement a point."""
    return [Subgroup(value) for value in values]


def counted(*pairs: tuple[float, float]) -> list[Subgroup]:
    """So many of so many."""
    return [Subgroup(y, n) for y, n in pairs]


def lines(chart: Chart, place: int = 0) -> tuple[float, float, float]:
    """Lower limit, centre and upper limit of a point."""
    point = chart.points[place]
    assert point.lower is not None
    assert point.centre is not None
    assert point.upper is not None
    return point.lower, point.centre, point.upper


def beyond(chart: Chart) -> list[int]:
    """Places of the points beyond a limit."""
    return [signal.first for signal in chart.signals("control") if signal.rule is Rule.ONE_BEYOND_3_SIGMA]


def test_p_chart_of_orange_juice_cans() -> None:
    """Montgomery, example 7.1: p̄ = 0.2313, limits 0.0524 and 0.4102, samples 15 and 23 beyond."""
    chart = draw("p", counted(*((y, 50) for y in CANS)))
    assert lines(chart) == pytest.approx((0.0524, 0.2313, 0.4102), abs=1e-4)
    assert beyond(chart) == [14, 22]


def test_p_chart_with_limits_by_denominator() -> None:
    """Montgomery, table 7.4: p̄ = 0.096, at n = 100 limits 0.007 and 0.184, sample 11 beyond its own."""
    chart = draw("p", counted(*ORDERS))
    assert lines(chart) == pytest.approx((0.007, 0.096, 0.184), abs=1e-3)
    assert beyond(chart) == [10]


def test_u_chart_of_shipments_and_of_cloth() -> None:
    """Montgomery, examples 7.4 and 7.5: ū = 0.0740, upper 0.1894, lower 0; ū = 1.42, at n = 10 upper 2.55, lower 0.29."""
    assert lines(draw("u", counted(*((y, 50) for y in SHIPMENTS)))) == pytest.approx((0, 0.0740, 0.1894), abs=1e-4)
    assert lines(draw("u", counted(*CLOTH))) == pytest.approx((0.29, 1.42, 2.55), abs=1e-2)


def test_i_and_mr_chart_of_costs() -> None:
    """Montgomery, example 6.5: x̄ = 300.5, MR̄ = 7.79, limits 279.78 and 321.22; ranges up to 25.45."""
    assert lines(draw("i", measured(*COSTS))) == pytest.approx((279.78, 300.5, 321.22), abs=1e-2)
    chart = draw("mr", measured(*COSTS))
    assert lines(chart, 1) == pytest.approx((0, 7.79, 25.45), abs=1e-2)
    assert [point.value for point in chart.points[:3]] == [None, 22, 9]


def test_xbar_and_s_chart_of_piston_rings() -> None:
    """Montgomery, example 6.3: x̿ = 74.001, s̄ = 0.0094, means 73.988 to 74.014, standard deviations 0 to 0.0196."""
    rings = [Subgroup(readings=tuple(74 + off / 1000 for off in ring)) for ring in RINGS]
    assert lines(draw("xbar", rings)) == pytest.approx((73.988, 74.001, 74.014), abs=1e-3)
    assert lines(draw("s", rings)) == pytest.approx((0, 0.0094, 0.0196), abs=5e-5)


def test_constants_of_the_normal_distribution() -> None:
    """Montgomery, appendix VI: c₄, and by it A₃, B₃ and B₄."""
    assert [round(c4(n), 4) for n in (2, 3, 5, 10, 25)] == [0.7979, 0.8862, 0.9400, 0.9727, 0.9896]
    assert round(3 / (c4(5) * sqrt(5)), 3) == 1.427
    assert round(1 - 3 * sqrt(1 - c4(10) ** 2) / c4(10), 3) == 0.284
    assert round(1 + 3 * sqrt(1 - c4(2) ** 2) / c4(2), 3) == 3.267


def test_subgroups_of_several_sizes_pool_their_spread() -> None:
    """s of 1, 3 is √2, of 1, 2, 3 is 1: pooled √((1·2 + 2·1)/3); x̿ weighs readings; A₃ by each size."""
    chart = draw("xbar", [Subgroup(readings=(1, 3)), Subgroup(readings=(1, 2, 3)), Subgroup(readings=(7,))])
    pooled = sqrt(4 / 3)
    assert lines(chart)[1:] == pytest.approx((17 / 6, 17 / 6 + 3 * pooled / (c4(2) * sqrt(2))))
    assert lines(chart, 1)[2] == pytest.approx(17 / 6 + 3 * pooled / (c4(3) * sqrt(3)))
    alone = chart.points[2]
    assert (alone.value, alone.n, alone.lower, alone.upper, alone.sigma) == (7, 1, None, None, None)
    assert draw("s", [Subgroup(readings=(7,)), Subgroup(readings=(1, 3))]).points[0].value is None


@pytest.mark.parametrize(("prime", "plain"), [("pp", "p"), ("up", "u")])
def test_laney_of_equal_denominators_is_the_chart_of_individuals(prime: str, plain: str) -> None:
    """Laney 2002: with one n the limits are those of the I-chart of the shares; so the plain chart's, widened."""
    subgroups = counted((10, 100), (30, 100), (12, 100), (28, 100), (20, 100))
    individuals = draw("i", measured(*(one.y / 100 for one in subgroups if one.y)))
    wide, narrow = draw(prime, subgroups), draw(plain, subgroups)
    assert wide.points[0].sigma == pytest.approx(individuals.points[0].sigma)
    assert wide.points[0].centre == narrow.points[0].centre == pytest.approx(0.2)
    assert (wide.points[0].sigma or 0) > 2 * (narrow.points[0].sigma or 1)


def test_g_chart_centre_is_the_median_and_limit_of_the_mean() -> None:
    """Counts 2, 4, 12: c̄ = 6, σ = √42, upper 6 + 3√42, centre 4."""
    assert lines(draw("g", measured(2, 4, 12))) == pytest.approx((0, 4, 6 + 3 * sqrt(42)))


def test_t_chart_is_the_chart_of_transformed_times() -> None:
    """Montgomery, table 7.14: 286 hours are 4.81, 4 hours 1.47; the longest times are not beyond the limit."""
    chart = draw("t", measured(*FAILURES))
    transformed = [hours ** (1 / 3.6) for hours in FAILURES]
    assert [round(value, 2) for value in (transformed[0], transformed[6])] == [4.81, 1.47]
    assert lines(chart)[1] == pytest.approx(fmean(transformed) ** 3.6)
    assert lines(chart)[0] == 0
    assert beyond(chart) == []
    assert chart.points[10].value == 2837


def test_run_chart_has_a_median_alone() -> None:
    """No limits, no sigma."""
    point = draw("run", measured(1, 9, 2)).points[0]
    assert (point.centre, point.lower, point.upper, point.sigma) == (2, None, None, None)


def test_given_lines_are_taken_as_they_are() -> None:
    """Each point by its own centre and sigma; without sigma there are no limits."""
    chart = draw("given", [Subgroup(5, centre=4, sigma=0.5), Subgroup(7, centre=6)])
    assert lines(chart) == (2.5, 4, 5.5)
    assert chart.points[1].upper is None


def test_average_weighs_patients_not_periods() -> None:
    """9 of 10 and 10 of 90: p̄ = 19/100, not the mean of 0.9 and 0.11."""
    assert draw("p", counted((9, 10), (10, 90))).centre == pytest.approx(0.19)


def test_limits_of_shares_stay_within_nought_and_one() -> None:
    """n = 4: 0.5 ± 0.75."""
    assert lines(draw("p", counted((2, 4))))[::2] == (0, 1)


def test_lines_are_frozen_after_the_baseline() -> None:
    """What comes after the first 12 known points does not move the lines it is judged by."""
    twelve = counted(*((10, 20) for _ in range(12)))
    unknown = [Subgroup(0, 0)]
    before = draw("p", twelve, phases=[Phase(baseline=12)])
    after = draw("p", unknown + twelve + counted((20, 20), (20, 20)), phases=[Phase(baseline=12)])
    assert (after.centre, after.baseline) == (before.centre, 12)


def test_each_phase_has_its_own_lines() -> None:
    """New lines begin at their place; a pattern does not reach over them."""
    low, high = counted(*((2, 20) for _ in range(7))), counted(*((9, 10), (8, 10), (9, 10)))
    chart = draw("p", low + high, phases=[Phase(), Phase(7)])
    assert [point.centre for point in chart.points] == pytest.approx([0.1] * 7 + [26 / 30] * 3)
    assert list(chart.signals("control")) == []
    assert chart.runs is not None
    assert chart.runs.useful == 3


@pytest.mark.parametrize("kind", ["p", "pp", "u", "up"])
def test_period_without_patients_has_no_value_and_moves_nothing(kind: str) -> None:
    """n = 0 is no share of nought."""
    full, gap = counted((2, 10), (4, 10), (3, 10)), counted((2, 10), (0, 0), (4, 10), (3, 10))
    chart = draw(kind, gap)
    assert [point.value for point in chart.points] == [0.2, None, 0.4, 0.3]
    assert (chart.points[1].lower, chart.points[1].sigma) == (None, None)
    assert chart.points[2] == draw(kind, full).points[1]


@pytest.mark.parametrize("kind", ["i", "mr", "g", "t", "run"])
def test_missing_measurement_is_passed_over(kind: str) -> None:
    """The neighbours of a gap follow each other; the gap keeps its place."""
    chart, full = draw(kind, measured(1, None, 4, 6)), draw(kind, measured(1, 4, 6))
    assert [p.value for p in chart.points if p.value is not None] == [
        p.value for p in full.points if p.value is not None
    ]
    assert lines_or_none(chart) == lines_or_none(full)
    assert chart.points[1].value is None


def lines_or_none(chart: Chart) -> tuple[float | None, ...]:
    """Lines of the last point."""
    return chart.points[-1].lower, chart.points[-1].centre, chart.points[-1].upper


@pytest.mark.parametrize("kind", ["i", "mr", "t", "pp"])
def test_one_point_alone_has_no_limits(kind: str) -> None:
    """Where spread is what follows differ by, one point has none; it is drawn all the same."""
    chart = draw(kind, [Subgroup(3, 10)])
    assert (chart.points[0].lower, chart.points[0].upper, chart.points[0].sigma) == (None, None, None)
    assert list(chart.signals("control")) == []


@pytest.mark.parametrize("kind", ["p", "pp", "u", "up", "i", "mr", "xbar", "s", "g", "t", "run", "given"])
def test_nothing_gives_nothing(kind: str) -> None:
    """No subgroup, and subgroups of which nothing is known."""
    assert draw(kind, []).points == ()
    chart = draw(kind, [Subgroup(), Subgroup()])
    assert [point.value for point in chart.points] == [None, None]
    assert (chart.centre, chart.runs) == (None, None)


@pytest.mark.parametrize("kind", ["i", "t", "p", "pp", "u", "up", "run"])
@pytest.mark.parametrize("value", [3, 0.1, 1 / 3])
def test_constant_series_gives_no_signal(kind: str, value: float) -> None:
    """Every point stands on the centre, whatever floating point makes of it; by denominators, that is too near to be chance."""
    sizes = [10, 20, 30, 70, 90, 110] * 4
    shares = [Subgroup(value * n / 10, n) if kind[0] in "pu" else Subgroup(value) for n in sizes]
    chart = draw(kind, shares)
    too_near = [Rule.FIFTEEN_INNER_THIRD] if kind in ("p", "u") else []
    assert [signal.rule for signal in chart.signals("control")] == too_near
    assert chart.runs is not None
    assert (chart.runs.useful, chart.runs.longest_max, chart.runs.signal) == (0, None, False)


def test_everybody_reached_it_leaves_no_spread() -> None:
    """p̄ = 1: the limits fall together, a lower point is beyond them, and there are no thirds."""
    chart = draw("p", counted(*[(5, 5)] * 12, (4, 5)), phases=[Phase(baseline=12)])
    assert [(signal.rule, signal.first, signal.up) for signal in chart.signals("control")] == [
        (Rule.ONE_BEYOND_3_SIGMA, 12, False)
    ]
    assert isclose(chart.points[12].upper or 0, 1)
    assert chart.points[12].z is None
