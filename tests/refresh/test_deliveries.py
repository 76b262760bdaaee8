"""A folder that a site delivers into, over the nights: no night is green on which nothing came."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from mainstem.refresh import open_refresh
from mainstem.refresh import preflight as look_first
from mainstem.state import State
from schemas.errors import MainstemError
from schemas.gaps import GapCause
from schemas.loads import Gap, LoadEvent, LoadReport, load_topic

TYPES = ["Patient", "Observation"]


def patient(number: int) -> dict[str, Any]:
    return {"resourceType": "Patient", "id": f"kid-{number}", "birthDate": f"2015-03-{number % 28 + 1:02}"}


def height(number: int, centimetres: float = 120) -> dict[str, Any]:
    return {
        "resourceType": "Observation",
        "id": f"ht-{number}",
        "status": "final",
        "code": {"coding": [{"system": "http://loinc.org", "code": "8302-2"}]},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": f"2026-02-{number % 28 + 1:02}T10:00:00Z",
        "valueQuantity": {"value": centimetres, "unit": "cm", "system": "http://unitsofmeasure.org", "code": "cm"},
    }


def lines(*resources: dict[str, Any]) -> str:
    return "".join(json.dumps(each) + "\n" for each in resources)


class Site:
    """A site that delivers a folder, and what each night made of it."""

    def __init__(self, lhn: Network, folder: Path) -> None:
        self.lhn, self.folder = lhn, folder
        self.path = lhn.files_site("west", folder, types=TYPES)
        folder.mkdir(exist_ok=True)

    def says(self, **files: Any) -> None:
        """More of the site file's [files] section, which is its last."""
        with self.path.open("a") as file:
            file.writelines(f"{key} = {json.dumps(value)}\n" for key, value in files.items())

    def night(self, **options: Any) -> LoadReport:
        return self.lhn.refresh(self.path, **options)

    def fails(self) -> str:
        """A night that ends in an error, by the command's steps and by the DAG's first task; its cause."""
        with pytest.raises(MainstemError) as by_command:
            self.night()
        with open_refresh(self.path, self.lhn.settings) as refresh, pytest.raises(MainstemError) as by_dag:
            look_first(refresh)
        assert str(by_command.value) == str(by_dag.value)
        assert by_command.value.fix == by_dag.value.fix
        return str(by_command.value)

    def state(self, asked: Callable[[State], Any]) -> Any:
        with open_refresh(self.path, self.lhn.settings) as refresh:
            return asked(refresh.store)

    def gaps(self) -> list[Gap]:
        found: list[Gap] = self.state(lambda store: store.gaps.of("west"))
        return found

    def watermarks(self) -> dict[str, datetime]:
        found: dict[str, datetime] = self.state(lambda store: store.watermarks.of("west"))
        return found

    def records(self) -> dict[str, int]:
        return {line.record_type: line.records for line in self.state(lambda store: store.status("west"))}

    def told(self) -> list[LoadEvent]:
        return [LoadEvent.model_validate_json(event.raw or b"") for event in self.lhn.events(load_topic)]


@pytest.fixture
def site(lhn: Network, tmp_path: Path) -> Site:
    """A site whose folder is there, and empty."""
    return Site(lhn, tmp_path / "delivery")


def whole(site: Site) -> None:
    """A delivery as it should be."""
    (site.folder / "Patient.ndjson").write_text(lines(patient(1)))
    (site.folder / "Observation.ndjson").write_text(lines(height(1), height(2)))


def test_an_empty_folder_fails_the_first_night_and_every_other(site: Site) -> None:
    """The command and the DAG say one thing, a gap of each type says why, and the network is told."""
    assert "nothing was delivered" in site.fails()
    assert {(gap.resource_type, gap.cause, gap.who) for gap in site.gaps()} == {
        (name, "delivery-late", "site IT") for name in TYPES
    }
    failed = [event for event in site.told() if event.event == "failed"]
    assert {event.status for event in failed} == {"failed"}
    assert [gap.resource_type for gap in failed[-1].gaps] == TYPES

    whole(site)
    assert (site.night().status, site.gaps()) == ("completed", [])
    upto = site.watermarks()
    for path in site.folder.iterdir():
        path.unlink()
    assert "is empty" in site.fails()
    assert site.watermarks() == upto
    assert site.records() == {"person": 1, "observation": 2}
    whole(site)
    assert (site.night().status, site.gaps()) == ("completed", [])


def test_a_share_that_is_not_mounted_is_named_and_nothing_moves(site: Site) -> None:
    whole(site)
    upto = site.night().watermarks
    away = site.folder.rename(site.folder.with_name("elsewhere"))
    assert "no such folder" in site.fails()
    assert {gap.cause for gap in site.gaps()} == {GapCause.DELIVERY_LATE}
    assert site.watermarks() == upto
    away.rename(site.folder)
    assert (site.night().status, site.gaps()) == ("completed", [])


def test_a_type_that_never_came_leaves_no_gap_behind_an_empty_night(site: Site) -> None:
    """On the empty night nobody knows what will come; on the next it is known that this never did."""
    site.fails()
    (site.folder / "Patient.ndjson").write_text(lines(patient(1)))
    assert site.night().status == "completed"
    assert site.gaps() == []


def test_files_of_other_types_alone_are_no_delivery(site: Site) -> None:
    (site.folder / "Practitioner.ndjson").write_text(lines({"resourceType": "Practitioner", "id": "p"}))
    (site.folder / "Patient.ndjson").touch()
    assert "none of the site's types" in site.fails()


def test_without_its_end_marker_a_delivery_is_not_read(site: Site) -> None:
    """A marker of the night before does not count: it is older than what is being copied."""
    site.says(end_marker="_SUCCESS")
    whole(site)
    assert "no _SUCCESS stands beside" in site.fails()
    (site.folder / "_SUCCESS").touch()
    assert site.night().status == "completed"

    (site.folder / "Observation.ndjson").write_text(lines(height(1), height(2), height(3)))
    an_hour_ago = datetime.now(UTC).timestamp() - 3600
    os.utime(site.folder / "_SUCCESS", (an_hour_ago, an_hour_ago))
    assert "was written after _SUCCESS" in site.fails()
    assert site.records()["observation"] == 2
    (site.folder / "_SUCCESS").touch()
    assert site.night().status == "completed"
    assert site.records()["observation"] == 3
