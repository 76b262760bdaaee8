"""Any series of points with their lines as a Vega-Lite specification: evenly spaced in their order, named by their labels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

from services.charts.look import BAND, COLOURED, GRID, GUIDE, INK, QUIET, SHAPED, Sign, finished
from services.charts.point import Point
from services.charts.vega import AT_THE_RIGHT, Words, chosen, layer, layered, name, named, quantity, rows, text

POINTS = "points"
AXIS: Words = {"grid": True, "gridColor": GRID, "domain": False, "ticks": False}

TICKS = 12
"""Labels on the axis below, at most."""


@dataclass(frozen=True, slots=True)
class SeriesChart:
    """What is drawn. `points`, `labels` and `signs` are alike in length."""

    title: str
    description: str
    """What it shows in words, for who does not see it."""
    points: Sequence[Point]
    labels: Sequence[str]
    signs: Sequence[Sign]
    target: float | None = None
    breaks: Sequence[int] = ()
    """Places at which new lines begin."""


def specification(chart: SeriesChart, *, width: int = 820, height: int = 320) -> dict[str, Any]:
    """The chart with its data, as Vega-Lite."""
    x, y = _place_axis(chart), quantity("value", scale={"zero": False}, axis=AXIS, title=None)
    data, known = named(POINTS), "datum.value !== null"
    through = {"color": INK, "strokeWidth": 1.1, "opacity": 0.55}
    layers = [*_lines(x), layer(data, "line", through, known, x=x, y=y)]
    if chart.target is not None:
        wanted, at = rows({"target": chart.target, "text": "target"}), quantity("target")
        layers.append(layer(wanted, "rule", {"color": INK, "strokeDash": [8, 4]}, y=at))
        layers.append(text(wanted, "text", {"align": "left", "dx": 6, "color": INK}, x=AT_THE_RIGHT, y=at))
    layers.append(layer(data, "point", {"strokeWidth": 1.6, "opacity": 1, "filled": True}, known, x=x, y=y, **MARKED))
    drawn = layered(layers, width, height, title=chart.title, description=chart.description, padding=4)
    return finished(drawn, {POINTS: _rows(chart)})


def _rows(chart: SeriesChart) -> list[dict[str, Any]]:
    """A row a point; a line is drawn as steps that reach half a place to either side."""
    phase = [sum(place >= new for new in chart.breaks) for place in range(len(chart.points))]
    return [
        {
            "place": place,
            "phase": phase[place],
            "label": label,
            "value": point.value,
            "centre": point.centre,
            "lower": point.lower,
            "upper": point.upper,
            "sign": str(sign),
        }
        for place, (point, label, sign) in enumerate(zip(chart.points, chart.labels, chart.signs, strict=True))
    ]


def _lines(x: Words) -> list[Words]:
    """The band between the limits, its edges, and the centre line, phase by phase."""
    data, limited, detail = named(POINTS), "datum.lower !== null", name("phase")
    dashed = {"interpolate": "step", "color": GUIDE, "strokeWidth": 1, "strokeDash": [3, 3]}
    centre = {"interpolate": "step", "color": QUIET, "strokeWidth": 1.4}
    band, y = {"interpolate": "step", "color": BAND}, quantity("lower", scale={"zero": False}, axis=AXIS, title=None)
    return [
        layer(data, "area", band, limited, x=x, y=y, y2={"field": "upper"}, detail=detail),
        *(layer(data, "line", dashed, limited, x=x, y=quantity(bound), detail=detail) for bound in ("lower", "upper")),
        layer(data, "line", centre, "datum.centre !== null", x=x, y=quantity("centre"), detail=detail),
    ]


MARKED: Words = {
    "color": COLOURED,
    "shape": SHAPED,
    "size": chosen("datum.sign === 'none'", 48, {"value": 92}),
    "tooltip": [name("label", title="x"), quantity("value", title="y")],
}


def _place_axis(chart: SeriesChart) -> Words:
    """The labels under their places, thinned out where there are many."""
    count = len(chart.points)
    axis = {
        "values": list(range(0, count, max(1, ceil(count / TICKS)))),
        "labelExpr": f"{json.dumps(list(chart.labels))}[datum.value]",
        "labelOverlap": True,
        "labelLimit": 90,
        "tickColor": GUIDE,
        "domainColor": GUIDE,
    }
    return quantity("place", scale={"domain": [-0.5, max(count, 1) - 0.5], "nice": False}, axis=axis, title=None)
