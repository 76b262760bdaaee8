"""What is made of several resources, or of several records, follows them over the nights."""

import json
from decimal import Decimal
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from mainstem import refresh as steps
from transforms.derive import Current, Derived, Value

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


def heaviest(records: Any) -> list[Derived]:
    """A sample value: a person's highest weight."""
    weights: list[tuple[Decimal, Current]] = []
    for record in records:
        content = json.loads(record.content, parse_float=Decimal)
        if content.get("code") == "29463-7":
            weights.append((Decimal(content["value"]), record))
    if not weights:
        return []
    value, anchor = max(weights, key=lambda pair: (pair[0], pair[1].id))
    return [Derived(anchor, "heaviest", value, [record for _, record in weights], unit="kg")]


SAMPLE = Value("heaviest", "1", frozenset({"observation"}), heaviest)


def derived_over(lhn: Network, site: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """A night with the sample value; what stands of it then."""
    monkeypatch.setattr(import_module("mainstem.refresh.derive"), "values", lambda: [SAMPLE])
    lhn.refresh(site)
    return current(lhn, site, "derived_observation")


def test_a_derived_value_follows_its_inputs(
    lhn: Network, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Computed for who was touched; amended with an input, moved to another one, withdrawn with the last."""
    folder = tmp_path / "west"
    deliver(folder, PATIENT, weight(1, 30.5), weight(2, 31))
    (first,) = derived_over(lhn, site, monkeypatch)
    assert (first["value"], len(first["inputs"])) == (31, 2)

    deliver(folder, PATIENT, weight(2, 33))
    (amended,) = derived_over(lhn, site, monkeypatch)
    assert (amended["value"], amended["id"]) == (33, first["id"])

    deliver(folder, PATIENT, weight(2, 33, status="entered-in-error"))
    (moved,) = derived_over(lhn, site, monkeypatch)
    assert (moved["value"], len(moved["inputs"]), moved["id"] != first["id"]) == (30.5, 1, True)

    deliver(folder, PATIENT, weight(1, 30.5, status="entered-in-error"))
    assert derived_over(lhn, site, monkeypatch) == []


def test_a_killed_derive_step_is_run_again(
    lhn: Network, site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The subjects a load touched are kept with it: run twice, the step changes nothing more."""
    deliver(tmp_path / "west", PATIENT, weight(1, 30.5))
    with steps.open_refresh(site, lhn.settings) as refresh:
        load = steps.plan(refresh).load
        steps.pull_units(refresh, load, steps.planned(refresh, load).units)
        steps.map_types(refresh, load, steps.planned(refresh, load).types)
        assert steps.derive(refresh, load, of=[SAMPLE]) == 1
        for _ in range(2):
            assert steps.derive(refresh, load, of=[SAMPLE]) == 0
        counts = refresh.store.loads.figures(load)["derived"]
        assert (counts.recorded, counts.unchanged) == (1, 1), "what is found again counts once, however often"
