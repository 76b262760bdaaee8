"""A command as somebody at a keyboard meets it, in this process: exit code, what is printed; and a hospital with its site file."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from commands_here import code_of
from hospital_with_faults import FaultyHospital

Said = Callable[..., tuple[int, str, str]]


def sound_child(number: int = 1) -> list[dict[str, Any]]:
    """A patient, a diagnosis and a reading with all that FHIR and US Core ask for."""
    meta = {"lastUpdated": "2026-03-01T00:00:00Z"}
    subject = {"reference": f"Patient/{number}"}
    identified: dict[str, Any] = {"id": str(number), "meta": meta}
    asthma = {"coding": [{"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "J45.40"}]}
    weight = {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]}
    kilograms = {"value": 31.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"}
    return [
        {
            "resourceType": "Patient",
            **identified,
            "identifier": [{"system": "urn:oid:1.2.3", "value": f"M{number}"}],
            "name": [{"family": "Example"}],
            "gender": "female",
            "birthDate": "2014-05-06",
        },
        {
            "resourceType": "Condition",
            **identified,
            "subject": subject,
            "code": asthma,
            "category": [_category("condition-category", "problem-list-item")],
            "clinicalStatus": {"coding": [{"system": f"{HL7}/condition-clinical", "code": "active"}]},
        },
        {
            "resourceType": "Observation",
            **identified,
            "status": "final",
            "subject": subject,
            "code": weight,
            "category": [_category("observation-category", "vital-signs")],
            "effectiveDateTime": "2026-03-01T10:30:00Z",
            "valueQuantity": kilograms,
        },
    ]


def _category(system: str, code: str) -> dict[str, Any]:
    return {"coding": [{"system": f"{HL7}/{system}", "code": code}]}


HL7 = "http://terminology.hl7.org/CodeSystem"


@pytest.fixture
def screen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Said:
    """Exit code, output and error output of a command, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MAINSTEM_DATABASE_URL", f"sqlite:///{tmp_path}/state.db")
    monkeypatch.setenv("MAINSTEM_SITES", str(tmp_path / "sites"))
    monkeypatch.delenv("COLUMNS", raising=False)

    def run(*words: str) -> tuple[int, str, str]:
        code = code_of(monkeypatch, *words)
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


@pytest.fixture
def north(tmp_path: Path, faulty: FaultyHospital) -> FaultyHospital:
    """A hospital of three types, and its site file."""
    faulty.put(*sound_child())
    sites = tmp_path / "sites"
    sites.mkdir()
    (sites / "north.subject-key").write_text("0123456789abcdef" * 4)
    (sites / "north.subject-key").chmod(0o600)
    (sites / "north.toml").write_text(
        'site = "north"\nname = "North"\ntime_zone = "America/New_York"\nsubject_key = "file:north.subject-key"\n'
        f'road = "search"\ntypes = ["Patient", "Condition", "Observation"]\n[fhir]\nbase_url = "{faulty.base_url}"\n'
    )
    return faulty
