"""The EHR's own list of a cohort against what is held: who is missing, by month and by reason, without a name."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from mainstem import refresh as steps
from schemas.errors import IncompleteError

Json = dict[str, Any]


def patient(name: str, **fields: Any) -> Json:
    return {"resourceType": "Patient", "id": name, "gender": "female", "birthDate": "2014-05-06"} | fields


def weight(name: str) -> Json:
    """Of a patient who may never come."""
    return {
        "resourceType": "Observation",
        "id": f"wt-{name}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{name}"},
        "effectiveDateTime": "2026-03-02T10:00:00Z",
        "valueQuantity": {"value": 31, "unit": "kg"},
    }


@pytest.fixture
def site(lhn: Network) -> Path:
    """One who is held, one refused, one withdrawn, one merged into another, one of whom only a reading came."""
    folder = lhn.folder / "delivery"
    folder.mkdir()
    path = lhn.files_site("west", folder, types=["Patient", "Observation"])
    merged = {"active": False, "link": [{"type": "replaced-by", "other": {"reference": "Patient/here"}}]}
    nights = (
        [patient("here"), patient("gone"), patient("beyond"), patient("twice")],
        [
            patient("gone", meta={"tag": [{"code": "x"}]}, active=True, implicitRules="urn:odd"),
            patient("twice", **merged),
        ],
    )
    for people in nights:
        (folder / "Patient.ndjson").write_text("".join(json.dumps(each) + "\n" for each in people))
        (folder / "Observation.ndjson").write_text(json.dumps(weight("reading-only")) + "\n")
        lhn.refresh(path)
    return path


def test_who_is_missing_is_told_by_month_and_reason(lhn: Network, site: Path) -> None:
    """Counts and pseudonyms alone; what reached the registry is asked apart."""
    listed = lhn.folder / "clinic.csv"
    rows = [
        "Patient/here,2026-01-05",
        "gone,2026-01",
        "twice,2026-02",
        "reading-only,2026-02",
        "absent,",
        "here,2026-03",
    ]
    listed.write_text("patient,month\n" + "\n".join(rows) + "\n")
    answer = lhn.here("ascertain", site, listed, "--json", "--subjects", lhn.folder / "told.csv")
    assert answer.returncode == 3, answer.stderr
    told = json.loads(answer.stdout)
    assert (told["listed"], told["held"], told["missing"], told["not_listed"]) == (5, 2, 3, 1)
    assert told["months"] == {
        "2026-01": {"held": 1, "refused": 1},
        "2026-02": {"merged": 1, "without-patient": 1},
        "no month": {"never-came": 1},
    }
    assert {each["reason"] for each in told["reasons"]} >= {"refused", "without-patient", "never-came"}
    assert all(each["fix"] and each["who"] for each in told["reasons"])
    with (lhn.folder / "told.csv").open(newline="") as file:
        subjects = list(csv.DictReader(file))
    assert all(each["subject"].startswith("s-") for each in subjects)
    assert "reading-only" not in (lhn.folder / "told.csv").read_text() + answer.stdout
    lhn.consume()
    assert json.loads(lhn.here("ascertain", site, listed, "--registry", "--json").stdout)["held"] == 2
    listed.write_text("patient,month\nhere,2026-01\n")
    assert lhn.here("ascertain", site, listed, "--registry").returncode == 0


def test_a_list_that_cannot_be_read_is_named_by_its_line_alone(lhn: Network, site: Path) -> None:
    """Never by what stands there."""
    listed = lhn.folder / "clinic.csv"
    for content in ("name\nAnn Quux\n", "patient,month\nAnn Quux,2026-01\n", "patient,month\nkid-1,in May\n"):
        listed.write_text(content)
        answer = lhn.here("ascertain", site, listed)
        assert answer.returncode == 78
        assert "Quux" not in answer.stdout + answer.stderr


def deliver(folder: Path, *people: Json) -> None:
    (folder / "Patient.ndjson").write_text("".join(json.dumps(each) + "\n" for each in people))


@pytest.mark.slow
def test_each_other_reason_is_told_where_it_is_the_one(lhn: Network) -> None:
    """Outside the cohort; taken away; mapped and not sent; sent and not read; not loaded at all."""
    folder, listed = lhn.folder / "delivery", lhn.folder / "clinic.csv"
    folder.mkdir()
    roster = lhn.folder / "roster.txt"
    roster.write_text("here\ngone\nlate\nabsent\n")
    roster.chmod(0o600)
    source = f'[files]\nfolder = "{folder}"\nsettle_seconds = 0\n[cohort]\npatients = "file:roster.txt"\n'
    path = lhn.site("west", source, road="files", types=["Patient"])
    listed.write_text("patient\nhere\ngone\nlate\nstranger\nabsent\n")

    def reasons(*options: str) -> dict[str, int]:
        told = json.loads(lhn.here("ascertain", path, listed, "--json", *options).stdout)
        return {"held": told["held"]} | {each["reason"]: each["count"] for each in told["reasons"]}

    deliver(folder, patient("here"), patient("gone"))
    lhn.refresh(path)
    lhn.consume()
    deliver(
        folder, patient("here"), {"resourceType": "Patient", "id": "gone", "meta": {"deleted": True}}, patient("late")
    )
    with steps.open_refresh(path, lhn.settings) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        steps.map_types(refresh, load, steps.planned(refresh, load).types)
    there = {"held": 2, "withdrawn": 1, "not-in-cohort": 1, "never-came": 1}
    assert reasons() == there
    assert reasons("--registry") == {**there, "held": 1, "not-published": 1}
    lhn.refresh(path)
    assert reasons("--registry") == {**there, "held": 1, "not-at-registry": 1}
    lhn.consume()
    assert reasons("--registry") == there
    (folder / "Patient.ndjson").write_text(json.dumps(patient("absent")) + "\n", encoding="utf-16")
    with pytest.raises(IncompleteError):
        lhn.refresh(path)
    assert reasons() == {"held": 2, "withdrawn": 1, "not-in-cohort": 1, "not-loaded": 1}
