"""The published measures on worked cases: who is in, out, excluded, met, excepted; boundary days; what is missing."""

from datetime import date
from typing import Any

import pytest
from persons import (
    answer,
    born,
    codings,
    diagnosis,
    everything,
    order,
    panel,
    procedure,
    result,
    value_sets,
    visit,
)

from services.measures.compile.memory import InMemory, Period
from services.measures.compile.people import Person
from services.measures.official import cms2, cms122, cms155, cms159, cms165, definition
from services.measures.official import common as c
from services.measures.official.cms2 import ADOLESCENTS, ADULTS

OUT, IN, EXCLUDED, MET, EXCEPTED = "out", "in", "excluded", "met", "excepted"


def _said(counts: dict[str, int]) -> str:
    """The last population a person gets to."""
    order_of = (("denominator-exception", EXCEPTED), ("numerator", MET), ("denominator-exclusion", EXCLUDED))
    found = [word for code, word in order_of if counts.get(code)]
    return found[0] if found else IN if counts["denominator"] else OUT


def _outcomes(measure: str, year: int, records: list[Any]) -> list[str]:
    declared = definition(measure, year)
    evaluator = InMemory(Period(date(year, 1, 1), date(year, 12, 31)), value_sets(declared))
    person = Person(records)
    return [
        _said({each: int(evaluator.of_person(member)(person) is True) for each, member in group.members().items()})
        for group in declared.groups
    ]


def _outcome(measure: str, year: int, *records: Any) -> str:
    found = _outcomes(measure, year, everything(*records))
    assert len(found) == 1
    return found[0]


# CMS165: controlling high blood pressure

ADULT = born("1970-06-15")
SEEN = visit(c.OFFICE, "2026-03-01", class_code="AMB")
HYPERTENSIVE = diagnosis(cms165.HYPERTENSION, "2020-01-01")


