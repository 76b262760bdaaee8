"""What a series' picture shows: on which scale, and that what is written beside it can be read."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from services_story import NOW, fill, load_events, population
from sqlalchemy import Engine

from services.charts.control_chart import LINE, Axis, ControlChart, Flagpole, Labels, Mark, specification
from services.measures.library import measures
from services.pages.charting import chart_of
from services.pages.results import results_of

CF2, RATE = (measures()[name] for name in ("cf2", "t1d2"))


def _layers(drawn: Mapping[str, Any]) -> list[dict[str, Any]]:
    return list(drawn["vconcat"][0]["layer"])


def _domain(drawn: Mapping[str, Any]) -> list[float]:
    """Of the upper panel's values."""
    y = (each["encoding"].get("y", {}) for each in _layers(drawn))
    return next(list(each["scale"]["domain"]) for each in y if "scale" in each)


def test_charts_side_by_side_have_one_scale_and_their_target_lies_in_it(small_registry: Engine) -> None:
    """Also those of sites that are too small for limits: a target outside the plot would blow its picture up."""
    fill(small_registry, population(), load_events())
    with small_registry.connect() as connection:
        sites = results_of(connection, CF2, "Riverbend", NOW).sites
    assert any(each.chart is None for each in sites)
    domains = {tuple(_domain(chart_of(each, RATE, compact=True, beside=sites))) for each in sites}
    assert len(domains) == 1
    ((low, high),) = domains
    assert low <= 0
    assert high >= float(RATE.target or 0) > 1


@pytest.mark.parametrize(
    "values", [(0.0, 3.0), (0.0, 0.4), (11.0, 18.5), (0.0, 2.9), (0.0,), (-0.3, 1.2), (5.0, 140.0)]
)
@pytest.mark.parametrize("few", [True, False])
def test_labels_of_an_axis_say_where_they_stand(values: tuple[float, ...], few: bool) -> None:
    """Two ticks never bear one label, and none another's number."""
    axis = Axis.around(values)
    ticks = axis.ticks(few)
    labels = [f"{tick:{axis.format}}" for tick in ticks]
    assert [float(each) for each in labels] == pytest.approx(ticks)
    assert len({*labels}) == len(labels) >= 2
    assert axis.lowest <= ticks[0] < ticks[-1] <= axis.highest + 1e-9
    assert len(ticks) <= (3 if few else 7)


def test_shares_are_labelled_by_quarters_and_halves() -> None:
    assert (Axis().ticks(False), Axis().ticks(True)) == ([0, 0.25, 0.5, 0.75, 1], [0, 0.5, 1])


def test_names_of_lines_that_coincide_stand_one_below_the_other() -> None:
    """Where nothing ever happened average and limits are one line."""
    labels = Labels("Month", "Rate", "Met", "Measured", "Not measured", "average 0.0", "upper limit", "lower limit")
    start, end = date(2026, 1, 1), date(2026, 1, 31)
    mark = Mark(start, end, "January 2026", 9, 9, 0, value=0.0, lower=0.0, upper=0.0, centre=0.0)
    drawn = specification(ControlChart((mark,), 0.0, labels, "", Axis(0.0, 4.0, ".0f")))
    names = [each["mark"]["dy"] for each in _layers(drawn) if each["encoding"].get("x") == {"value": "width"}]
    assert sorted(names) == [-LINE, 0, LINE]
    apart = replace(mark, lower=0.0, upper=4.0, centre=2.0)
    drawn = specification(ControlChart((apart,), 2.0, labels, "", Axis(0.0, 4.0, ".0f")))
    assert {each["mark"]["dy"] for each in _layers(drawn) if each["encoding"].get("x") == {"value": "width"}} == {0}


def _texts(drawn: Mapping[str, Any], field: str) -> list[dict[str, Any]]:
    return [each for each in _layers(drawn) if each["encoding"].get("text", {}).get("field") == field]


def test_letters_of_changes_that_are_close_stand_one_below_the_other() -> None:
    """Two of one month and one soon after; one of half a year later stands in the first line again."""
    labels = Labels("Month", "Share", "Met", "Measured", "Not measured", "average", "upper limit", "lower limit")
    marks = [Mark(date(y, m, 1), date(y, m, 28), f"{m}", 9, 9, 4) for y in (2024, 2025, 2026) for m in range(1, 13)]
    days = {"A": date(2025, 3, 9), "B": date(2025, 3, 2), "C": date(2025, 4, 1), "D": date(2025, 10, 1)}
    poles = tuple(Flagpole(day, letter) for letter, day in days.items())
    drawn = specification(ControlChart(tuple(marks), None, labels, "", flagpoles=poles))
    lines = {
        row["letter"]: each["encoding"]["y"]["value"]
        for each in _texts(drawn, "letter")
        for row in each["data"]["values"]
    }
    assert lines == {"B": 0, "A": LINE, "C": 2 * LINE, "D": 0}


def test_numbers_of_notes_that_are_close_stand_one_above_the_other() -> None:
    """Of neighbouring points of one height; where the points lie apart nothing is moved."""
    labels = Labels("Month", "Share", "Met", "Measured", "Not measured", "average", "upper limit", "lower limit")

    def heights(second: int) -> list[float]:
        met = {6: (9, "1"), 7: (second, "2"), 12: (9, "3")}
        marks = [
            Mark(date(2026, m, 1), date(2026, m, 28), f"{m}", 20, 20, *(met[m][0],), number=met[m][1])
            if m in met
            else Mark(date(y, m, 1), date(y, m, 28), f"{m}", 20, 20, 9)
            for y in (2025, 2026)
            for m in range(1, 13)
            if y == 2026 or m not in met
        ]
        drawn = specification(ControlChart(tuple(marks), None, labels, ""))
        return [each["mark"]["dy"] for each in _texts(drawn, "number")]

    assert heights(9) == [-16, -16 - LINE]
    assert heights(15) == [-16]
