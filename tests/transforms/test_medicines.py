"""Medicines: ordered, dispensed, given, reported; their dosage step by step, their amounts, their orders."""

import json
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from schemas.problems import Reason
from transforms import Mapper, Outcome
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
RXNORM, SNOMED, UCUM = (
    "http://www.nlm.nih.gov/research/umls/rxnorm",
    "http://snomed.info/sct",
    "http://unitsofmeasure.org",
)
Json = dict[str, Any]


def concept(code: str, system: str = RXNORM) -> Json:
    return {"coding": [{"system": system, "code": code, "display": "must not leave"}]}


def amount(value: Any, unit: str = "mg", **fields: Any) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit, **fields}


def medicine(kind: str = "MedicationRequest", **fields: Any) -> Json:
    resource = {
        "resourceType": kind,
        "id": "m1",
        "status": "completed",
        "subject": {"reference": "Patient/kid-7"},
        "medicationCodeableConcept": concept("197361"),
    }
    return resource | fields


def order(*dosages: Json, **fields: Any) -> Json:
    return medicine(dosageInstruction=list(dosages), **fields)


def outcome(resource: Json) -> Outcome:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY).map_line(json.dumps(resource).encode())


def record(resource: Json) -> Json:
    """The one record, proven against its model."""
    (found,) = outcome(resource).records
    content: Json = json.loads(found.content)
    RECORD_TYPES["medication"].model_validate(content)
    assert b"must not leave" not in found.content
    return content


def flags(resource: Json) -> list[str]:
    (found,) = outcome(resource).records
    listed: list[str] = json.loads(b"{" + found.provenance + b"}").get("flags", [])
    return listed


def said(resource: Json, *names: str) -> list[Any]:
    found = record(resource)
    return [found.get(name) for name in names]


def ref(kind: str, name: str) -> str:
    return f"r-{Pseudonyms(KEY).ref(kind, name).hex()}00000000"


def daily(times: int, start: str, end: str, **fields: Any) -> Json:
    return {
        "repeat": {"frequency": times, "period": 1, "periodUnit": "d", "boundsPeriod": {"start": start, "end": end}},
        **fields,
    }


# ---------------------------------------------------------------- what happened


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({}, "ordered"),
        ({"reportedBoolean": False}, "ordered"),
        ({"reportedBoolean": True}, "reported"),
        ({"reportedBoolean": "true"}, "reported"),
        ({"reportedReference": {"reference": "Practitioner/p", "display": "must not leave"}}, "reported"),
    ],
)
def test_what_somebody_reported_is_no_order(fields: Json, kind: str) -> None:
    assert record(medicine(**fields))["kind"] == kind


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("MedicationDispense", "Procedure"),
        ("MedicationAdministration", "MedicationAdministration"),
        ("MedicationAdministration", "Procedure"),
        ("MedicationStatement", "MedicationDispense"),
        ("MedicationStatement", "Observation"),
    ],
)
def test_what_is_a_part_names_its_whole(kind: str, whole: str) -> None:
    """Or a measure counts one infusion as often as its bag was changed; a mere text or a foreign type names none."""
    named = [
        {"reference": f"{whole}/w-1", "display": "must not leave"},
        {"reference": "Binary/9"},
        {"display": "a bag"},
    ]
    assert record(medicine(kind, partOf=named))["part_of"] == [ref(whole, "w-1")]


def test_a_dispense_tells_when_how_much_and_by_which_order() -> None:
    """The time of handing over; that of preparing only where it is the only one."""
    given = medicine(
        "MedicationDispense",
        whenPrepared="2026-05-02T09:00:00Z",
        whenHandedOver="2026-05-02T16:30:00Z",
        quantity={"value": 45, "unit": "Tablet(s)"},
        daysSupply=amount(15, "days", code=None),
        authorizingPrescription=[{"reference": "MedicationRequest/rx-9"}],
        context={"reference": "Encounter/e-9"},
    )
    names = ("kind", "start", "quantity", "quantity_unit", "days_supply", "orders", "encounter")
    assert said(given, *names) == [
        "dispensed",
        "2026-05-02T16:30:00Z",
        45,
        "{tablet}",
        15,
        [ref("MedicationRequest", "rx-9")],
        ref("Encounter", "e-9"),
    ]
    assert record({**given, "whenHandedOver": None})["start"] == "2026-05-02T09:00:00Z"