def _pressure(day: str, systolic: Any, diastolic: Any, **more: Any) -> list[Any]:
    parts = {
        code: value for code, value in ((cms165.SYSTOLIC, systolic), (cms165.DIASTOLIC, diastolic)) if value is not None
    }
    return panel(day, cms165.BLOOD_PRESSURE, parts, "mm[Hg]", **more)


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        pytest.param([ADULT, SEEN, HYPERTENSIVE], IN, id="never measured"),
        pytest.param([ADULT, SEEN, HYPERTENSIVE, _pressure("2026-03-01", 139, 89)], MET, id="just below both"),
        pytest.param([ADULT, SEEN, HYPERTENSIVE, _pressure("2026-03-01", 140, 89)], IN, id="systolic of 140"),
        pytest.param([ADULT, SEEN, HYPERTENSIVE, _pressure("2026-03-01", 120, 90)], IN, id="diastolic of 90"),
        pytest.param([ADULT, SEEN, HYPERTENSIVE, _pressure("2026-03-01", 120, None)], IN, id="diastolic missing"),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, _pressure("2026-03-01", 120, 80), _pressure("2026-05-01", 150, 80)],
            IN,
            id="the last day counts",
        ),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, _pressure("2026-05-01", 150, 80), _pressure("2026-05-01", 138, 95)],
            MET,
            id="of the last day the lowest of each: 138 and 80",
        ),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, _pressure("2026-05-01", 120, 80, status="preliminary")],
            IN,
            id="a preliminary reading",
        ),
        pytest.param(
            [
                ADULT,
                SEEN,
                HYPERTENSIVE,
                visit(c.INPATIENT, "2026-05-01", "2026-05-04", id="r-stay", class_code="IMP"),
                _pressure("2026-05-02", 120, 80, encounter="r-stay"),
            ],
            IN,
            id="a reading during a stay",
        ),
        pytest.param([born("2008-12-31"), SEEN, HYPERTENSIVE], IN, id="18 on the last day"),
        pytest.param([born("2009-01-01"), SEEN, HYPERTENSIVE], OUT, id="18 a day later"),
        pytest.param([born("1940-12-31"), SEEN, HYPERTENSIVE], OUT, id="86 on the last day"),
        pytest.param([born("1941"), SEEN, HYPERTENSIVE], IN, id="85 at the end, whatever day of 1941"),
        pytest.param([ADULT, SEEN, diagnosis(cms165.HYPERTENSION, "2026-06-29")], IN, id="since 29 June"),
        pytest.param([ADULT, SEEN, diagnosis(cms165.HYPERTENSION, "2026-06-30")], OUT, id="since 30 June, some time"),
        pytest.param(
            [ADULT, SEEN, diagnosis(cms165.HYPERTENSION, "2026-06-30", onset="2026-06-30T23:59:59.999Z")],
            IN,
            id="since the end of 30 June",
        ),
        pytest.param([ADULT, SEEN, diagnosis(cms165.HYPERTENSION, "2026-07-01")], OUT, id="since 1 July"),
        pytest.param([ADULT, SEEN, diagnosis(cms165.HYPERTENSION, "2020", "2025-12-31")], OUT, id="over before"),
        pytest.param(
            [ADULT, SEEN, diagnosis(cms165.HYPERTENSION, "2020-01-01", clinical_status="resolved")],
            OUT,
            id="resolved, nobody knows when",
        ),
        pytest.param([ADULT, HYPERTENSIVE], OUT, id="no visit"),
        pytest.param([ADULT, visit(c.OFFICE, "2025-12-31"), HYPERTENSIVE], OUT, id="a visit the day before"),
        pytest.param([ADULT, visit(c.OFFICE, "2026-03-01", status="planned"), HYPERTENSIVE], OUT, id="planned visit"),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, diagnosis(cms165.PREGNANCY, "2025-10-01", "2026-01-01")],
            IN,
            id="pregnant to the first day, some time",
        ),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, diagnosis(cms165.PREGNANCY, "2025-10-01", "2026-01-02")],
            EXCLUDED,
            id="pregnant on the first day",
        ),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, procedure(cms165.KIDNEY_PROCEDURES[1], "2019-04-01")],
            EXCLUDED,
            id="dialysis, years ago",
        ),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, order("service", c.HOSPICE_CARE, "2026-02-01")],
            EXCLUDED,
            id="hospice ordered",
        ),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, order("service", c.HOSPICE_CARE, "2026-02-01", status="draft")],
            IN,
            id="hospice drafted only",
        ),
        pytest.param(
            [ADULT, SEEN, HYPERTENSIVE, answer(c.HOSPICE_ASKED, "2026-02-01", c.YES)], EXCLUDED, id="in hospice"
        ),
        pytest.param(
            [born("1945-01-01"), SEEN, HYPERTENSIVE, order("device", c.FRAILTY_DEVICE, "2026-02-01")],
            EXCLUDED,
            id="81 and frail",
        ),
        pytest.param(
            [born("1955-01-01"), SEEN, HYPERTENSIVE, order("device", c.FRAILTY_DEVICE, "2026-02-01")],
            IN,
            id="71 and frail only",
        ),
        pytest.param(
            [
                born("1955-01-01"),
                SEEN,
                HYPERTENSIVE,
                order("device", c.FRAILTY_DEVICE, "2026-02-01"),
                order("medication", c.DEMENTIA_DRUGS, "2025-10-03", days_supply=90),
            ],
            EXCLUDED,
            id="71, frail, dementia drugs supplied to the last day of 2025",
        ),
        pytest.param(
            [
                born("1950-01-01"),
                SEEN,
                HYPERTENSIVE,
                answer(c.HOUSING_ASKED, "2026-02-01", c.NURSING_HOME),
                answer(c.HOUSING_ASKED, "2026-03-01", c.YES),
            ],
            IN,
            id="left the nursing home",
        ),
    ],
)
def test_blood_pressure(records: list[Any], outcome: str) -> None:
    assert _outcome("CMS165", 2026, *records) == outcome


