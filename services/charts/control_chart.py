"""Draws a series as a control chart: a Vega-Lite specification, and from it SVG and PNG."""

import json
from calendar import timegm
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import altair as alt
import vl_convert

from services.pages.report import Row, Series

INK, QUIET, RULE, BAND = "#17212b", "#56636f", "#8a96a1", "#eef2f5"
BETTER, WORSE, ODD = "#0072b2", "#d55e00", "#6b4c9a"
"""Okabe and Ito's blue and vermilion, told apart by every kind of colour vision; the shapes differ too."""
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', sans-serif"
AXIS = 46
"""Pixels left of both panels, so that their time axes stand in line."""


def control_chart(series: Series, *, width: int = 820, compact: bool = False) -> dict[str, Any]:
    """The chart as a Vega-Lite specification with its data: proportions above; below, whom they stand on. `compact` for one of many."""
    top = _proportions(series, compact).properties(width=width, height=150 if compact else 300)
    bottom = _denominators(series, compact).properties(width=width, height=26 if compact else 64)
    chart = (
        alt.vconcat(top, bottom, spacing=8 if compact else 14, background="white", padding=4)
        .resolve_scale(x="independent", y="independent", color="independent", shape="independent")
        .configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(labelColor=QUIET, titleColor=QUIET, labelFontSize=12, titleFontSize=12, grid=False)
        .configure_text(font=FONT)
    )
    specification: dict[str, Any] = json.loads(chart.to_json(validate=False, indent=None))
    return specification


def svg(series: Series) -> str:
    """The chart as SVG."""
    return _svg(json.dumps(control_chart(series)))


def png(series: Series) -> bytes:
    """The chart as PNG, twice the size of the screen's."""
    return _png(json.dumps(control_chart(series)))


@lru_cache(maxsize=32)
def _svg(specification: str) -> str:
    return str(vl_convert.vegalite_to_svg(specification, allowed_base_urls=[]))


@lru_cache(maxsize=8)
def _png(specification: str) -> bytes:
    return bytes(vl_convert.vegalite_to_png(specification, scale=2, allowed_base_urls=[]))


def _time_scale(series: Series) -> alt.Scale:
    """From the first row to the end of the last, the same in both panels, in milliseconds since 1970."""
    start, end = series.rows[0].start, series.rows[-1].end + timedelta(days=1)
    return alt.Scale(zero=False, domain=[_instant(start), _instant(end)], nice=False)


def _instant(day: date) -> int:
    return timegm(day.timetuple()) * 1000


def _value(row: Row, series: Series) -> dict[str, Any]:
    better = [note.better for note in series.notes if note.number in row.notes]
    sign = "none" if not better else "odd" if better[0] is None else "better" if better[0] else "worse"
    return {
        "middle": _instant(row.middle),
        "period": row.label if row.complete else f"{row.label} (so far)",
        "share": row.proportion,
        "lower": row.point.lower if row.point else None,
        "upper": row.point.upper if row.point else None,
        "met": row.met,
        "measured": row.measured,
        "unmeasured": row.unmeasured,
        "hollow": row.small or not row.complete,
        "sign": sign,
        "note": " ".join(str(note.number) for note in series.notes if note.last == row.start),
    }


