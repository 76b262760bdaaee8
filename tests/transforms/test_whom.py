"""Whom a reference names: one person by whatever form, and nobody by what has a meaning within one Bundle only."""

import json

import pytest

from schemas.problems import Reason
from transforms import Mapper
from transforms.privacy import Pseudonyms

SITE = Mapper(site="north", time_zone="UTC", subject_key=b"a key of thirty-two bytes, no less")


def subject_of(reference: str) -> str | None:
    """The subject of a reading that names its patient so; None where it names nobody."""
    reading = {
        "resourceType": "Observation",
        "id": "o1",
        "status": "final",
        "subject": {"reference": reference},
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "effectiveDateTime": "2026-03-02",
        "valueQuantity": {"value": 31, "unit": "kg"},
    }
    outcome = SITE.map_line(json.dumps(reading).encode())
    if outcome.problem is not None:
        assert outcome.problem.reason is Reason.MISSING_SUBJECT
        return None
    return str(json.loads(outcome.records[0].content)["subject"])


@pytest.mark.parametrize(
    "reference",
    [
        "resource:0",
        "urn:resource:0",
        "0",
        "#p1",
        "urn:uuid:0",
        "urn:uuid:patient-1",
        "urn:uuid:00000000-0000-0000-0000-000000000000",
        "urn:uuid:00000000-0000-4000-8000-000000000012",
        "urn:uuid:11111111-2222-1111-2222-111111111111",
        "urn:oid:1.2.3",
        "urn:uuid:",
        "cid:1",
        "_:b0",
        "entry-0",
        "Patient/",
        "Patient/undefined",
        "Patient/null",
        "Patient/None",
        "Patient/NaN",
        "Patient/Unknown",
        "Patient/${patient.id}",
        "Patient/{{id}}",
        "Patient/[object%20Object]",
        "Patient?identifier=http://acme.example|7",
        "Patient/7#name",
        "Group/7",
    ],
)
def test_what_names_nobody_makes_nobody(reference: str) -> None:
    """Each Bundle has its own first entry, each broken program its own `undefined`: the facts of many would meet."""
    assert subject_of(reference) is None


def test_a_uuid_that_was_drawn_names_who_bears_it() -> None:
    """It means the same in every Bundle; so does an OID."""
    name = "7d3f1c52-90ab-4e6d-8f21-b35c70e4a918"
    assert subject_of(f"urn:uuid:{name}") == subject_of(f"Patient/{name}")
    oid = "2.16.840.1.113883.19.5.7"
    assert subject_of(f"urn:oid:{oid}") == subject_of(f"Patient/{oid}") is not None


def test_a_uuid_names_only_who_is_here() -> None:
    """Where that can be asked: an address of another's Bundle is nobody's; a plain reference needs nobody's word."""
    name, other = "7d3f1c52-90ab-4e6d-8f21-b35c70e4a918", "1d0e9b7c-42aa-4f0e-9c55-6d8e7f201344"
    key = b"a key of thirty-two bytes, no less"
    here = Pseudonyms(key).ref("Patient", name)
    site = Mapper(site="north", time_zone="UTC", subject_key=key, bears=lambda ref: ref == here)

    def found(reference: str) -> int:
        line = {"resourceType": "Procedure", "id": "p", "status": "completed", "subject": {"reference": reference}}
        coded = {"code": {"coding": [{"system": "http://snomed.info/sct", "code": "80146002"}]}}
        return len(site.map_line(json.dumps(line | coded | {"performedDateTime": "2026-03-02"}).encode()).records)

    assert [found(f"urn:uuid:{name}"), found(f"Patient/{name}"), found(f"Patient/{other}")] == [1, 1, 1]
    assert [found(f"urn:uuid:{other}"), found(f" urn:uuid:{other}"), found("urn:oid:2.16.840.1.113883.19.5.7")] == [
        0,
        0,
        0,
    ]


@pytest.mark.parametrize(
    "written",
    ["kid-7", "Patient/kid-7", "Patient/kid-7/_history/3", "https://ehr.example.org/r4/Patient/kid-7"],
)
def test_a_patient_is_who_is_named_however_its_own_id_is_written(written: str) -> None:
    """With its type, a version or the server's address before or behind it, an id is the one by which facts name it."""
    line = json.dumps({"resourceType": "Patient", "id": written, "gender": "female"}).encode()
    (person,) = SITE.map_line(line).records
    assert json.loads(person.content)["subject"] == subject_of("Patient/kid-7")
    assert SITE.record_ids("Patient", [line]) == [person.id]