def test_until_2025_a_visit_under_way_counts_and_only_plain_orders_do() -> None:
    under_way = visit(c.OFFICE, "2025-03-01", status="in-progress")
    filled = order("service", c.HOSPICE_CARE, "2025-02-01", intent="filler-order")
    assert _outcome("CMS165", 2025, ADULT, under_way, HYPERTENSIVE, filled) == IN
    moved = [
        visit(c.OFFICE, "2026-03-01"),
        order("service", c.HOSPICE_CARE, "2026-02-01", intent="filler-order"),
    ]
    assert _outcome("CMS165", 2026, ADULT, HYPERTENSIVE, *moved) == EXCLUDED


# CMS122: glycemic status above 9 %

DIABETIC = diagnosis(cms122.DIABETES, "2015-01-01", category=["encounter-diagnosis"])


def _hba1c(day: str, value: Any, unit: str = "%", **more: Any) -> Any:
    return result(cms122.HBA1C, day, value, unit, **{"category": ["laboratory"], **more})


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        pytest.param([ADULT, SEEN, DIABETIC], MET, id="never tested"),
        pytest.param([ADULT, SEEN, DIABETIC, _hba1c("2026-03-01", 9)], IN, id="9.0 is not above"),
        pytest.param([ADULT, SEEN, DIABETIC, _hba1c("2026-03-01", "9.1")], MET, id="9.1"),
        pytest.param([ADULT, SEEN, DIABETIC, _hba1c("2026-03-01", None)], MET, id="without a result"),
        pytest.param(
            [ADULT, SEEN, DIABETIC, _hba1c("2026-03-01", 14, comparator=">")], MET, id="above what can be measured"
        ),
        pytest.param([ADULT, SEEN, DIABETIC, _hba1c("2026-03-01", 4, comparator="<")], IN, id="below it"),
        pytest.param(
            [ADULT, SEEN, DIABETIC, _hba1c("2026-03-01", 12), _hba1c("2026-03-01", 8)], IN, id="the lowest of a day"
        ),
        pytest.param(
            [ADULT, SEEN, DIABETIC, _hba1c("2026-03-01", 8), _hba1c("2026-11-01", 12)], MET, id="the last day counts"
        ),
        pytest.param([ADULT, SEEN, DIABETIC, _hba1c("2025-12-31", 8)], MET, id="tested the year before"),
        pytest.param(
            [ADULT, SEEN, DIABETIC, _hba1c("2025-12-31", 8, effective_end_date="2026-01-01")],
            IN,
            id="a test that ends on the first day",
        ),
        pytest.param(
            [ADULT, SEEN, diagnosis(cms122.DIABETES, "2015-01-01")], OUT, id="on the problem list only, from 2026"
        ),
        pytest.param([born("1950-12-31"), SEEN, DIABETIC], OUT, id="76 on the last day"),
        pytest.param(
            [ADULT, SEEN, DIABETIC, visit(c.HOSPICE_VISIT, "2025-12-30", "2026-01-01")], EXCLUDED, id="hospice"
        ),
    ],
)
def test_glycemic_status(records: list[Any], outcome: str) -> None:
    assert _outcome("CMS122", 2026, *records) == outcome


def test_until_2025_a_diabetes_of_the_problem_list_counts_and_tests_are_laboratory_ones() -> None:
    seen = visit(c.OFFICE, "2025-03-01")
    listed = diagnosis(cms122.DIABETES, "2015-01-01")
    assert _outcome("CMS122", 2025, ADULT, seen, listed, _hba1c("2025-03-01", 8)) == IN
    assert _outcome("CMS122", 2025, ADULT, seen, listed, _hba1c("2025-03-01", 8, category=["vital-signs"])) == MET


# CMS155: weight assessment and counselling

