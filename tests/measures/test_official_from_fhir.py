"""The published measures from QI-Core resources on: what a branch of theirs asks for must come through our own mapping."""

from pathlib import Path
from typing import Any

import pytest
from qicore_persons import (
    EXCEPTED,
    EXCLUDED,
    IN,
    MET,
    OUT,
    concept,
    done,
    ordered,
    outcomes,
    patient,
    percent,
    problem,
    seen,
    told,
    word,
)

from services.measures.language.codes import LOINC, Code, ValueSet
from services.measures.official import cms2, cms122, cms155, cms159, cms165
from services.measures.official import common as c
from services.measures.official.cms2 import ADULTS

NOT_DONE = "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-notDoneReason"
DO_NOT = "http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-doNotPerform"
ADULT = patient("1970-06-15")
SEEN = seen(cms2.KINDS[0], "2026-03-15")
POSITIVE = told(ADULTS.screening, "2026-03-15T10:00:00.000Z", cms2.POSITIVE)
THIRTY_DAYS = {"value": 30, "unit": "d", "system": "http://unitsofmeasure.org", "code": "d"}


def cancelled(issued: str, *reasons: Code | ValueSet) -> dict[str, Any]:
    why = [{"url": NOT_DONE, "valueCodeableConcept": concept(each)} for each in reasons]
    return told(ADULTS.screening, None, status="cancelled", issued=issued, extension=why or None)


@pytest.mark.parametrize(
    ("resources", "outcome"),
    [
        pytest.param([cancelled("2026-03-15T10:30:00.000Z", cms2.DECLINED)], EXCEPTED, id="declined"),
        pytest.param([cancelled("2026-03-15T09:30:00.000Z", cms2.DECLINED)], EXCEPTED, id="declined earlier that day"),
        pytest.param([cancelled("2026-03-16T10:30:00.000Z", cms2.DECLINED)], IN, id="declined the day after"),
        pytest.param([cancelled("2026-03-15T10:30:00.000Z", cms2.MEDICAL_REASON)], EXCEPTED, id="for a medical reason"),
        pytest.param([cancelled("2026-03-15T10:30:00.000Z")], IN, id="cancelled for no reason"),
        pytest.param([told(ADULTS.screening, "2026-03-15", cms2.NEGATIVE, status="corrected")], MET, id="corrected"),
        pytest.param([told(ADULTS.screening, "2026-03-15", cms2.NEGATIVE, status="amended")], IN, id="amended"),
        pytest.param(
            [
                POSITIVE,
                ordered(
                    "MedicationRequest",
                    ADULTS.drugs,
                    "2026-03-15T10:30:00.000Z",
                    dispenseRequest={"expectedSupplyDuration": THIRTY_DAYS},
                ),
            ],
            MET,
            id="drugs for thirty days",
        ),
        pytest.param(
            [
                POSITIVE,
                ordered(
                    "MedicationRequest",
                    ADULTS.drugs,
                    "2026-03-15T10:30:00.000Z",
                    dosageInstruction=[
                        {"timing": {"repeat": {"boundsPeriod": {"start": "2026-03-10", "end": "2026-04-15"}}}}
                    ],
                ),
            ],
            MET,
            id="drugs, by the bounds of their dosage",
        ),
        pytest.param(
            [POSITIVE, ordered("MedicationRequest", ADULTS.drugs, "2026-03-15", doNotPerform=True)],
            IN,
            id="drugs, not to be given",
        ),
        pytest.param(
            [POSITIVE, ordered("ServiceRequest", ADULTS.referral, "2026-03-15", intent="plan")],
            MET,
            id="referral planned",
        ),
        pytest.param(
            [
                POSITIVE,
                done(
                    ADULTS.follow_up,
                    "",
                    performedDateTime=None,
                    performedPeriod={"start": "2026-03-15T10:30:00Z", "end": "2026-03-15T12:00:00Z"},
                ),
            ],
            MET,
            id="followed up from within the visit on",
        ),
        pytest.param([problem(cms2.BIPOLAR, None)], EXCLUDED, id="bipolar, nobody knows since when"),
        pytest.param(
            [problem(cms2.BIPOLAR, "2020", category=[word("condition-category", "encounter-diagnosis")])],
            IN,
            id="bipolar at a visit",
        ),
    ],
)
def test_depression_screening(resources: list[dict[str, Any]], outcome: str, tmp_path: Path) -> None:
    assert outcomes("CMS2", 2026, [ADULT, SEEN, *resources], tmp_path) == [outcome]


