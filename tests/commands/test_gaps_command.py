"""`mainstem gaps`: a type that is missing is listed with cause, fix and who, read again, or accepted for good."""

import json
from pathlib import Path

import pytest
from network_under_test import Network

PATIENT = {"resourceType": "Patient", "id": "kid-1", "birthDate": "2015-03-01"}
CONDITION = {
    "resourceType": "Condition",
    "id": "dx-1",
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "34000006"}]},
    "subject": {"reference": "Patient/kid-1"},
    "recordedDate": "2026-03-01",
}


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    """A folder with a patient and a condition."""
    folder = tmp_path / "delivery"
    folder.mkdir()
    (folder / "Patient.ndjson").write_text(json.dumps(PATIENT) + "\n")
    (folder / "Condition.ndjson").write_text(json.dumps(CONDITION) + "\n")
    return folder


@pytest.fixture
def site(lhn: Network, delivery: Path) -> Path:
    """The site of that folder, read once; then its conditions are not delivered any more."""
    path = lhn.files_site("west", delivery, types=["Patient", "Condition"])
    assert lhn.here("run", path).returncode == 0
    (delivery / "Condition.ndjson").unlink()
    assert lhn.here("run", path).returncode == 3
    return path


def gaps(lhn: Network) -> list[dict[str, str]]:
    """What `gaps list --json` says."""
    rows: list[dict[str, str]] = json.loads(lhn.here("gaps", "list", "--json").stdout)
    return rows


@pytest.mark.usefixtures("site")
@pytest.mark.slow
def test_a_gap_is_listed_with_cause_fix_and_who(lhn: Network) -> None:
    """The same in the list, at the exit code and in the status; the load is partial in each."""
    (gap,) = gaps(lhn)
    assert (gap["site"], gap["resource_type"], gap["cause"], gap["who"]) == (
        "west",
        "Condition",
        "not-delivered",
        "site IT",
    )
    assert "Deliver the type" in gap["fix"]
    listed = lhn.here("gaps", "list")
    assert listed.returncode == 3
    assert "west Condition not-delivered" in listed.stdout
    assert {row["load_status"] for row in json.loads(lhn.here("status", "--json").stdout)} == {"partial"}


@pytest.mark.slow
def test_an_accepted_gap_makes_no_load_partial_until_the_type_comes_again(
    lhn: Network, site: Path, delivery: Path
) -> None:
    """The acceptance holds night after night, its reason is kept here and not told; data of the type ends it."""
    accepted = lhn.here("gaps", "accept", site, "Condition", "--reason", "the clinic stopped its feed")
    assert accepted.returncode == 0, accepted.stderr
    for _ in range(2):
        night = lhn.here("run", site, "--json")
        assert night.returncode == 0, night.stderr
        report = json.loads(night.stdout)
        assert (report["status"], report["gaps"]) == ("completed", [])
        assert [gap["cause"] for gap in report["accepted"]] == ["not-delivered"]
        assert "stopped its feed" not in night.stdout
    assert [row["accepted"] for row in gaps(lhn)] == ["the clinic stopped its feed"]
    (delivery / "Condition.ndjson").write_text(json.dumps(CONDITION) + "\n")
    assert lhn.here("run", site).returncode == 0
    assert gaps(lhn) == []
    (delivery / "Condition.ndjson").unlink()
    assert lhn.here("run", site).returncode == 3


@pytest.mark.slow
def test_retry_reads_the_types_with_gaps_alone(lhn: Network, site: Path, delivery: Path) -> None:
    """Once the type is delivered the gap closes at once, without reading the others."""
    still = lhn.here("gaps", "retry", site, "--json")
    assert still.returncode != 0
    (delivery / "Condition.ndjson").write_text(json.dumps(CONDITION) + "\n")
    again = lhn.here("gaps", "retry", site, "--json")
    assert again.returncode == 0, again.stderr
    assert list(json.loads(again.stdout)["types"]) == ["Condition"]
    assert gaps(lhn) == []
    assert "no gaps" in lhn.here("gaps", "retry", site).stdout


@pytest.mark.slow
def test_types_without_a_gap_are_refused_naming_those_with_one(lhn: Network, site: Path) -> None:
    """A misspelt type neither passes nor is guessed."""
    for words in (("accept", site, "Patient", "--reason", "so"), ("retry", site, "--types", "Patient")):
        refused = lhn.here("gaps", *words)
        assert refused.returncode == 78
        assert "There are gaps of: Condition" in refused.stderr