CHILD = born("2016-05-01")
MEASURED = [
    result(cms155.HEIGHT, "2026-03-01", 120, "cm"),
    result(cms155.WEIGHT, "2026-03-01", 25, "kg"),
    result(cms155.BMI[1], "2026-03-01", 60, "%"),
]


@pytest.mark.parametrize(
    ("records", "outcomes"),
    [
        pytest.param([CHILD, SEEN], [IN, IN, IN], id="nothing done"),
        pytest.param([CHILD, SEEN, *MEASURED], [MET, IN, IN], id="measured"),
        pytest.param([CHILD, SEEN, *MEASURED[:2]], [IN, IN, IN], id="no BMI percentile"),
        pytest.param([CHILD, SEEN, procedure(cms155.NUTRITION, "2026-12-31")], [IN, MET, IN], id="nutrition"),
        pytest.param([CHILD, SEEN, procedure(cms155.ACTIVITY, "2027-01-01")], [IN, IN, IN], id="activity, a day late"),
        pytest.param([CHILD, SEEN, procedure(cms155.ACTIVITY, "2026-01-01")], [IN, IN, MET], id="activity, first day"),
        pytest.param(
            [CHILD, SEEN, procedure(cms155.ACTIVITY, "2026-01-01", status="stopped")], [IN, IN, IN], id="not completed"
        ),
        pytest.param([born("2023-12-31"), SEEN], [IN, IN, IN], id="3 on the last day"),
        pytest.param([born("2024-01-01"), SEEN], [OUT, OUT, OUT], id="2"),
        pytest.param([born("2008-12-31"), SEEN], [OUT, OUT, OUT], id="18"),
        pytest.param(
            [born("2010-01-01"), SEEN, diagnosis(cms165.PREGNANCY, "2026-12-30")], [EXCLUDED] * 3, id="pregnant"
        ),
    ],
)
def test_weight_assessment(records: list[Any], outcomes: list[str]) -> None:
    assert _outcomes("CMS155", 2026, records) == outcomes


# CMS2: screening for depression and follow-up

