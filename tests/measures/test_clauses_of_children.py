"""CMS155 from QI-Core resources on, clause by clause: three rates over one denominator, told by age too."""

from pathlib import Path
from typing import Any

import pytest
from published_years import UCUM, Resources, Year, both, cases, done_for, over, sure
from qicore_persons import EXCLUDED, IN, MET, OUT, done, outcomes, outcomes_by_stratum, patient, problem, seen, told

from services.measures.official import cms155, cms165
from services.measures.official import common as c

Y = Year(2026)
CHILD = [patient("2015-06-15"), seen(c.OFFICE, Y("05-02"))]


def amount(code: Any, value: float, unit: str, day: str = "05-02", **given: Any) -> dict[str, Any]:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return told(code, f"{Y(day)}T10:00:00.000Z", category="vital-signs", **{"valueQuantity": quantity} | given)


HEIGHT, WEIGHT = amount(cms155.HEIGHT, 140, "cm"), amount(cms155.WEIGHT, 35, "kg")
PERCENTILE = amount(cms155.BMI[1], 60, "%")


@pytest.mark.parametrize(
    ("resources", "expected"),
    [
        pytest.param([HEIGHT, WEIGHT, PERCENTILE], [MET, IN, IN], id="all three"),
        pytest.param([HEIGHT, WEIGHT, amount(cms155.BMI[0], 18, "kg/m2")], [MET, IN, IN], id="an index"),
        pytest.param([HEIGHT, WEIGHT], [IN] * 3, id="no percentile"),
        pytest.param([WEIGHT, PERCENTILE], [IN] * 3, id="no height"),
        pytest.param([HEIGHT, PERCENTILE], [IN] * 3, id="no weight"),
        pytest.param(
            [WEIGHT, PERCENTILE, amount(cms155.HEIGHT, 140, "cm", status="preliminary")],
            [IN] * 3,
            id="height preliminary",
        ),
        pytest.param(
            [WEIGHT, PERCENTILE, amount(cms155.HEIGHT, 140, "cm", status="entered-in-error")],
            [IN] * 3,
            id="height in error",
        ),
        pytest.param(
            [WEIGHT, PERCENTILE, amount(cms155.HEIGHT, 140, "cm", status="corrected")],
            [MET, IN, IN],
            id="height corrected",
        ),
        pytest.param(
            [WEIGHT, PERCENTILE, amount(cms155.HEIGHT, 140, "cm", valueQuantity=None)],
            [IN] * 3,
            id="height without a value",
        ),
        pytest.param([WEIGHT, PERCENTILE, amount(cms155.HEIGHT, 140, "cm", "-12-31")], [IN] * 3, id="height of before"),
        pytest.param(
            [amount(cms155.HEIGHT, 140, "cm", "01-01"), amount(cms155.WEIGHT, 35, "kg", "12-31"), PERCENTILE],
            [MET, IN, IN],
            id="on three days",
        ),
        pytest.param([done(cms155.NUTRITION, Y("01-01"))], [IN, MET, IN], id="nutrition on the first day"),
        pytest.param([done(cms155.NUTRITION, Y("-12-31"))], [IN] * 3, id="nutrition the day before"),
        pytest.param([done_for(Y, cms155.NUTRITION, "12-30", "+01-01")], [IN] * 3, id="nutrition beyond the year"),
        pytest.param([done(cms155.ACTIVITY, Y("12-31"))], [IN, IN, MET], id="activity on the last day"),
        pytest.param([done(cms155.ACTIVITY, Y("05-02"), status="not-done")], [IN] * 3, id="activity not done"),
        pytest.param(
            [done(cms155.NUTRITION, Y("05-02")), done(cms155.ACTIVITY, Y("05-02"))], [IN, MET, MET], id="both"
        ),
        pytest.param(
            [problem(cms165.PREGNANCY, f"{Y('12-31')}T23:59:59.999Z")], [EXCLUDED] * 3, id="pregnant as the year ends"
        ),
        pytest.param([problem(cms165.PREGNANCY, Y("12-31"))], [IN] * 3, id="pregnant on the last day, some time"),
        pytest.param([problem(cms165.PREGNANCY, Y("12"))], [IN] * 3, id="pregnant since a day of the last month"),
        pytest.param([problem(cms165.PREGNANCY, "2026")], [IN] * 3, id="pregnant since a day of the year"),
        pytest.param([problem(cms165.PREGNANCY, "2025")], [EXCLUDED] * 3, id="pregnant since the year before"),
        pytest.param([problem(cms165.PREGNANCY, Y("+01-01"))], [IN] * 3, id="pregnant later"),
        pytest.param(
            [problem(cms165.PREGNANCY, Y("-03-01"), abatementDateTime=Y("-12-31"), **over())],
            [IN] * 3,
            id="pregnant until the year before",
        ),
        pytest.param(
            [problem(cms165.PREGNANCY, Y("05-02"), **sure("unconfirmed"))], [EXCLUDED] * 3, id="perhaps pregnant"
        ),
        pytest.param([seen(c.HOSPICE_VISIT, Y("05-02"))], [EXCLUDED] * 3, id="hospice"),
        pytest.param([seen(c.HOSPICE_VISIT, Y("05-02"), status="cancelled")], [IN] * 3, id="no hospice"),
    ],
)
def test_three_rates(resources: Resources, expected: list[str], tmp_path: Path) -> None:
    assert outcomes("CMS155", 2026, [*CHILD, *resources], tmp_path) == expected


VISITS = (
    both("to prevent, in a group", lambda y: [seen(cms155.KINDS[4], y("12-31"))], IN),
    both("by telephone", lambda y: [seen(c.TELEPHONE, y("01-01"))], IN),
    both("virtual", lambda y: [seen(c.VIRTUAL, y("05-02"))], OUT),
    both("of an adult", lambda y: [seen(c.WELLNESS, y("05-02"))], OUT),
    both("of the year before", lambda y: [seen(c.OFFICE, y("-12-31"))], OUT),
    ("in progress", lambda y: [seen(c.OFFICE, y("05-02"), status="in-progress")], IN, OUT),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*VISITS))
def test_visits_that_count(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    assert outcomes("CMS155", year, [CHILD[0], *made(Year(year))], tmp_path) == [outcome] * 3


@pytest.mark.parametrize(
    ("born", "strata"),
    [
        pytest.param("2023-12-31", ["3 to 11 years old"], id="3"),
        pytest.param("2015-01-01", ["3 to 11 years old"], id="11"),
        pytest.param("2014-12-31", ["12 to 17 years old"], id="12"),
        pytest.param("2009-01-01", ["12 to 17 years old"], id="17"),
        pytest.param("2024-01-01", [], id="2"),
        pytest.param("2008-12-31", [], id="18"),
    ],
)
def test_strata_are_by_age_at_the_end_of_the_period(born: str, strata: list[str], tmp_path: Path) -> None:
    """Each of the three rates is told by the same two ages."""
    resources = [patient(born), CHILD[1], done(cms155.NUTRITION, Y("05-02"))]
    told_of = [
        [name for name, outcome in rate.items() if outcome != OUT]
        for rate in outcomes_by_stratum("CMS155", 2026, resources, tmp_path)
    ]
    assert told_of == [strata] * 3
