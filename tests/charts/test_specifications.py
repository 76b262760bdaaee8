"""What is written of Vega-Lite is Vega-Lite, by the schema that Altair ships; and who draws a chart loads no Altair for it."""

import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any

import altair as alt
import pytest
from jsonschema import ValidationError

from services.charts import control_chart, funnel_chart, growth, series_chart, trajectory
from services.charts.funnel import Site, funnel
from services.charts.look import Sign
from services.charts.pictures import svg
from services.charts.point import Point

LABELS = control_chart.Labels("When", "Share", "Met", "Measured", "Not", "average 50%", "upper", "lower", "target 85%")
MONTHS = [(date(2026, month, 1), date(2026, month, 28)) for month in range(1, 13)]


def control() -> control_chart.ControlChart:
    """With all that a control chart can have."""
    signs = [list(Sign)[at % 4] for at in range(12)]
    marks = tuple(
        control_chart.Mark(
            *month, f"{month[0]:%B %Y}", 20, 18, 9 + at % 3, None, 0.2, 0.8, at == 3, sign, "1", 0.5, at // 6
        )
        for at, (month, sign) in enumerate(zip(MONTHS, signs, strict=True))
    )
    poles = (control_chart.Flagpole(date(2026, 4, 2), "A"), control_chart.Flagpole(date(2026, 8, 2), "B"))
    return control_chart.ControlChart(marks, 0.5, LABELS, "A chart.", target=0.85, flagpoles=poles)


def specifications() -> Iterator[Any]:
    """One of every kind."""
    yield pytest.param(control_chart.specification(control()), id="control chart")
    yield pytest.param(control_chart.specification(control(), compact=True), id="compact")
    many = [Site(f"s{at}", 10 + at, 40 + 2 * at) for at in range(8)]
    drawn = funnel_chart.FunnelChart("", "A funnel.", funnel(many), True, own="s3")
    yield pytest.param(funnel_chart.specification(drawn), id="funnel")
    points = [Point(float(at), 9.0, 3.0, 1.0, 5.0, 0.7) for at in range(6)]
    series = series_chart.SeriesChart("T", "A series.", points, list("abcdef"), [Sign.NONE] * 6, 4.0, (3,))
    yield pytest.param(series_chart.specification(series), id="series")
    line = trajectory.Line("BMI", [(date(2025, 3, 1), 40.0), (date(2026, 3, 1), 44.0)])
    path = trajectory.Trajectory([line], [trajectory.Guide(50, "50")], 0, 100, "A path.")
    yield pytest.param(trajectory.specification(path), id="trajectory")
    child = growth.GrowthChart([(3.0, 95.0), (4.0, 101.0)], {50: [(2.5, 90.0), (4.5, 105.0)]}, (2.5, 4.5), "A child.")
    yield pytest.param(growth.growth(child), id="growth")


@pytest.mark.parametrize("specification", list(specifications()))
def test_every_kind_of_chart_is_vega_lite(specification: dict[str, Any]) -> None:
    """Of the version that is declared, without a word that the schema does not know; and it is drawn."""
    assert specification["$schema"] == alt.SCHEMA_URL
    alt.Chart.from_dict(specification, validate=True)
    assert svg(specification).startswith("<svg role")


def test_a_word_that_vega_lite_does_not_know_is_found() -> None:
    """So that the test above can fail."""
    drawn = control_chart.specification(control())
    drawn["vconcat"][0]["layer"][0]["encoding"]["x"]["bin"] = "sometimes"
    with pytest.raises(ValidationError):
        alt.Chart.from_dict(drawn, validate=True)


def test_charts_are_written_without_altair() -> None:
    """Its objects cost a quarter of a second of a core a chart."""
    code = "import sys, services.pages.charting, services.pages.comparing, services.charts.series_chart, services.pages.print.plan;"
    subprocess.run([sys.executable, "-c", f"{code} sys.exit('altair' in sys.modules)"], check=True)
