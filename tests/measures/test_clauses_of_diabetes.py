"""CMS122 from QI-Core resources on, clause by clause, in both years: what fulfils it, and what falls just short of it."""

from pathlib import Path
from typing import Any

import pytest
from published_years import UCUM, Resources, Year, both, cases, ill_since, of_kind, sure
from qicore_persons import EXCLUDED, IN, MET, OUT, outcomes, patient, percent, problem, seen, told

from services.measures.official import cms122
from services.measures.official import common as c


def diabetic(born: str, y: Year, *visits: dict[str, Any]) -> Resources:
    made_at_visit = of_kind("encounter-diagnosis")
    return [
        patient(born),
        *(visits or [seen(c.OFFICE, y("05-02"))]),
        problem(cms122.DIABETES, "2015-01-01", **made_at_visit),
    ]


def hba1c(y: Year, at: str, value: float, **given: Any) -> dict[str, Any]:
    return percent(cms122.HBA1C, f"{y(at)}T09:00:00.000Z", value, **given)


IN_PERCENT = {"value": 8, "unit": "%", "system": UCUM, "code": "%"}
TESTS = (
    both("none", lambda y: [], MET),
    both("good on the last day", lambda y: [hba1c(y, "12-31", 9)], IN),
    both("good a day late", lambda y: [hba1c(y, "+01-01", 9)], MET),
    both("good, preliminary", lambda y: [hba1c(y, "03-01", 8, status="preliminary")], MET),
    both("good, cancelled", lambda y: [hba1c(y, "03-01", 8, status="cancelled")], MET),
    both("good, then in error", lambda y: [hba1c(y, "03-01", 8), hba1c(y, "04-01", 12, status="entered-in-error")], IN),
    both(
        "good, later without a result",
        lambda y: [hba1c(y, "03-01", 8), told(cms122.HBA1C, y("04-01"), category="laboratory")],
        MET,
    ),
    both("good, later a bad indicator", lambda y: [hba1c(y, "03-01", 8), percent(cms122.GMI, y("04-01"), 9.5)], MET),
    both("good and bad on the last day", lambda y: [hba1c(y, "03-01", 8), hba1c(y, "03-01", 11, status="amended")], IN),
    both(
        "in thousandths: eight percent",
        lambda y: [
            told(
                cms122.HBA1C,
                y("03-01"),
                category="laboratory",
                valueQuantity={"value": 80, "unit": "mmol/mol", "system": UCUM, "code": "mmol/mol"},
            )
        ],
        IN,
    ),
    (
        "good, of no laboratory",
        lambda y: [told(cms122.HBA1C, y("03-01"), category="exam", valueQuantity=IN_PERCENT)],
        MET,
        IN,
    ),
    both(
        "good, from the year before to the first day",
        lambda y: [hba1c(y, "03-01", 8, effectiveDateTime=None, effectivePeriod=y.stay("-12-30", "01-01"))],
        IN,
    ),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*TESTS))