def test_what_was_given_tells_its_dose_rate_and_route() -> None:
    given = medicine(
        "MedicationAdministration",
        effectivePeriod={"start": "2026-05-02T09:00:00Z", "end": "2026-05-02T10:00:00Z"},
        dosage={
            "text": "must not leave",
            "dose": amount(250),
            "rateQuantity": amount(50, "mL/h"),
            "route": concept("47625008", SNOMED),
        },
        request={"reference": "MedicationRequest/rx-9"},
        reasonReference=[{"reference": "Condition/dx-2"}, {"reference": "DiagnosticReport/r"}],
    )
    names = ("kind", "start", "end", "dose", "dose_unit", "rate", "rate_unit", "route", "orders", "reason_records")
    assert said(given, *names) == [
        "given",
        "2026-05-02T09:00:00Z",
        "2026-05-02T10:00:00Z",
        250,
        "mg",
        50,
        "mL/h",
        [{"system": SNOMED, "code": "47625008"}],
        [ref("MedicationRequest", "rx-9")],
        [ref("Condition", "dx-2")],
    ]


def test_a_statement_is_reported_with_its_period_and_dosage() -> None:
    """Where both tell an end, that of the dosage holds."""
    told = medicine(
        "MedicationStatement",
        status="active",
        effectivePeriod={"start": "2026-05-02", "end": "2026-12-31"},
        dateAsserted="2026-05-03T10:00:00Z",
        dosage=[{"timing": daily(1, "2026-05-02", "2026-06-02"), "doseAndRate": [{"doseQuantity": amount(5)}]}],
    )
    assert said(told, "kind", "start_date", "end_date", "recorded_date", "dose") == [
        "reported",
        "2026-05-02",
        "2026-06-02",
        "2026-05-03",
        5,
    ]
    assert record({**told, "dosage": None})["end_date"] == "2026-12-31"


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("MedicationAdministration", "not-done"),
        ("MedicationStatement", "not-taken"),
        ("MedicationDispense", "declined"),
        ("MedicationDispense", "cancelled"),
    ],
)
def test_what_did_not_happen_is_no_fact(kind: str, status: str) -> None:
    problem = outcome(medicine(kind, status=status)).problem
    assert problem is not None
    assert problem.reason is Reason.NOT_A_FACT


# ---------------------------------------------------------------- dosage


def test_steps_stand_in_their_sequence_whatever_the_list_says() -> None:
    """The first one's dose is the order's; it ends with the last one."""
    later = {
        "sequence": 2,
        "timing": daily(1, "2026-05-09", "2026-05-12"),
        "doseAndRate": [{"doseQuantity": amount(15)}],
    }
    first = {
        "sequence": 1,
        "timing": daily(3, "2026-05-02", "2026-05-08"),
        "doseAndRate": [{"doseQuantity": amount(30)}],
    }
    for dosages in ((later, first), (first, later)):
        found = record(order(*dosages))
        assert (found["dose"], found["dose_unit"], found["end_date"]) == (30, "mg", "2026-05-12")
        assert [(step["sequence"], step["dose"], step["frequency"], step["start_date"]) for step in found["steps"]] == [
            (1, 30, 3, "2026-05-02"),
            (2, 15, 1, "2026-05-09"),
        ]
    open_ended = {**later, "timing": {"repeat": {"frequency": 1, "period": 2, "periodUnit": "d"}}}
    assert "end_date" not in record(order(first, open_ended))


def test_a_step_tells_all_that_its_timing_says() -> None:
    timing = {
        "repeat": {
            "boundsDuration": amount(2, "wk"),
            "count": 6,
            "countMax": 8,
            "frequency": 1,
            "frequencyMax": 2,
            "period": 4,
            "periodMax": 6,
            "periodUnit": "h",
            "dayOfWeek": ["fri", "mon", "Caturday"],
            "timeOfDay": ["08:00:00", "20:00:00"],
            "when": ["HS", "AC", "with Ann"],
        },
        "code": {"text": "must not leave"},
    }
    needed = {"asNeededCodeableConcept": concept("25064002", SNOMED), "route": concept("26643006", SNOMED)}
    found = record(order({"text": "must not leave", "timing": timing, **needed}))
    assert found["steps"] == [
        {
            "count": 6,
            "count_max": 8,
            "frequency": 1,
            "frequency_max": 2,
            "period": 4,
            "period_max": 6,
            "period_unit": "h",
            "days_of_week": ["mon", "fri"],
            "times_of_day": 2,
            "when": ["AC", "HS"],
            "days": 14,
            "as_needed": True,
            "as_needed_for": [{"system": SNOMED, "code": "25064002"}],
            "route": [{"system": SNOMED, "code": "26643006"}],
        }
    ]
    assert (found["as_needed"], found["route"]) == (True, [{"system": SNOMED, "code": "26643006"}])


@pytest.mark.parametrize(
    ("code", "expected"), [("BID", (2, 1, "d")), ("q6h", (1, 6, "h")), ("QOD", (1, 2, "d")), ("WK", (1, 1, "wk"))]
)
def test_a_named_schedule_says_how_often(code: str, expected: tuple[int, int, str]) -> None:
    (step,) = record(order({"timing": {"code": {"coding": [{"code": code}]}}}))["steps"]
    assert (step["frequency"], step["period"], step["period_unit"]) == expected


