"""A control chart as a Vega-Lite specification: shares with their limits above, whom they stand on as bars below."""

from calendar import timegm
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from math import ceil, floor, log10
from typing import Any

import altair as alt

from services.charts.look import BAND, BAR, COLOURS, GRID, GUIDE, INK, QUIET, SHAPES, Sign, finished

POINTS, BARS = "points", "bars"
"""Data that several layers share stand once, under a name: altair copies what it is given, again and again."""
AXIS = 46
"""Pixels left of both panels, so that their time axes stand in line."""
HEIGHT, LINE = 300, 14
"""Pixels of the upper panel, and of a line of text beside it."""


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


@lru_cache(512)
def specification(chart: ControlChart, *, width: int = 820, compact: bool = False) -> dict[str, Any]:
    """The chart with its data, as Vega-Lite; to be read only. `compact` for one of many."""
    top = _shares(chart, compact).properties(width=width, height=HEIGHT // 2 if compact else HEIGHT)
    bottom = _denominators(chart, compact).properties(width=width, height=26 if compact else 64)
    spacing = 8 if compact else 14
    whole = alt.vconcat(top, bottom, spacing=spacing, background="white", padding=4, description=chart.description)
    whole = whole.resolve_scale(x="independent", y="independent", color="independent", shape="independent")
    drawn, rows = finished(whole), [_value(mark) for mark in chart.marks]
    drawn.setdefault("datasets", {}).update(
        {
            POINTS: [row for row in rows if row["measured"]],
            BARS: [row for row in rows if row["seen"]],
        }
    )
    return drawn


def _shares(chart: ControlChart, compact: bool) -> Any:
    """Band and limits behind, centre line, the line through the points, the points, the numbers of their notes."""
    values = [_value(mark) for mark in chart.marks if mark.measured]
    base = alt.Chart(alt.NamedData(POINTS))
    x = alt.X("middle:Q", scale=_time_scale(chart), axis=alt.Axis(labels=False, ticks=False, domain=False), title=None)
    y = alt.Y(
        "share:Q",
        scale=alt.Scale(domain=[chart.axis.lowest, chart.axis.highest]),
        axis=_share_axis(chart.axis, compact),
        title=None,
    )
    layers: list[Any] = []
    if chart.centre is not None:
        layers += [*_limits(chart, base, x, compact), _centre(base, x), *_line_names(chart, values, compact)]
    layers += [*_target(chart), *_flagpoles(chart, x)]
    layers.append(base.mark_line(color=INK, strokeWidth=1.1, opacity=0.55).encode(x=x, y=y))
    layers.append(_points(base, chart, compact).encode(x=x, y=y))
    if not compact:
        numbered = base.transform_filter("datum.number !== ''").mark_text(dy=-16, fontSize=13, fontWeight="bold")
        layers.append(numbered.encode(x=x, y=y, text="number:N", color=alt.Color("sign:N", scale=COLOURS, legend=None)))
    return alt.layer(*layers)


def _share_axis(axis: Axis, compact: bool) -> alt.Axis:
    return alt.Axis(
        format=axis.format,
        values=axis.ticks(compact),
        minExtent=AXIS,
        maxExtent=AXIS,
        domain=False,
        ticks=False,
        grid=True,
        gridColor=GRID,
    )


def _limits(chart: ControlChart, base: Any, x: alt.X, compact: bool) -> list[Any]:
    """The band between the limits, and its edges."""
    limited = base.transform_filter("datum.lower !== null")
    y = alt.Y("lower:Q", axis=_share_axis(chart.axis, compact), title=None)
    dashed = limited.mark_line(interpolate="step", color=GUIDE, strokeWidth=1, strokeDash=[3, 3])
    return [
        limited.mark_area(interpolate="step", color=BAND).encode(x=x, y=y, y2="upper:Q", detail="phase:N"),
        *(dashed.encode(x=x, y=f"{bound}:Q", detail="phase:N") for bound in ("lower", "upper")),
    ]


def _centre(base: Any, x: alt.X) -> Any:
    """A stretch a phase."""
    line = base.transform_filter("datum.centre !== null").mark_line(color=QUIET, strokeWidth=1.4, interpolate="step")
    return line.encode(x=x, y="centre:Q", detail="phase:N")


def _target(chart: ControlChart) -> list[Any]:
    """What is wanted, beside the lines that show what is."""
    if chart.target is None:
        return []
    wanted = alt.Chart(alt.InlineData(values=[{"target": chart.target, "text": chart.labels.target}]))
    named = wanted.mark_text(align="left", baseline="bottom", dx=4, dy=-2, fontSize=11, color=INK)
    return [
        wanted.mark_rule(color=INK, strokeDash=[8, 4]).encode(y="target:Q"),
        named.encode(x=alt.value(0), y="target:Q", text="text:N"),
    ]


def _flagpoles(chart: ControlChart, x: alt.X) -> list[Any]:
    if not chart.flagpoles:
        return []
    values = [{"middle": _instant(each.at), "letter": each.letter} for each in chart.flagpoles]
    poles = alt.Chart(alt.InlineData(values=values))
    letters = poles.mark_text(baseline="top", align="left", dx=3, fontSize=12, fontWeight="bold", color=INK)
    return [
        poles.mark_rule(color=INK, strokeWidth=1, strokeDash=[1, 3]).encode(x=x),
        letters.encode(x=x, y=alt.value(0), text="letter:N"),
    ]


def _line_names(chart: ControlChart, values: list[dict[str, Any]], compact: bool) -> list[Any]:
    """Names of the lines, at their right end; those of limits make room for that of the centre."""
    names = [(chart.labels.centre, chart.centre, INK, 0.0)]
    last = next((value for value in reversed(values) if value["lower"] is not None), None)
    if last and not compact and chart.centre is not None:
        pixels = HEIGHT / (chart.axis.highest - chart.axis.lowest)
        for name, bound, away in ((chart.labels.upper, "upper", -1), (chart.labels.lower, "lower", 1)):
            room = max(0.0, LINE - abs(last[bound] - chart.centre) * pixels)
            names.append((name, last[bound], QUIET, away * room))
    return [
        alt.Chart(alt.InlineData(values=[{"at": at, "text": text}]))
        .mark_text(align="left", dx=6, dy=dy, fontSize=12, color=colour)
        .encode(x=alt.value("width"), y="at:Q", text="text:N")
        for text, at, colour, dy in names
    ]


def _points(base: Any, chart: ControlChart, compact: bool) -> Any:
    labels = chart.labels
    sizes = (26, 48) if compact else (48, 92)
    colour = alt.Color("sign:N", scale=COLOURS, legend=None)
    return base.mark_point(strokeWidth=1.6, opacity=1).encode(
        color=colour,
        shape=alt.Shape("sign:N", scale=SHAPES, legend=None),
        fill=alt.condition("datum.hollow", alt.value("white"), colour),
        size=alt.condition("datum.sign === 'none'", alt.value(sizes[0]), alt.value(sizes[1])),
        tooltip=[
            alt.Tooltip("period:N", title=labels.period),
            alt.Tooltip("share:Q", title=labels.share, format=chart.axis.format),
            alt.Tooltip("met:Q", title=labels.met),
            alt.Tooltip("measured:Q", title=labels.measured),
            alt.Tooltip("unmeasured:Q", title=labels.unmeasured),
        ],
    )


def _denominators(chart: ControlChart, compact: bool) -> Any:
    """Bars: measured filled, seen without a measurement hollow on top."""
    base = alt.Chart(alt.NamedData(BARS))
    most = max((mark.seen for mark in chart.marks), default=0) or 1
    axis = alt.Axis(values=[0, most], minExtent=AXIS, maxExtent=AXIS, domain=False, ticks=False, format="d")
    tooltip = [
        alt.Tooltip("period:N", title=chart.labels.period),
        alt.Tooltip("measured:Q", title=chart.labels.measured),
        alt.Tooltip("unmeasured:Q", title=chart.labels.unmeasured),
    ]
    x = alt.X("from:Q", scale=_time_scale(chart), axis=_time_axis(chart, compact), title=None)

    def stacked(bars: Any, low: str, high: str) -> Any:
        y = alt.Y(f"{low}:Q", scale=alt.Scale(domain=[0, most]), axis=axis, title=None)
        return bars.encode(x=x, x2="to:Q", y=y, y2=f"{high}:Q", tooltip=tooltip)

    unmeasured = base.mark_rect(fill="white", stroke=BAR, strokeWidth=1)
    return alt.layer(
        stacked(base.mark_rect(color=BAR), "zero", "measured"),
        stacked(unmeasured, "measured", "seen").transform_filter("datum.unmeasured > 0"),
    ).transform_calculate(zero="0")


def _time_axis(chart: ControlChart, compact: bool) -> alt.Axis:
    """Ticks at the quarters with the year at January; the years alone where there is little room."""
    months = "utcFormat(datum.value, '%b')"
    years = f"utcmonth(datum.value) == 0 ? [{months}, utcFormat(datum.value, '%Y')] : {months}"
    ticked = (1,) if compact else (1, 4, 7, 10)
    return alt.Axis(
        values=[_instant(mark.start) for mark in chart.marks if mark.start.month in ticked],
        labelExpr="utcFormat(datum.value, '%Y')" if compact else years,
        labelAlign="left" if compact else "center",
        labelOverlap=True,
        tickColor=GUIDE,
        domainColor=GUIDE,
    )


def _time_scale(chart: ControlChart) -> alt.Scale:
    """From the first mark to the end of the last, the same in both panels, in milliseconds since 1970."""
    start, end = chart.marks[0].start, chart.marks[-1].end + timedelta(days=1)
    return alt.Scale(zero=False, domain=[_instant(start), _instant(end)], nice=False)


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
