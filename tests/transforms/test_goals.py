"""Goals of patients and plans of care, as US Core's, Epic's and Synthea's resources tell them."""

import json
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from transforms import Mapper, Outcome
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
SNOMED, LOINC, HL7 = "http://snomed.info/sct", "http://loinc.org", "http://terminology.hl7.org/CodeSystem/"
KID = {"reference": "Patient/kid-7", "display": "Ann Quux"}
Json = dict[str, Any]


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": "Ann Quux"}], "text": "Ann Quux"}


def outcome_of(given: Json) -> Outcome:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY).map_line(json.dumps(given).encode())


def read(given: Json) -> list[Json]:
    found = outcome_of(given).records
    contents: list[Json] = [json.loads(each.content) for each in found]
    for content, each in zip(contents, found, strict=True):
        RECORD_TYPES["goal"].model_validate(content)
        assert not any(word in each.content + each.provenance for word in (b"Quux", b"kid-7"))
    return contents


def facts(content: Json, *without: str) -> Json:
    return {name: value for name, value in content.items() if name not in ("type", "id", "site", "subject", *without)}


def id_of(resource_type: str, name: str) -> str:
    return f"r-{Pseudonyms(KEY).ref(resource_type, name).hex()}00000000"


GOAL = {
    "resourceType": "Goal",
    "id": "g-1",
    "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-goal"]},
    "lifecycleStatus": "active",
    "achievementStatus": concept(HL7 + "goal-achievement", "improving"),
    "category": [concept(HL7 + "goal-category", "dietary")],
    "priority": concept(HL7 + "goal-priority", "high-priority"),
    "description": concept(SNOMED, "289169006"),
    "subject": KID,
    "startDate": "2026-05-02",
    "target": [
        {
            "measure": concept(LOINC, "29463-7"),
            "detailQuantity": {"value": 77, "unit": "lbs", "comparator": ">="},
            "dueDate": "2027-05-02",
        },
        {
            "measure": concept(LOINC, "4548-4"),
            "detailRange": {"low": {"value": 6, "unit": "%"}, "high": {"value": 7, "unit": "%"}},
        },
    ],
    "statusDate": "2026-06-02",
    "statusReason": "Ann Quux",
    "expressedBy": {"reference": "RelatedPerson/mother", "display": "Ann Quux"},
    "addresses": [{"reference": "Condition/c-1"}, {"reference": "RiskAssessment/x"}],
    "note": [{"text": "Ann Quux"}],
    "outcomeCode": [concept(SNOMED, "182836005")],
    "outcomeReference": [{"reference": "Observation/o-1"}],
}


def test_a_goal_tells_what_whose_and_how_far_and_each_of_its_targets() -> None:
    whole, weight, sugar = read(GOAL)
    assert facts(whole, "parts") == {
        "kind": "goal",
        "code": "289169006",
        "codings": [{"system": SNOMED, "code": "289169006"}],
        "category": [{"system": HL7 + "goal-category", "code": "dietary"}],
        "priority": [{"system": HL7 + "goal-priority", "code": "high-priority"}],
        "lifecycle_status": "active",
        "achievement_status": "improving",
        "start_date": "2026-05-02",
        "status_date": "2026-06-02",
        "expressed_by": "family",
        "addresses": [id_of("Condition", "c-1")],
        "outcomes": [{"system": SNOMED, "code": "182836005"}],
        "outcome_records": [id_of("Observation", "o-1")],
    }
    assert sorted(whole["parts"]) == sorted([weight["id"], sugar["id"]])
    told = ("measure", "value", "value_low", "value_high", "unit", "comparator", "due_date")
    assert [weight.get(name) for name in told] == ["29463-7", 34.92661249, None, None, "kg", ">=", "2027-05-02"]
    assert [sugar.get(name) for name in told] == ["4548-4", None, 6, 7, "%", None, None]
    assert {weight["parent"], sugar["parent"]} == {whole["id"]}


