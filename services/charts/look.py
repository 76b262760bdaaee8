"""How every chart looks: colours and shapes of signs, fonts. Blue is better, vermilion worse, grey is common cause; never by colour alone."""

import json
from enum import StrEnum
from typing import Any

import altair as alt

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
COLOURS = alt.Scale(domain=SIGNS, range=[QUIET, BETTER, WORSE, ODD])
SHAPES = alt.Scale(domain=SIGNS, range=["circle", "triangle-up", "diamond", "square"])


def finished(chart: Any) -> dict[str, Any]:
    """The chart as Vega-Lite, with its data."""
    dressed = (
        chart.configure(font=FONT)
        .configure_view(stroke=None)
        .configure_axis(labelColor=QUIET, titleColor=QUIET, labelFontSize=12, titleFontSize=12, grid=False)
        .configure_text(font=FONT)
    )
    made: dict[str, Any] = json.loads(dressed.to_json(validate=False, indent=None))
    return made
