"""Limits and rules against a second implementation: plain, window by window, written from the formulas alone."""

import math
from collections.abc import Callable, Sequence
from itertools import groupby, pairwise
from statistics import mean, median, variance

from how_many import some
from hypothesis import given, settings
from hypothesis import strategies as st

from services.charts.chart import draw
from services.charts.point import Subgroup

Lines = list[tuple[float | None, float | None, float | None, float | None]]
"""Value, centre, lower, upper."""
SHARES = st.lists(
    st.integers(0, 60).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), min_size=3, max_size=40
)
VALUES = st.lists(st.one_of(st.none(), st.integers(0, 40).map(lambda n: n / 4)), min_size=3, max_size=40)


def close(ours: float | None, theirs: float | None) -> bool:
    """Alike to a billionth, or both absent."""
    if ours is None or theirs is None:
        return ours is theirs
    return math.isclose(ours, theirs, rel_tol=1e-9, abs_tol=1e-9)


def attributes(rows: Sequence[tuple[int, int]], spread: Callable[[float], float], top: float, prime: bool) -> Lines:
    """p, u, P′, U′ in one: `spread` is the variance of one."""
    rows_known = [(y, n) for y, n in rows if n]
    if not rows_known:
        return [(None, None, None, None)] * len(rows)
    centre = sum(y for y, _ in rows_known) / sum(n for _, n in rows_known)
    factor: float | None = 1.0
    if prime:
        z = [0.0 if not spread(centre) else (y / n - centre) / math.sqrt(spread(centre) / n) for y, n in rows_known]
        jumps = [abs(z[k] - z[k - 1]) for k in range(1, len(z))]
        factor = sum(jumps) / len(jumps) / 1.128 if jumps else None
    lines: Lines = []
    for y, n in rows:
        if not n or factor is None:
            lines.append((y / n if n else None, centre, None, None))
            continue
        three = 3 * factor * math.sqrt(spread(centre) / n)
        lines.append((y / n, centre, max(0.0, centre - three), min(top, centre + three)))
    return lines


def individuals(values: Sequence[float | None]) -> Lines:
    """The I-chart."""
    there = [value for value in values if value is not None]
    if not there:
        return [(None, None, None, None)] * len(values)
    centre = sum(there) / len(there)
    if len(there) == 1:
        return [(value, centre, None, None) for value in values]
    moves = [abs(there[k + 1] - there[k]) for k in range(len(there) - 1)]
    three = 3 * (sum(moves) / len(moves)) / 1.128
    return [(value, centre, centre - three, centre + three) for value in values]


def agree(kind: str, subgroups: Sequence[Subgroup], theirs: Lines) -> None:
    """Every number of every point."""
    for point, lines in zip(draw(kind, subgroups).points, theirs, strict=True):
        ours = (point.value, point.centre, point.lower, point.upper)
        assert all(map(close, ours, lines)), (kind, ours, lines)


@given(SHARES)
@settings(max_examples=some(60))
def test_charts_of_counts(rows: list[tuple[int, int]]) -> None:
    """p and u, and both widened."""
    subgroups = [Subgroup(y, n) for y, n in rows]
    agree("p", subgroups, attributes(rows, lambda p: p * (1 - p), 1.0, prime=False))
    agree("pp", subgroups, attributes(rows, lambda p: p * (1 - p), 1.0, prime=True))
    agree("u", subgroups, attributes(rows, lambda u: u, math.inf, prime=False))
    agree("up", subgroups, attributes(rows, lambda u: u, math.inf, prime=True))


@given(VALUES)
@settings(max_examples=some(60))
def test_charts_of_measurements(values: list[float | None]) -> None:
    """I, g, T and run."""
    subgroups, there = [Subgroup(value) for value in values], [value for value in values if value is not None]
    agree("i", subgroups, individuals(values))
    if not there:
        return
    agree("run", subgroups, [(value, median(there), None, None) for value in values])
    top = mean(there) + 3 * math.sqrt(mean(there) * (mean(there) + 1))
    agree("g", subgroups, [(value, median(there), 0.0, top) for value in values])
    small = individuals([None if value is None else value ** (1 / 3.6) for value in values])
    back = [
        tuple(None if one is None else max(one, 0) ** 3.6 for one in (centre, low, high))
        for _, centre, low, high in small
    ]
    agree("t", subgroups, [(value, *lines) for value, lines in zip(values, back, strict=True)])  # type: ignore[misc]


READINGS = st.lists(st.lists(st.integers(0, 40).map(lambda n: n / 4), max_size=6), min_size=3, max_size=25)


