"""Referrals, follow-up and orders, as US Core, QI-Core, Epic's and Oracle's servers write them."""

import json
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from schemas.problems import Reason
from transforms import Mapper, Outcome
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
SNOMED, LOINC, CPT = "http://snomed.info/sct", "http://loinc.org", "http://www.ama-assn.org/go/cpt"
HCPCS = "http://www.cms.gov/Medicare/Coding/HCPCSReleaseCodeSets"
KID = {"reference": "Patient/kid-7", "display": "Ann Quux"}
Json = dict[str, Any]


def concept(*codings: tuple[str | None, str], text: str = "Ann Quux") -> Json:
    listed = [
        {"code": code, "display": "Ann Quux"} | ({"system": system} if system else {}) for system, code in codings
    ]
    return {"coding": listed, "text": text}


def outcome_of(given: Json) -> Outcome:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY).map_line(json.dumps(given).encode())


def read(given: Json) -> Json:
    """The one record, proven against its model; no name and no number of the source left."""
    (found,) = outcome_of(given).records
    content: Json = json.loads(found.content)
    RECORD_TYPES["service_request"].model_validate(content)
    assert not any(word in found.content + found.provenance for word in (b"Quux", b"kid-7", b"ORD-77"))
    return {name: value for name, value in content.items() if name not in ("id", "subject", "site", "type")}


def id_of(resource_type: str, name: str) -> str:
    return f"r-{Pseudonyms(KEY).ref(resource_type, name).hex()}00000000"


REFERRAL = {
    "resourceType": "ServiceRequest",
    "id": "ref-1",
    "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-servicerequest"]},
    "identifier": [{"system": "urn:orders", "value": "ORD-77"}],
    "requisition": {"system": "urn:orders", "value": "ORD-77"},
    "status": "active",
    "intent": "order",
    "category": [concept((SNOMED, "3457005"))],
    "priority": "urgent",
    "code": concept(("urn:epic:orders", "REF32"), (CPT, "99243"), (SNOMED, "306206005")),
    "orderDetail": [concept((SNOMED, "47625008")), {"text": "ask for Ann Quux"}],
    "subject": KID,
    "encounter": {"reference": "Encounter/v-1"},
    "occurrencePeriod": {"start": "2027-03-02", "end": "2027-06-02"},
    "authoredOn": "2026-03-02T23:30:00-05:00",
    "requester": {"reference": "Practitioner/ann", "display": "Ann Quux"},
    "performerType": concept((SNOMED, "17561000")),
    "performer": [{"reference": "Organization/heart"}, {"display": "Ann Quux"}],
    "locationCode": [concept((SNOMED, "22232009"))],
    "reasonCode": [concept((SNOMED, "190905008"))],
    "reasonReference": [{"reference": "Condition/c-1"}, {"reference": "DocumentReference/d-1"}],
    "bodySite": [concept((SNOMED, "39607008"))],
    "basedOn": [{"reference": "ServiceRequest/plan-1"}, {"reference": "CarePlan/cp-1"}],
    "replaces": [{"reference": "ServiceRequest/ref-0"}],
    "note": [{"text": "Ann Quux"}],
}


def test_a_referral_tells_what_why_when_and_of_what_it_is_a_part() -> None:
    assert read(REFERRAL) == {
        "kind": "service",
        "code": "306206005",
        "codings": [
            {"system": SNOMED, "code": "306206005"},
            {"system": CPT, "code": "99243"},
            *[each for each in read(REFERRAL)["codings"] if each["code"] == "REF32"],
        ],
        "order_details": [{"system": SNOMED, "code": "47625008"}],
        "category": [{"system": SNOMED, "code": "3457005"}],
        "intent": "order",
        "status": "active",
        "priority": "urgent",
        "authored": "2026-03-03T04:30:00Z",
        "authored_date": "2026-03-02",
        "occurrence_date": "2027-03-02",
        "occurrence_end_date": "2027-06-02",
        "reasons": [{"system": SNOMED, "code": "190905008"}],
        "reason_records": [id_of("Condition", "c-1")],
        "body_sites": [{"system": SNOMED, "code": "39607008"}],
        "requester_kinds": ["Practitioner"],
        "performer_types": [{"system": SNOMED, "code": "17561000"}],
        "performer_kinds": ["Organization"],
        "location_codes": [{"system": SNOMED, "code": "22232009"}],
        "requisition": f"h-{Pseudonyms(KEY).ref('group', 'urn:orders|ORD-77').hex()}",
        "based_on": [id_of("ServiceRequest", "plan-1")],
        "replaces": [id_of("ServiceRequest", "ref-0")],
        "encounter": id_of("Encounter", "v-1"),
    }


def test_a_planned_follow_up_is_not_of_the_future() -> None:
    """Only what was asked for cannot be; when it is to be done, can."""
    (record,) = outcome_of(REFERRAL).records
    assert b'"future"' not in record.provenance
    (record,) = outcome_of(REFERRAL | {"authoredOn": "2093-01-01"}).records
    assert b'"future"' in record.provenance