def _proportions(series: Series, compact: bool) -> Any:
    values = [_value(row, series) for row in series.rows if row.measured]
    data = alt.InlineData(values=values)
    ticks = [0, 0.5, 1] if compact else [0, 0.25, 0.5, 0.75, 1]
    axis = alt.Axis(
        format=".0%",
        values=ticks,
        minExtent=AXIS,
        maxExtent=AXIS,
        domain=False,
        ticks=False,
        grid=True,
        gridColor="#e8ecef",
    )
    y = alt.Y("share:Q", scale=alt.Scale(domain=[0, 1]), axis=axis, title=None)
    x = alt.X("middle:Q", scale=_time_scale(series), axis=alt.Axis(labels=False, ticks=False, domain=False), title=None)
    base = alt.Chart(data)
    tooltip = [
        alt.Tooltip("period:N", title="When"),
        alt.Tooltip("share:Q", title="Share", format=".0%"),
        alt.Tooltip("met:Q", title="Reached it"),
        alt.Tooltip("measured:Q", title="Measured"),
        alt.Tooltip("unmeasured:Q", title="Seen, not measured"),
    ]
    layers: list[Any] = []
    if series.chart:
        limited = base.transform_filter("datum.lower !== null")
        layers.append(
            limited.mark_area(interpolate="step", color=BAND).encode(
                x=x, y=alt.Y("lower:Q", axis=axis, title=None), y2="upper:Q"
            )
        )
        layers += [
            limited.mark_line(interpolate="step", color=RULE, strokeWidth=1, strokeDash=[3, 3]).encode(
                x=x, y=f"{bound}:Q"
            )
            for bound in ("lower", "upper")
        ]
        layers.append(
            alt.Chart(alt.InlineData(values=[{"centre": series.chart.centre}]))
            .mark_rule(color=QUIET, strokeWidth=1.4)
            .encode(y="centre:Q")
        )
        layers += _labels(series, values, compact)
    layers.append(base.mark_line(color=INK, strokeWidth=1.1, opacity=0.55).encode(x=x, y=y))
    signs = alt.Scale(domain=["none", "better", "worse", "odd"], range=[INK, BETTER, WORSE, ODD])
    shapes = alt.Scale(domain=["none", "better", "worse", "odd"], range=["circle", "triangle-up", "diamond", "square"])
    points = base.mark_point(strokeWidth=1.6, opacity=1).encode(
        x=x,
        y=y,
        color=alt.Color("sign:N", scale=signs, legend=None),
        shape=alt.Shape("sign:N", scale=shapes, legend=None),
        fill=alt.condition("datum.hollow", alt.value("white"), alt.Color("sign:N", scale=signs, legend=None)),
        size=alt.condition("datum.sign === 'none'", alt.value(26 if compact else 48), alt.value(48 if compact else 92)),
        tooltip=tooltip,
    )
    layers.append(points)
    if not compact:
        numbered = base.transform_filter("datum.note !== ''").mark_text(dy=-16, fontSize=13, fontWeight="bold")
        layers.append(numbered.encode(x=x, y=y, text="note:N", color=alt.Color("sign:N", scale=signs, legend=None)))
    return alt.layer(*layers)


def _labels(series: Series, values: list[dict[str, Any]], compact: bool) -> list[Any]:
    """Names of the lines, at their right end."""
    assert series.chart is not None
    last = next((value for value in reversed(values) if value["lower"] is not None), None)
    lines = [("centre", f"average {series.chart.centre:.0%}", series.chart.centre)]
    if last and not compact:
        lines += [("upper", "upper limit", last["upper"]), ("lower", "lower limit", last["lower"])]
    return [
        alt.Chart(alt.InlineData(values=[{"at": at, "text": text}]))
        .mark_text(align="left", dx=6, fontSize=12, color=INK if name == "centre" else QUIET)
        .encode(x=alt.value("width"), y="at:Q", text="text:N")
        for name, text, at in lines
    ]


def _denominators(series: Series, compact: bool) -> Any:
    """Bars: measured filled, seen without a measurement hollow on top."""
    width = timedelta(days=9 if series.period == "month" else 27)
    values = [
        {
            **_value(row, series),
            "from": _instant(row.middle - width),
            "to": _instant(row.middle + width),
            "seen": row.seen,
        }
        for row in series.rows
        if row.seen
    ]
    most = max((row.seen for row in series.rows), default=0) or 1
    axis = alt.Axis(values=[0, most], minExtent=AXIS, maxExtent=AXIS, domain=False, ticks=False, format="d")
    scale = alt.Scale(domain=[0, most])
    base = alt.Chart(alt.InlineData(values=values))
    scale_x, months = _time_scale(series), "utcFormat(datum.value, '%b')"
    years = f"utcmonth(datum.value) == 0 ? [{months}, utcFormat(datum.value, '%Y')] : {months}"
    axis_x = alt.Axis(
        values=[_instant(row.start) for row in series.rows if row.start.month in ((1,) if compact else (1, 4, 7, 10))],
        labelExpr="utcFormat(datum.value, '%Y')" if compact else years,
        labelAlign="left" if compact else "center",
        labelOverlap=True,
        tickColor=RULE,
        domainColor=RULE,
    )
    start = alt.X("from:Q", scale=scale_x, axis=axis_x, title=None)
    tooltip = [
        alt.Tooltip("period:N", title="When"),
        alt.Tooltip("measured:Q", title="Measured"),
        alt.Tooltip("unmeasured:Q", title="Seen, not measured"),
    ]
    return alt.layer(
        base.mark_rect(color="#7f8d99").encode(
            x=start, x2="to:Q", y=alt.Y("zero:Q", scale=scale, axis=axis, title=None), y2="measured:Q", tooltip=tooltip
        ),
        base.mark_rect(fill="white", stroke="#7f8d99", strokeWidth=1)
        .encode(
            x=start, x2="to:Q", y=alt.Y("measured:Q", scale=scale, axis=axis, title=None), y2="seen:Q", tooltip=tooltip
        )
        .transform_filter("datum.unmeasured > 0"),
    ).transform_calculate(zero="0")
