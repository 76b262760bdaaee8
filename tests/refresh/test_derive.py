"""What is made of several resources, or of several records, follows them over the nights."""

import json
import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from mainstem import refresh as steps
from schemas.errors import OperatorError

RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
PATIENT = {"resourceType": "Patient", "id": "kid-1", "gender": "female", "birthDate": "2015-03-01"}


def order(number: int, medication: str) -> dict[str, Any]:
    """An order that names its drug elsewhere."""
    return {
        "resourceType": "MedicationRequest",
        "id": f"rx-{number}",
        "status": "active",
        "intent": "order",
        "subject": {"reference": "Patient/kid-1"},
        "medicationReference": {"reference": f"Medication/{medication}"},
        "authoredOn": "2026-03-02",
    }


def medication(name: str, code: str) -> dict[str, Any]:
    """A drug, by its RxNorm code."""
    return {"resourceType": "Medication", "id": name, "code": {"coding": [{"system": RXNORM, "code": code}]}}


def weight(number: int, kilograms: float, **values: Any) -> dict[str, Any]:
    """A reading."""
    return {
        "resourceType": "Observation",
        "id": f"wt-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "29463-7"}]},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": f"2026-03-{number:02}T10:00:00Z",
        "valueQuantity": {"value": kilograms, "unit": "kg", "system": "http://unitsofmeasure.org", "code": "kg"},
        **values,
    }


def deliver(folder: Path, *resources: dict[str, Any]) -> None:
    """The folder holds just these."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for resource in resources:
        with (folder / f"{resource['resourceType']}.ndjson").open("a") as file:
            file.write(json.dumps(resource) + "\n")


@pytest.fixture
def site(lhn: Network, tmp_path: Path) -> Path:
    """A site that reads four types from a folder."""
    types = ["Patient", "MedicationRequest", "Medication", "Observation"]
    return lhn.files_site("west", tmp_path / "west", types=types)


def current(lhn: Network, site: Path, kind: str) -> list[dict[str, Any]]:
    """The site's records of a type, as they stand."""
    with steps.open_refresh(site, lhn.settings) as refresh:
        state = refresh.store
        subjects = sorted({change.subject for change in lhn_changes(state)})
        return [json.loads(record.content) for record in state.subjects.current("west", subjects, [kind])]


def lhn_changes(state: Any) -> list[Any]:
    """All records of the state, whether published or not."""
    from sqlalchemy import select

    from mainstem.state import tables

    with state.database.read() as connection:
        return list(connection.execute(select(tables.record.c.subject)))


def quarantined(lhn: Network, site: Path) -> list[str]:
    """Reasons of what is in quarantine."""
    with steps.open_refresh(site, lhn.settings) as refresh:
        return [each.reason for each in refresh.store.quarantine.of("west")]


def test_an_order_follows_its_medication(lhn: Network, site: Path, tmp_path: Path) -> None:
    """Known beforehand, come later, changed on a night on which the order does not come: the order tells its drug."""
    deliver(tmp_path / "west", PATIENT, order(1, "med-9"), medication("med-9", "327361"), order(2, "med-8"))
    lhn.refresh(site)
    assert {record["code"] for record in current(lhn, site, "medication")} == {"327361"}
    assert quarantined(lhn, site) == ["unknown-medication"]

    deliver(tmp_path / "west", PATIENT, medication("med-9", "8640"), medication("med-8", "8638"))
    report = lhn.refresh(site)

    assert {record["code"] for record in current(lhn, site, "medication")} == {"8640", "8638"}
    assert (report.types["MedicationRequest"].amended, report.types["MedicationRequest"].recorded) == (1, 1)
    assert report.published == 2
    assert quarantined(lhn, site) == []

    deliver(tmp_path / "west", PATIENT, medication("med-9", "8640") | {"status": "entered-in-error"})
    lhn.refresh(site)
    assert {record["code"] for record in current(lhn, site, "medication")} == {"8638"}


def test_the_kept_line_of_an_order_is_its_newest(lhn: Network, site: Path, tmp_path: Path) -> None:
    """An order that named one unknown drug and then another does not come back with the first."""
    deliver(tmp_path / "west", PATIENT, order(1, "med-8"))
    lhn.refresh(site)
    deliver(tmp_path / "west", PATIENT, order(1, "med-9"))
    lhn.refresh(site)
    deliver(tmp_path / "west", PATIENT, medication("med-8", "8638"))
    lhn.refresh(site)
    assert current(lhn, site, "medication") == []
    deliver(tmp_path / "west", PATIENT, medication("med-8", "8638"), medication("med-9", "327361"))
    lhn.refresh(site)
    assert {record["code"] for record in current(lhn, site, "medication")} == {"327361"}


def height(number: int, centimetres: float, **values: Any) -> dict[str, Any]:
    """A height on the same day as the weight of the same number."""
    reading = weight(number, centimetres, **values) | {"id": f"ht-{number}"}
    reading["code"] = {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]}
    reading["valueQuantity"] = {
        "value": centimetres,
        "unit": "cm",
        "system": "http://unitsofmeasure.org",
        "code": "cm",
    }
    return reading


def night(lhn: Network, site: Path, derive: str = "bmi, bmi-z, weight-z") -> dict[str, list[dict[str, Any]]]:
    """A night on which a network asks for some values; the derived records that stand then, by method."""
    asking = replace(lhn, settings=lhn.settings.model_copy(update={"derive": derive}))
    asking.refresh(site)
    found: dict[str, list[dict[str, Any]]] = {}
    for record in current(lhn, site, "derived_observation"):
        found.setdefault(record["method"], []).append(record)
    return found


