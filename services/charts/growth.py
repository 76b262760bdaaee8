"""One child's measurements by age among percentile curves, as a Vega-Lite specification."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

from services.charts.look import BETTER, GUIDE, QUIET, finished
from services.charts.vega import AT_THE_RIGHT, Words, layer, layered, quantity, rows, text

AXIS: Words = {"tickCount": 4, "grid": False, "domain": False, "ticks": False}


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
    x = quantity("age", scale=_scale(chart.ages), axis=_ages(chart), title=None)
    y = quantity("value", scale=_scale(_values(chart)), axis=AXIS, title=None)
    layers: list[Words] = []
    for which, curve in chart.curves.items():
        line = rows(*({"age": age, "value": value} for age, value in curve))
        middle = which == 50
        drawn = {"color": GUIDE, "strokeWidth": 1 if middle else 0.7, "strokeDash": [1, 0] if middle else [3, 3]}
        layers.append(layer(line, "line", drawn, x=x, y=y))
        end, look = rows({"value": curve[-1][1], "name": str(which)}), {"align": "left", "dx": 5, "fontSize": 11}
        layers.append(text(end, "name", look | {"color": QUIET}, x=AT_THE_RIGHT, y=y))
    seen = rows(*({"age": age, "value": value} for age, value in chart.points))
    layers.append(layer(seen, "line", {"color": BETTER, "strokeWidth": 1.3}, x=x, y=y))
    layers.append(layer(seen, "point", {"color": BETTER, "filled": True, "opacity": 1, "size": 26}, x=x, y=y))
    return finished(layered(layers, width, height, description=chart.description))


def _scale(around: Sequence[float]) -> Words:
    return {"domain": list(around), "zero": False, "nice": False}


def _values(chart: GrowthChart) -> list[float]:
    """From below everything drawn to above it, in whole tens of it."""
    values = [value for curve in (chart.points, *chart.curves.values()) for _, value in curve]
    return [floor(min(values) / 5) * 5.0, ceil(max(values) / 5) * 5.0]


def _ages(chart: GrowthChart) -> Words:
    """A tick a birthday."""
    ticks = list(range(ceil(chart.ages[0]), floor(chart.ages[1]) + 1))
    return {
        "values": ticks,
        "labelExpr": "datum.value + ' y'",
        "tickColor": GUIDE,
        "domainColor": GUIDE,
        "labelOverlap": True,
    }
