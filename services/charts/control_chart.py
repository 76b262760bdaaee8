"""A control chart as a Vega-Lite specification: shares with their limits above, whom they stand on as bars below."""

from calendar import timegm
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from math import ceil, floor, log10
from typing import Any

from services.charts.look import BAND, BAR, COLOURED, GRID, GUIDE, INK, QUIET, SHAPED, Sign, finished
from services.charts.vega import AT_THE_RIGHT, Words, chosen, layer, layered, name, named, quantity, rows, text

POINTS, BARS = "points", "bars"
"""Data that several layers share stand once, under a name."""
AXIS = 46
"""Pixels left of both panels, so that their time axes stand in line."""
APART = {"x": "independent", "y": "independent", "color": "independent", "shape": "independent"}
HEIGHT, LINE = 300, 14
"""Pixels of the upper panel, and of a line of text beside it."""
NEAR = 0.07
"""Part of the width that a letter needs on a phone, where a panel has 200 pixels."""


@dataclass(frozen=True, slots=True)
class Mark:
    """One period: a point where anybody was measured, a bar where anybody was seen. `met` ≤ `measured` ≤ `seen`."""

    start: date
    end: date
    label: str
    seen: int
    measured: int
    met: int
    value: float | None = None
    """What the point shows; none: the share of those measured who met it."""
    lower: float | None = None
    upper: float | None = None
    hollow: bool = False
    """Drawn as an outline: it says little, or is not over."""
    sign: Sign = Sign.NONE
    number: str = ""
    """Written above the point."""
    centre: float | None = None
    phase: int = 0
    """Lines of one phase are joined, those of two are not."""


@dataclass(frozen=True, slots=True)
class Axis:
    """From where to where values go, and how they are written; shares where nothing else is said."""

    lowest: float = 0.0
    highest: float = 1.0
    format: str = ".0%"
    step: float = 0.25

    @classmethod
    def around(cls, values: Sequence[float]) -> "Axis":
        """Whole steps of 1, 2 or 5 times a power of ten around some values."""
        low, high = (min(values), max(values)) if values else (0.0, 1.0)
        step = _step((high - low) or abs(high) or 1.0)
        return cls(floor(low / step) * step, ceil(high / step) * step or step, ".0f" if step >= 1 else ".2f", step)

    def ticks(self, few: bool) -> list[float]:
        """Where it is labelled: at whole steps, which the format can tell; of `few`, three at most."""
        steps = round((self.highest - self.lowest) / self.step)
        return [self.lowest + self.step * part for part in range(0, steps + 1, ceil(steps / 2) if few else 1)]


def _step(width: float) -> float:
    power = 10.0 ** floor(log10(width / 4))
    return next(times * power for times in (1, 2, 5, 10) if times * power >= width / 4)


@dataclass(frozen=True, slots=True)
class Labels:
    """The chart's texts."""

    period: str
    share: str
    met: str
    measured: str
    unmeasured: str
    centre: str
    upper: str
    lower: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Flagpole:
    """Something that was done, and when: a letter above the chart."""

    at: date
    letter: str


@dataclass(frozen=True, slots=True)
class ControlChart:
    """What is drawn: periods in order, and the last centre line where there are limits."""

    marks: tuple[Mark, ...]
    centre: float | None
    labels: Labels
    description: str
    """What it shows in words, for who does not see it."""
    axis: Axis = Axis()
    target: float | None = None
    flagpoles: tuple[Flagpole, ...] = ()


