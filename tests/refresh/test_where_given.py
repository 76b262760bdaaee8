"""What a hospital does not give and nobody asked for by name: said, and no gap; what it once gave, or was asked for, is missed."""

from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital
from network_under_test import Network

from schemas.outcomes import CORE_TYPES, DEFAULT_TYPES
from schemas.sites import parse_site

GIVEN = {"Patient", "Encounter", "Condition", "Observation", "MedicationRequest", "Procedure", "Immunization"}


def patient() -> dict[str, Any]:
    return {
        "resourceType": "Patient",
        "id": "kid-1",
        "meta": {"lastUpdated": "2026-03-01T00:00:00Z"},
        "birthDate": "2015-03-01",
    }


def appointment(updated: str = "2026-03-01T00:00:00Z") -> dict[str, Any]:
    return {
        "resourceType": "Appointment",
        "id": "app-1",
        "meta": {"lastUpdated": updated},
        "status": "booked",
        "start": "2026-06-01T10:00:00Z",
        "participant": [{"actor": {"reference": "Patient/kid-1"}}],
    }


@pytest.fixture
def hospital(faulty: FaultyHospital) -> FaultyHospital:
    """It lists every type in its statement, and lets a client read what US Core asks for."""
    for name in DEFAULT_TYPES:
        faulty.resources.setdefault(name, [])
    faulty.put(patient())
    return faulty


def refuses(*given: str, status: int = 403) -> Any:
    def fault(asked: Asked) -> Answered | None:
        return (
            Answered({"resourceType": "OperationOutcome"}, status)
            if asked.path in set(DEFAULT_TYPES) - {*given}
            else None
        )

    return fault


def west(lhn: Network, hospital: FaultyHospital, **values: Any) -> Path:
    source = f'[fhir]\nbase_url = "{hospital.base_url}"\nrequests_per_second = 1000\n'
    return lhn.site("west", source, road="search", **values)


def test_the_core_is_what_us_core_has_of_every_hospital() -> None:
    assert CORE_TYPES == GIVEN


@pytest.mark.parametrize("status", [403, 404, 400])
def test_types_that_the_server_refuses_are_said_and_leave_no_gap(
    lhn: Network, hospital: FaultyHospital, status: int
) -> None:
    """As after an update of ours that asks for more than the client was granted."""
    hospital.faults.append(refuses(*GIVEN, status=status))
    report = lhn.refresh(west(lhn, hospital))
    assert (report.status, report.gaps, report.total.recorded) == ("completed", [], 1)
    said = [note for note in report.notes if "not missed" in note]
    assert len(said) == len(set(DEFAULT_TYPES) - GIVEN)
    assert set(report.watermarks) == {"Patient"}


def test_a_core_type_that_is_refused_is_missed(lhn: Network, hospital: FaultyHospital) -> None:
    hospital.faults.append(refuses(*(GIVEN - {"Condition"})))
    report = lhn.refresh(west(lhn, hospital))
    assert (report.status, [gap.resource_type for gap in report.gaps]) == ("partial", ["Condition"])


def test_a_type_that_the_site_file_names_is_missed(lhn: Network, hospital: FaultyHospital) -> None:
    hospital.faults.append(refuses(*GIVEN))
    report = lhn.refresh(west(lhn, hospital, types=["Patient", "Appointment"]))
    assert (report.status, [gap.resource_type for gap in report.gaps]) == ("partial", ["Appointment"])


@pytest.mark.slow
def test_a_type_that_was_given_once_is_missed_when_it_is_refused(lhn: Network, hospital: FaultyHospital) -> None:
    """Silence would let what is held look current."""
    hospital.put(appointment())
    assert lhn.refresh(west(lhn, hospital)).status == "completed"
    hospital.faults.append(refuses(*GIVEN))
    report = lhn.refresh(west(lhn, hospital))
    assert (report.status, [gap.resource_type for gap in report.gaps]) == ("partial", ["Appointment"])


def test_types_that_the_statement_does_not_list_are_not_asked_for(lhn: Network, faulty: FaultyHospital) -> None:
    faulty.put(patient())
    report = lhn.refresh(west(lhn, faulty))
    assert (report.status, report.gaps) == ("completed", [])
    assert {asked.path for asked in faulty.asked} <= {"metadata", "Patient", ".well-known/smart-configuration"}


def test_a_planned_visit_is_read_from_a_server_that_has_it(lhn: Network, hospital: FaultyHospital) -> None:
    hospital.put(appointment())
    report = lhn.refresh(west(lhn, hospital))
    assert (report.status, report.total.recorded) == ("completed", 2)
    assert parse_site(west(lhn, hospital).read_text(), "west.toml").types == list(DEFAULT_TYPES)
