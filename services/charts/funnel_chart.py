"""A funnel as a Vega-Lite specification: sites by size, with the limits of their sizes."""

from dataclasses import dataclass
from typing import Any

from services.charts.funnel import Flag, Funnel, Place
from services.charts.look import COLOURED, GRID, GUIDE, INK, QUIET, SHAPED, Sign, finished
from services.charts.vega import Words, layer, layered, name, named, quantity, text

SITES = "sites"


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
    places = [_row(place, chart) for place in chart.funnel.places if place.value is not None]
    title = _size_title(chart)
    x = quantity("size", scale={"zero": True}, axis={"tickColor": GUIDE, "domainColor": GUIDE}, title=title)
    drawn = layered(
        [*_lines(x), *_sites(chart, x)], width, height, title=chart.title, description=chart.description, padding=4
    )
    return finished(drawn, {SITES: sorted(places, key=lambda place: place["size"])})


def _lines(x: Words) -> list[Words]:
    """The limits at two and three standard errors, and the average."""
    limits = [
        layer(named(SITES), "line", {"color": GUIDE, "strokeWidth": 1, "strokeDash": dash}, x=x, y=quantity(bound + at))
        for at, dash in (("2", [2, 4]), ("3", [6, 3]))
        for bound in ("lower", "upper")
    ]
    return [*limits, layer(named(SITES), "line", {"color": QUIET, "strokeWidth": 1.4}, x=x, y=quantity("centre"))]


def _sites(chart: FunnelChart, x: Words) -> list[Words]:
    """Points, a ring around the own one, names of those that stand out."""
    number = ".2f" if chart.funnel.model else ".0%"
    axis = {"format": number, "grid": True, "gridColor": GRID, "domain": False, "ticks": False}
    data, y = named(SITES), quantity("value", scale={"zero": False}, axis=axis, title=None)
    ring = {"filled": False, "opacity": 1, "size": 190, "color": INK, "strokeWidth": 1.4}
    beside = {"align": "left", "dx": 8, "fontSize": 12, "color": INK}
    return [
        layer(data, "point", {"filled": True, "opacity": 1, "size": 70}, x=x, y=y, **MARKED),
        layer(data, "point", ring, "datum.own", x=x, y=y),
        text(data, "site", beside, "datum.sign !== 'none' || datum.own", x=x, y=y),
    ]


MARKED: Words = {
    "color": COLOURED,
    "shape": SHAPED,
    "tooltip": [name("site"), quantity("value"), quantity("size"), name("flag")],
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