@given(READINGS)
@settings(max_examples=some(60))
def test_charts_of_readings(groups: list[list[float]]) -> None:
    """X̄ and S, of subgroups of one size and of several, empty ones and lone readings among them."""

    def unbiased(n: int) -> float:
        return math.sqrt(2 / (n - 1)) * math.gamma(n / 2) / math.gamma((n - 1) / 2)

    def around(value: float | None, centre: float | None, sigma: float | None, floor: float) -> Lines:
        if centre is None or sigma is None:
            return [(value, centre, None, None)]
        return [(value, centre, max(floor, centre - 3 * sigma), centre + 3 * sigma)]

    readings = [value for group in groups for value in group]
    spreads = [(len(group), variance(group)) for group in groups if len(group) > 1]
    alike = len({len(group) for group in groups if group}) == 1
    within = None
    if spreads and alike:
        within = mean(math.sqrt(squares) for _, squares in spreads)
    elif spreads:
        within = math.sqrt(sum((n - 1) * squares for n, squares in spreads) / sum(n - 1 for n, _ in spreads))
    means: Lines = []
    deviations: Lines = []
    for group in groups:
        n, several = len(group), len(group) > 1 and within is not None
        of_mean = within / unbiased(n) / math.sqrt(n) if several and within is not None else None
        of_spread = within / unbiased(n) * math.sqrt(1 - unbiased(n) ** 2) if several and within is not None else None
        means += around(mean(group) if group else None, mean(readings) if readings else None, of_mean, -math.inf)
        deviations += around(math.sqrt(variance(group)) if n > 1 else None, within, of_spread, 0.0)
    subgroups = [Subgroup(readings=tuple(group)) for group in groups]
    agree("xbar", subgroups, means)
    agree("s", subgroups, deviations)


@given(VALUES)
@settings(max_examples=some(60))
def test_moving_ranges(values: list[float | None]) -> None:
    """The distance of each from the last one before it, with 3.267 times their mean as limit."""
    before = [next((one for one in reversed(values[:k]) if one is not None), None) for k in range(len(values))]
    ranges = [
        None if one is None or last is None else abs(one - last) for one, last in zip(values, before, strict=True)
    ]
    known = [one for one in ranges if one is not None]
    lines = (mean(known), 0.0, 3.267 * mean(known)) if known else (None, None, None)
    agree("mr", [Subgroup(one) for one in values], [(one, *lines) for one in ranges])


def flagged(z: Sequence[float | None]) -> dict[str, set[int]]:
    """By each rule the places of the points that take part: every window of every length tried."""
    there = [place for place, value in enumerate(z) if value is not None]
    off = [place for place in there if z[place] != 0]
    moving = [place for k, place in enumerate(there) if not k or z[place] != z[there[k - 1]]]

    def windows(places: Sequence[int], length: int, fits: Callable[[list[float]], bool]) -> set[int]:
        found: set[int] = set()
        for start in range(len(places) - length + 1):
            window = list(places[start : start + length])
            if fits([value for place in window if (value := z[place]) is not None]):
                found |= set(window)
        return found

    def one_side(values: list[float]) -> bool:
        return all(value > 0 for value in values) or all(value < 0 for value in values)

    def one_way(values: list[float]) -> bool:
        steps = [b - a for a, b in pairwise(values)]
        return all(step > 0 for step in steps) or all(step < 0 for step in steps)

    def outer(third_too: bool) -> set[int]:
        found: set[int] = set()
        for way in (1, -1):
            for start in range(len(there) - 2):
                three = there[start : start + 3]
                far = [place for place in three if way * (z[place] or 0) > 2]
                if len(far) >= 2 and (not third_too or all(way * (z[place] or 0) > 0 for place in three)):
                    found |= set(far)
        return found

    return {
        "one_beyond_3_sigma": {place for place in there if abs(z[place] or 0) > 3},
        "eight_one_side": windows(off, 8, one_side),
        "seven_one_side": windows(off, 7, one_side),
        "six_rising_or_falling": windows(moving, 6, one_way),
        "seven_rising_or_falling": windows(moving, 7, one_way),
        "two_of_three_outer_third": outer(third_too=False),
        "two_of_three_beyond_2_sigma": outer(third_too=True),
        "fifteen_inner_third": windows(there, 15, lambda values: all(abs(value) < 1 for value in values)),
    }


