"""How every chart looks: colours and shapes of signs, fonts. Blue is better, vermilion worse, grey is common cause; never by colour alone."""

from enum import StrEnum
from typing import Any

from services.charts.vega import SCHEMA, Words, name

INK, QUIET, GUIDE, BAND, BAR, GRID = "#17212b", "#56636f", "#8a96a1", "#eef2f5", "#7f8d99", "#e8ecef"
BETTER, WORSE, ODD = "#0072b2", "#d55e00", "#6b4c9a"
"""Okabe and Ito's blue and vermilion, told apart by every kind of colour vision; the shapes differ too."""
FONT = "system-ui, -apple-system, 'Segoe UI', 'Liberation Sans', 'DejaVu Sans', sans-serif"


class Sign(StrEnum):
    """What a mark's colour and shape say."""

    NONE = "none"
    BETTER = "better"
    WORSE = "worse"
    ODD = "odd"


SIGNS = [str(sign) for sign in Sign]
COLOURED: Words = name("sign", scale={"domain": SIGNS, "range": [QUIET, BETTER, WORSE, ODD]}, legend=None)
SHAPED: Words = name(
    "sign", scale={"domain": SIGNS, "range": ["circle", "triangle-up", "diamond", "square"]}, legend=None
)
"""A mark's colour and shape, by the field `sign`."""
DRESS: Words = {
    "font": FONT,
    "text": {"font": FONT},
    "axis": {"labelColor": QUIET, "titleColor": QUIET, "labelFontSize": 12, "titleFontSize": 12, "grid": False},
    "view": {"stroke": None, "continuousWidth": 300, "continuousHeight": 300},
}


def finished(chart: Words, datasets: dict[str, list[dict[str, Any]]] | None = None, **more: Any) -> Words:
    """The chart as Vega-Lite, with the data that several of its layers share."""
    shared = {} if datasets is None else {"datasets": datasets}
    return {"$schema": SCHEMA, "config": DRESS, "background": "white", **chart, **shared, **more}