def test_a_derived_value_follows_its_inputs(lhn: Network, site: Path, tmp_path: Path) -> None:
    """Computed for who was touched; amended with an input, on its day; withdrawn when one of its inputs goes."""
    folder = tmp_path / "west"
    deliver(folder, PATIENT, weight(1, 30.5), height(1, 130), weight(2, 31))
    first = night(lhn, site)
    assert [(each["value"], len(each["inputs"])) for each in first["bmi"]] == [(18.047337, 2)]
    assert len(first["weight-z"]) == 2

    deliver(folder, PATIENT, weight(1, 33))
    (amended,) = night(lhn, site)["bmi"]
    assert (amended["value"], amended["id"]) == (19.526627, first["bmi"][0]["id"])

    deliver(folder, PATIENT, height(1, 130, status="entered-in-error"))
    without = night(lhn, site)
    assert ("bmi" in without, "bmi-z" in without, len(without["weight-z"])) == (False, False, 2)

    deliver(folder, PATIENT, weight(1, 33, status="entered-in-error"), weight(2, 31, status="entered-in-error"))
    assert night(lhn, site) == {}


def test_a_reading_that_goes_over_to_another_child_takes_its_values_along(
    lhn: Network, site: Path, tmp_path: Path
) -> None:
    """To and fro, so that each child is derived once before the other: nothing is lost, nothing stays behind."""
    folder = tmp_path / "west"
    other = PATIENT | {"id": "kid-2", "birthDate": "2013-03-01"}
    moved = weight(1, 30.5) | {"subject": {"reference": "Patient/kid-2"}}
    deliver(folder, PATIENT, other, weight(1, 30.5))
    (first,) = night(lhn, site, "weight-z")["weight-z"]
    deliver(folder, moved)
    (second,) = night(lhn, site, "weight-z")["weight-z"]
    deliver(folder, weight(1, 30.5))
    (third,) = night(lhn, site, "weight-z")["weight-z"]
    assert first["subject"] != second["subject"]
    assert first["value"] > second["value"]
    assert third == first


def test_a_birth_date_that_comes_late_or_is_corrected_changes_every_z_score(
    lhn: Network, site: Path, tmp_path: Path
) -> None:
    """None without it; with it all, though their weights came nights before; another with another."""
    folder = tmp_path / "west"
    deliver(folder, weight(1, 30.5), weight(2, 31))
    assert night(lhn, site) == {}
    deliver(folder, PATIENT)
    late = {each["id"]: each["value"] for each in night(lhn, site)["weight-z"]}
    deliver(folder, PATIENT | {"birthDate": "2014-03-01"})
    corrected = {each["id"]: each["value"] for each in night(lhn, site)["weight-z"]}
    assert len(late) == 2
    assert late.keys() == corrected.keys()
    assert all(corrected[each] < late[each] for each in late)


def test_a_network_switches_values_on_and_off(lhn: Network, site: Path, tmp_path: Path) -> None:
    """Another wish is met at the next night for all that stands, though nothing came; what is not asked for goes."""
    deliver(tmp_path / "west", PATIENT, weight(1, 30.5), height(1, 130))
    assert night(lhn, site, "none") == {}
    assert sorted(night(lhn, site, "weight-z")) == ["weight-z"]
    assert sorted(night(lhn, site, "bmi@1, height-z")) == ["bmi", "height-z"]
    assert night(lhn, site, "none") == {}
    with pytest.raises(OperatorError, match="no derived value waist-z"):
        night(lhn, site, "waist-z")


def test_a_killed_derive_step_is_run_again(lhn: Network, site: Path, tmp_path: Path) -> None:
    """The subjects a load touched are kept with it: run twice, the step changes nothing more."""
    deliver(tmp_path / "west", PATIENT, weight(1, 30.5))
    with steps.open_refresh(site, lhn.settings.model_copy(update={"derive": "weight-z"})) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        steps.map_types(refresh, load, steps.planned(refresh, load).types)
        assert steps.derive(refresh, load) == 1
        for _ in range(2):
            assert steps.derive(refresh, load) == 0
        counts = refresh.store.loads.figures(load)["derived"]
        assert (counts.recorded, counts.unchanged) == (1, 1), "what is found again counts once, however often"


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.slow
def test_night_by_night_is_what_all_at_once_would_be(seed: int, lhn: Network, site: Path, tmp_path: Path) -> None:
    """Random nights of readings that come, change, go and come back, of two children whose birth dates change."""
    chance, folder = random.Random(seed), tmp_path / "west"
    for _ in range(5):
        made: list[dict[str, Any]] = []
        for child in ("kid-1", "kid-2"):
            if chance.random() < 0.5:
                made.append(PATIENT | {"id": child, "birthDate": f"201{chance.randrange(3, 8)}-03-01"})
            for _ in range(3):
                reading = chance.choice([weight, height])(chance.randrange(1, 4), chance.randrange(60, 90) / 2)
                gone = {"status": "entered-in-error"} if chance.random() < 0.25 else {}
                at = {"id": f"{reading['id']}-{child}", "subject": {"reference": f"Patient/{child}"}}
                made.append(reading | at | gone)
        deliver(folder, *made)
        by_night = night(lhn, site, "all")
    assert night(lhn, site, "none") == {}
    assert night(lhn, site, "all") == by_night