TO_SCREEN = visit(cms2.KINDS[0], "2026-03-15T10:00:00Z", "2026-03-15T11:00:00Z")
DECLINED = answer(
    ADULTS.screening,
    "2026-03-15",
    status="cancelled",
    issued_date="2026-03-15",
    status_reasons=codings(cms2.DECLINED),
)


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        pytest.param([ADULT, TO_SCREEN], IN, id="not screened"),
        pytest.param(
            [ADULT, TO_SCREEN, answer(ADULTS.screening, "2026-03-01", cms2.NEGATIVE)], MET, id="14 days before"
        ),
        pytest.param(
            [ADULT, TO_SCREEN, answer(ADULTS.screening, "2026-02-28", cms2.NEGATIVE)], IN, id="15 days before"
        ),
        pytest.param([ADULT, TO_SCREEN, answer(ADULTS.screening, "2026-03-16", cms2.NEGATIVE)], IN, id="the day after"),
        pytest.param([ADULT, TO_SCREEN, answer(ADULTS.screening, "2026-03-15")], IN, id="without an answer"),
        pytest.param([ADULT, TO_SCREEN, answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE)], IN, id="positive only"),
        pytest.param(
            [
                ADULT,
                TO_SCREEN,
                answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE),
                order("service", ADULTS.referral, "2026-03-17"),
            ],
            MET,
            id="referred two days later",
        ),
        pytest.param(
            [
                ADULT,
                TO_SCREEN,
                answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE),
                order("service", ADULTS.referral, "2026-03-18"),
            ],
            IN,
            id="referred three days later",
        ),
        pytest.param(
            [
                ADULT,
                TO_SCREEN,
                answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE),
                procedure(ADULTS.follow_up, "2026-03-15", performed="2026-03-15T10:30:00Z"),
            ],
            MET,
            id="followed up during the visit",
        ),
        pytest.param(
            [
                ADULT,
                TO_SCREEN,
                answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE),
                procedure(ADULTS.follow_up, "2026-03-15", performed="2026-03-15T12:00:00Z"),
            ],
            IN,
            id="an hour after the visit",
        ),
        pytest.param(
            [
                ADULT,
                TO_SCREEN,
                answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE),
                order("medication", ADULTS.drugs, "2026-03-15", days_supply=30),
            ],
            MET,
            id="drugs from the visit on",
        ),
        pytest.param(
            [
                ADULT,
                TO_SCREEN,
                answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE),
                order(
                    "medication",
                    ADULTS.drugs,
                    "2026-03-15",
                    steps=[{"start_date": "2026-03-10", "end_date": "2026-04-10"}],
                ),
            ],
            MET,
            id="drugs ordered at the visit, taken since before it",
        ),
        pytest.param(
            [
                ADULT,
                TO_SCREEN,
                answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE),
                order("medication", ADULTS.drugs, "2026-03-15", days_supply=1),
            ],
            IN,
            id="drugs for the day of the visit alone",
        ),
        pytest.param(
            [ADULT, TO_SCREEN, answer(ADOLESCENTS.screening, "2026-03-15", cms2.NEGATIVE)], IN, id="a child's test"
        ),
        pytest.param(
            [born("2008-06-01"), TO_SCREEN, answer(ADOLESCENTS.screening, "2026-03-15", cms2.NEGATIVE)],
            MET,
            id="17: either test",
        ),
        pytest.param([born("2014-01-02"), TO_SCREEN], OUT, id="11 on the first day"),
        pytest.param(
            [ADULT, TO_SCREEN, diagnosis(cms2.BIPOLAR, "2026-03-14")], EXCLUDED, id="bipolar since the day before"
        ),
        pytest.param([ADULT, TO_SCREEN, diagnosis(cms2.BIPOLAR, "2026-03-15")], IN, id="bipolar since that day"),
        pytest.param([ADULT, TO_SCREEN, DECLINED], EXCEPTED, id="declined"),
        pytest.param(
            [ADULT, TO_SCREEN, DECLINED, answer(ADULTS.screening, "2026-03-15", cms2.POSITIVE)],
            IN,
            id="declined once, but screened",
        ),
    ],
)
def test_depression_screening(records: list[Any], outcome: str) -> None:
    assert _outcome("CMS2", 2026, *records) == outcome


def test_until_2025_bipolar_disorder_is_compared_to_the_instant() -> None:
    at_ten = visit(cms2.KINDS[0], "2025-03-15T10:00:00Z", "2025-03-15T11:00:00Z")
    that_morning = diagnosis(cms2.BIPOLAR, "2025-03-15", onset="2025-03-15T08:00:00Z")
    assert _outcome("CMS2", 2025, ADULT, at_ten, that_morning) == EXCLUDED


# CMS159: depression remission at twelve months

DEPRESSED = diagnosis(cms159.DEPRESSION[0], "2020-01-01")
FIRST = [visit(cms159.CONTACT, "2025-02-10"), result(cms159.PHQ9, "2025-02-10", 15)]


