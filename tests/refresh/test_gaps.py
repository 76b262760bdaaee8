"""A type that does not come: a gap where it came before, nothing where it never did, and a watermark in neither case."""

import gzip
import json
from pathlib import Path

import pytest
from network_under_test import Network

PATIENT = {"resourceType": "Patient", "id": "kid-1", "birthDate": "2015-03-01"}
VISIT = {
    "resourceType": "Encounter",
    "id": "visit-1",
    "status": "finished",
    "class": {"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": "AMB"},
    "subject": {"reference": "Patient/kid-1"},
    "period": {"start": "2026-03-02T10:00:00Z", "end": "2026-03-02T10:30:00Z"},
}
EMPTY = gzip.compress(b"")
"""A file that was delivered, and holds nothing."""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the site delivers; so far a patient."""
    path = tmp_path / "delivery"
    path.mkdir()
    (path / "Patient.ndjson").write_text(json.dumps(PATIENT) + "\n")
    return path


def test_a_type_that_never_came_is_neither_a_watermark_nor_a_gap(lhn: Network, folder: Path) -> None:
    """A hospital that has none of it, or a vendor that does not export it: the next full load makes no gap of it either."""
    site = lhn.files_site("west", folder, types=["Patient", "Encounter"])
    (folder / "Encounter.ndjson.gz").write_bytes(EMPTY)
    for options in ({}, {"mode": "full"}):
        report = lhn.refresh(site, **options)
        assert (report.status, report.gaps, list(report.watermarks)) == ("completed", [], ["Patient"])


def test_a_type_that_came_before_and_comes_no_more_is_a_gap_until_it_comes(lhn: Network, folder: Path) -> None:
    """Not delivered, or delivered empty where all should stand: its watermark stays."""
    site = lhn.files_site("west", folder, types=["Patient", "Encounter"])
    visits = folder / "Encounter.ndjson"
    visits.write_text(json.dumps(VISIT) + "\n")
    assert set(lhn.refresh(site).watermarks) == {"Patient", "Encounter"}

    visits.unlink()
    report = lhn.refresh(site)
    assert (report.status, list(report.watermarks)) == ("partial", ["Patient"])
    assert [(gap.resource_type, gap.reason) for gap in report.gaps] == [
        ("Encounter", "no file of this type was delivered, as there was before")
    ]

    (folder / "Encounter.ndjson.gz").write_bytes(EMPTY)
    report = lhn.refresh(site, mode="full")
    assert list(report.watermarks) == ["Patient"]
    assert "had some before" in report.gaps[0].reason

    visits.write_text(json.dumps(VISIT) + "\n")
    assert lhn.refresh(site).status == "completed"