def specification(chart: ControlChart, *, width: int = 820, compact: bool = False) -> dict[str, Any]:
    """The chart with its data, as Vega-Lite; to be read only. `compact` for one of many."""
    top = layered(_shares(chart, compact), width, HEIGHT // 2 if compact else HEIGHT)
    bottom = layered(_denominators(chart, compact), width, 26 if compact else 64)
    bottom |= {"data": named(BARS), "transform": [{"calculate": "0", "as": "zero"}]}
    values = [_value(mark) for mark in chart.marks]
    shared = {POINTS: [each for each in values if each["measured"]], BARS: [each for each in values if each["seen"]]}
    panels = {"vconcat": [top, bottom], "spacing": 8 if compact else 14, "resolve": {"scale": APART}}
    return finished(panels, shared, padding=4, description=chart.description)


def _shares(chart: ControlChart, compact: bool) -> list[Words]:
    """Band and limits behind, centre line, the line through the points, the points, the numbers of their notes."""
    unlabelled = {"labels": False, "ticks": False, "domain": False}
    x = quantity("middle", scale=_time_scale(chart), axis=unlabelled, title=None)
    scale = {"domain": [chart.axis.lowest, chart.axis.highest]}
    y = quantity("share", scale=scale, axis=_share_axis(chart.axis, compact), title=None)
    layers: list[Words] = []
    if chart.centre is not None:
        layers += [*_limits(chart, x, compact), _centre(x), *_line_names(chart, compact)]
    layers += [*_target(chart), *_flagpoles(chart, x)]
    layers.append(layer(named(POINTS), "line", {"color": INK, "strokeWidth": 1.1, "opacity": 0.55}, x=x, y=y))
    layers.append(_points(chart, compact, x, y))
    return layers if compact else [*layers, *_numbers(chart, x, y)]


def _numbers(chart: ControlChart, x: Words, y: Words) -> Iterator[Words]:
    """Of the notes, above their points; higher where one would be written over another."""
    numbered = [mark for mark in chart.marks if mark.number and mark.measured]
    low, high = _time_scale(chart)["domain"]
    pixels = HEIGHT / (chart.axis.highest - chart.axis.lowest)
    values = list(map(_value, numbered))
    at = levels([((each["middle"] - low) / (high - low), each["share"] * pixels) for each in values])
    for level in range(max(at, default=0) + 1):
        bold = {"dy": -16 - LINE * level, "fontSize": 13, "fontWeight": "bold"}
        here = [each["middle"] for each, its in zip(values, at, strict=True) if its == level]
        where = "datum.number !== ''" if max(at, default=0) == 0 else f"indexof({here}, datum.middle) >= 0"
        yield text(named(POINTS), "number", bold, where, x=x, y=y, color=COLOURED)


def _share_axis(axis: Axis, compact: bool) -> Words:
    return {
        "format": axis.format,
        "values": axis.ticks(compact),
        "minExtent": AXIS,
        "maxExtent": AXIS,
        "domain": False,
        "ticks": False,
        "grid": True,
        "gridColor": GRID,
    }


def _limits(chart: ControlChart, x: Words, compact: bool) -> list[Words]:
    """The band between the limits, and its edges."""
    data, where, detail = named(POINTS), "datum.lower !== null", name("phase")
    y = quantity("lower", axis=_share_axis(chart.axis, compact), title=None)
    band = {"interpolate": "step", "color": BAND}
    dashed = {"interpolate": "step", "color": GUIDE, "strokeWidth": 1, "strokeDash": [3, 3]}
    return [
        layer(data, "area", band, where, x=x, y=y, y2={"field": "upper"}, detail=detail),
        *(layer(data, "line", dashed, where, x=x, y=quantity(bound), detail=detail) for bound in ("lower", "upper")),
    ]


def _centre(x: Words) -> Words:
    """A stretch a phase."""
    look = {"color": QUIET, "strokeWidth": 1.4, "interpolate": "step"}
    return layer(named(POINTS), "line", look, "datum.centre !== null", x=x, y=quantity("centre"), detail=name("phase"))


def _target(chart: ControlChart) -> list[Words]:
    """What is wanted, beside the lines that show what is."""
    if chart.target is None:
        return []
    wanted, y = rows({"target": chart.target, "text": chart.labels.target}), quantity("target")
    look = {"align": "left", "baseline": "bottom", "dx": 4, "dy": -2, "fontSize": 11, "color": INK}
    return [
        layer(wanted, "rule", {"color": INK, "strokeDash": [8, 4]}, y=y),
        text(wanted, "text", look, x={"value": 0}, y=y),
    ]


def _flagpoles(chart: ControlChart, x: Words) -> list[Words]:
    """Each with its letter beside it; a letter that would be written over another one stands a line below it."""
    if not chart.flagpoles:
        return []
    poles = [
        {"middle": _instant(each.at), "letter": each.letter} for each in sorted(chart.flagpoles, key=lambda e: e.at)
    ]
    low, high = _time_scale(chart)["domain"]
    at = levels([((pole["middle"] - low) / (high - low), 0.0) for pole in poles])
    look = {"baseline": "top", "align": "left", "dx": 3, "fontSize": 12, "fontWeight": "bold", "color": INK}
    return [
        layer(rows(*poles), "rule", {"color": INK, "strokeWidth": 1, "strokeDash": [1, 3]}, x=x),
        *(
            text(
                rows(*(pole for pole, its in zip(poles, at, strict=True) if its == level)),
                "letter",
                look,
                x=x,
                y={"value": LINE * level},
            )
            for level in range(max(at) + 1)
        ),
    ]


def levels(places: Sequence[tuple[float, float]]) -> list[int]:
    """On which line each text stands so that none is written over another: the first with room. Places in the order of their x, as a
    part of the width; y in pixels, upwards or downwards as the lines go."""
    taken: list[tuple[float, float]] = []
    found = []
    for x, y in places:
        level = next(
            level
            for level in range(len(taken) + 1)
            if all(x - other >= NEAR or abs(y + LINE * level - height) >= LINE for other, height in taken)
        )
        taken.append((x, y + LINE * level))
        found.append(level)
    return found


def _line_names(chart: ControlChart, compact: bool) -> list[Words]:
    """Names of the lines, at their right end; those of limits make room for that of the centre."""
    names = [(chart.labels.centre, chart.centre, INK, 0.0)]
    last = next((mark for mark in reversed(chart.marks) if mark.measured and mark.lower is not None), None)
    if last and not compact and chart.centre is not None:
        pixels = HEIGHT / (chart.axis.highest - chart.axis.lowest)
        for said, bound, away in ((chart.labels.upper, last.upper, -1), (chart.labels.lower, last.lower, 1)):
            if bound is not None:
                room = max(0.0, LINE - abs(bound - chart.centre) * pixels)
                names.append((said, bound, QUIET, away * room))
    return [
        text(
            rows({"at": at, "text": said}),
            "text",
            {"align": "left", "dx": 6, "dy": dy, "fontSize": 12, "color": colour},
            x=AT_THE_RIGHT,
            y=quantity("at"),
        )
        for said, at, colour, dy in names
    ]


def _points(chart: ControlChart, compact: bool, x: Words, y: Words) -> Words:
    labels = chart.labels
    small, large = (26, 48) if compact else (48, 92)
    return layer(
        named(POINTS),
        "point",
        {"strokeWidth": 1.6, "opacity": 1},
        x=x,
        y=y,
        color=COLOURED,
        shape=SHAPED,
        fill=chosen("datum.hollow", "white", COLOURED),
        size=chosen("datum.sign === 'none'", small, {"value": large}),
        tooltip=[
            name("period", title=labels.period),
            quantity("share", title=labels.share, format=chart.axis.format),
            quantity("met", title=labels.met),
            quantity("measured", title=labels.measured),
            quantity("unmeasured", title=labels.unmeasured),
        ],
    )


def _denominators(chart: ControlChart, compact: bool) -> list[Words]:
    """Bars: measured filled, seen without a measurement hollow on top."""
    most = max((mark.seen for mark in chart.marks), default=0) or 1
    axis = {"values": [0, most], "minExtent": AXIS, "maxExtent": AXIS, "domain": False, "ticks": False, "format": "d"}
    tooltip = [
        name("period", title=chart.labels.period),
        quantity("measured", title=chart.labels.measured),
        quantity("unmeasured", title=chart.labels.unmeasured),
    ]
    x = quantity("from", scale=_time_scale(chart), axis=_time_axis(chart, compact), title=None)

    def stacked(low: str, high: str, look: Words, where: str = "") -> Words:
        y = quantity(low, scale={"domain": [0, most]}, axis=axis, title=None)
        wide = {"x": x, "x2": {"field": "to"}, "y": y, "y2": {"field": high}}
        return layer(None, "rect", look, where, **wide, tooltip=tooltip)

    unmeasured = {"fill": "white", "stroke": BAR, "strokeWidth": 1}
    return [
        stacked("zero", "measured", {"color": BAR}),
        stacked("measured", "seen", unmeasured, "datum.unmeasured > 0"),
    ]


def _time_axis(chart: ControlChart, compact: bool) -> Words:
    """Ticks at the quarters with the year at January; the years alone where there is little room."""
    months = "utcFormat(datum.value, '%b')"
    years = f"utcmonth(datum.value) == 0 ? [{months}, utcFormat(datum.value, '%Y')] : {months}"
    ticked = (1,) if compact else (1, 4, 7, 10)
    return {
        "values": [_instant(mark.start) for mark in chart.marks if mark.start.month in ticked],
        "labelExpr": "utcFormat(datum.value, '%Y')" if compact else years,
        "labelAlign": "left" if compact else "center",
        "labelOverlap": True,
        "tickColor": GUIDE,
        "domainColor": GUIDE,
    }


def _time_scale(chart: ControlChart) -> Words:
    """From the first mark to the end of the last, the same in both panels, in milliseconds since 1970."""
    start, end = chart.marks[0].start, chart.marks[-1].end + timedelta(days=1)
    return {"zero": False, "domain": [_instant(start), _instant(end)], "nice": False}


def _instant(day: date) -> int:
    return timegm(day.timetuple()) * 1000


def _value(mark: Mark) -> dict[str, Any]:
    """The mark as the specification's data: three tenths of its period are bar on either side of its middle."""
    share = mark.met / mark.measured if mark.value is None and mark.measured else mark.value
    middle = mark.start + (mark.end - mark.start) // 2
    aside = (mark.end - mark.start) * 3 // 10
    return {
        "middle": _instant(middle),
        "from": _instant(middle - aside),
        "to": _instant(middle + aside),
        "period": mark.label,
        "share": share,
        "lower": mark.lower,
        "upper": mark.upper,
        "centre": mark.centre,
        "phase": mark.phase,
        "met": mark.met,
        "measured": mark.measured,
        "seen": mark.seen,
        "unmeasured": mark.seen - mark.measured,
        "hollow": mark.hollow,
        "sign": str(mark.sign),
        "number": mark.number,
    }