IN_2025 = [seen(cms2.KINDS[0], "2025-03-15")]
POSITIVE_2025 = told(ADULTS.screening, "2025-03-15T10:00:00.000Z", cms2.POSITIVE)


@pytest.mark.parametrize(
    ("resources", "outcome"),
    [
        pytest.param([cancelled("2025-03-15T10:30:00.000Z", cms2.DECLINED)], EXCEPTED, id="declined at the visit"),
        pytest.param([cancelled("2025-03-15T09:30:00.000Z", cms2.DECLINED)], IN, id="declined before it, that day"),
        pytest.param([told(ADULTS.screening, "2025-03-15", cms2.NEGATIVE)], MET, id="negative"),
        pytest.param([told(ADULTS.screening, "2025-03-15", cms2.NEGATIVE, status="corrected")], IN, id="corrected"),
        pytest.param(
            [POSITIVE_2025, ordered("MedicationRequest", ADULTS.drugs, "2025-03-17")], MET, id="drugs two days later"
        ),
        pytest.param(
            [POSITIVE_2025, ordered("MedicationRequest", ADULTS.drugs, "2025-03-18")], IN, id="drugs three days later"
        ),
        pytest.param(
            [POSITIVE_2025, ordered("MedicationRequest", ADULTS.drugs, "2025-03-15", intent="filler-order")],
            IN,
            id="drugs by a filler's order",
        ),
        pytest.param([problem(cms2.BIPOLAR, "2025-03-15T09:00:00.000Z")], EXCLUDED, id="bipolar an hour before"),
        pytest.param([problem(cms2.BIPOLAR, "2025-03-15T10:00:00.000Z")], IN, id="bipolar as the visit begins"),
    ],
)
def test_depression_screening_of_2025(resources: list[dict[str, Any]], outcome: str, tmp_path: Path) -> None:
    """To the instant where the later year compares days; only final screenings and plain orders; no drug need be taken on."""
    assert outcomes("CMS2", 2025, [ADULT, *IN_2025, *resources], tmp_path) == [outcome]


DEPRESSED = problem(cms159.DEPRESSION[0], "2020-01-01")
CONTACT, HIGH = seen(cms159.CONTACT, "2025-02-10"), told(cms159.PHQ9, "2025-02-10T10:30:00.000Z", valueInteger=15)


@pytest.mark.parametrize(
    ("resources", "outcome"),
    [
        pytest.param([], IN, id="not asked again"),
        pytest.param([told(cms159.PHQ9, "2026-02-10", valueInteger=4)], MET, id="remission"),
        pytest.param([told(cms159.PHQ9, "2026-02-10", valueInteger=4, status="preliminary")], IN, id="preliminary"),
        pytest.param([seen(c.HOSPICE_VISIT, "2025-05-10", status="planned")], EXCLUDED, id="hospice visit planned"),
        pytest.param([seen(c.HOSPICE_VISIT, "2025-05-10", status="cancelled")], IN, id="hospice visit cancelled"),
        pytest.param([told(c.HOSPICE_ASKED, "2025-05-10", c.YES)], EXCLUDED, id="said to be in hospice"),
        pytest.param(
            [ordered("ServiceRequest", c.HOSPICE_CARE, "2025-05-10", intent="reflex-order")],
            EXCLUDED,
            id="hospice ordered",
        ),
        pytest.param([done(c.HOSPICE_CARE, "2025-05-10", status="preparation")], EXCLUDED, id="hospice prepared"),
        pytest.param([done(c.HOSPICE_CARE, "2025-05-10", status="unknown")], IN, id="hospice, status unknown"),
        pytest.param([problem(c.PALLIATIVE_DIAGNOSIS, "2025-05-10")], EXCLUDED, id="palliative diagnosis"),
        pytest.param([done(c.PALLIATIVE_CARE, "2025-05-10")], EXCLUDED, id="palliative care"),
        pytest.param([problem(cms159.OTHER_DISORDERS[3], "2026-04-11")], EXCLUDED, id="developmental disorder"),
        pytest.param([problem(cms159.OTHER_DISORDERS[3], "2026-04-12")], IN, id="developmental disorder, later"),
    ],
)
def test_depression_remission(resources: list[dict[str, Any]], outcome: str, tmp_path: Path) -> None:
    assert outcomes("CMS159", 2026, [ADULT, DEPRESSED, CONTACT, HIGH, *resources], tmp_path) == [outcome]


