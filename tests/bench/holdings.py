"""What the demo's children do not have: for each an allergy, a device in use, an episode of care, a consent; a Group of all."""

from collections.abc import Iterator, Sequence
from typing import Any

import orjson

Json = dict[str, Any]
SNOMED, HL7 = "http://snomed.info/sct", "http://terminology.hl7.org/CodeSystem/"


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": code}], "text": code}


def _allergy(patient: str, number: int) -> Json:
    codes = ("102263004", "387406002", "91936005", "256277009")
    reaction = {
        "manifestation": [_concept(SNOMED, "247472004")],
        "severity": ("mild", "moderate", "severe")[number % 3],
    }
    return {
        "resourceType": "AllergyIntolerance",
        "id": f"al-{patient}",
        "clinicalStatus": _concept(f"{HL7}allergyintolerance-clinical", "active"),
        "verificationStatus": _concept(f"{HL7}allergyintolerance-verification", "confirmed"),
        "type": "allergy",
        "category": ["food"],
        "criticality": "low",
        "code": _concept(SNOMED, codes[number % len(codes)]),
        "patient": {"reference": f"Patient/{patient}"},
        "recordedDate": f"2025-{number % 12 + 1:02d}-11T02:31:11-04:00",
        "reaction": [reaction],
    }


def _use(patient: str, number: int) -> Json:
    return {
        "resourceType": "DeviceUseStatement",
        "id": f"du-{patient}",
        "status": "active",
        "subject": {"reference": f"Patient/{patient}"},
        "device": {"reference": "#d"},
        "contained": [
            {"resourceType": "Device", "id": "d", "type": _concept(SNOMED, ("69805005", "700585005")[number % 2])}
        ],
        "timingPeriod": {"start": f"2025-{number % 12 + 1:02d}-04"},
    }


def _episode(patient: str, number: int) -> Json:
    return {
        "resourceType": "EpisodeOfCare",
        "id": f"ep-{patient}",
        "status": "active",
        "statusHistory": [{"status": "waitlist", "period": {"start": "2024-01-10", "end": "2024-02-01"}}],
        "type": [_concept(SNOMED, "190905008")],
        "patient": {"reference": f"Patient/{patient}"},
        "period": {"start": f"2024-02-{number % 28 + 1:02d}"},
    }


def _consent(patient: str, number: int) -> Json:
    purposes = [{"system": f"{HL7}v3-ActReason", "code": code} for code in ("HQUALIMP", "HRESCH")[number % 2 :]]
    return {
        "resourceType": "Consent",
        "id": f"co-{patient}",
        "status": "active",
        "scope": _concept(f"{HL7}consentscope", "research"),
        "category": [_concept("http://loinc.org", "59284-0")],
        "patient": {"reference": f"Patient/{patient}"},
        "dateTime": f"2025-{number % 12 + 1:02d}-03T10:00:00-05:00",
        "provision": {"type": "permit", "purpose": purposes},
    }


def holdings(patients: Sequence[str], copy: int) -> Iterator[bytes]:
    """Lines type after type, as a delivery holds them; of one copy, whose Group has an id of its own."""
    for make in (_allergy, _use, _episode, _consent):
        for number, patient in enumerate(patients):
            yield orjson.dumps(make(patient, number), option=orjson.OPT_APPEND_NEWLINE)
    members = [
        {"entity": {"reference": f"Patient/{patient}"}, "period": {"start": "2024-02-01"}} for patient in patients
    ]
    group = {"resourceType": "Group", "id": f"registry-{copy}", "type": "person", "actual": True, "member": members}
    yield orjson.dumps(group | {"code": _concept(SNOMED, "190905008")}, option=orjson.OPT_APPEND_NEWLINE)
