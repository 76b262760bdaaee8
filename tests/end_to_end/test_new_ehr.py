"""A hospital changed its EHR: the same patients and facts under other ids. Nobody counts twice, and what stayed behind is not called gone."""

import csv
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hospital_with_faults import FaultyHospital
from network_under_test import Network

PAGE = Path(__file__).parents[2] / "docs/how-to/recover.md"
KIDS = 4
TYPES = ["Patient", "Observation", "Condition"]
pytestmark = pytest.mark.slow


def patient(ehr: str, number: int) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"{ehr}-{number}", "birthDate": f"201{number}-03-01", "gender": "female"}


def weight(ehr: str, number: int) -> dict[str, Any]:
    """The same reading, whichever EHR says it."""
    return {
        "resourceType": "Observation",
        "id": f"{ehr}-w{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/{ehr}-{number}"},
        "effectiveDateTime": f"2026-03-0{number + 1}T10:00:00Z",
        "valueQuantity": {"value": 30 + number, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


def condition(ehr: str, number: int) -> dict[str, Any]:
    return {
        "resourceType": "Condition",
        "id": f"{ehr}-c{number}",
        "clinicalStatus": {
            "coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]
        },
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": "195967001"}]},
        "subject": {"reference": f"Patient/{ehr}-{number}"},
    }


def holdings(ehr: str, *kinds: Callable[[str, int], dict[str, Any]]) -> list[dict[str, Any]]:
    return [kind(ehr, number) for kind in kinds for number in range(KIDS)]


def deliver(folder: Path, resources: list[dict[str, Any]]) -> None:
    """The folder holds these and no others."""
    folder.mkdir(exist_ok=True)
    for name in ("Patient", "Observation"):
        lines = [json.dumps(each) + "\n" for each in resources if each["resourceType"] == name]
        (folder / f"{name}.ndjson").write_text("".join(lines))


def stands(lhn: Network) -> dict[str, list[str]]:
    """The subjects of the records that a consumer has, by type."""
    lhn.consume()
    return {
        name: sorted(subject for (subject,) in lhn.registry(f"select subject from {name}"))
        for name in ("person", "observation", "condition")
    }


@pytest.fixture
def moved(lhn: Network, faulty: FaultyHospital) -> Path:
    """Loaded from the old EHR; then the new one stands at the same address, and the table of ids beside the site file."""
    faulty.put(*holdings("old", patient, weight, condition))
    source = f'[fhir]\nbase_url = "{faulty.base_url}"\nrequests_per_second = 1000\n'
    path = lhn.site("north", source, road="search", types=TYPES)
    assert lhn.mainstem("run", path).returncode == 0
    with (lhn.folder / "moved.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("old", "new"), *((f"old-{each}", f"new-{each}") for each in range(KIDS))])
    faulty.resources.clear()
    return path


def commands() -> list[list[str]]:
    part = PAGE.read_text(encoding="utf-8").partition("<!-- moved -->")[2].partition("\n## ")[0]
    return [command.split() for command in re.findall(r"^    mainstem (.+)$", part, re.MULTILINE)]


def test_the_runbook_leaves_each_person_and_each_fact_once(lhn: Network, moved: Path, faulty: FaultyHospital) -> None:
    """All history is in the new EHR; the page's commands as they stand."""
    faulty.put(*holdings("new", patient, weight, condition))
    before = stands(lhn)
    assert [len(each) for each in before.values()] == [KIDS] * 3
    lhn.mainstem("deletes", "release", moved, "Condition", "--beforehand")
    for words in commands():
        done = lhn.mainstem(*words, MAINSTEM_SITES=str(lhn.folder))
        assert done.returncode == 0, (words, done.stdout, done.stderr)
    now = stands(lhn)
    assert [len(each) for each in now.values()] == [KIDS] * 3
    assert now["person"] == now["observation"] == now["condition"]
    assert not set(now["person"]) & set(before["person"])
    assert lhn.mainstem("deletes", "list").stdout == "nothing waits\n"


def test_history_that_stayed_behind_goes_over_to_who_it_is_about_and_is_not_called_gone(
    lhn: Network, moved: Path, faulty: FaultyHospital
) -> None:
    """The new EHR has no diagnoses of before; nothing was said of them."""
    faulty.put(*holdings("new", patient, weight))
    faulty.resources["Condition"] = []
    moved.write_text(moved.read_text() + "[limits]\nwithdraw_count = 0\nwithdraw_percent = 0\n")
    said = lhn.mainstem("subjects", "moved", moved, lhn.folder / "moved.csv").stdout
    assert f"{KIDS} patients have other ids, 0 of them said before; {3 * KIDS} records moved" in said
    assert (
        f"{KIDS} of them said before; 0 records moved"
        in lhn.mainstem("subjects", "moved", moved, lhn.folder / "moved.csv").stdout
    )
    lhn.mainstem("deletes", "release", moved, "Observation", "--beforehand")
    assert lhn.mainstem("run", moved, "--full").returncode == 3
    now = stands(lhn)
    assert [len(each) for each in now.values()] == [KIDS] * 3
    assert now["person"] == now["observation"] == now["condition"]
    accepted = lhn.mainstem("gaps", "accept", moved, "Condition", "--reason", "stayed in the old EHR")
    assert accepted.returncode == 0, accepted.stderr
    assert lhn.mainstem("run", moved).returncode == 0
    assert len(stands(lhn)["condition"]) == KIDS


def test_a_delivery_of_files_counts_where_it_was_said_and_came_whole(lhn: Network, tmp_path: Path) -> None:
    """Otherwise what a delivery lacks is not gone: nobody counts what is not in its files."""
    folder = tmp_path / "in"
    deliver(folder, holdings("old", patient, weight))
    path = lhn.files_site("west", folder, types=["Patient", "Observation"])
    assert lhn.mainstem("run", path).returncode == 0
    deliver(folder, holdings("new", patient, weight))
    (lhn.folder / "moved.csv").write_text(
        "old,new\n" + "".join(f"Patient/old-{each},new-{each}\n" for each in range(KIDS))
    )
    assert lhn.mainstem("subjects", "moved", path, lhn.folder / "moved.csv").returncode == 0
    assert lhn.mainstem("deletes", "release", path, "Observation", "--beforehand").returncode == 0
    done = lhn.mainstem("run", path, "--full")
    assert done.returncode == 0, done.stdout + done.stderr
    now = stands(lhn)
    assert (len(now["person"]), len(now["observation"])) == (KIDS, KIDS)
    assert now["person"] == now["observation"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("from,to\na,b\n", "no columns old and new"),
        ("old,new\na,Quilla Planted\n", "line 2: no FHIR id"),
        ("old,new\na\n", "line 2: no FHIR id"),
        ("old,new\na,b\na,c\n", "line 3: a patient has two new ids"),
        ("old,new\na,b\nb,a\n", "is an alias of the old one"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_by_its_line_never_by_what_stands_there(
    lhn: Network, moved: Path, text: str, named: str
) -> None:
    (lhn.folder / "odd.csv").write_text(text)
    done = lhn.mainstem("subjects", "moved", moved, lhn.folder / "odd.csv")
    assert done.returncode == 78
    assert named in done.stderr
    assert "Quilla" not in done.stdout + done.stderr