@pytest.mark.parametrize(
    ("visit", "score", "outcome"),
    [
        pytest.param("2024-11-01", "2024-11-01", IN, id="the first day"),
        pytest.param("2024-10-31", "2024-10-31", OUT, id="the day before it"),
        pytest.param("2025-10-31", "2025-10-31", IN, id="the last day"),
        pytest.param("2025-11-01", "2025-11-01", OUT, id="the day after it"),
        pytest.param("2024-11-01", "2024-10-25", IN, id="asked a week before the first day"),
        pytest.param("2024-11-01", "2024-10-24", OUT, id="asked eight days before"),
        pytest.param("2024-11-01", "2024-11-02", OUT, id="asked the day after the visit"),
    ],
)
def test_when_the_first_assessment_counts(visit: str, score: str, outcome: str, tmp_path: Path) -> None:
    """From fourteen to two months before the measurement period, by the visit; asked at it or in the week before."""
    resources = [seen(cms159.CONTACT, visit), told(cms159.PHQ9, f"{score}T10:30:00.000Z", valueInteger=10)]
    assert outcomes("CMS159", 2026, [ADULT, DEPRESSED, *resources], tmp_path) == [outcome]


OLD = patient("1955-01-01")
OFFICE, HYPERTENSIVE = seen(c.OFFICE, "2026-03-01"), problem(cms165.HYPERTENSION, "2020-01-01")
FRAIL = ordered("DeviceRequest", c.FRAILTY_DEVICE, "2026-03-01T10:00:00.000Z")


def dementia(at: str, **given: Any) -> dict[str, Any]:
    return ordered(
        "MedicationRequest", c.DEMENTIA_DRUGS, at, dispenseRequest={"expectedSupplyDuration": THIRTY_DAYS} | given
    )


@pytest.mark.parametrize(
    ("resources", "outcome"),
    [
        pytest.param([FRAIL, problem(c.ADVANCED_ILLNESS, "2025-06-01")], EXCLUDED, id="frail and ill"),
        pytest.param([FRAIL, problem(c.ADVANCED_ILLNESS, "2024-12-31")], IN, id="ill since longer"),
        pytest.param([FRAIL, dementia("2024-11-05")], IN, id="drugs that ended before"),
        pytest.param(
            [FRAIL, dementia("2024-11-05", numberOfRepeatsAllowed=2)], EXCLUDED, id="drugs that were refilled"
        ),
        pytest.param(
            [
                FRAIL | {"modifierExtension": [{"url": DO_NOT, "valueBoolean": True}]},
                problem(c.ADVANCED_ILLNESS, "2025-06-01"),
            ],
            IN,
            id="a device that is not to be given",
        ),
        pytest.param([told(c.HOUSING_ASKED, "2025-03-01", c.NURSING_HOME)], EXCLUDED, id="in a nursing home"),
        pytest.param(
            [told(c.HOUSING_ASKED, "2025-03-01", c.NURSING_HOME), told(c.HOUSING_ASKED, "2026-03-01", c.YES)],
            IN,
            id="not there now",
        ),
    ],
)
def test_frailty(resources: list[dict[str, Any]], outcome: str, tmp_path: Path) -> None:
    assert outcomes("CMS165", 2026, [OLD, OFFICE, HYPERTENSIVE, *resources], tmp_path) == [outcome]


DIABETIC = problem(cms122.DIABETES, "2015-01-01", category=[word("condition-category", "encounter-diagnosis")])


@pytest.mark.parametrize(
    ("resources", "outcome"),
    [
        pytest.param([percent(cms122.HBA1C, "2026-03-01", 9)], IN, id="nine"),
        pytest.param([percent(cms122.GMI, "2026-03-01", 9.1)], MET, id="above"),
        pytest.param([told(cms122.HBA1C, "2026-03-01", category="laboratory")], MET, id="without a result"),
        pytest.param(
            [percent(cms122.HBA1C, "2026-03-01", 8), told(cms122.HBA1C, "2026-03-01", category="laboratory")],
            MET,
            id="one of the day without a result",
        ),
        pytest.param(
            [
                percent(
                    cms122.HBA1C,
                    "",
                    8,
                    effectiveDateTime=None,
                    effectivePeriod={"start": "2026-12-31", "end": "2027-01-01"},
                )
            ],
            MET,
            id="a test that ends a day late",
        ),
    ],
)
def test_glycemic_status(resources: list[dict[str, Any]], outcome: str, tmp_path: Path) -> None:
    assert outcomes("CMS122", 2026, [ADULT, OFFICE, DIABETIC, *resources], tmp_path) == [outcome]


