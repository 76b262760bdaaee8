"""`mainstem subjects`: two hospital numbers of one child become one, and two again, by the command line alone."""

import json
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

PATIENTS = [{"resourceType": "Patient", "id": f"kid-{number}", "birthDate": "2015-03-01"} for number in (1, 2)]


def weight(number: int, kid: int) -> dict[str, Any]:
    """A reading of one of the two."""
    return {
        "resourceType": "Observation",
        "id": f"wt-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": f"Patient/kid-{kid}"},
        "effectiveDateTime": f"2026-03-0{number}T10:00:00Z",
        "valueQuantity": {"value": 30 + number, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
    }


def deliver(folder: Path, *resources: dict[str, Any]) -> None:
    """The folder holds these."""
    for name in ("Patient", "Observation"):
        lines = [json.dumps(each) + "\n" for each in resources if each["resourceType"] == name]
        (folder / f"{name}.ndjson").write_text("".join(lines))


@pytest.fixture
def site(lhn: Network, tmp_path: Path) -> Path:
    """Two patients with a weight each, told."""
    folder = tmp_path / "delivery"
    folder.mkdir()
    deliver(folder, *PATIENTS, weight(1, 1), weight(2, 2))
    path = lhn.files_site("west", folder, types=["Patient", "Observation"])
    assert lhn.here("run", path).returncode == 0
    return path


def keys(lhn: Network) -> dict[str, str]:
    """What a compacted topic holds: the type of the record under each key; without tombstones."""
    latest = {f"{event.subject}/{event.record}": event for event in lhn.events()}
    return {key: json.loads(event.raw)["record"]["type"] for key, event in latest.items() if event.raw}


def owner(lhn: Network, value: int) -> str:
    """The subject under which a weight stands."""
    for event in reversed(lhn.events()):
        if event.raw and json.loads(event.raw)["record"].get("value") == value:
            return event.subject
    raise AssertionError("no such weight")


def test_an_alias_moves_what_is_stored_and_what_comes_and_its_end_moves_it_back(
    lhn: Network, site: Path, tmp_path: Path
) -> None:
    """The old key gets a tombstone, the record follows under the new one; nothing is told before `publish` or `run`."""
    survivor, old = owner(lhn, 31), owner(lhn, 32)
    told = len(lhn.events())
    before = keys(lhn)

    made = lhn.here("subjects", "alias", site, old, survivor, "--why", "merged")
    assert made.returncode == 0, made.stderr
    assert "2 records moved" in made.stdout
    assert "mainstem publish" in made.stdout
    assert len(lhn.events()) == told
    listed = json.loads(lhn.here("subjects", "list", site, "--json").stdout)
    assert [(row["old"], row["surviving"], row["why"]) for row in listed] == [(old, survivor, "merged")]
    assert f"{old} is {survivor} since" in lhn.here("subjects", "list", site).stdout

    assert lhn.here("publish", site).returncode == 0
    assert {key.split("/")[0] for key in keys(lhn)} == {survivor}
    assert sorted(keys(lhn).values()) == ["observation", "observation", "person"]
    assert owner(lhn, 32) == survivor

    deliver(tmp_path / "delivery", *PATIENTS, weight(1, 1), weight(2, 2), weight(3, 2))
    assert lhn.here("run", site).returncode == 0
    assert owner(lhn, 33) == survivor

    ended = lhn.here("subjects", "alias", site, old, "--end")
    assert ended.returncode == 0, ended.stderr
    assert "2 records moved" in ended.stdout
    assert lhn.here("subjects", "list", site).stdout.strip() == "no subject is an alias"
    assert lhn.here("run", site).returncode == 0
    after = keys(lhn)
    assert {key: after[key] for key in before} == before, "as if there had been none"
    assert (owner(lhn, 31), owner(lhn, 32), owner(lhn, 33)) == (survivor, old, old)


def test_an_alias_that_cannot_be_is_refused_with_what_to_do(lhn: Network, site: Path) -> None:
    """A word that is no subject, a circle, an end without a beginning."""
    survivor, old = owner(lhn, 31), owner(lhn, 32)
    for arguments, cause in (
        (("kid-2", survivor), "a subject is s- and 32 hexadecimal digits"),
        ((old,), "an alias is made with two subjects"),
        ((old, old), "the surviving subject is an alias of the old one"),
        ((old, "--end"), "the subject is no alias"),
    ):
        refused = lhn.here("subjects", "alias", site, *arguments)
        assert refused.returncode != 0
        assert cause in refused.stderr
        assert "fix:" in refused.stderr
    assert json.loads(lhn.here("subjects", "list", site, "--json").stdout) == []
