"""One person's values over time as a Vega-Lite specification: a line a quantity, with guides that values are read against."""

import json
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

import altair as alt

from services.charts.look import BETTER, GUIDE, INK, ODD, finished

LINES = ((INK, "circle", [1, 0]), (BETTER, "square", [6, 2]), (ODD, "triangle-up", [2, 2]))
"""Colour, shape and dashes of the first, second and third line: told apart without colour."""


@dataclass(frozen=True, slots=True)
class Line:
    """One quantity."""

    name: str
    points: Sequence[tuple[date, float]]


@dataclass(frozen=True, slots=True)
class Guide:
    """A level that values are read against."""

    at: float
    name: str


@dataclass(frozen=True, slots=True)
class Trajectory:
    """What is drawn; three lines at most."""

    lines: Sequence[Line]
    guides: Sequence[Guide]
    low: float
    high: float
    description: str
    """What it shows in words, for who does not see it."""


def specification(chart: Trajectory, *, width: int = 330, height: int = 190) -> dict[str, Any]:
    """The chart with its data, as Vega-Lite."""
    y = _height(chart)
    guides = alt.Chart(alt.InlineData(values=[{"value": guide.at} for guide in chart.guides]))
    layers: list[Any] = [guides.mark_rule(color=GUIDE, strokeWidth=0.7, strokeDash=[3, 3]).encode(y=y)]
    places = _apart([line.points[-1][1] for line in chart.lines], (chart.high - chart.low) / height * NAME_HEIGHT)
    for line, place, (colour, shape, dash) in zip(chart.lines, places, LINES, strict=False):
        values = [{"at": _instant(day), "value": value} for day, value in line.points]
        x = alt.X("at:Q", scale=alt.Scale(zero=False, nice=False), axis=_years(chart), title=None)
        base = alt.Chart(alt.InlineData(values=values)).encode(x=x, y=y)
        layers.append(base.mark_line(color=colour, strokeDash=dash, strokeWidth=1.3))
        layers.append(base.mark_point(color=colour, shape=shape, filled=True, opacity=1, size=26))
        named = alt.Chart(alt.InlineData(values=[{"value": place, "name": line.name}]))
        names = named.mark_text(align="left", dx=7, color=colour, fontSize=11)
        layers.append(names.encode(x=alt.value("width"), y=y, text="name:N"))
    drawn = alt.layer(*layers).properties(width=width, height=height, background="white", description=chart.description)
    return finished(drawn)


NAME_HEIGHT = 12
"""Pixels that a line's name needs."""


def _height(chart: Trajectory) -> alt.Y:
    """Its axis names the guides."""
    names = json.dumps([guide.name for guide in chart.guides])
    levels = [guide.at for guide in chart.guides]
    named = f"{names}[indexof({json.dumps(levels)}, datum.value)]"
    axis = alt.Axis(values=levels, labelExpr=named, grid=False, domain=False, ticks=False)
    scale = alt.Scale(domain=[chart.low, chart.high], clamp=True, zero=False, nice=False)
    return alt.Y("value:Q", scale=scale, axis=axis, title=None)


def _apart(values: Sequence[float], least: float) -> list[float]:
    """The values, moved so far that none is nearer to another than `least`."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    placed = list(values)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + least)
    return placed


def _years(chart: Trajectory) -> alt.Axis:
    """A tick at each January."""
    days = [day for line in chart.lines for day, _ in line.points]
    ticks = [_instant(date(year, 1, 1)) for year in range(min(days).year, max(days).year + 1)]
    return alt.Axis(values=ticks, labelExpr="utcFormat(datum.value, '%Y')", tickColor=GUIDE, domainColor=GUIDE)


def _instant(day: date) -> int:
    return timegm(day.timetuple()) * 1000