def test_of_several_doses_the_ordered_one_holds() -> None:
    """Else only where all are the same; a choice among others would be a guess."""

    def entry(kind: str, dose: Json) -> Json:
        return {"type": {"coding": [{"code": kind}]}, "doseQuantity": dose}

    ordered, counted = entry("ordered", amount(120)), entry("calculated", amount(6, "mg/kg"))
    for listed in ([ordered, counted], [counted, ordered], [ordered]):
        assert said(order({"doseAndRate": listed}), "dose", "dose_unit") == [120, "mg"]
        assert flags(order({"doseAndRate": listed})) == []
    unsure = order({"doseAndRate": [{"doseQuantity": amount(120)}, counted]}, authoredOn="2026-05-02")
    assert said(unsure, "dose", "start_date") == [None, "2026-05-02"]
    assert flags(unsure) == ["several-doses"]
    assert record(order({"doseAndRate": [counted, counted]}))["dose"] == 6


def test_a_range_of_doses_keeps_both_ends() -> None:
    bounds = {"low": amount(0.5), "high": amount(1.5)}
    assert said(order({"doseAndRate": [{"doseRange": bounds}]}), "dose_low", "dose_high", "dose_unit", "dose") == [
        0.5,
        1.5,
        "mg",
        None,
    ]
    mixed = order({"doseAndRate": [{"doseRange": {**bounds, "high": amount(1, "mL")}}]})
    assert said(mixed, "dose_low", "dose_unit") == [None, None]
    assert flags(mixed) == ["dose-unit-unknown"]
    rate = {"low": amount(1, "mL/h"), "high": amount(2, "mg/h")}
    drip = order({"doseAndRate": [{"rateRange": rate}]})
    assert (said(drip, "rate_low", "rate_high"), flags(drip)) == ([None, None], ["rate-unit-unknown"])
    supply = order(dispenseRequest={"expectedSupplyDuration": amount(30, "{tablet}")})
    assert (said(supply, "days_supply"), flags(supply)) == ([None], ["supply-unit-unknown"])


@pytest.mark.parametrize(
    ("quantity", "unit", "flag"),
    [
        ({"value": 2, "unit": "puff", "code": "{Puff}", "system": UCUM}, "{puff}", "unit-repaired"),
        ({"value": 2, "unit": "tablets"}, "{tablet}", "unit-repaired"),
        ({"value": 2, "code": "{tablet}", "system": UCUM}, "{tablet}", None),
        ({"value": 2, "unit": "mcg"}, "ug", "unit-repaired"),
        ({"value": 2, "code": "mg", "unit": "mg", "system": UCUM}, "mg", None),
        ({"value": 2, "code": "1", "unit": "tab", "system": UCUM}, "{tablet}", "unit-repaired"),
        ({"value": 2, "code": "mg", "unit": "tablet", "system": UCUM}, None, "dose-unit-unknown"),
        ({"value": 2, "code": "{Ann Quux}", "system": UCUM}, None, "dose-unit-unknown"),
        ({"value": 2, "unit": "Ann Quux"}, None, "dose-unit-unknown"),
    ],
)
def test_a_dose_in_a_countable_form_keeps_the_form(quantity: Json, unit: str | None, flag: str | None) -> None:
    """A capsule is not the number one; what is in no list leaves neither as unit nor as dose."""
    resource = order({"doseAndRate": [{"doseQuantity": quantity}]})
    assert said(resource, "dose", "dose_unit") == [2 if unit else None, unit]
    assert flags(resource) == ([flag] if flag else [])


@pytest.mark.parametrize(
    ("dosage", "flag"),
    [
        ({"timing": {"repeat": {"frequency": "often"}}}, "timing-unreadable"),
        ({"timing": {"repeat": {"period": -1, "periodUnit": "d"}}}, "timing-unreadable"),
        ({"timing": {"repeat": {"boundsPeriod": {"start": "soon"}}}}, "timing-unreadable"),
        ({"timing": "twice a day"}, "timing-unreadable"),
        ({"route": "by mouth"}, "route-unreadable"),
        ({"doseAndRate": [{"doseQuantity": {"value": "some"}}]}, "dose-unreadable"),
        ({"doseAndRate": {"doseQuantity": 5}}, "dose-unreadable"),
        ({"modifierExtension": [{"url": "urn:halve-it", "valueBoolean": True}]}, "dosage-modified"),
        ("as told", "dosage-unreadable"),
    ],
)
def test_a_fault_in_one_step_costs_that_part_alone(dosage: Any, flag: str) -> None:
    """The order and its other steps stand."""
    sound = {
        "sequence": 1,
        "doseAndRate": [{"doseQuantity": amount(5)}],
        "timing": daily(2, "2026-05-02", "2026-05-03"),
    }
    resource = order(sound, {"sequence": 2, **dosage} if isinstance(dosage, dict) else dosage)
    assert flags(resource) == [flag]
    assert record(resource)["steps"][0]["dose"] == 5