def test_targets_keep_their_ids_whatever_their_order_and_value() -> None:
    before = {each["id"] for each in read(GOAL)}
    moved = GOAL["target"][::-1]
    assert {each["id"] for each in read(GOAL | {"target": moved})} == before
    assert {each["id"] for each in read(GOAL | {"target": moved[:1]})} < before


def test_a_goal_in_words_alone_stands_without_them() -> None:
    """Synthea's and many portals': what it is for and how far it is reached is told."""
    given = {
        "resourceType": "Goal",
        "id": "g-2",
        "lifecycleStatus": "accepted",
        "description": {"text": "Ann Quux wants to climb stairs"},
        "subject": KID,
        "addresses": [{"reference": "Condition/c-1"}],
    }
    (found,) = read(given)
    assert facts(found) == {"kind": "goal", "lifecycle_status": "accepted", "addresses": [id_of("Condition", "c-1")]}
    assert b'"text-withheld"' in outcome_of(given).records[0].provenance


PLAN = {
    "resourceType": "CarePlan",
    "id": "cp-1",
    "meta": {"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-careplan"]},
    "text": {"status": "generated", "div": "<div>Ann Quux</div>"},
    "replaces": [{"reference": "CarePlan/cp-0"}],
    "status": "active",
    "intent": "plan",
    "category": [concept("http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "assess-plan")],
    "title": "Ann Quux",
    "description": "Ann Quux",
    "subject": KID,
    "encounter": {"reference": "Encounter/v-1"},
    "period": {"start": "2026-05-02", "end": "2027-05-02"},
    "author": {"reference": "Practitioner/ann"},
    "addresses": [{"reference": "Condition/c-1"}],
    "goal": [{"reference": "Goal/g-1"}],
    "activity": [
        {
            "detail": {
                "kind": "ServiceRequest",
                "code": concept(SNOMED, "304549008"),
                "status": "in-progress",
                "goal": [{"reference": "Goal/g-1"}],
                "location": {"display": "Quux hall"},
                "description": "Ann Quux",
            }
        },
        {"reference": {"reference": "ServiceRequest/ref-1"}},
        {"reference": {"reference": "Appointment/app-1"}, "progress": [{"text": "Ann Quux"}]},
    ],
}


def test_a_plan_tells_its_goals_and_activities() -> None:
    whole, activity = read(PLAN)
    assert facts(whole, "parts") == {
        "kind": "plan",
        "lifecycle_status": "active",
        "intent": "plan",
        "category": [{"system": "http://hl7.org/fhir/us/core/CodeSystem/careplan-category", "code": "assess-plan"}],
        "start_date": "2026-05-02",
        "end_date": "2027-05-02",
        "expressed_by": "clinician",
        "addresses": [id_of("Condition", "c-1")],
        "goals": [id_of("Goal", "g-1")],
        "activities": sorted([id_of("ServiceRequest", "ref-1"), id_of("Appointment", "app-1")]),
        "replaces": [id_of("CarePlan", "cp-0")],
        "encounter": id_of("Encounter", "v-1"),
    }
    told = ("code", "activity_status", "goals", "parent")
    assert [activity[name] for name in told] == ["304549008", "in-progress", [id_of("Goal", "g-1")], whole["id"]]


@pytest.mark.parametrize("given", [GOAL, PLAN], ids=["goal", "plan"])
def test_a_corrected_and_a_deleted_one_are_the_same(given: Json) -> None:
    status = "lifecycleStatus" if given is GOAL else "status"
    first, corrected = outcome_of(given), outcome_of(given | {status: "completed"})
    assert {each.id for each in first.records} == {each.id for each in corrected.records}
    gone = outcome_of(given | {status: "entered-in-error"})
    assert (gone.withdrawn, gone.ref) == (True, first.ref)


def test_known_plans_are_counted_as_when_they_were_mapped() -> None:
    """Activities that are resources of their own are no parts."""
    site = Mapper(site="north", time_zone="UTC", subject_key=KEY)
    assert site.record_count("CarePlan", [json.dumps(PLAN).encode()]) == 2
    assert site.record_count("Goal", [json.dumps(GOAL).encode()]) == 3