@pytest.mark.parametrize(
    ("records", "outcome"),
    [
        pytest.param([ADULT, DEPRESSED, FIRST], IN, id="not asked again"),
        pytest.param([ADULT, DEPRESSED, FIRST, result(cms159.PHQ9, "2026-02-10", 4)], MET, id="in remission"),
        pytest.param([ADULT, DEPRESSED, FIRST, result(cms159.PHQ9, "2026-02-10", 5)], IN, id="5 is none"),
        pytest.param([ADULT, DEPRESSED, FIRST, result(cms159.PHQ9, "2025-12-12", 4)], MET, id="60 days before"),
        pytest.param([ADULT, DEPRESSED, FIRST, result(cms159.PHQ9, "2025-12-11", 4)], IN, id="61 days before"),
        pytest.param([ADULT, DEPRESSED, FIRST, result(cms159.PHQ9, "2026-04-11", 4)], MET, id="60 days after"),
        pytest.param(
            [ADULT, DEPRESSED, FIRST, result(cms159.PHQ9, "2026-02-10", 4), result(cms159.PHQ9, "2026-03-10", 12)],
            IN,
            id="the last one counts",
        ),
        pytest.param([ADULT, DEPRESSED, FIRST[0], result(cms159.PHQ9, "2025-02-03", 15)], IN, id="a week before"),
        pytest.param([ADULT, DEPRESSED, FIRST[0], result(cms159.PHQ9, "2025-02-02", 15)], OUT, id="8 days before"),
        pytest.param([ADULT, DEPRESSED, FIRST[0], result(cms159.PHQ9, "2025-02-10", 9)], OUT, id="9 is not high"),
        pytest.param([ADULT, FIRST], OUT, id="no diagnosis"),
        pytest.param(
            [ADULT, diagnosis(cms159.DEPRESSION[0], "2020", verification_status="provisional"), FIRST],
            OUT,
            id="not confirmed",
        ),
        pytest.param([born("2013-02-11"), DEPRESSED, FIRST], OUT, id="11 then"),
        pytest.param([born("1960-01-01", died="2026-04-11"), DEPRESSED, FIRST], EXCLUDED, id="died on the last day"),
        pytest.param([born("1960-01-01", died="2026-04-12"), DEPRESSED, FIRST], IN, id="died the day after"),
        pytest.param(
            [ADULT, DEPRESSED, FIRST, diagnosis(cms159.OTHER_DISORDERS[0], "2026-04-11")], EXCLUDED, id="bipolar too"
        ),
    ],
)
def test_depression_remission(records: list[Any], outcome: str) -> None:
    assert _outcome("CMS159", 2026, *records) == outcome


def test_until_2025_palliative_care_is_compared_to_the_instant() -> None:
    """The last day of the second assessment is over as it begins; from 2026 on it counts as a whole."""
    for year, within in ((2025, IN), (2026, EXCLUDED)):
        first = [visit(cms159.CONTACT, f"{year - 1}-02-10"), result(cms159.PHQ9, f"{year - 1}-02-10", 15)]
        last_day = visit(c.PALLIATIVE_VISIT, f"{year}-04-11T10:00:00Z", f"{year}-04-11T11:00:00Z")
        day_before = visit(c.PALLIATIVE_VISIT, f"{year}-04-10T10:00:00Z", f"{year}-04-10T11:00:00Z")
        assert _outcome("CMS159", year, ADULT, DEPRESSED, first, last_day) == within
        assert _outcome("CMS159", year, ADULT, DEPRESSED, first, day_before) == EXCLUDED


def test_until_2025_a_reading_at_an_emergency_counts_for_nothing() -> None:
    """By the visit's class; a reading that names no visit counts in both years, since in CQL nothing is in no list."""
    for year in (2025, 2026):
        seen = visit(c.OFFICE, f"{year}-03-01", id="r-seen", class_code="AMB")
        known = [ADULT, seen, HYPERTENSIVE]
        assert _outcome("CMS165", year, *known, _pressure(f"{year}-03-01", 120, 80)) == MET
        assert _outcome("CMS165", year, *known, _pressure(f"{year}-03-01", 120, 80, encounter="r-seen")) == MET
        emergency = visit(c.OFFICE, f"{year}-04-01", id="r-emergency", class_code="EMER")
        there = _pressure(f"{year}-04-01", 150, 95, encounter="r-emergency")
        at_visit = _pressure(f"{year}-03-01", 120, 80, encounter="r-seen")
        assert _outcome("CMS165", year, *known, emergency, at_visit, there) == (MET if year == 2025 else IN)
