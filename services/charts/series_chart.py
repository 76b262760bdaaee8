"""Any series of points with their lines as a Vega-Lite specification: evenly spaced in their order, named by their labels."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any

import altair as alt

from services.charts.look import BAND, COLOURS, GRID, GUIDE, INK, QUIET, SHAPES, Sign, finished
from services.charts.point import Point

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
    base = alt.Chart(alt.InlineData(values=_rows(chart)))
    x, y = _place_axis(chart), alt.Y("value:Q", scale=alt.Scale(zero=False), axis=_value_axis(), title=None)
    known = base.transform_filter("datum.value !== null")
    layers = [*_lines(base, x), known.mark_line(color=INK, strokeWidth=1.1, opacity=0.55).encode(x=x, y=y)]
    if chart.target is not None:
        wanted = alt.Chart(alt.InlineData(values=[{"target": chart.target, "text": "target"}]))
        layers.append(wanted.mark_rule(color=INK, strokeDash=[8, 4]).encode(y="target:Q"))
        layers.append(
            wanted.mark_text(align="left", dx=6, color=INK).encode(x=alt.value("width"), y="target:Q", text="text:N")
        )
    layers.append(known.mark_point(strokeWidth=1.6, opacity=1, filled=True).encode(x=x, y=y, **_marked()))
    layered = alt.layer(*layers).properties(
        width=width, height=height, title=chart.title, description=chart.description, background="white", padding=4
    )
    return finished(layered)


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


def _lines(base: Any, x: alt.X) -> list[Any]:
    """The band between the limits, its edges, and the centre line, phase by phase."""
    limited = base.transform_filter("datum.lower !== null")
    dashed = limited.mark_line(interpolate="step", color=GUIDE, strokeWidth=1, strokeDash=[3, 3])
    centred = base.transform_filter("datum.centre !== null").mark_line(interpolate="step", color=QUIET, strokeWidth=1.4)
    y = alt.Y("lower:Q", scale=alt.Scale(zero=False), axis=_value_axis(), title=None)
    return [
        limited.mark_area(interpolate="step", color=BAND).encode(x=x, y=y, y2="upper:Q", detail="phase:N"),
        *(dashed.encode(x=x, y=f"{bound}:Q", detail="phase:N") for bound in ("lower", "upper")),
        centred.encode(x=x, y="centre:Q", detail="phase:N"),
    ]


def _marked() -> dict[str, Any]:
    return {
        "color": alt.Color("sign:N", scale=COLOURS, legend=None),
        "shape": alt.Shape("sign:N", scale=SHAPES, legend=None),
        "size": alt.condition("datum.sign === 'none'", alt.value(48), alt.value(92)),
        "tooltip": [alt.Tooltip("label:N", title="x"), alt.Tooltip("value:Q", title="y")],
    }


def _place_axis(chart: SeriesChart) -> alt.X:
    """The labels under their places, thinned out where there are many."""
    count = len(chart.points)
    axis = alt.Axis(
        values=list(range(0, count, max(1, ceil(count / TICKS)))),
        labelExpr=f"{json.dumps(list(chart.labels))}[datum.value]",
        labelOverlap=True,
        labelLimit=90,
        tickColor=GUIDE,
        domainColor=GUIDE,
    )
    return alt.X("place:Q", scale=alt.Scale(domain=[-0.5, max(count, 1) - 0.5], nice=False), axis=axis, title=None)


def _value_axis() -> alt.Axis:
    return alt.Axis(grid=True, gridColor=GRID, domain=False, ticks=False)
