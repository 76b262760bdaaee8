"""A reference by UUID, or to a zero, names a Patient that is here: landed tonight, or held since an earlier night; else nobody."""

import json
from pathlib import Path
from typing import Any

from network_under_test import Network

Json = dict[str, Any]
HERE, LATER, NOBODY = (
    "7d3f1c52-90ab-4e6d-8f21-b35c70e4a918",
    "c04e2f9a-61d3-4b7e-a5f8-0e92d7b3c651",
    "1d0e9b7c-42aa-4f0e-9c55-6d8e7f201344",
)


def weight(of: str) -> Json:
    return {
        "resourceType": "Observation",
        "id": f"w-{of[:4]}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"urn:uuid:{of}"},
        "effectiveDateTime": "2026-03-01T10:00:00Z",
        "valueQuantity": {"value": 31.5, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


def patient(name: str) -> Json:
    return {"resourceType": "Patient", "id": name, "birthDate": "2014-02-03"}


def deliver(folder: Path, *resources: Json) -> None:
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a") as file:
            file.write(json.dumps(resource) + "\n")


def test_whose_uuid_is_here_is_told_and_whose_is_not_is_nobodys(lhn: Network, tmp_path: Path) -> None:
    """Also where the observations are mapped before the patients, and on a night that brings no patient."""
    folder = tmp_path / "west"
    deliver(folder, weight(HERE), weight(NOBODY), patient(HERE), patient(LATER))
    site = lhn.files_site("west", folder, types=["Observation", "Patient"])
    counts = lhn.refresh(site).types["Observation"]
    assert (counts.recorded, counts.skipped) == (1, {"missing-subject": 1})
    deliver(folder, weight(LATER), weight(NOBODY))
    counts = lhn.refresh(site, types=["Observation"]).types["Observation"]
    assert (counts.recorded, counts.skipped) == (1, {"missing-subject": 1})


def test_a_site_that_reads_no_patients_has_nobody_to_ask(lhn: Network, tmp_path: Path) -> None:
    folder = tmp_path / "west"
    deliver(folder, weight(HERE))
    site = lhn.files_site("west", folder, types=["Observation"])
    assert lhn.refresh(site).types["Observation"].recorded == 1


def test_a_zero_is_somebody_where_a_patient_bears_it(lhn: Network, tmp_path: Path) -> None:
    """Numbers may begin with it; else it is what a database holds where it has nobody, and many patients' facts meet in it."""
    folder, zero = tmp_path / "west", weight(HERE) | {"subject": {"reference": "Patient/0"}}
    deliver(folder, zero, patient("1"))
    site = lhn.files_site("west", folder, types=["Observation", "Patient"])
    assert lhn.refresh(site).types["Observation"].skipped == {"missing-subject": 1}
    deliver(folder, zero, patient("1"), patient("0"))
    counts = lhn.refresh(site).types["Observation"]
    assert (counts.recorded, counts.skipped) == (1, {})
