"""The signals of each rule set, against points worked out by hand."""

import pytest

from services.charts.patterns import Rule
from services.charts.point import Point, around
from services.charts.rules import rule_sets
from services.charts.runs import fewest_crossings, runs_of

CENTRE = 0.5


def points(*values: float | None, sigma: float = 0.1) -> list[Point]:
    """Points of a chart with the centre 0.5."""
    return [around(value, None, CENTRE, sigma) for value in values]


def found(*values: float | None, rule: Rule, rules: str = "control") -> list[tuple[tuple[int, ...], bool | None]]:
    """Places and direction of the signals of one rule."""
    return [(s.places, s.up) for s in rule_sets()[rules].signals(points(*values)) if s.rule is rule]


def span(first: int, last: int, *without: int) -> tuple[int, ...]:
    """The places from first to last, some left out."""
    return tuple(place for place in range(first, last + 1) if place not in without)


@pytest.mark.parametrize("rules", ["control", "nhs", "anhoj"])
def test_point_on_the_limit_is_not_beyond_it(rules: str) -> None:
    """The limit itself is still chance, also where 0.5 + 3 × 0.1 is not quite 0.8."""
    assert found(0.8, 0.81, 0.19, 0.2, 0.5 + 0.3, rule=Rule.ONE_BEYOND_3_SIGMA, rules=rules) == [
        ((1,), True),
        ((2,), False),
    ]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.51] * 7, []),
        ([0.51] * 8, [(span(0, 7), True)]),
        ([0.49] * 9, [(span(0, 8), False)]),
        ([0.51] * 4 + [0.5] + [0.51] * 4, [(span(0, 8, 4), True)]),
        ([0.51] * 4 + [0.1 + 0.2 + 0.2] + [0.51] * 4, [(span(0, 8, 4), True)]),
        ([0.51] * 4 + [0.5] + [0.51] * 3, []),
        ([0.51] * 4 + [0.49] + [0.51] * 4, []),
        ([0.51] * 4 + [None] + [0.51] * 4, [(span(0, 8, 4), True)]),
        ([0.5] + [0.51] * 8 + [0.5], [(span(1, 8), True)]),
    ],
    ids=["seven", "eight", "below", "centre", "nearly centre", "centre does not count", "broken", "missing", "ends"],
)
def test_shift_is_eight_on_one_side(values: list[float | None], expected: list[object]) -> None:
    """A point on the centre line neither counts nor breaks a shift, nor does a missing one."""
    assert found(*values, rule=Rule.EIGHT_ONE_SIDE) == expected


def test_shift_is_seven_for_the_nhs() -> None:
    """One fewer than in the control set."""
    assert found(*[0.51] * 7, rule=Rule.SEVEN_ONE_SIDE, rules="nhs") == [(span(0, 6), True)]
    assert found(*[0.51] * 6, rule=Rule.SEVEN_ONE_SIDE, rules="nhs") == []


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0.40, 0.42, 0.44, 0.46, 0.48], []),
        ([0.40, 0.42, 0.44, 0.46, 0.48, 0.52], [(span(0, 5), True)]),
        ([0.60, 0.58, 0.56, 0.54, 0.52, 0.51, 0.49], [(span(0, 6), False)]),
        ([0.40, 0.42, 0.42, 0.44, 0.46, 0.48, 0.52], [(span(0, 6, 2), True)]),
        ([0.40, 0.42, 0.42, 0.44, 0.46, 0.48], []),
        ([0.40, 0.42, None, 0.44, 0.46, 0.48, 0.52], [(span(0, 6, 2), True)]),
        ([0.60, 0.40, 0.42, 0.44, 0.46, 0.48, 0.52, 0.41], [(span(1, 6), True)]),
        (
            [0.40, 0.42, 0.44, 0.46, 0.48, 0.5, 0.48, 0.46, 0.44, 0.42, 0.40],
            [(span(0, 5), True), (span(5, 10), False)],
        ),
    ],
    ids=["five", "six", "seven falling", "tie", "tie does not count", "missing", "within others", "up and down"],
)
def test_trend_is_six_in_one_direction(values: list[float | None], expected: list[object]) -> None:
    """A point equal to the one before is passed over."""
    assert found(*values, rule=Rule.SIX_RISING_OR_FALLING) == expected


def test_trend_is_seven_for_the_nhs() -> None:
    """NHSRplotthedots' own examples: seven rising, or falling from the second point on, but not six."""
    rising = [value / 10 for value in (1, 2, 3, 4, 5, 6, 7)]
    assert found(*rising, rule=Rule.SEVEN_RISING_OR_FALLING, rules="nhs") == [(span(0, 6), True)]
    assert found(*rising[:6], rule=Rule.SEVEN_RISING_OR_FALLING, rules="nhs") == []
    assert found(0.2, *rising[::-1], 0.3, rule=Rule.SEVEN_RISING_OR_FALLING, rules="nhs") == [(span(1, 7), False)]