# ---------------------------------------------------------------- supply, links


def test_an_order_tells_its_supply_and_the_order_before() -> None:
    resource = medicine(
        status="stopped",
        statusReason=concept("182862001", SNOMED),
        category=[concept("discharge", "http://terminology.hl7.org/CodeSystem/medicationrequest-category")],
        priorPrescription={"reference": "MedicationRequest/rx-0"},
        reasonReference=[{"reference": "Condition/dx-2", "display": "must not leave"}],
        dispenseRequest={
            "numberOfRepeatsAllowed": 3,
            "quantity": amount(30, "{tablet}"),
            "expectedSupplyDuration": amount(30, "d"),
            "validityPeriod": {"end": "2027-05-02"},
        },
    )
    names = ("refills", "quantity", "days_supply", "end_date", "prior", "status_reasons", "category", "reason_records")
    assert said(resource, *names) == [
        3,
        30,
        30,
        "2027-05-02",
        ref("MedicationRequest", "rx-0"),
        [{"system": SNOMED, "code": "182862001"}],
        ["discharge"],
        [ref("Condition", "dx-2")],
    ]


def test_a_dosage_that_ends_tells_the_end_and_not_the_validity() -> None:
    validity = {"dispenseRequest": {"validityPeriod": {"end": "2027-05-02T00:00:00Z"}}}
    ending = {"timing": daily(1, "2026-05-02", "2026-05-11")}
    found = record(order(ending, **validity))
    assert (found["end_date"], "end" in found) == ("2026-05-11", False)
    assert record(order({"timing": {"repeat": {"count": 1}}}, **validity))["end_date"] == "2027-05-01"


# ---------------------------------------------------------------- mixtures


def test_a_contained_mixture_tells_its_active_ingredients() -> None:
    """Coded itself or not; an ingredient by concept or by reference to another one contained."""
    inside = [
        {"resourceType": "PractitionerRole", "id": "who", "code": [{"text": "must not leave"}]},
        {"resourceType": "Substance", "id": "water", "code": concept("11295")},
        {
            "resourceType": "Medication",
            "id": "mix",
            "ingredient": [
                {"itemCodeableConcept": concept("4450")},
                {"itemReference": {"reference": "#water"}},
                {"itemCodeableConcept": concept("99"), "isActive": False},
                {"itemReference": {"reference": "Substance/elsewhere"}},
            ],
        },
    ]
    resource = medicine(medicationCodeableConcept=None, medicationReference={"reference": "#mix"}, contained=inside)
    assert said(resource, "code", "ingredients") == [None, ["11295", "4450"]]
    assert flags(resource) == ["mixture-without-code"]
    inside[2]["code"] = concept("309778")
    assert said(resource, "code", "ingredients") == ["309778", ["11295", "4450"]]
    nothing = {**resource, "contained": [{"resourceType": "Medication", "id": "mix", "ingredient": []}]}
    problem = outcome(nothing).problem
    assert problem is not None
    assert (problem.reason, problem.path) == (Reason.MISSING_CODE, "MedicationRequest.medicationReference.reference")


ISSUE = {"resourceType": "DetectedIssue", "id": "di", "code": concept("79899007", SNOMED)}


@pytest.mark.parametrize(
    ("reference", "contained", "reasons", "flag"),
    [
        ("#di", [ISSUE], ["79899007"], []),
        ("#di", ISSUE, ["79899007"], []),
        ("#di", [ISSUE | {"id": "#di"}], ["79899007"], []),
        ("#di", [None, ISSUE | {"id": "other"}], None, ["status-reason-elsewhere"]),
        ("#di", [ISSUE | {"code": {"text": "told Ann Quux to wait"}}], None, ["text-withheld"]),
        ("DetectedIssue/7", [ISSUE], None, ["status-reason-elsewhere"]),
    ],
)
def test_why_a_pharmacy_waits_may_stand_in_what_is_contained(
    reference: str, contained: Any, reasons: list[str] | None, flag: list[str]
) -> None:
    """Where it stands elsewhere it is not read, and a flag says so."""
    resource = medicine(
        "MedicationDispense",
        status="on-hold",
        statusReasonReference={"reference": reference, "display": "Ann Quux"},
        contained=contained,
    )
    found = record(resource).get("status_reasons")
    assert (found and [each["code"] for each in found], flags(resource)) == (reasons, flag)