def test_glycemic_status(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    assert outcomes("CMS122", year, [*diabetic("1970-06-15", y), *made(y)], tmp_path) == [outcome]


VISITS: tuple[tuple[str, Any, dict[str, Any], str, str], ...] = (
    ("virtual", c.VIRTUAL, {}, MET, OUT),
    ("on nutrition", cms122.NUTRITION, {}, OUT, MET),
    ("medical nutrition therapy", cms122.NUTRITION_THERAPY[0], {}, OUT, MET),
    ("the same for a group", cms122.NUTRITION_THERAPY[4], {}, OUT, MET),
    ("by telephone", c.TELEPHONE, {}, MET, MET),
    ("at home", c.HOME_CARE, {}, MET, MET),
    ("wellness", c.WELLNESS, {}, MET, MET),
    ("in hospital", c.INPATIENT, {}, OUT, OUT),
    ("cancelled", c.OFFICE, {"status": "cancelled"}, OUT, OUT),
    ("arrived", c.OFFICE, {"status": "arrived"}, MET, OUT),
    ("without an end", c.OFFICE, {"period": {"start": "2026-03-01"}}, OUT, OUT),
)


@pytest.mark.parametrize(
    ("year", "kind", "given", "outcome"),
    [
        pytest.param(year, kind, given, outcome, id=f"{year} {name}")
        for name, kind, given, of_2025, of_2026 in VISITS
        for year, outcome in ((2025, of_2025), (2026, of_2026))
    ],
)
def test_visits_that_count(year: int, kind: Any, given: dict[str, Any], outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    own = given | ({"period": {"start": y("03-01")}} if "period" in given else {})
    assert outcomes("CMS122", year, diabetic("1970-06-15", y, seen(kind, y("03-01"), **own)), tmp_path) == [outcome]


@pytest.mark.parametrize(
    ("first", "last", "outcome"),
    [
        ("01-01", "12-31", MET),
        ("-12-31", "01-01", OUT),
        ("12-31", "+01-01", OUT),
        ("+01-01", "+01-01", OUT),
    ],
)
@pytest.mark.parametrize("year", [2025, 2026])
def test_a_visit_lies_within_the_period(first: str, last: str, outcome: str, year: int, tmp_path: Path) -> None:
    y = Year(year)
    visit = seen(c.OFFICE, "2020-01-01", period=y.stay(first, last))
    assert outcomes("CMS122", year, diabetic("1970-06-15", y, visit), tmp_path) == [outcome]


DIABETES = (
    both("since the last day", lambda y: problem(cms122.DIABETES, y("12-31"), **of_kind("encounter-diagnosis")), MET),
    both(
        "since the year after", lambda y: problem(cms122.DIABETES, y("+01-01"), **of_kind("encounter-diagnosis")), OUT
    ),
    both(
        "until the year before",
        lambda y: problem(cms122.DIABETES, "2015", abatementDateTime=y("-12-31"), **of_kind("encounter-diagnosis")),
        OUT,
    ),
    both(
        "until the first day",
        lambda y: problem(cms122.DIABETES, "2015", abatementDateTime=y("01-01"), **of_kind("encounter-diagnosis")),
        MET,
    ),
    both(
        "not confirmed",
        lambda y: problem(cms122.DIABETES, "2015", **of_kind("encounter-diagnosis"), **sure("unconfirmed")),
        MET,
    ),
    ("on the list of problems", lambda y: problem(cms122.DIABETES, "2015"), MET, OUT),
    (
        "ruled out",
        lambda y: problem(cms122.DIABETES, "2015", **of_kind("encounter-diagnosis"), **sure("refuted")),
        OUT,
        OUT,
    ),
    both(
        "since an age",
        lambda y: problem(
            cms122.DIABETES,
            None,
            onsetAge={"value": 40, "system": UCUM, "code": "a", "unit": "a"},
            **of_kind("encounter-diagnosis"),
        ),
        MET,
    ),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*DIABETES))
def test_diabetes(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    """A diagnosis that is ruled out is no fact in the outcome model, so it counts in no year."""
    y = Year(year)
    assert outcomes("CMS122", year, [patient("1970-06-15"), seen(c.OFFICE, y("05-02")), made(y)], tmp_path) == [outcome]


@pytest.mark.parametrize("year", [2025, 2026])
@pytest.mark.parametrize("years_old", [18, 75])
def test_ages_at_the_end_of_the_period(years_old: int, year: int, tmp_path: Path) -> None:
    """From 18 to 75, by the last day, birthday included."""
    y = Year(year)
    born = {18: [f"{year - 18}-12-31", f"{year - 17}-01-01"], 75: [f"{year - 75}-01-01", f"{year - 76}-12-31"]}[
        years_old
    ]
    assert [outcomes("CMS122", year, diabetic(day, y), tmp_path)[0] != OUT for day in born] == [True, False]


def test_diabetes_and_frailty_ask_for_both_at_any_age(tmp_path: Path) -> None:
    """At 66 frailty and an advanced illness, as at 75; and hospice or palliative care as anywhere."""
    y = Year(2026)
    old = diabetic("1951-06-15", y)
    assert outcomes("CMS122", 2026, [*old, *ill_since("03-01")(y)], tmp_path) == [EXCLUDED]
    assert outcomes("CMS122", 2026, [*old, *ill_since("03-01")(y)[:1]], tmp_path) == [MET]
    assert outcomes("CMS122", 2026, [*old, seen(c.HOSPICE_VISIT, y("03-01"))], tmp_path) == [EXCLUDED]
    assert outcomes("CMS122", 2026, [*old, seen(c.PALLIATIVE_VISIT, y("03-01"))], tmp_path) == [EXCLUDED]
