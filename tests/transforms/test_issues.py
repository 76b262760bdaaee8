"""What is raised and answered: messages of a portal, tasks that follow a referral."""

import json
from typing import Any

import pytest

from schemas.outcomes import RECORD_TYPES
from schemas.problems import Reason
from transforms import Mapper, Outcome
from transforms.privacy import Pseudonyms

KEY = b"a key of thirty-two bytes, no less"
SNOMED, HL7 = "http://snomed.info/sct", "http://terminology.hl7.org/CodeSystem/"
KID = {"reference": "Patient/kid-7", "display": "Ann Quux"}
Json = dict[str, Any]


def concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": "Ann Quux"}], "text": "Ann Quux"}


def outcome_of(given: Json) -> Outcome:
    return Mapper(site="north", time_zone="America/New_York", subject_key=KEY).map_line(json.dumps(given).encode())


def read(given: Json) -> Json:
    (found,) = outcome_of(given).records
    content: Json = json.loads(found.content)
    RECORD_TYPES["issue"].model_validate(content)
    assert not any(word in found.content + found.provenance for word in (b"Quux", b"kid-7", b"555"))
    return {name: value for name, value in content.items() if name not in ("type", "id", "site", "subject")}


def id_of(resource_type: str, name: str) -> str:
    return f"r-{Pseudonyms(KEY).ref(resource_type, name).hex()}00000000"


MESSAGE = {
    "resourceType": "Communication",
    "id": "msg-2",
    "identifier": [{"value": "Quux-555"}],
    "basedOn": [{"reference": "ServiceRequest/ref-1"}, {"reference": "CarePlan/cp"}],
    "inResponseTo": [{"reference": "Communication/msg-1"}],
    "status": "completed",
    "category": [concept(HL7 + "communication-category", "notification")],
    "priority": "urgent",
    "medium": [concept(HL7 + "v3-ParticipationMode", "ELECTRONIC")],
    "subject": KID,
    "topic": concept(HL7 + "communication-topic", "progress-update"),
    "about": [{"reference": "Condition/c-1"}, {"reference": "Measure/bp"}, {"reference": "Binary/letter"}],
    "encounter": {"reference": "Encounter/v-1"},
    "sent": "2026-05-02T23:00:00-04:00",
    "received": "2026-05-03T08:00:00-04:00",
    "recipient": [{"reference": "PractitionerRole/ann", "display": "Ann Quux"}, {"reference": "CareTeam/cf"}],
    "sender": {"reference": "RelatedPerson/mother", "display": "Ann Quux"},
    "reasonCode": [concept(SNOMED, "190905008")],
    "reasonReference": [{"reference": "Observation/o-1"}],
    "payload": [{"contentString": "Ann Quux asks for a plan: 617-555-0142"}],
    "note": [{"text": "Ann Quux"}],
}


def test_a_message_tells_who_raised_what_by_role_and_codes_alone() -> None:
    assert read(MESSAGE) == {
        "kind": "message",
        "topic": "progress-update",
        "codings": [{"system": HL7 + "communication-topic", "code": "progress-update"}],
        "category": [{"system": HL7 + "communication-category", "code": "notification"}],
        "reasons": [{"system": SNOMED, "code": "190905008"}],
        "reason_records": [id_of("Observation", "o-1")],
        "about": [id_of("Condition", "c-1")],
        "measure": f"h-{Pseudonyms(KEY).ref('Measure', 'bp').hex()}",
        "status": "completed",
        "priority": "urgent",
        "medium": [{"system": HL7 + "v3-ParticipationMode", "code": "ELECTRONIC"}],
        "raised_by": "family",
        "addressed_to": ["CareTeam", "PractitionerRole"],
        "raised": "2026-05-03T03:00:00Z",
        "raised_date": "2026-05-02",
        "answered": "2026-05-03T12:00:00Z",
        "answered_date": "2026-05-03",
        "in_response_to": [id_of("Communication", "msg-1")],
        "based_on": [id_of("ServiceRequest", "ref-1")],
        "encounter": id_of("Encounter", "v-1"),
    }


TASK = {
    "resourceType": "Task",
    "id": "loop-1",
    "basedOn": [{"reference": "ServiceRequest/ref-1"}],
    "status": "completed",
    "statusReason": {"text": "Ann Quux"},
    "intent": "order",
    "priority": "routine",
    "code": concept(SNOMED, "306206005"),
    "description": "Ann Quux",
    "focus": {"reference": "Communication/msg-2"},
    "for": KID,
    "executionPeriod": {"start": "2026-05-04", "end": "2026-05-20"},
    "authoredOn": "2026-05-03",
    "requester": {"reference": "Patient/kid-7"},
    "owner": {"reference": "Organization/heart", "display": "Quux"},
    "restriction": {"period": {"end": "2026-06-01"}},
    "output": [
        {"type": {"text": "Ann Quux"}, "valueCodeableConcept": concept(SNOMED, "371530004")},
        {"type": {"text": "Ann Quux"}, "valueReference": {"reference": "Communication/msg-3"}},
        {"type": {"text": "Ann Quux"}, "valueString": "Ann Quux"},
    ],
}


def test_a_task_tells_what_became_of_what_was_raised() -> None:
    assert read(TASK) == {
        "kind": "task",
        "topic": "306206005",
        "codings": [{"system": SNOMED, "code": "306206005"}],
        "in_response_to": [id_of("Communication", "msg-2")],
        "status": "completed",
        "intent": "order",
        "priority": "routine",
        "raised_by": "patient",
        "addressed_to": ["Organization"],
        "raised_date": "2026-05-03",
        "answered_date": "2026-05-20",
        "due_date": "2026-06-01",
        "response": [{"system": SNOMED, "code": "371530004"}],
        "response_records": [id_of("Communication", "msg-3")],
        "based_on": [id_of("ServiceRequest", "ref-1")],
    }


def test_a_task_turned_down_keeps_its_reason() -> None:
    """QI-Core's task rejected: asked for, and why it was not done."""
    found = read(TASK | {"status": "rejected", "statusReason": concept(SNOMED, "183944003"), "output": []})
    assert (found["status"], found["status_reasons"]) == ("rejected", [{"system": SNOMED, "code": "183944003"}])


def test_what_was_not_said_is_no_fact() -> None:
    """QI-Core's communication not done: nothing was raised, whatever the reason."""
    given = MESSAGE | {"status": "not-done", "statusReason": concept(HL7 + "communication-not-done-reason", "unknown")}
    problem = outcome_of(given).problem
    assert problem is not None
    assert problem.reason is Reason.NOT_A_FACT


@pytest.mark.parametrize("given", [MESSAGE, TASK], ids=["message", "task"])
def test_a_corrected_and_a_deleted_one_are_the_same(given: Json) -> None:
    first, corrected = outcome_of(given), outcome_of(given | {"priority": "asap"})
    assert first.records[0].id == corrected.records[0].id
    gone = outcome_of(given | {"status": "entered-in-error"})
    assert (gone.withdrawn, gone.ref) == (True, first.ref)
