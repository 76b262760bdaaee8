"""One person's values over time as a Vega-Lite specification: a line a quantity, with guides that values are read against."""

import json
from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any

from services.charts.look import BETTER, GUIDE, INK, ODD, finished
from services.charts.vega import AT_THE_RIGHT, Words, layer, layered, quantity, rows, text

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
    guides = rows(*({"value": guide.at} for guide in chart.guides))
    layers = [layer(guides, "rule", {"color": GUIDE, "strokeWidth": 0.7, "strokeDash": [3, 3]}, y=y)]
    places = _apart([line.points[-1][1] for line in chart.lines], (chart.high - chart.low) / height * NAME_HEIGHT)
    for line, place, (colour, shape, dash) in zip(chart.lines, places, LINES, strict=False):
        values = rows(*({"at": _instant(day), "value": value} for day, value in line.points))
        x = quantity("at", scale={"zero": False, "nice": False}, axis=_years(chart), title=None)
        dot = {"color": colour, "shape": shape, "filled": True, "opacity": 1, "size": 26}
        layers.append(layer(values, "line", {"color": colour, "strokeDash": dash, "strokeWidth": 1.3}, x=x, y=y))
        layers.append(layer(values, "point", dot, x=x, y=y))
        look = {"align": "left", "dx": 7, "color": colour, "fontSize": 11}
        layers.append(text(rows({"value": place, "name": line.name}), "name", look, x=AT_THE_RIGHT, y=y))
    return finished(layered(layers, width, height, description=chart.description))


NAME_HEIGHT = 12
"""Pixels that a line's name needs."""


def _height(chart: Trajectory) -> Words:
    """Its axis names the guides."""
    names = json.dumps([guide.name for guide in chart.guides])
    levels = [guide.at for guide in chart.guides]
    named = f"{names}[indexof({json.dumps(levels)}, datum.value)]"
    axis = {"values": levels, "labelExpr": named, "grid": False, "domain": False, "ticks": False}
    scale = {"domain": [chart.low, chart.high], "clamp": True, "zero": False, "nice": False}
    return quantity("value", scale=scale, axis=axis, title=None)


def _apart(values: Sequence[float], least: float) -> list[float]:
    """The values, moved so far that none is nearer to another than `least`."""
    order = sorted(range(len(values)), key=lambda place: values[place])
    placed = list(values)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + least)
    return placed


def _years(chart: Trajectory) -> Words:
    """A tick at each January."""
    days = [day for line in chart.lines for day, _ in line.points]
    ticks = [_instant(date(year, 1, 1)) for year in range(min(days).year, max(days).year + 1)]
    return {
        "values": ticks,
        "labelExpr": "utcFormat(datum.value, '%Y')",
        "tickColor": GUIDE,
        "domainColor": GUIDE,
    }


def _instant(day: date) -> int:
    return timegm(day.timetuple()) * 1000