BY_SET = {
    "control": (
        "one_beyond_3_sigma",
        "eight_one_side",
        "six_rising_or_falling",
        "two_of_three_outer_third",
        "fifteen_inner_third",
    ),
    "nhs": ("one_beyond_3_sigma", "seven_one_side", "seven_rising_or_falling", "two_of_three_beyond_2_sigma"),
    "anhoj": ("one_beyond_3_sigma",),
}
STEPS = st.one_of(st.none(), st.integers(-7, 7).map(lambda n: n / 2))
WALKS = st.lists(STEPS, min_size=3, max_size=60)
NARROW = st.lists(st.one_of(st.none(), st.sampled_from([-0.5, 0, 0.5, 0.75, 1])), min_size=15, max_size=60)
CLIMBS = st.lists(st.sampled_from([0.25, 0.25, 0.5, 0, -0.25]), min_size=8, max_size=50).map(
    lambda steps: [sum(steps[: k + 1]) - 1 for k in range(len(steps))]
)


@given(st.one_of(WALKS, NARROW, CLIMBS), st.sampled_from([(0, 1), (10, 2), (0.3, 0.1), (-1e6, 0.125)]))
@settings(max_examples=some(300))
def test_rules(z: list[float | None], lines: tuple[float, float]) -> None:
    """Every set, on points that often lie on a line, whatever the scale."""
    centre, sigma = lines
    subgroups = [Subgroup(None if one is None else centre + one * sigma, centre=centre, sigma=sigma) for one in z]
    chart, theirs = draw("given", subgroups), flagged(z)
    for rules, names in BY_SET.items():
        ours: dict[str, set[int]] = {name: set() for name in names}
        for signal in chart.signals(rules):
            ours[signal.rule] |= set(signal.places)
        assert ours == {name: theirs[name] for name in names}


@given(WALKS)
@settings(max_examples=some(100))
def test_runs(z: list[float | None]) -> None:
    """Lengths and crossings counted in another way, the bound by adding up probabilities."""
    sides = "".join("+" if value > 0 else "-" for value in z if value)
    runs = draw("given", [Subgroup(value, centre=0, sigma=1) for value in z]).runs
    assert runs is not None
    assert runs.useful == len(sides)
    assert runs.longest == max((len(list(run)) for _, run in groupby(sides)), default=0)
    assert runs.crossings == sides.count("+-") + sides.count("-+")
    if sides:
        chance = [math.comb(len(sides) - 1, k) / 2 ** (len(sides) - 1) for k in range(len(sides))]
        assert runs.crossings_min == min(k for k in range(len(sides)) if sum(chance[: k + 1]) >= 0.05)
        assert runs.longest_max == round(math.log2(len(sides))) + 3


@given(st.sampled_from(["p", "pp", "u", "up"]), SHARES)
@settings(max_examples=some(100))
def test_rules_where_limits_differ_from_point_to_point(kind: str, rows: list[tuple[int, int]]) -> None:
    """Counts of unlike denominators, some of them zero: each point by its own sigma."""
    chart = draw(kind, [Subgroup(y if n else None, n) for y, n in rows])
    z = [None if point.value is None or point.centre is None else point.value - point.centre for point in chart.points]
    sigmas = [point.sigma for point in chart.points]
    if any(
        abs(abs(one) - k * sigma) < 1e-9
        for one, sigma in zip(z, sigmas, strict=True)
        if one and sigma
        for k in (1, 2, 3)
    ):
        return  # on a line: which side is a matter of the last digit
    if not all(sigma for one, sigma in zip(z, sigmas, strict=True) if one is not None):
        return  # no spread: `test_everybody_alike`
    theirs = flagged(
        [None if one is None or not sigma else round(one / sigma, 9) for one, sigma in zip(z, sigmas, strict=True)]
    )
    for rules in ("control", "nhs"):
        by_sigma = [name for name in BY_SET[rules] if "rising" not in name]
        ours: dict[str, set[int]] = {name: set() for name in BY_SET[rules]}
        for signal in chart.signals(rules):
            ours[signal.rule] |= set(signal.places)
        assert {name: ours[name] for name in by_sigma} == {name: theirs[name] for name in by_sigma}


@given(st.integers(1, 30), st.lists(st.integers(1, 30), min_size=1, max_size=30), st.sampled_from([0, 1]))
@settings(max_examples=some(40))
def test_everybody_alike(factor: int, sizes: list[int], share: int) -> None:
    """Nobody or everybody, in denominators of any size: the line lies on every point, and nothing is a signal."""
    subgroups = [Subgroup(share * n * factor, n * factor) for n in sizes]
    for kind in ("p", "pp"):
        for rules in BY_SET:
            assert not list(draw(kind, subgroups).signals(rules))
