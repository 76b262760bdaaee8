"""A hospital read by search over two nights, the second with changes and a fault: what is held, told and left for the next."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import Answered, FaultyHospital
from network_under_test import Network


def patient(number: int, updated: str = "2026-03-01T00:00:00Z", **values: Any) -> dict[str, Any]:
    """A child, as it was changed last."""
    head = {"resourceType": "Patient", "id": f"kid-{number}", "meta": {"lastUpdated": updated}}
    return {**head, "birthDate": "2015-03-01", **values}


@pytest.fixture
def site(lhn: Network, faulty: FaultyHospital) -> Callable[..., Path]:
    """The hospital's site file."""

    def write(types: list[str] | None = None, **values: Any) -> Path:
        source = f'[fhir]\nbase_url = "{faulty.base_url}"\npage_size = 10\nrequests_per_second = 1000\n'
        return lhn.site("west", source, road="search", types=types or ["Patient"], **values)

    return write


def test_an_error_in_the_second_night_moves_no_watermark_and_costs_no_row(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """What came beside the error is published; the third night brings the rest, from where the first ended."""
    faulty.put(*(patient(number) for number in range(25)))
    first = lhn.refresh(site())
    assert (first.status, first.total.recorded) == ("completed", 25)

    faulty.put(*(patient(number, "2026-03-02T00:00:00Z", gender="female") for number in range(25)))
    issue = [{"severity": "error", "code": "timeout", "diagnostics": "kid-7"}]
    error = {"resource": {"resourceType": "OperationOutcome", "issue": issue}}
    entries = [*({"resource": each} for each in faulty.resources["Patient"][:12]), error]
    faulty.faults.append(lambda asked: Answered({"resourceType": "Bundle", "entry": entries}) if asked.params else None)
    second = lhn.refresh(site())
    assert (second.status, second.total.amended, second.watermarks) == ("partial", 12, {})
    assert [(gap.cause, gap.who) for gap in second.gaps] == [("error-answer", "EHR vendor")]
    assert "(timeout" in second.gaps[0].reason
    assert "kid-7" not in second.model_dump_json()

    faulty.faults.clear()
    third = lhn.refresh(site())
    assert (third.status, third.total.amended, third.gaps) == ("completed", 13, [])


def test_vendor_told_by_its_server_is_kept_to_by_every_pull_of_the_night(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    """Epic has no `_lastUpdated`: both nights read it whole, and yield the real changes alone."""
    statement = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": {"name": "Epic"}}
    faulty.faults.append(lambda asked: Answered(statement) if asked.path == "metadata" else None)
    faulty.understands.discard("_lastUpdated")
    faulty.put(*(patient(number) for number in range(5)))
    assert lhn.refresh(site()).total.recorded == 5

    faulty.put(patient(3, "2026-03-02T00:00:00Z", gender="female"))
    second = lhn.refresh(site())
    assert (second.status, second.total.recorded, second.total.amended) == ("completed", 0, 1)
    assert not [asked for asked in faulty.searches("Patient") if asked.value("_lastUpdated")]


def test_hospital_that_hides_its_statement_is_read_by_the_road_that_is_named(
    lhn: Network, faulty: FaultyHospital, site: Callable[..., Path]
) -> None:
    faulty.faults.append(lambda asked: Answered(b"Forbidden", 403) if asked.path == "metadata" else None)
    faulty.put(*(patient(number) for number in range(5)))
    first = lhn.refresh(site())
    assert (first.status, first.total.recorded, first.gaps) == ("completed", 5, [])
    faulty.put(patient(9, "2026-03-02T00:00:00Z"))
    second = lhn.refresh(site())
    assert (second.status, second.total.recorded) == ("completed", 1)
