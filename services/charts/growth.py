"""One child's measurements by age among percentile curves, as a Vega-Lite specification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import altair as alt

from services.charts.look import BETTER, GUIDE, QUIET, finished


@dataclass(frozen=True, slots=True)
class GrowthChart:
    """What is drawn."""

    points: Sequence[tuple[float, float]]
    """Age in years and value, in the order of age."""
    curves: Mapping[int, Sequence[tuple[float, float]]]
    """By percentile, over the ages shown."""
    ages: tuple[float, float]
    description: str
    """What it shows in words, for who does not see it."""


def growth(chart: GrowthChart, *, width: int = 330, height: int = 190) -> dict[str, Any]:
    """The chart with its data, as Vega-Lite. The middle curve is drawn through, the others dashed; each is named at its end."""
    x = alt.X("age:Q", scale=alt.Scale(domain=list(chart.ages), zero=False, nice=False), axis=_ages(chart), title=None)
    y = alt.Y("value:Q", scale=alt.Scale(domain=_values(chart), zero=False, nice=False), axis=_axis(), title=None)
    layers: list[Any] = []
    for which, curve in chart.curves.items():
        line = alt.Chart(alt.InlineData(values=[{"age": age, "value": value} for age, value in curve]))
        dash = [1, 0] if which == 50 else [3, 3]
        layers.append(
            line.mark_line(color=GUIDE, strokeWidth=1 if which == 50 else 0.7, strokeDash=dash).encode(x=x, y=y)
        )
        end = alt.Chart(alt.InlineData(values=[{"value": curve[-1][1], "name": str(which)}]))
        named = end.mark_text(align="left", dx=5, color=QUIET, fontSize=11)
        layers.append(named.encode(x=alt.value("width"), y=y, text="name:N"))
    seen = alt.Chart(alt.InlineData(values=[{"age": age, "value": value} for age, value in chart.points]))
    layers.append(seen.mark_line(color=BETTER, strokeWidth=1.3).encode(x=x, y=y))
    layers.append(seen.mark_point(color=BETTER, filled=True, opacity=1, size=26).encode(x=x, y=y))
    drawn = alt.layer(*layers).properties(width=width, height=height, background="white", description=chart.description)
    return finished(drawn)


def _values(chart: GrowthChart) -> list[float]:
    """From below everything drawn to above it, in whole tens of it."""
    values = [value for curve in (chart.points, *chart.curves.values()) for _, value in curve]
    return [floor(min(values) / 5) * 5.0, ceil(max(values) / 5) * 5.0]


def _ages(chart: GrowthChart) -> alt.Axis:
    """A tick a birthday."""
    ticks = list(range(ceil(chart.ages[0]), floor(chart.ages[1]) + 1))
    return alt.Axis(values=ticks, labelExpr="datum.value + ' y'", tickColor=GUIDE, domainColor=GUIDE, labelOverlap=True)


def _axis() -> alt.Axis:
    return alt.Axis(tickCount=4, grid=False, domain=False, ticks=False)
