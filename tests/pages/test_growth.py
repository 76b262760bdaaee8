"""A child's growth among percentiles: the curves are those of the published LMS, a child's place is told in words, nothing is drawn wrongly."""

from datetime import date
from statistics import NormalDist

import pytest

from services.charts.growth import growth
from services.charts.pictures import svg
from services.pages.growth import growth_charts, percentiles
from services.pages.patient_state import Kept
from transforms.derive.references.lms import curves

MEASURES = {"height": "stature", "weight": "weight"}


def child(
    *, born: date | None = date(2016, 5, 20), sex: str | None = "female", **measured: list[tuple[date, float]]
) -> Kept:
    return Kept("s-1", born, sex, (), {}, measured=measured)


@pytest.mark.parametrize("sex", ["female", "male"])
@pytest.mark.parametrize("name", MEASURES)
def test_curves_are_those_of_the_published_tables(name: str, sex: str) -> None:
    """At every age of the file and every percentile, to a tenth."""
    table = curves("cdc_2000.csv")[MEASURES[name], sex[0].upper()]
    found = percentiles()[name, sex]
    assert sorted(found) == [3, 25, 50, 75, 97]
    for which, curve in found.items():
        z = NormalDist().inv_cdf(which / 100)
        assert [age for age, _ in curve] == [months / 12 for months in range(24, 241, 6)]
        assert [value for _, value in curve] == pytest.approx(
            [table.at(age * 12).value(z) for age, _ in curve], abs=0.051
        )


@pytest.mark.parametrize(
    ("centimetres", "place"),
    [(100, "below percentile 3"), (135, "between percentiles 25 and 50"), (170, "above percentile 97")],
)
def test_place_among_children_of_that_age_is_told(centimetres: float, place: str) -> None:
    """In words, for who does not see the picture; a girl of ten."""
    ((name, caption, chart),) = growth_charts(child(height=[(date(2026, 5, 20), centimetres)]))
    assert (name, caption) == ("height", "Height by age, in cm; percentiles 3 to 97 (CDC 2000)")
    assert chart.description.endswith(f"last: {centimetres} cm at 10.0 years, {place}.")
    assert chart.ages == pytest.approx((9.0, 11.0), abs=0.01)


def test_what_the_percentiles_are_not_for_is_not_drawn() -> None:
    """Before 2 and after 20, of nobody without a birthday, of no sex that they know."""
    seen = [(date(2017, 5, 20), 75.0), (date(2037, 1, 1), 165.0)]
    assert list(growth_charts(child(height=seen))) == []
    assert list(growth_charts(child(born=None, height=[(date(2026, 5, 20), 135.0)]))) == []
    assert list(growth_charts(child(sex=None, height=[(date(2026, 5, 20), 135.0)]))) == []
    ((_, _, chart),) = growth_charts(child(height=[*seen, (date(2018, 5, 21), 86.0), (date(2036, 5, 1), 165.0)]))
    assert [value for _, value in chart.points] == [86.0, 165.0]
    assert chart.ages == (2.0, 20.0)


def test_picture_names_its_percentiles_and_says_what_it_shows() -> None:
    (_, _, chart), _ = growth_charts(
        child(height=[(date(2024, 5, 20), 128.0), (date(2026, 5, 20), 138.0)], weight=[(date(2026, 5, 20), 31.0)])
    )
    drawn = svg(growth(chart))
    for name in ("3", "25", "50", "75", "97", "8 y", "10 y"):
        assert f">{name}</text>" in drawn
    assert "last: 138 cm at 10.0 years" in drawn
