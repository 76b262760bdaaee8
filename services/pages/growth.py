"""A child's growth chart: what was measured, by age, among the percentiles of children of that sex (CDC 2000, 2 to 20 years)."""

import csv
from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from itertools import pairwise

from services.charts.growth import GrowthChart
from services.pages.patient_state import Kept

TITLES = {"height": "Height by age, in cm", "weight": "Weight by age, in kg"}
YOUNGEST, OLDEST = 2.0, 20.0
YEAR_DAYS = 365.25
AROUND = 1.0
"""Years shown before the first and after the last measurement."""


def growth_charts(kept: Kept) -> Iterator[tuple[str, str, GrowthChart]]:
    """Name, caption and chart of each quantity that was measured at an age the percentiles are for."""
    for name, title in TITLES.items():
        points = list(_by_age(kept, kept.measured.get(name, ())))
        curves = percentiles().get((name, kept.sex or ""))
        if points and curves is not None:
            first, last = max(YOUNGEST, points[0][0] - AROUND), min(OLDEST, points[-1][0] + AROUND)
            shown = {which: _between(curve, first, last) for which, curve in curves.items()}
            caption = f"{title}; percentiles 3 to 97 (CDC 2000)"
            unit = title.rpartition(" ")[2]
            said = (
                f"{caption}; last: {points[-1][1]:g} {unit} at {points[-1][0]:.1f} years, {_place(points[-1], curves)}."
            )
            yield name, caption, GrowthChart(points, shown, (first, last), said)


Curve = Sequence[tuple[float, float]]
"""Age in years and value, in the order of age."""


@cache
def percentiles() -> Mapping[tuple[str, str], Mapping[int, Curve]]:
    """By quantity and sex, the curve of each percentile."""
    lines = files("services.pages").joinpath("growth.csv").read_text("utf-8").splitlines()
    found: dict[tuple[str, str], dict[int, list[tuple[float, float]]]] = {}
    for row in csv.DictReader(line for line in lines if not line.startswith("#")):
        curves = found.setdefault((row["measure"], row["sex"]), {})
        for column, value in row.items():
            if column.startswith("p"):
                curves.setdefault(int(column[1:]), []).append((int(row["months"]) / 12, float(value)))
    return found


def _by_age(kept: Kept, measured: Sequence[tuple[date, float]]) -> Iterator[tuple[float, float]]:
    for day, value in measured if kept.born else ():
        assert kept.born is not None
        age = (day - kept.born).days / YEAR_DAYS
        if YOUNGEST <= age <= OLDEST:
            yield age, value


def _between(curve: Curve, first: float, last: float) -> list[tuple[float, float]]:
    inner = [point for point in curve if first < point[0] < last]
    return [(first, _at(curve, first)), *inner, (last, _at(curve, last))]


def _at(curve: Curve, age: float) -> float:
    """On the line between the two ages around it."""
    before, after = next(
        (pair for pair in pairwise(curve) if pair[0][0] <= age <= pair[1][0]),
        (curve[-1], curve[-1]),
    )
    part = (age - before[0]) / (after[0] - before[0]) if after[0] > before[0] else 0.0
    return before[1] + part * (after[1] - before[1])


def _place(point: tuple[float, float], curves: Mapping[int, Curve]) -> str:
    """Between which percentiles a value lies."""
    age, value = point
    below = [which for which, curve in curves.items() if _at(curve, age) <= value]
    above = [which for which, curve in curves.items() if _at(curve, age) > value]
    if not below:
        return f"below percentile {min(curves)}"
    return f"between percentiles {max(below)} and {min(above)}" if above else f"above percentile {max(curves)}"
