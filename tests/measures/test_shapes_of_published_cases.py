"""The published measures by the shapes in which QI-Core writes a case, in both years: what is missing, what is written another way, what a profile adds."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from published_years import UCUM, Case, Resources, Year, both, cases, of_kind
from qicore_persons import (
    EXCEPTED,
    EXCLUDED,
    IN,
    MET,
    OUT,
    concept,
    ordered,
    outcomes,
    patient,
    problem,
    seen,
    told,
    word,
)

from services.measures.language.codes import LOINC, Code
from services.measures.official import cms2, cms122, cms159, cms165
from services.measures.official import common as c

QICORE = "http://hl7.org/fhir/us/qicore/StructureDefinition"
ABSENT: dict[str, Any] = {"dataAbsentReason": word("data-absent-reason", "unknown")}
MARK = [{"url": f"{QICORE}/qicore-notDone", "valueBoolean": True}]
AT = "T10:30:00.000Z"
Added = Callable[[Year], dict[str, Any]]


def amount(value: float, unit: str, code: str | None = None) -> dict[str, Any]:
    """In words; with a code as UCUM has it too."""
    return {"value": value, "unit": unit} | ({"system": UCUM, "code": code} if code else {})


def cancelled(y: Year, why: Code | Any = cms2.DECLINED, **given: Any) -> dict[str, Any]:
    """A screening that was not done, as QI-Core tells it."""
    reason = {"url": f"{QICORE}/qicore-notDoneReason", "valueCodeableConcept": told(why, None)["code"]}
    own = {"status": "cancelled", "issued": f"{y('03-15')}{AT}", "extension": [reason]}
    return told(cms2.ADULTS.screening, None, **own | given)


def positive(y: Year) -> dict[str, Any]:
    return told(cms2.ADULTS.screening, f"{y('03-15')}{AT}", cms2.POSITIVE)


def referred(**given: Any) -> Callable[[Year], Resources]:
    return lambda y: [positive(y), ordered("ServiceRequest", cms2.ADULTS.referral, f"{y('03-15')}{AT}", **given)]


def on_drugs(**given: Any) -> Callable[[Year], Resources]:
    return lambda y: [positive(y), ordered("MedicationRequest", cms2.ADULTS.drugs, f"{y('03-15')}{AT}", **given)]


def by_resource(y: Year) -> Resources:
    drug = on_drugs(medicationCodeableConcept=None, medicationReference={"reference": "Medication/m"})(y)
    return [*drug, {"resourceType": "Medication", "id": "m", "code": concept(cms2.ADULTS.drugs)}]


def dosed(**repeat: Any) -> dict[str, Any]:
    return {"dosageInstruction": [{"timing": {"repeat": repeat}, "doseAndRate": [{"doseQuantity": {"value": 1}}]}]}


ONCE_A_DAY = dosed(frequency=1, period=1, periodUnit="d")
NOT_SCREENED: tuple[Case, ...] = (
    both("with QI-Core's mark", lambda y: [cancelled(y, modifierExtension=MARK)], EXCEPTED),
    both("for a medical reason", lambda y: [cancelled(y, cms2.MEDICAL_REASON)], EXCEPTED),
    both("without a category", lambda y: [cancelled(y) | {"category": []}], EXCEPTED),
    both("for a reason that is none", lambda y: [cancelled(y, c.YES)], IN),
    both("not issued", lambda y: [cancelled(y, issued=None, effectiveDateTime=f"{y('03-15')}{AT}")], IN),
    both("with a reason for the absence", lambda y: [cancelled(y, **ABSENT)], EXCEPTED),
    both("as the visit begins", lambda y: [cancelled(y, issued=f"{y('03-15')}T10:00:00.000Z")], EXCEPTED),
    ("later that day", lambda y: [cancelled(y, issued=f"{y('03-15')}T15:00:00.000Z")], IN, EXCEPTED),
    both("and yet positive", lambda y: [cancelled(y), positive(y)], IN),
)
FOLLOWED_UP: tuple[Case, ...] = (
    both("referred as a proposal", referred(intent="proposal"), MET),
    both("not to be referred", referred(doNotPerform=True), IN),
    both("positive over a time that nobody knows the start of", lambda y: [told(cms2.ADULTS.screening, None, cms2.POSITIVE, effectivePeriod={"end": f"{y('03-15')}{AT}"}), ordered("ServiceRequest", cms2.ADULTS.referral, f"{y('03-15')}{AT}")], IN),
    both("negative over such a time", lambda y: [told(cms2.ADULTS.screening, None, cms2.NEGATIVE, effectivePeriod={"end": f"{y('03-15')}{AT}"})], MET),
    both("referred, nobody knows when", referred(authoredOn=None), IN),
    both("drugs for four weeks", on_drugs(dispenseRequest={"expectedSupplyDuration": amount(4, "wk", "wk")}), MET),
    both("drugs for days in a word", on_drugs(dispenseRequest={"expectedSupplyDuration": amount(30, "days")}), MET),
    both("drugs, thirty doses", on_drugs(**ONCE_A_DAY, dispenseRequest={"quantity": {"value": 30}}), MET),
    both("drugs by a Medication resource", by_resource, MET),
    both("drugs, nobody knows for how long", on_drugs(), MET),
    both("drugs, a dose without a schedule", on_drugs(**dosed(), dispenseRequest={"quantity": {"value": 30}}), MET),
    ("drugs, one dose", on_drugs(**ONCE_A_DAY, dispenseRequest={"quantity": {"value": 1}}), MET, IN),
    ("drugs, one dose with refills", on_drugs(**ONCE_A_DAY, dispenseRequest={"quantity": {"value": 1}, "numberOfRepeatsAllowed": 3}), MET, MET),
    both("not to be taken", on_drugs(doNotPerform=True, dispenseRequest={"expectedSupplyDuration": amount(30, "d", "d")}), IN),
    both("bipolar since nobody knows when", lambda y: [problem(cms2.BIPOLAR, None)], EXCLUDED),
    both("bipolar of a visit alone", lambda y: [problem(cms2.BIPOLAR, "2020-01-01", **of_kind("encounter-diagnosis"))], IN),
    ("screening corrected", lambda y: [told(cms2.ADULTS.screening, f"{y('03-15')}{AT}", cms2.NEGATIVE, status="corrected")], IN, MET),
    both("screening amended", lambda y: [told(cms2.ADULTS.screening, f"{y('03-15')}{AT}", cms2.NEGATIVE, status="amended")], IN),
    both("screening in words", lambda y: [told(cms2.ADULTS.screening, f"{y('03-15')}{AT}", valueString="negative")], IN),
)  # fmt: skip


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*NOT_SCREENED, *FOLLOWED_UP))
def test_screening(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    own = [patient("1970-06-15"), seen(cms2.KINDS[0], y("03-15"))]
    assert outcomes("CMS2", year, [*own, *made(y)], tmp_path) == [outcome]


def asked(day: str = "-02-10", **given: Any) -> Added:
    """A PHQ-9 of fifteen."""
    return lambda y: {"asked": told(cms159.PHQ9, f"{y(day)}{AT}", **{"valueInteger": 15} | given)}


def known(**given: Any) -> Added:
    return lambda y: {"depression": given}


def seen_and_asked(day: Callable[[int], str]) -> Added:
    return lambda y: {
        "asked": told(cms159.PHQ9, f"{day(y.year)}{AT}", valueInteger=15),
        "visit": seen(cms159.CONTACT, day(y.year)),
    }


REMISSION: tuple[Case, ...] = (
    both("an amount is no score", asked(valueInteger=None, valueQuantity={"value": 15}), OUT),
    both("no category", asked(category=""), IN),
    both("over the time of the visit", lambda y: {"asked": told(cms159.PHQ9, None, effectivePeriod=y.stay("-02-10", "-02-10"), valueInteger=15)}, IN),
    both("seven days before the visit", asked("-02-03"), IN),
    both("eight days before", asked("-02-02"), OUT),
    both("the day after", asked("-02-11"), OUT),
    both("not verified", known(verificationStatus=None), OUT),
    both("neither active nor over", known(clinicalStatus=None), OUT),
    both("over before the visit", known(abatementDateTime="2021-01-01"), OUT),
    both("of a visit alone", known(**of_kind("encounter-diagnosis")), IN),
    both("visit and depression of one day, both without a time", lambda y: {"depression": {"onsetDateTime": y("-02-10")}, "visit": seen(cms159.CONTACT, "2020-01-01", period={"start": y("-02-10"), "end": y("-02-10")})}, IN),
    both("depression of the day, the visit at a time of it", lambda y: {"depression": {"onsetDateTime": y("-02-10")}}, OUT),
    both("on the first day of all", seen_and_asked(lambda year: f"{year - 2}-11-01"), IN),
    both("the day before it", seen_and_asked(lambda year: f"{year - 2}-10-31"), OUT),
    both("on the last day", seen_and_asked(lambda year: f"{year - 1}-10-31"), IN),
    both("the day after it", seen_and_asked(lambda year: f"{year - 1}-11-01"), OUT),
)  # fmt: skip


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*REMISSION))
def test_remission(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    given = asked()(y) | {"visit": seen(cms159.CONTACT, y("-02-10"))} | made(y)
    ill = problem(cms159.DEPRESSION[0], "2020-01-01", **given.get("depression", {}))
    resources = [patient("1970-06-15"), ill, given["visit"], given["asked"]]
    assert outcomes("CMS159", year, resources, tmp_path) == [outcome]


def measured(code: str, value: dict[str, Any] | None, **given: Any) -> Added:
    category = word("observation-category", "vital-signs")
    return lambda y: (
        told(Code(LOINC, code, ""), f"{y('05-02')}{AT}", category="", valueQuantity=value)
        | {"category": [category]}
        | given
    )


HEIGHT, WEIGHT, BMI = measured("8302-2", amount(120, "cm", "cm")), measured("29463-7", amount(25, "kg", "kg")), measured("39156-5", amount(17, "kg/m2", "kg/m2"))  # fmt: skip
CHILDREN = (
    both("all three", lambda y: [HEIGHT, WEIGHT, BMI], MET),
    both("in feet and pounds", lambda y: [measured("8302-2", amount(48, "in", "[in_i]")), measured("29463-7", amount(60, "lbs", "[lb_av]")), BMI], MET),
    both("without units", lambda y: [measured("8302-2", {"value": 120}), measured("29463-7", {"value": 25}), BMI], MET),
    both("implausibly small", lambda y: [measured("8302-2", amount(4, "cm", "cm")), WEIGHT, BMI], MET),
    both("the percentile", lambda y: [HEIGHT, WEIGHT, measured("59576-9", amount(60, "%", "%"))], MET),
    both("the percentile in a word", lambda y: [HEIGHT, WEIGHT, measured("59576-9", amount(60, "percentile"))], MET),
    both("the percentile in its own unit", lambda y: [HEIGHT, WEIGHT, measured("59576-9", amount(60, "{percentile}", "{percentile}"))], MET),
    both("the percentile under the index's code", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(60, "%", "%"))], MET),
    both("the index in a unit of none", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(60, "cm", "cm"))], IN),
    both("the index in words", lambda y: [HEIGHT, WEIGHT, measured("39156-5", None, valueString="normal")], IN),
    both("the index not known", lambda y: [HEIGHT, WEIGHT, measured("39156-5", None, **ABSENT)], IN),
    both("the index preliminary", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(17, "kg/m2", "kg/m2"), status="preliminary")], IN),
    both("no height", lambda y: [WEIGHT, BMI], IN),
    both("no weight", lambda y: [HEIGHT, BMI], IN),
    both("a bound", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(17, "kg/m2", "kg/m2") | {"comparator": ">"})], IN),
    both("the index in a coded word", lambda y: [HEIGHT, WEIGHT, measured("39156-5", None, valueCodeableConcept=concept(c.YES))], IN),
    both("a range", lambda y: [HEIGHT, WEIGHT, measured("39156-5", None, valueRange={"low": amount(17, "kg/m2", "kg/m2")})], IN),
    both("told when issued alone", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(17, "kg/m2", "kg/m2"), effectiveDateTime=None, issued=f"{y('05-02')}{AT}")], IN),
    both("told by an end alone", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(17, "kg/m2", "kg/m2"), effectiveDateTime=None, effectivePeriod={"end": f"{y('05-02')}{AT}"})], IN),
    both("told by its year", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(17, "kg/m2", "kg/m2"), effectiveDateTime=str(y.year))], IN),
    both("told by a month", lambda y: [HEIGHT, WEIGHT, measured("39156-5", amount(17, "kg/m2", "kg/m2"), effectiveDateTime=y("05"))], MET),
    both("weighed the year after", lambda y: [HEIGHT, measured("29463-7", amount(25, "kg", "kg"), effectiveDateTime=f"{y('+01-01')}T00:00:00.000Z"), BMI], IN),
)  # fmt: skip


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*CHILDREN))
def test_children(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    own = [patient("2015-06-15"), seen(c.OFFICE, y("05-02"))]
    assert outcomes("CMS155", year, [*own, *(each(y) for each in made(y))], tmp_path)[0] == outcome


def hba1c(value: float | None, day: str = "05-02", **given: Any) -> Added:
    result = None if value is None else amount(value, "%", "%")
    return lambda y: told(cms122.HBA1C, f"{y(day)}{AT}", category="laboratory", valueQuantity=result) | given


NO_CATEGORY: dict[str, Any] = {"category": []}


def all_of(*each: Added) -> Callable[[Year], Resources]:
    return lambda y: [one(y) for one in each]


DIABETES: tuple[Case, ...] = (
    both("nine", all_of(hba1c(9)), IN),
    both("above nine", all_of(hba1c(9.1)), MET),
    both("not known", all_of(hba1c(None, "05-02", **ABSENT)), MET),
    both("in words", all_of(hba1c(None, valueString="high")), IN),
    ("a coded word", all_of(hba1c(None, valueCodeableConcept=told(c.YES, None)["code"])), MET, IN),
    both("its unit a word", all_of(hba1c(None, valueQuantity=amount(9.1, "%"))), MET),
    both("preliminary", all_of(hba1c(5, status="preliminary")), MET),
    both("amended", all_of(hba1c(5, status="amended")), IN),
    both("better later", all_of(hba1c(10), hba1c(7, "06-02")), IN),
    both("worse later", all_of(hba1c(7), hba1c(10, "06-02")), MET),
    both("two of a day, one good", all_of(hba1c(10), hba1c(7)), IN),
    both("two of a day, one without a result", all_of(hba1c(None), hba1c(7)), MET),
    both("on the last day", all_of(hba1c(5, "12-31")), IN),
    both("the day after", all_of(hba1c(5, "+01-01")), MET),
    ("without a category", all_of(hba1c(5, **NO_CATEGORY)), MET, IN),
)


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*DIABETES))
def test_diabetes(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    ill = problem(cms122.DIABETES, "2015-01-01", **of_kind("encounter-diagnosis"))
    assert outcomes("CMS122", year, [patient("1970-06-15"), seen(c.OFFICE, y("05-02")), ill, *made(y)], tmp_path) == [
        outcome
    ]


HYPERTENSION: tuple[Case, ...] = (
    both("on the last day of the half", lambda y: {"onsetDateTime": f"{y('06-30')}T23:59:59.999Z"}, IN),
    both("as the other half begins", lambda y: {"onsetDateTime": f"{y('07-01')}T00:00:00.000Z"}, OUT),
    both("begun over a time", lambda y: {"onsetPeriod": {"start": "2020-01-01", "end": "2021-01-01"}}, IN),
    both("only its recording is known", lambda y: {"recordedDate": "2020-01-01"}, IN),
    both("begun in words", lambda y: {"onsetString": "as a child"}, IN),
    both("inactive, nobody knows since when", lambda y: {"onsetDateTime": "2015-01-01", "clinicalStatus": word("condition-clinical", "inactive")}, OUT),
    both("no status", lambda y: {"onsetDateTime": f"{y('02-01')}{AT}", "clinicalStatus": None}, OUT),
    both("resolved in the half, nobody knows when", lambda y: {"onsetDateTime": f"{y('02-01')}{AT}", "clinicalStatus": word("condition-clinical", "resolved")}, OUT),
    both("no status and yet over", lambda y: {"onsetDateTime": f"{y('02-01')}{AT}", "abatementAge": amount(70, "a", "a"), "clinicalStatus": None}, IN),
    both("over on the first day", lambda y: {"onsetDateTime": "2015-01-01", "abatementDateTime": f"{y('01-01')}{AT}"}, IN),
    both("over the day before", lambda y: {"onsetDateTime": "2015-01-01", "abatementDateTime": f"{y('-12-31')}{AT}"}, OUT),
    both("from the age of forty on", lambda y: {"onsetAge": amount(40, "a", "a")}, IN),
    both("of a visit", lambda y: {"onsetDateTime": "2015-01-01"} | of_kind("encounter-diagnosis"), IN),
    both("a health concern", lambda y: {"onsetDateTime": "2015-01-01", "category": [{"coding": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/condition-category", "code": "health-concern"}]}]}, IN),
)  # fmt: skip


@pytest.mark.parametrize(("year", "made", "outcome"), cases(*HYPERTENSION))
def test_hypertension(year: int, made: Any, outcome: str, tmp_path: Path) -> None:
    y = Year(year)
    resources = [patient("1970-06-15"), seen(c.OFFICE, y("05-02")), problem(cms165.HYPERTENSION, None, **made(y))]
    assert outcomes("CMS165", year, resources, tmp_path) == [outcome]