@pytest.mark.parametrize(
    ("values", "control", "nhs"),
    [
        ([0.71, 0.55, 0.72], [((0, 2), True)], [((0, 2), True)]),
        ([0.71, 0.45, 0.72], [((0, 2), True)], []),
        ([0.71, 0.5, 0.72], [((0, 2), True)], []),
        ([0.81, 0.55, 0.72], [((0, 2), True)], [((0, 2), True)]),
        ([0.29, 0.28, 0.27, 0.45], [((0, 1, 2), False)], [((0, 1, 2), False)]),
        ([0.71, 0.55, 0.55, 0.72], [], []),
        ([0.71, 0.29, 0.55], [], []),
        ([0.70, 0.55, 0.70], [], []),
        ([0.71, 0.55, None, 0.72], [((0, 3), True)], [((0, 3), True)]),
        ([0.71, 0.55, 0.72, 0.45, 0.73], [((0, 2, 4), True)], [((0, 2), True)]),
        ([0.71, 0.55, 0.72, 0.45, 0.45, 0.45, 0.73, 0.72], [((0, 2), True), ((6, 7), True)], [((0, 2), True)]),
        ([0.71, 0.72], [], []),
    ],
)
def test_two_of_three_beyond_two_sigma(values: list[float | None], control: list[object], nhs: list[object]) -> None:
    """The NHS wants the third on the same side too; beyond 3 sigma counts in both; the third takes part in neither."""
    assert found(*values, rule=Rule.TWO_OF_THREE_OUTER_THIRD) == control
    assert found(*values, rule=Rule.TWO_OF_THREE_BEYOND_2_SIGMA, rules="nhs") == nhs


def test_fifteen_in_the_inner_third() -> None:
    """Less than one sigma from the centre, fifteen that follow each other; on the line of one sigma is not less."""
    inner = [0.55, 0.45] * 7
    assert found(*inner, 0.55, rule=Rule.FIFTEEN_INNER_THIRD) == [(span(0, 14), None)]
    assert found(*inner, None, 0.5, rule=Rule.FIFTEEN_INNER_THIRD) == [(span(0, 15, 14), None)]
    assert found(*inner, rule=Rule.FIFTEEN_INNER_THIRD) == []
    assert found(*inner, 0.6, *[0.55] * 5, rule=Rule.FIFTEEN_INNER_THIRD) == []
    assert found(*inner, 0.55, rule=Rule.FIFTEEN_INNER_THIRD, rules="nhs") == []


@pytest.mark.parametrize(
    ("useful", "longest", "crossings"),
    [(10, 6, 2), (12, 7, 3), (15, 7, 4), (20, 7, 6), (22, 7, 7), (24, 8, 8), (30, 8, 10), (40, 8, 14), (60, 9, 23)],
)
def test_bounds_of_runs_are_the_published_ones(useful: int, longest: int, crossings: int) -> None:
    """Anhøj and Olesen's table of critical values."""
    runs = runs_of(points(*([0.4, 0.6] * useful)[:useful]))
    assert runs is not None
    assert (runs.useful, runs.longest_max, runs.crossings_min) == (useful, longest, crossings)
    assert fewest_crossings(useful) == crossings


def test_runs_too_long_or_too_rarely_crossing() -> None:
    """Points on the centre are useless; a run of eight of sixteen is too long."""
    values = [0.6, 0.5, 0.4, 0.6, 0.4, 0.6, 0.4, 0.6, 0.4] + [0.6] * 8
    runs = runs_of(points(*values))
    assert runs is not None
    assert (runs.useful, runs.longest, runs.longest_max, runs.crossings, runs.signal) == (16, 8, 7, 8, True)
    few = runs_of(points(*([0.6] * 5 + [0.4] * 5) * 2))
    assert few is not None
    assert (few.longest, few.crossings, few.crossings_min, few.signal) == (5, 3, 6, True)


def test_runs_of_one_point_and_of_none() -> None:
    """One point says nothing; all on the centre say nothing; no centre has no runs."""
    one, none = runs_of(points(0.6)), runs_of(points(0.5, 0.5))
    assert one is not None
    assert none is not None
    assert (one.useful, one.longest_max, one.crossings_min, one.signal) == (1, 3, 0, False)
    assert (none.useful, none.longest, none.longest_max, none.crossings_min, none.signal) == (0, 0, None, None, False)
    assert runs_of([Point(1.0)]) is None


def test_where_there_is_no_spread_all_beside_the_centre_is_beyond_every_line() -> None:
    """Lines of a constant baseline: what is beyond 3 sigma is beyond 2 as well, and nothing is within the inner thirds."""
    signals = rule_sets()["control"].signals(points(0.5, 0.6, 0.5, 0.7, *[0.5] * 15, sigma=0.0))
    assert [(signal.rule, signal.places) for signal in signals] == [
        (Rule.ONE_BEYOND_3_SIGMA, (1,)),
        (Rule.ONE_BEYOND_3_SIGMA, (3,)),
        (Rule.TWO_OF_THREE_OUTER_THIRD, (1, 3)),
    ]