@pytest.mark.parametrize(
    ("codings", "code"),
    [
        ([(LOINC, "2093-3"), (CPT, "80061")], "2093-3"),
        ([(HCPCS, "G0108"), ("urn:cerner:orders", "2700001")], "G0108"),
        ([(CPT, "97802"), (HCPCS, "G0270")], "97802"),
        ([("urn:oid:2.16.840.1.113883.6.96", "385763009")], "385763009"),
    ],
)
def test_an_order_is_known_by_the_best_of_its_codes(codings: list[tuple[str, str]], code: str) -> None:
    """In whatever order the vendor lists them."""
    for listed in (codings, codings[::-1]):
        assert read(REFERRAL | {"code": concept(*listed)})["code"] == code


def test_a_hospice_order_of_qi_core_tells_what_its_measure_reads() -> None:
    given = {
        "resourceType": "ServiceRequest",
        "id": "hospice",
        "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-servicerequest"]},
        "status": "completed",
        "intent": "filler-order",
        "doNotPerform": False,
        "code": concept((SNOMED, "385763009")),
        "subject": KID,
        "authoredOn": "2026-05-02T00:00:00.000Z",
        "performerType": concept((SNOMED, "405279007")),
    }
    found = read(given)
    assert [found[name] for name in ("code", "status", "intent")] == ["385763009", "completed", "filler-order"]
    assert (found["authored"], found["authored_date"]) == ("2026-05-02T00:00:00Z", "2026-05-01")


def test_why_an_order_was_revoked_is_told_by_its_codes() -> None:
    url = "http://hl7.org/fhir/StructureDefinition/request-statusReason"
    reason = {"url": url, "valueCodeableConcept": concept((SNOMED, "183932001"))}
    found = read(
        REFERRAL | {"status": "revoked", "extension": [{"url": "urn:other", "valueString": "Ann Quux"}, reason]}
    )
    assert (found["status"], found["status_reasons"]) == ("revoked", [{"system": SNOMED, "code": "183932001"}])


WHEELCHAIR = {
    "resourceType": "DeviceRequest",
    "id": "chair",
    "meta": {"profile": ["http://hl7.org/fhir/us/qicore/StructureDefinition/qicore-devicerequest"]},
    "modifierExtension": [
        {
            "url": "http://hl7.org/fhir/5.0/StructureDefinition/extension-DeviceRequest.doNotPerform",
            "valueBoolean": False,
        }
    ],
    "groupIdentifier": {"value": "ORD-77"},
    "status": "completed",
    "intent": "order",
    "codeCodeableConcept": concept((SNOMED, "183240000")),
    "subject": KID,
    "authoredOn": "2026-11-01",
    "requester": {"type": "Practitioner", "display": "Ann Quux"},
    "performer": {"reference": "Organization/shop"},
    "priorRequest": [{"reference": "DeviceRequest/chair-0"}],
}


def test_a_device_asked_for_is_a_request_of_its_kind() -> None:
    assert read(WHEELCHAIR) == {
        "kind": "device",
        "code": "183240000",
        "codings": [{"system": SNOMED, "code": "183240000"}],
        "status": "completed",
        "intent": "order",
        "authored_date": "2026-11-01",
        "requester_kinds": ["Practitioner"],
        "performer_kinds": ["Organization"],
        "requisition": f"h-{Pseudonyms(KEY).ref('group', '|ORD-77').hex()}",
        "replaces": [id_of("DeviceRequest", "chair-0")],
    }


def test_a_device_that_is_named_is_looked_up() -> None:
    """Contained, or elsewhere: then the request waits for it, as a use of a device does; nothing but its codes is read."""
    named = {name: value for name, value in WHEELCHAIR.items() if name != "codeCodeableConcept"}
    chair = {"resourceType": "Device", "id": "c", "type": concept((SNOMED, "183240000")), "serialNumber": "SN-77"}
    within = named | {"codeReference": {"reference": "#c"}, "contained": [chair]}
    assert read(within) == read(WHEELCHAIR)
    lone = named | {"codeReference": {"reference": "Device/c"}}
    outcome = outcome_of(lone)
    assert outcome.problem is not None
    assert (outcome.problem.reason.value, outcome.problem.path) == (
        "unknown-device",
        "DeviceRequest.codeReference.reference",
    )


@pytest.mark.parametrize("given", [REFERRAL, WHEELCHAIR], ids=["referral", "device"])
def test_what_is_not_to_be_done_is_no_request(given: Json) -> None:
    """By R4's own element, or by QI-Core's modifier; by neither is what it denies counted as asked for."""
    url = "http://hl7.org/fhir/5.0/StructureDefinition/extension-DeviceRequest.doNotPerform"
    denied: Json = {"modifierExtension": [{"url": url, "valueBoolean": True}]}
    for more in [denied, {"doNotPerform": True}] if given is REFERRAL else [denied]:
        problem = outcome_of(given | more).problem
        assert problem is not None
        assert problem.reason is Reason.NOT_A_FACT


def test_a_corrected_and_a_deleted_request_are_the_same_request() -> None:
    """One id whatever it says; entered in error, it withdraws what it gave."""
    first, second = (
        outcome_of(REFERRAL),
        outcome_of(REFERRAL | {"status": "completed", "code": concept((SNOMED, "306237005"))}),
    )
    assert first.records[0].id == second.records[0].id
    gone = outcome_of(REFERRAL | {"status": "entered-in-error"})
    assert (gone.withdrawn, gone.ref) == (True, first.ref)
