"""Allergies, devices in use, enrolments and consents on their way from a delivery to the registry's tables and its API."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from network_under_test import Network
from synthetic_children import child, deliver

from services.registry.api import make_app
from services.registry.database import open_registry
from services.registry.running import catch_up

Json = dict[str, Any]
SNOMED, HL7 = "http://snomed.info/sct", "http://terminology.hl7.org/CodeSystem/"
RECORDS = {"allergy": 1, "device_use": 1, "enrolment": 2, "consent": 1}
PLANTED = ("Quux", "SN-4711", "kid7q")


def _concept(system: str, code: str) -> Json:
    return {"coding": [{"system": system, "code": code, "display": "Quux"}], "text": "Quux"}


def holdings(patient: str = "kid7q-1") -> list[Json]:
    """One of each, of one child; the device comes as a resource of its own, and carries a serial number."""
    subject = {"reference": f"Patient/{patient}", "display": "Quux"}
    return [
        {
            "resourceType": "AllergyIntolerance",
            "id": "al-1",
            "verificationStatus": _concept(f"{HL7}allergyintolerance-verification", "confirmed"),
            "code": _concept(SNOMED, "102263004"),
            "patient": subject,
            "reaction": [{"manifestation": [_concept(SNOMED, "247472004")], "severity": "mild", "description": "Quux"}],
        },
        {
            "resourceType": "DeviceUseStatement",
            "id": "du-1",
            "status": "active",
            "subject": subject,
            "device": {"reference": "Device/d-1", "display": "Quux"},
            "timingPeriod": {"start": "2026-01-04"},
        },
        {"resourceType": "Device", "id": "d-1", "serialNumber": "SN-4711", "type": _concept(SNOMED, "69805005")},
        {
            "resourceType": "EpisodeOfCare",
            "id": "ep-1",
            "status": "active",
            "type": [_concept(SNOMED, "190905008")],
            "patient": subject,
        },
        {
            "resourceType": "Group",
            "id": "gr-1",
            "type": "person",
            "actual": True,
            "name": "Quux",
            "code": _concept(SNOMED, "190905008"),
            "member": [{"entity": subject, "inactive": True}],
        },
        {
            "resourceType": "Consent",
            "id": "co-1",
            "status": "active",
            "scope": _concept(f"{HL7}consentscope", "research"),
            "patient": subject,
            "provision": {"type": "permit"},
        },
    ]


@pytest.mark.timeout(180)
def test_what_patients_hold_arrives_in_the_registry(lhn: Network, tmp_path: Path) -> None:
    """Each in its table and in the API, its types loaded on the page of completeness; nothing that names anybody."""
    deliver([*child(1), *holdings()], tmp_path / "north")
    site = lhn.files_site("north", tmp_path / "north")
    report = lhn.refresh(site)
    assert not report.gaps
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    assert catch_up(lhn.settings.kafka_settings(), lhn.settings.network, url) > sum(RECORDS.values())
    engine = open_registry(url)
    api = TestClient(make_app(engine))
    found = {name: api.get(f"/records/{name}").json()["records"] for name in RECORDS}
    assert {name: len(rows) for name, rows in found.items()} == RECORDS
    assert [each for each in PLANTED if each in str(found)] == []
    (used,) = found["device_use"]
    assert [used[name] for name in ("device", "code", "start_date")] == ["pump", "69805005", "2026-01-04"]
    assert sorted(each["status"] for each in found["enrolment"]) == ["active", "finished"]
    assert [each["decision"] for each in found["consent"][0]["decisions"]] == ["permit"]
    (north,) = api.get("/completeness").json()
    mapped = ("AllergyIntolerance", "DeviceUseStatement", "EpisodeOfCare", "Group", "Consent")
    assert {name: north["types"][name]["state"] for name in mapped} == dict.fromkeys(mapped, "loaded")
    assert api.get("/schemas/device_use.v1.json").status_code == 200
    engine.dispose()