SINCE_2024 = {"start": "2024-05-01"}


@pytest.mark.parametrize(
    ("resources", "outcome"),
    [
        pytest.param(
            [told(c.PALLIATIVE_ASKED, None, c.YES, effectivePeriod=SINCE_2024)], EXCLUDED, id="assessed since"
        ),
        pytest.param([told(c.PALLIATIVE_ASKED, "2024-05-01", c.YES)], IN, id="assessed then"),
        pytest.param(
            [done(c.PALLIATIVE_CARE, "", performedDateTime=None, performedPeriod=SINCE_2024)],
            EXCLUDED,
            id="given since",
        ),
        pytest.param([done(c.PALLIATIVE_CARE, "2024-05-01")], IN, id="given then"),
        pytest.param(
            [
                FRAIL,
                told(c.EQUIPMENT_ASKED, None, c.FRAILTY_DEVICE, effectivePeriod={"start": "2026-05-01"}),
                told(c.HOUSING_ASKED, None, c.NURSING_HOME, effectivePeriod={"start": "2026-05-01"}),
            ],
            IN,
            id="lives there still: it does not end by the end of the year",
        ),
    ],
)
def test_what_began_and_has_no_end_goes_on(resources: list[dict[str, Any]], outcome: str, tmp_path: Path) -> None:
    assert outcomes("CMS165", 2026, [OLD, OFFICE, HYPERTENSIVE, *resources], tmp_path) == [outcome]


def test_of_a_test_without_an_end_the_start_is_its_last_moment(tmp_path: Path) -> None:
    begun = percent(cms122.HBA1C, "", 8, effectiveDateTime=None, effectivePeriod={"start": "2026-03-01"})
    assert outcomes("CMS122", 2026, [ADULT, OFFICE, DIABETIC, begun], tmp_path) == [IN]


def test_counselling_is_known_by_its_day(tmp_path: Path) -> None:
    child = patient("2018-05-01")
    counselled = done(cms155.NUTRITION, "2026-03-01")
    assert outcomes("CMS155", 2026, [child, OFFICE, counselled], tmp_path) == [IN, MET, IN]
    going_on = done(cms155.NUTRITION, "", performedDateTime=None, performedPeriod={"start": "2026-03-01"})
    assert outcomes("CMS155", 2026, [child, OFFICE, going_on], tmp_path) == [IN, IN, IN]


TABLET = {"value": 1, "unit": "{tbl}", "system": "http://unitsofmeasure.org", "code": "{tbl}"}
THIRTY = {"quantity": TABLET | {"value": 30}}


@pytest.mark.parametrize(
    ("timing", "outcome"),
    [
        pytest.param({"frequency": 1, "period": 1, "periodUnit": "d"}, EXCLUDED, id="one a day: thirty days"),
        pytest.param({"timeOfDay": ["08:00:00"]}, EXCLUDED, id="at eight each day: thirty days"),
        pytest.param({"timeOfDay": ["08:00:00", "20:00:00"]}, IN, id="twice a day: fifteen"),
        pytest.param(None, EXCLUDED, id="nobody says how often"),
    ],
)
def test_how_long_a_supply_lasts_is_known_where_it_is_said_how_often(
    timing: dict[str, Any] | None, outcome: str, tmp_path: Path
) -> None:
    """As published: thirty tablets from 10 December 2024 reach the year before the period, or not; where nobody knows, they count."""
    dosage = {"doseAndRate": [{"doseQuantity": TABLET}]} | ({"timing": {"repeat": timing}} if timing else {})
    drugs = ordered(
        "MedicationRequest", c.DEMENTIA_DRUGS, "2024-12-10", dispenseRequest=THIRTY, dosageInstruction=[dosage]
    )
    assert outcomes("CMS165", 2026, [OLD, OFFICE, HYPERTENSIVE, FRAIL, drugs], tmp_path) == [outcome]


