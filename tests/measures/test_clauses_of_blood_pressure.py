"""What published measures of adults share, and CMS165, from QI-Core resources on, clause by clause, in both years: what fulfils it, and what falls just short of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published_years import (
    UCUM,
    Resources,
    Year,
    both,
    cases,
    done_for,
    ill_since,
    over,
    stayed,
    sure,
    told_for,
)
from qicore_persons import (
    EXCLUDED,
    HL7,
    IN,
    MET,
    OUT,
    concept,
    done,
    ordered,
    outcomes,
    patient,
    problem,
    resource,
    seen,
    told,
    word,
)

from services.measures.language.codes import Code
from services.measures.official import cms165
from services.measures.official import common as c

NO = Code(c.YES.system, "373067005", "no")
HOSPICE = (
    both("discharged to hospice on the last day", lambda y: [stayed(y, "12-20", "12-31", c.TO_HOSPICE[0])], EXCLUDED),
    both("discharged to hospice a day later", lambda y: [stayed(y, "12-20", "+01-01", c.TO_HOSPICE[0])], IN),
    both("discharged on the first day", lambda y: [stayed(y, "-12-20", "01-01", c.TO_HOSPICE[1])], EXCLUDED),
    both("discharged elsewhere", lambda y: [stayed(y, "03-01", "03-05", c.YES)], IN),
    both("not discharged yet", lambda y: [stayed(y, "03-01", None, c.TO_HOSPICE[0])], IN),
    ("a stay under way", lambda y: [stayed(y, "03-01", "03-05", c.TO_HOSPICE[0], status="onleave")], EXCLUDED, IN),
    both(
        "a hospice visit to the first day",
        lambda y: [seen(c.HOSPICE_VISIT, "2020-01-01", period=y.stay("-12-01", "01-01"))],
        EXCLUDED,
    ),
    both(
        "a hospice visit over before",
        lambda y: [seen(c.HOSPICE_VISIT, "2020-01-01", period=y.stay("-12-01", "-12-31"))],
        IN,
    ),
    both(
        "a hospice visit without an end",
        lambda y: [seen(c.HOSPICE_VISIT, "2020-01-01", period=y.stay("-12-01", None))],
        EXCLUDED,
    ),
    both("a hospice visit cancelled", lambda y: [seen(c.HOSPICE_VISIT, y("03-01"), status="cancelled")], IN),
    ("a hospice visit in triage", lambda y: [seen(c.HOSPICE_VISIT, y("03-01"), status="triaged")], EXCLUDED, IN),
    both("asked, in hospice", lambda y: [told(c.HOSPICE_ASKED, y("03-01"), c.YES)], EXCLUDED),
    both("asked, not in hospice", lambda y: [told(c.HOSPICE_ASKED, y("03-01"), NO)], IN),
    both("asked, preliminary", lambda y: [told(c.HOSPICE_ASKED, y("03-01"), c.YES, status="preliminary")], IN),
    both("asked, in error", lambda y: [told(c.HOSPICE_ASKED, y("03-01"), c.YES, status="entered-in-error")], IN),
    both(
        "asked, corrected, from the year before on",
        lambda y: [told_for(y, c.HOSPICE_ASKED, "-12-01", "01-01", c.YES, status="corrected")],
        EXCLUDED,
    ),
    ("asked in no survey", lambda y: [told(c.HOSPICE_ASKED, y("03-01"), c.YES, category="exam")], IN, EXCLUDED),
    both(
        "ordered on the first day, done",
        lambda y: [ordered("ServiceRequest", c.HOSPICE_CARE, y("01-01"), status="completed")],
        EXCLUDED,
    ),
    both("ordered a day early", lambda y: [ordered("ServiceRequest", c.HOSPICE_CARE, y("-12-31"))], IN),
    both("ordered, revoked", lambda y: [ordered("ServiceRequest", c.HOSPICE_CARE, y("03-01"), status="revoked")], IN),
    both("proposed", lambda y: [ordered("ServiceRequest", c.HOSPICE_CARE, y("03-01"), intent="proposal")], IN),
    (
        "ordered by instance",
        lambda y: [ordered("ServiceRequest", c.HOSPICE_CARE, y("03-01"), intent="instance-order")],
        IN,
        EXCLUDED,
    ),
    both("care from the year before on", lambda y: [done_for(y, c.HOSPICE_CARE, "-11-01", "01-01")], EXCLUDED),
    both("care not done", lambda y: [done(c.HOSPICE_CARE, y("03-01"), status="not-done")], IN),
    both("care under way", lambda y: [done(c.HOSPICE_CARE, y("03-01"), status="in-progress")], IN),
    both(
        "care to the last day, nobody knows since when",
        lambda y: [done(c.HOSPICE_CARE, "", performedDateTime=None, performedPeriod={"end": y("12-31")})],
        EXCLUDED,
    ),
    both(
        "care to the year after, nobody knows since when",
        lambda y: [done(c.HOSPICE_CARE, "", performedDateTime=None, performedPeriod={"end": y("+03-01")})],
        IN,
    ),
    both("diagnosis since a day of the year", lambda y: [problem(c.HOSPICE_DIAGNOSIS, str(y.year))], IN),
    both("diagnosis since a month of the year", lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("11"))], EXCLUDED),
    both("asked when issued", lambda y: [told(c.HOSPICE_ASKED, None, c.YES, issued=f"{y('03-01')}T09:00:00.000Z")], IN),
    both("diagnosis since the last day", lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("12-31"))], EXCLUDED),
    both("diagnosis since a day later", lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("+01-01"))], IN),
    both(
        "diagnosis over on the first day",
        lambda y: [problem(c.HOSPICE_DIAGNOSIS, "2020-01-01", abatementDateTime=y("01-01"), **over())],
        EXCLUDED,
    ),
    both(
        "diagnosis over the day before",
        lambda y: [problem(c.HOSPICE_DIAGNOSIS, "2020-01-01", abatementDateTime=y("-12-31"), **over())],
        IN,
    ),
    both(
        "diagnosis over, nobody knows since when",
        lambda y: [problem(c.HOSPICE_DIAGNOSIS, "2020-01-01", **over("inactive"))],
        IN,
    ),
    both(
        "diagnosis of the year over, nobody knows since when",
        lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("03-01"), **over("inactive"))],
        IN,
    ),
    both(
        "diagnosis provisional", lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("03-01"), **sure("provisional"))], EXCLUDED
    ),
    both("diagnosis in error", lambda y: [problem(c.HOSPICE_DIAGNOSIS, y("03-01"), **sure("entered-in-error"))], IN),
)
PALLIATIVE = (
    both("questionnaire, whatever was answered", lambda y: [told(c.PALLIATIVE_ASKED, y("12-31"))], EXCLUDED),
    both("questionnaire a day late", lambda y: [told(c.PALLIATIVE_ASKED, y("+01-01"))], IN),
    both("questionnaire registered only", lambda y: [told(c.PALLIATIVE_ASKED, y("03-01"), status="registered")], IN),
    both("palliative diagnosis", lambda y: [problem(c.PALLIATIVE_DIAGNOSIS, y("12-31"))], EXCLUDED),
    both("palliative diagnosis to come", lambda y: [problem(c.PALLIATIVE_DIAGNOSIS, y("+01-01"))], IN),
    both("palliative visit", lambda y: [seen(c.PALLIATIVE_VISIT, y("01-01"))], EXCLUDED),
    both("palliative visit the day before", lambda y: [seen(c.PALLIATIVE_VISIT, y("-12-31"))], IN),
    both("palliative care", lambda y: [done_for(y, c.PALLIATIVE_CARE, "12-31", "+01-05")], EXCLUDED),
    both("palliative care stopped", lambda y: [done(c.PALLIATIVE_CARE, y("03-01"), status="stopped")], IN),
)
FRAIL_SIGNS = (
    both("a device ordered", lambda y: [ordered("DeviceRequest", c.FRAILTY_DEVICE, y("12-31"))], EXCLUDED),
    both("a device ordered a day late", lambda y: [ordered("DeviceRequest", c.FRAILTY_DEVICE, y("+01-01"))], IN),
    both("a device drafted", lambda y: [ordered("DeviceRequest", c.FRAILTY_DEVICE, y("03-01"), status="draft")], IN),
    (
        "a device by a reflex order",
        lambda y: [ordered("DeviceRequest", c.FRAILTY_DEVICE, y("03-01"), intent="reflex-order")],
        IN,
        EXCLUDED,
    ),
    both(
        "equipment used to the first day",
        lambda y: [told_for(y, c.EQUIPMENT_ASKED, "-12-01", "01-01", c.FRAILTY_DEVICE)],
        EXCLUDED,
    ),
    both(
        "equipment used beyond the year",
        lambda y: [told_for(y, c.EQUIPMENT_ASKED, "12-01", "+01-01", c.FRAILTY_DEVICE)],
        IN,
    ),
    both("other equipment used", lambda y: [told(c.EQUIPMENT_ASKED, y("03-01"), c.YES)], IN),
    both("a frailty diagnosis", lambda y: [problem(c.FRAILTY_DIAGNOSIS, y("12-31"))], EXCLUDED),
    both(
        "a frailty diagnosis over before",
        lambda y: [problem(c.FRAILTY_DIAGNOSIS, "2020-01-01", abatementDateTime=y("-12-31"))],
        IN,
    ),
    both("a frailty visit", lambda y: [seen(c.FRAILTY_VISIT, y("03-01"))], EXCLUDED),
    both("a frailty visit planned", lambda y: [seen(c.FRAILTY_VISIT, y("03-01"), status="planned")], IN),
    both(
        "a symptom, preliminary",
        lambda y: [told(c.FRAILTY_SYMPTOM, y("03-01"), status="preliminary", category="exam")],
        EXCLUDED,
    ),
    both(
        "a symptom cancelled", lambda y: [told(c.FRAILTY_SYMPTOM, y("03-01"), status="cancelled", category="exam")], IN
    ),
)


def on_drugs(start: str, end: str, **given: Any) -> Callable[[Year], Resources]:
    def made(y: Year) -> Resources:
        bounds = [{"timing": {"repeat": {"boundsPeriod": y.stay(start, end)}}}]
        drugs = ordered("MedicationRequest", c.DEMENTIA_DRUGS, y("03-01"), dosageInstruction=bounds, **given)
        return [problem(c.FRAILTY_DIAGNOSIS, y("03-01")), drugs]

    return made


def unbounded(day: str | None, **given: Any) -> Callable[[Year], Resources]:
    at = {"authoredOn": day} if day is None else {}
    return lambda y: [
        problem(c.FRAILTY_DIAGNOSIS, y("03-01")),
        ordered("MedicationRequest", c.DEMENTIA_DRUGS, y(day or "03-01"), **at, **given),
    ]


ILL = (
    both("frail alone", lambda y: [problem(c.FRAILTY_DIAGNOSIS, y("03-01"))], IN),
    both("ill alone", lambda y: [problem(c.ADVANCED_ILLNESS, y("03-01"))], IN),
    both("ill since the first day of the year before", ill_since("-01-01"), EXCLUDED),
    both("ill since the last day", ill_since("12-31"), EXCLUDED),
    both("ill since the year after", ill_since("+01-01"), IN),
    both("drugs from the last day on", on_drugs("12-31", "+03-01"), EXCLUDED),
    both("drugs from the year after on", on_drugs("+01-01", "+03-01"), IN),
    both("drugs, nobody knows for how long", unbounded("03-01"), EXCLUDED),
    both("drugs, of the year before and nobody knows for how long", unbounded("-03-01"), EXCLUDED),
    both("drugs, nobody knows when", unbounded(None), EXCLUDED),
    both("drugs over, nobody knows for how long", unbounded("03-01", status="completed"), IN),
    both("drugs over", on_drugs("03-01", "04-01", status="completed"), IN),
    both("drugs planned", on_drugs("03-01", "04-01", intent="plan"), IN),
    ("drugs by a filler's order", on_drugs("03-01", "04-01", intent="filler-order"), IN, EXCLUDED),
    both("in a nursing home to the last day", lambda y: [told(c.HOUSING_ASKED, y("12-31"), c.NURSING_HOME)], EXCLUDED),
    both("in a nursing home from then on", lambda y: [told(c.HOUSING_ASKED, y("+01-01"), c.NURSING_HOME)], IN),
    both(
        "in a nursing home, by what was last said",
        lambda y: [told(c.HOUSING_ASKED, y("03-01"), NO), told(c.HOUSING_ASKED, y("04-01"), c.NURSING_HOME)],
        EXCLUDED,
    ),
    both(
        "in a nursing home, the later word in error",
        lambda y: [
            told(c.HOUSING_ASKED, y("03-01"), c.NURSING_HOME),
            told(c.HOUSING_ASKED, y("04-01"), NO, status="entered-in-error"),
        ],
        EXCLUDED,
    ),
)


def hypertensive(born: str, y: Year) -> Resources:
    return [patient(born), seen(c.OFFICE, y("05-02")), problem(cms165.HYPERTENSION, "2015-01-01")]


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*HOSPICE, *PALLIATIVE, *ILL))
def test_hospice_palliative_care_and_frailty_at_66(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    assert outcomes("CMS165", year, [*hypertensive("1955-06-15", y), *made(y)], tmp_path) == [outcome]


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*FRAIL_SIGNS))
def test_signs_of_frailty_at_81(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    """From 81 on each sign alone excludes."""
    y = Year(year)
    assert outcomes("CMS165", year, [*hypertensive("1943-06-15", y), *made(y)], tmp_path) == [outcome]


@pytest.mark.parametrize(
    ("years_old", "signs", "outcome"),
    [(65, 2, IN), (66, 2, EXCLUDED), (80, 1, IN), (80, 2, EXCLUDED), (81, 1, EXCLUDED)],
)
@pytest.mark.parametrize("year", [2025, 2026])
def test_ages_of_frailty(years_old: int, signs: int, outcome: str, year: int, tmp_path: Path) -> None:
    """By the last day of the year: born on it; of one sign frailty alone, of two an advanced illness too."""
    y = Year(year)
    made = ill_since("03-01")(y)[:signs]
    assert outcomes("CMS165", year, [*hypertensive(f"{year - years_old}-12-31", y), *made], tmp_path) == [outcome]


def pressure(y: Year, at: str, high: int | None, low: int | None, **given: Any) -> dict[str, Any]:
    """A panel of blood pressure at nine in the morning of a day."""

    def part(code: Code, value: int | None) -> dict[str, Any]:
        amount = {"value": value, "unit": "mmHg", "system": UCUM, "code": "mm[Hg]"}
        return {"code": concept(code)} | ({} if value is None else {"valueQuantity": amount})

    parts = [part(cms165.SYSTOLIC, high), part(cms165.DIASTOLIC, low)]
    when = {"effectiveDateTime": f"{y(at)}T09:00:00.000Z"}
    own = {"status": "final", "code": concept(cms165.BLOOD_PRESSURE), "component": parts}
    return resource("Observation", own | {"category": [word("observation-category", "vital-signs")]} | when | given)


def at_visit(y: Year, day: str, class_code: str, kind: Any = c.OFFICE) -> Resources:
    """A good reading that names its visit."""
    visit = seen(kind, y(day), **{"class": {"system": f"{HL7}/v3-ActCode", "code": class_code}})
    return [visit, pressure(y, day, 120, 70, encounter={"reference": f"Encounter/{visit['id']}"})]


READINGS = (
    both("at no visit", lambda y: [pressure(y, "12-31", 139, 89)], MET),
    both("at an ambulatory visit", lambda y: at_visit(y, "03-01", "AMB"), MET),
    both("by video", lambda y: at_visit(y, "03-01", "VR"), MET),
    ("in an emergency, by its class", lambda y: at_visit(y, "03-01", "EMER"), IN, MET),
    both("in an emergency, by its kind too", lambda y: at_visit(y, "03-01", "EMER", cms165.EMERGENCY), IN),
    (
        "on a day of a stay, at no visit",
        lambda y: [pressure(y, "03-04", 120, 70), stayed(y, "03-01", "03-04", c.YES)],
        MET,
        MET,
    ),
    both("preliminary", lambda y: [pressure(y, "03-01", 120, 70, status="preliminary")], IN),
    both("amended", lambda y: [pressure(y, "03-01", 120, 70, status="amended")], MET),
    both("without a systolic value", lambda y: [pressure(y, "03-01", None, 70)], IN),
    both(
        "one of two that day without a value",
        lambda y: [pressure(y, "03-01", None, 70), pressure(y, "03-01", 120, 70)],
        IN,
    ),
    both("higher later that day", lambda y: [pressure(y, "03-01", 120, 70), pressure(y, "03-01", 180, 99)], MET),
    both("higher the day after", lambda y: [pressure(y, "03-01", 120, 70), pressure(y, "03-02", 180, 99)], IN),
    both(
        "over a period that ends in the year",
        lambda y: [pressure(y, "03-01", 120, 70, effectiveDateTime=None, effectivePeriod=y.stay("-12-31", "01-01"))],
        MET,
    ),
    ("the day before the year", lambda y: [pressure(y, "-12-31", 120, 70)], IN, MET),
)
"""Of 2026 the way that asks for no stay asks neither for a class nor for the measurement period: so it is published."""
KIDNEYS = (
    both("pregnant on the last day", lambda y: [problem(cms165.PREGNANCY, f"{y('12-31')}T10:00:00.000Z")], EXCLUDED),
    both(
        "pregnant until the year before",
        lambda y: [problem(cms165.PREGNANCY, y("-01-01"), abatementDateTime=y("-12-31"))],
        IN,
    ),
    both("kidney disease of stage 5", lambda y: [problem(cms165.KIDNEY[2], "2012-01-01")], EXCLUDED),
    both("kidney disease to come", lambda y: [problem(cms165.KIDNEY[0], y("+01-01"))], IN),
    both("transplanted long ago", lambda y: [done(cms165.KIDNEY_PROCEDURES[0], "2001-05-01")], EXCLUDED),
    both("transplanted in the year after", lambda y: [done(cms165.KIDNEY_PROCEDURES[0], y("+01-01"))], IN),
    both("dialysis beyond the year", lambda y: [done_for(y, cms165.KIDNEY_PROCEDURES[1], "12-30", "+01-01")], IN),
    both("dialysis not done", lambda y: [done(cms165.KIDNEY_PROCEDURES[1], y("03-01"), status="not-done")], IN),
    both(
        "a dialysis visit that goes on beyond",
        lambda y: [seen(cms165.KIDNEY_VISIT, "2020-01-01", period=y.stay("12-31", "+01-03"))],
        EXCLUDED,
    ),
    both("a dialysis visit in the year after", lambda y: [seen(cms165.KIDNEY_VISIT, y("+01-01"))], IN),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*READINGS, *KIDNEYS))
def test_blood_pressure(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    assert outcomes("CMS165", year, [*hypertensive("1970-06-15", y), *made(y)], tmp_path) == [outcome]


@pytest.mark.parametrize("year", [2025, 2026])
@pytest.mark.parametrize("years_old", [18, 85])
def test_ages_at_the_end_of_the_period(years_old: int, year: int, tmp_path: Path) -> None:
    """From 18 to 85, by the last day, birthday included."""
    y = Year(year)
    born = {18: [f"{year - 18}-12-31", f"{year - 17}-01-01"], 85: [f"{year - 85}-01-01", f"{year - 86}-12-31"]}[
        years_old
    ]
    assert [outcomes("CMS165", year, hypertensive(day, y), tmp_path)[0] != OUT for day in born] == [True, False]
