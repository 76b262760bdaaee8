"""Centre lines and limits: one file a kind of chart, found by its name. To add a kind is to add a file with `KIND`.

Lines are set by the subgroups of the baseline and hold for all. Values are the plotted ones: a share for a p-chart, a mean
for an X̄-chart. Subgroups without a value stay in their place, without one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from services.charts.point import Point, Subgroup


class Takes(StrEnum):
    """What a kind's rows are."""

    SHARES = "shares"
    """y of n, both whole numbers, y ≤ n."""
    RATES = "rates"
    """y events over n, a whole number over a size."""
    MEASUREMENTS = "measurements"
    """y, any number."""
    READINGS = "readings"
    """One row a reading; rows of the same x are one subgroup."""
    GAPS = "gaps"
    """y, the number of cases or the time between two events, not negative."""
    LINES = "lines"
    """y with its centre and sigma."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of chart."""

    name: str
    takes: Takes
    points: Callable[[Sequence[Subgroup], Sequence[Subgroup]], list[Point]]
    """The points of all subgroups, by lines that the second argument, the baseline, sets."""
    convention: str
    """How its lines are found, in a line for who recomputes them."""


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind by its file's name."""
    return {found.name: import_module(f"{__name__}.{found.name}").KIND for found in iter_modules(__path__)}
