"""The LMS method: a Box-Cox power L, a median M and a coefficient of variation S that change with age.

Cole TJ, Green PJ. Smoothing reference centile curves: the LMS method. Stat Med 1992;11:1305-19.
"""

import csv
import math
from bisect import bisect_right
from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from typing import NamedTuple

_ROOT_2 = math.sqrt(2)


class LMS(NamedTuple):
    """One row of a reference, published or between two that are."""

    l: float  # noqa: E741 - the method's own names
    m: float
    s: float

    def z(self, value: float) -> float:
        """How many standard deviations from the median a value lies; exact as L nears 0."""
        logarithm = math.log(value / self.m)
        return (math.expm1(self.l * logarithm) / self.l if self.l else logarithm) / self.s

    def value(self, z: float) -> float:
        """The value at a z-score."""
        if not self.l:
            return self.m * math.exp(self.s * z)
        return self.m * math.exp(math.log1p(self.l * self.s * z) / self.l)


class Curve:
    """The published rows of one measure and sex, ascending by age; between two of them L, M and S are linear in age."""

    def __init__(self, rows: list[tuple[float, LMS]]) -> None:
        ordered = sorted(rows)
        self._ages = [age for age, _ in ordered]
        self._rows = [row for _, row in ordered]

    @property
    def first(self) -> float:
        """The youngest age."""
        return self._ages[0]

    @property
    def last(self) -> float:
        """The oldest age."""
        return self._ages[-1]

    def at(self, age: float) -> LMS:
        """L, M and S at an age from `first` to `last`; a published row as it is."""
        place = bisect_right(self._ages, age) - 1
        low = self._rows[place]
        if self._ages[place] == age:
            return low
        high = self._rows[place + 1]
        part = (age - self._ages[place]) / (self._ages[place + 1] - self._ages[place])
        return LMS(*(one + part * (other - one) for one, other in zip(low, high, strict=True)))


def percentile(z: float) -> float:
    """0 to 100, the normal distribution's."""
    return 50 * math.erfc(-z / _ROOT_2)


def table(name: str) -> Iterator[dict[str, str]]:
    """The rows of a table of transforms/derive/tables/, without the lines that say its source."""
    text = files("transforms.derive").joinpath("tables", name).read_text("utf-8")
    return csv.DictReader(line for line in text.splitlines() if not line.startswith("#"))


@cache
def curves(name: str) -> dict[tuple[str, str], Curve]:
    """The curves of a table, by measure and sex (M, F)."""
    found: dict[tuple[str, str], list[tuple[float, LMS]]] = {}
    for row in table(name):
        scale = _IN_MONTHS.get(row.get("unit", ""), 1.0)
        numbers = LMS(float(row["l"]), float(row["m"]), float(row["s"]))
        found.setdefault((row["measure"], row["sex"]), []).append((float(row["age"]) * scale, numbers))
    return {key: Curve(rows) for key, rows in found.items()}


_IN_MONTHS = {"week": 7 / (365.25 / 12), "month": 1.0}
"""A month is 30.4375 days, as for WHO and CDC."""
