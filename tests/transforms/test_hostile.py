"""Hostile lines and the right answer to each: hostile.txt, a row a line."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from pydantic import TypeAdapter

from schemas.outcomes import AnyRecord
from transforms import Mapper, Outcome

RECORD = TypeAdapter(AnyRecord)
LOINC, UCUM, SNOMED = "http://loinc.org", "http://unitsofmeasure.org", "http://snomed.info/sct"
KID = {"reference": "Patient/kid-3"}


def coded(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": system, "code": code}]}


def reading(code: str, value: float, unit: str) -> dict[str, Any]:
    quantity = {"value": value, "unit": unit, "system": UCUM, "code": unit}
    return {"code": coded(LOINC, code), "valueQuantity": quantity}


OBSERVATION = {
    "resourceType": "Observation",
    "id": "o3",
    "status": "final",
    "subject": KID,
    "effectiveDateTime": "2026-04-07",
}
DRUG = {
    "status": "completed",
    "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "327361"),
    "subject": KID,
}
REQUEST = {"status": "active", "intent": "order", "subject": KID, "authoredOn": "2026-04-07"}
BASES: dict[str, dict[str, Any]] = {
    "patient": {"resourceType": "Patient", "id": "kid-3", "gender": "female", "birthDate": "2014-02-03"},
    "observation": OBSERVATION | reading("29463-7", 31.5, "kg"),
    "panel": OBSERVATION
    | {
        "code": coded(LOINC, "85354-9"),
        "component": [reading("8480-6", 118, "mm[Hg]"), reading("8462-4", 76, "mm[Hg]")],
    },
    "condition": {
        "resourceType": "Condition",
        "id": "c3",
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/condition-clinical", "active"),
        "code": coded(SNOMED, "34000006"),
        "subject": KID,
        "onsetDateTime": "2025-10-01",
    },
    "encounter": {
        "resourceType": "Encounter",
        "id": "e3",
        "status": "finished",
        "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
        "subject": KID,
        "period": {"start": "2026-04-07T08:00:00Z", "end": "2026-04-07T08:30:00Z"},
    },
    "procedure": {
        "resourceType": "Procedure",
        "id": "p3",
        "status": "completed",
        "code": coded(SNOMED, "73761001"),
        "subject": KID,
        "performedDateTime": "2026-04-07",
    },
    "immunization": {
        "resourceType": "Immunization",
        "id": "i3",
        "status": "completed",
        "vaccineCode": coded("http://hl7.org/fhir/sid/cvx", "140"),
        "patient": KID,
        "occurrenceDateTime": "2026-04-07",
    },
    "allergy": {
        "resourceType": "AllergyIntolerance",
        "id": "y3",
        "clinicalStatus": coded("http://terminology.hl7.org/CodeSystem/allergyintolerance-clinical", "active"),
        "verificationStatus": coded(
            "http://terminology.hl7.org/CodeSystem/allergyintolerance-verification", "confirmed"
        ),
        "category": ["food"],
        "code": coded(SNOMED, "102263004"),
        "patient": KID,
        "onsetDateTime": "2021-04-07",
        "reaction": [{"manifestation": [coded(SNOMED, "247472004")], "severity": "mild"}],
    },
    "use": {
        "resourceType": "DeviceUseStatement",
        "id": "v3",
        "status": "active",
        "subject": KID,
        "device": {"reference": "#d"},
        "contained": [{"resourceType": "Device", "id": "d", "type": coded(SNOMED, "69805005")}],
        "timingPeriod": {"start": "2026-01-07"},
    },
    "consent": {
        "resourceType": "Consent",
        "id": "n3",
        "status": "active",
        "scope": coded("http://terminology.hl7.org/CodeSystem/consentscope", "research"),
        "patient": KID,
        "dateTime": "2021-04-07",
        "provision": {"type": "permit"},
    },
    "payer": {
        "resourceType": "Coverage",
        "id": "w3",
        "status": "active",
        "type": coded("https://nahdo.org/sopt", "2"),
        "beneficiary": KID,
        "order": 1,
        "period": {"start": "2021-04-07"},
        "payor": [{"display": "Ohio Medicaid"}],
    },
    "episode": {
        "resourceType": "EpisodeOfCare",
        "id": "q3",
        "status": "active",
        "type": [coded(SNOMED, "190905008")],
        "patient": KID,
        "period": {"start": "2021-04-07"},
    },
    "group": {
        "resourceType": "Group",
        "id": "g3",
        "type": "person",
        "actual": True,
        "code": coded(SNOMED, "190905008"),
        "member": [{"entity": KID, "period": {"start": "2021-04-07"}}],
    },
    "order": {
        "resourceType": "MedicationRequest",
        "id": "m3",
        "status": "active",
        "intent": "order",
        "medicationCodeableConcept": coded("http://www.nlm.nih.gov/research/umls/rxnorm", "327361"),
        "subject": KID,
        "authoredOn": "2026-04-07",
    },
    "dispense": DRUG | {"resourceType": "MedicationDispense", "id": "d3", "whenHandedOver": "2026-04-07"},
    "given": DRUG | {"resourceType": "MedicationAdministration", "id": "a3", "effectiveDateTime": "2026-04-07"},
    "referral": REQUEST | {"resourceType": "ServiceRequest", "id": "r3", "code": coded(SNOMED, "103696004")},
    "device": REQUEST
    | {"resourceType": "DeviceRequest", "id": "v3", "codeCodeableConcept": coded(SNOMED, "183240000")},
    "answers": {
        "resourceType": "QuestionnaireResponse",
        "id": "q3",
        "questionnaire": "http://loinc.org/q/44249-1",
        "status": "completed",
        "subject": KID,
        "authored": "2026-04-07",
        "item": [
            {"linkId": "/44250-9", "answer": [{"valueInteger": 2}]},
            {"linkId": "g", "item": [{"linkId": "/44261-6", "answer": [{"valueInteger": 12}]}]},
        ],
    },
    "appointment": {
        "resourceType": "Appointment",
        "id": "b3",
        "status": "booked",
        "start": "2026-06-02T14:00:00Z",
        "end": "2026-06-02T14:30:00Z",
        "participant": [{"actor": KID}, {"actor": {"reference": "Practitioner/ann"}}],
    },
    "message": {
        "resourceType": "Communication",
        "id": "n3",
        "status": "completed",
        "subject": KID,
        "topic": coded(SNOMED, "182836005"),
        "sender": KID,
        "sent": "2026-04-07T14:00:00Z",
    },
    "task": {
        "resourceType": "Task",
        "id": "t3",
        "status": "requested",
        "intent": "order",
        "for": KID,
        "code": coded(SNOMED, "182836005"),
        "authoredOn": "2026-04-07",
    },
    "goal": {
        "resourceType": "Goal",
        "id": "g3",
        "lifecycleStatus": "active",
        "subject": KID,
        "description": coded(SNOMED, "289169006"),
        "target": [
            {
                "measure": coded(LOINC, "29463-7"),
                "detailQuantity": {"value": 35, "unit": "kg"},
                "dueDate": "2027-01-01",
            },
            {"measure": coded(LOINC, "39156-5"), "detailRange": {"low": {"value": 15}, "high": {"value": 20}}},
        ],
    },
    "plan": {
        "resourceType": "CarePlan",
        "id": "l3",
        "status": "active",
        "intent": "plan",
        "subject": KID,
        "goal": [{"reference": "Goal/g3"}],
        "activity": [
            {"detail": {"code": coded(SNOMED, "304549008"), "status": "in-progress"}},
            {"reference": {"reference": "ServiceRequest/r3"}},
        ],
    },
    "statement": DRUG | {"resourceType": "MedicationStatement", "id": "s3", "effectiveDateTime": "2026-04-07"},
}


class Row(NamedTuple):
    base: str
    change: str
    right: str

    @property
    def line(self) -> bytes:
        """The hostile line."""
        if self.base == "text":
            return self.change.encode()
        resource, twice = json.loads(json.dumps(BASES[self.base])), ""
        for change in self.change.split(" ;; "):
            twice = _apply(change, resource) or twice
        return _written(resource, twice.split(".") if twice else []).encode()


def _apply(change: str, resource: dict[str, Any]) -> str:
    if change.startswith("twice "):
        return change.removeprefix("twice ")
    if change.startswith("only id, "):
        for name in set(resource) - {"resourceType", "id"}:
            del resource[name]
        change = change.removeprefix("only id, ")
    path, _, value = change.partition(" = ")
    *way, last = [int(step) if step.isdigit() else step for step in path.removesuffix(" -").split(".")]
    place: Any = resource
    for step in way:
        place = place[step]
    if path.endswith(" -"):
        del place[last]
    else:
        place[last] = json.loads(value)
    return ""


def _written(value: Any, twice: list[str]) -> str:
    """Compact JSON in which the key at the end of a path stands twice."""
    if isinstance(value, list):
        inner = [_written(each, twice[1:] if twice[:1] == [str(place)] else []) for place, each in enumerate(value)]
        return f"[{','.join(inner)}]"
    if not isinstance(value, dict):
        return json.dumps(value)
    members = []
    for name, each in value.items():
        member = f"{json.dumps(name)}:{_written(each, twice[1:] if twice[:1] == [name] else [])}"
        members += [member] * (1 + (twice == [name]))
    return f"{{{','.join(members)}}}"


def _rows() -> list[Row]:
    lines = Path(__file__).with_name("hostile.txt").read_text("utf-8").splitlines()
    parted = [re.split(r"\s+\|\s+", line.strip()) for line in lines if line.strip() and not line.startswith("#")]
    return [Row(*row) for row in parted]


ROWS = _rows()


def mapper() -> Mapper:
    return Mapper(site="north", time_zone="America/New_York", subject_key=b"k" * 32)


def judged(outcome: Outcome, right: str) -> None:
    """Whether an outcome is the right one."""
    if right.startswith("skipped "):
        _, reason, *path = right.split(" ")
        assert outcome.problem is not None, "a record, where none is right"
        assert [outcome.problem.reason.value, outcome.problem.path][: 1 + len(path)] == [reason, *path]
        return
    assert outcome.problem is None, outcome.problem
    assert outcome.withdrawn == (right == "withdrawn")
    for wanted in () if outcome.withdrawn else right.split(", "):
        _holds(outcome, wanted)


def _holds(outcome: Outcome, wanted: str) -> None:
    first = json.loads(outcome.records[0].content)
    flags = json.loads(b"{" + outcome.records[0].provenance + b"}").get("flags", [])
    word, _, rest = wanted.partition(" ")
    if word == "records":
        assert len(outcome.records) == int(rest or len(outcome.records))
    elif word in ("flag", "noflag"):
        assert (rest in flags) == (word == "flag"), flags
    elif word == "no":
        assert rest not in first
    else:
        name, _, value = wanted.partition("=")
        assert first.get(name) == json.loads(value)


def test_there_are_enough_of_them() -> None:
    """And none twice."""
    assert len(ROWS) >= 300
    assert [row for row, count in Counter(row[:2] for row in ROWS).items() if count > 1] == []


SITE = mapper()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.base}: {row.change}"[:80])
def test_each_gives_the_right_answer(row: Row) -> None:
    """What leaves validates, whatever came."""
    outcome = SITE.map_line(row.line)
    judged(outcome, row.right)
    for record in outcome.records:
        RECORD.validate_json(record.content)


def test_all_of_them_at_once_are_judged_as_each_alone() -> None:
    """No line spoils its neighbours; each is a record's, withdrawn or skipped."""
    outcomes = mapper().map_lines([row.line for row in ROWS])
    for place, row in enumerate(ROWS):
        record = outcomes.usual[place]
        if record is None:
            judged(outcomes.unusual[place], row.right)
        else:
            judged(Outcome("", b"", [record]), row.right)
    kinds = Counter(
        "record" if outcomes.usual[place] is not None else _kind(outcomes.unusual[place]) for place in range(len(ROWS))
    )
    assert kinds.total() == len(ROWS)
    assert kinds["skipped"] == sum(row.right.startswith("skipped") for row in ROWS)
    assert kinds["withdrawn"] == sum(row.right == "withdrawn" for row in ROWS)


def _kind(outcome: Outcome) -> str:
    return "skipped" if outcome.problem else "withdrawn" if outcome.withdrawn else "record"
