"""A funnel as a Vega-Lite specification: sites by size, with the limits of their sizes."""

from dataclasses import dataclass
from typing import Any

import altair as alt

from services.charts.funnel import Flag, Funnel, Place
from services.charts.look import COLOURS, GRID, GUIDE, INK, QUIET, SHAPES, Sign, finished


@dataclass(frozen=True, slots=True)
class FunnelChart:
    """What is drawn, and what it says in words."""

    title: str
    description: str
    funnel: Funnel
    higher_is_better: bool | None = None
    size: str = "n"
    """What sites are large by."""
    own: str = ""
    """The site that is named whether it is flagged or not, and ringed."""


def specification(chart: FunnelChart, *, width: int = 720, height: int = 400) -> dict[str, Any]:
    """The chart with its data, as Vega-Lite."""
    rows = sorted(
        (_row(place, chart) for place in chart.funnel.places if place.value is not None), key=lambda r: r["size"]
    )
    base = alt.Chart(alt.InlineData(values=rows))
    x = alt.X(
        "size:Q",
        scale=alt.Scale(zero=True),
        axis=alt.Axis(tickColor=GUIDE, domainColor=GUIDE),
        title=_size_title(chart),
    )
    axis = alt.Axis(format=".2f" if chart.funnel.model else ".0%", grid=True, gridColor=GRID, domain=False, ticks=False)
    y = alt.Y("value:Q", scale=alt.Scale(zero=False), axis=axis, title=None)
    limits = [
        base.mark_line(color=GUIDE, strokeWidth=1, strokeDash=dash).encode(x=x, y=f"{bound}{sigmas}:Q")
        for sigmas, dash in ((2, [2, 4]), (3, [6, 3]))
        for bound in ("lower", "upper")
    ]
    centre = base.mark_line(color=QUIET, strokeWidth=1.4).encode(x=x, y="centre:Q")
    flagged = base.transform_filter("datum.sign !== 'none' || datum.own")
    ringed = base.transform_filter("datum.own").mark_point(
        filled=False, opacity=1, size=190, color=INK, strokeWidth=1.4
    )
    names = flagged.mark_text(align="left", dx=8, fontSize=12, color=INK).encode(x=x, y=y, text="site:N")
    points = base.mark_point(filled=True, opacity=1, size=70).encode(x=x, y=y, **_marked())
    layered = alt.layer(*limits, centre, points, ringed.encode(x=x, y=y), names).properties(
        width=width, height=height, title=chart.title, description=chart.description, background="white", padding=4
    )
    return finished(layered)


def _marked() -> dict[str, Any]:
    return {
        "color": alt.Color("sign:N", scale=COLOURS, legend=None),
        "shape": alt.Shape("sign:N", scale=SHAPES, legend=None),
        "tooltip": [alt.Tooltip("site:N"), alt.Tooltip("value:Q"), alt.Tooltip("size:Q"), alt.Tooltip("flag:N")],
    }


def _size_title(chart: FunnelChart) -> str:
    return "expected" if chart.funnel.model else chart.size


def _row(place: Place, chart: FunnelChart) -> dict[str, Any]:
    return {
        "site": place.site.name,
        "size": place.site.expected if chart.funnel.model else place.site.n,
        "value": place.value,
        "centre": chart.funnel.centre,
        "lower2": place.lower2,
        "upper2": place.upper2,
        "lower3": place.lower3,
        "upper3": place.upper3,
        "flag": str(place.flag or ""),
        "sign": str(_sign(place, chart)),
        "own": bool(chart.own) and place.site.name == chart.own,
    }


def _sign(place: Place, chart: FunnelChart) -> Sign:
    """An alert is said by the table alone; an alarm is coloured."""
    if place.flag is not Flag.ALARM or place.value is None or chart.funnel.centre is None:
        return Sign.NONE
    if chart.higher_is_better is None:
        return Sign.ODD
    return Sign.BETTER if (place.value > chart.funnel.centre) == chart.higher_is_better else Sign.WORSE