@pytest.mark.parametrize(
    ("score", "outcome"),
    [
        pytest.param({"valueInteger": 15}, IN, id="a number"),
        pytest.param({"valueQuantity": {"value": 15}}, OUT, id="an amount"),
        pytest.param({"valueQuantity": {"value": 15, "code": "{score}", "unit": "{score}"}}, OUT, id="in a unit"),
        pytest.param({"valueString": "severe"}, OUT, id="a word"),
    ],
)
def test_a_score_is_a_whole_number(score: dict[str, Any], outcome: str, tmp_path: Path) -> None:
    """As published: `value > 9` is asked of an integer."""
    resources = [ADULT, DEPRESSED, CONTACT, told(cms159.PHQ9, "2025-02-10T10:30:00.000Z", **score)]
    assert outcomes("CMS159", 2026, resources, tmp_path) == [outcome]


def test_a_part_of_another_result_is_none_of_its_own(tmp_path: Path) -> None:
    """As published, results are Observations: a score that is a component of one is not found."""
    part = {"code": concept(cms159.PHQ9), "valueInteger": 15}
    whole = told(Code(LOINC, "69730-0", "a panel"), "2025-02-10T10:30:00.000Z", component=[part])
    assert outcomes("CMS159", 2026, [ADULT, DEPRESSED, CONTACT, whole], tmp_path) == [OUT]
    assert outcomes("CMS159", 2026, [ADULT, DEPRESSED, CONTACT, HIGH], tmp_path) == [IN]


@pytest.mark.parametrize(
    "result",
    [
        pytest.param({"valueString": "8 to 10"}, id="in words"),
        pytest.param(
            {"valueRange": {"low": {"value": 8, "unit": "%"}, "high": {"value": 10, "unit": "%"}}}, id="range"
        ),
        pytest.param({"valueInteger": 12}, id="a number in no unit"),
    ],
)
def test_a_result_that_is_no_amount_is_neither_missing_nor_above(result: dict[str, Any], tmp_path: Path) -> None:
    test = told(cms122.HBA1C, "2026-03-01", category="laboratory", **result)
    assert outcomes("CMS122", 2026, [ADULT, OFFICE, DIABETIC, test], tmp_path) == [IN]


@pytest.mark.parametrize(
    ("day", "outcome"),
    [
        pytest.param("2023-11-01", EXCLUDED, id="ends within the first day"),
        pytest.param("2023-10-31", IN, id="the day before"),
        pytest.param("2025-04-10", EXCLUDED, id="the last day but one"),
        pytest.param("2025-04-11", IN, id="begins within the last day"),
    ],
)
def test_palliative_care_of_2025_to_the_instant(day: str, outcome: str, tmp_path: Path) -> None:
    """From the midnight that begins the first day to the last day, of which no instant is known to be in time."""
    first = [seen(cms159.CONTACT, "2024-02-10"), told(cms159.PHQ9, "2024-02-10T10:30:00.000Z", valueInteger=15)]
    resources = [ADULT, DEPRESSED, *first, seen(c.PALLIATIVE_VISIT, day)]
    assert outcomes("CMS159", 2025, resources, tmp_path) == [outcome]


@pytest.mark.parametrize(
    ("at", "outcome"),
    [
        pytest.param("2026-12-31T23:30:00-05:00", IN, id="on the last day there"),
        pytest.param("2025-12-31T23:30:00-05:00", OUT, id="before the first day there"),
        pytest.param("2026-01-01T05:00:00+09:00", IN, id="on the first day there"),
    ],
)
def test_a_day_is_the_one_that_is_written(at: str, outcome: str, tmp_path: Path) -> None:
    """As CQL has it: only what is compared to the instant is so in UTC."""
    visit = seen(c.OFFICE, "2026-03-01", period={"start": at, "end": at})
    assert outcomes("CMS165", 2026, [ADULT, HYPERTENSIVE, visit], tmp_path) == [outcome]
    pregnant = [problem(cms165.PREGNANCY, at), seen(c.OFFICE, "2026-03-01")]
    by_instant = {"2026-12-31T23:30:00-05:00": IN}.get(at, EXCLUDED)
    assert outcomes("CMS165", 2026, [ADULT, HYPERTENSIVE, *pregnant], tmp_path) == [by_instant]
