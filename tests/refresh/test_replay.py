"""What was landed, mapped again: only true differences, whatever order loads came in; what cannot be done is named."""

import json
import shutil
from typing import Any

import pytest
from network_under_test import Network

from mainstem import refresh as steps
from mainstem.refresh import map as map_step
from mainstem.refresh import open_refresh, remap, retry
from mainstem.state import Batch, Plan
from schemas.errors import OperatorError, TemporaryError
from schemas.loads import load_topic

LOINC, UCUM = "http://loinc.org", "http://unitsofmeasure.org"
OURS = "urn:oid:1.2.3.4.5"
HEADER = "system,code,target_system,target_code,note\n"
MAP = f"{HEADER}{OURS},WT,{LOINC},29463-7,\n,stone weights,{UCUM},[stone_av],\n"


def reading(number: int, kilograms: float = 30, *, code: str = "WT", unit: str = "kg", **values: Any) -> dict[str, Any]:
    """A weight under a code of the hospital's own."""
    return {
        "resourceType": "Observation",
        "id": f"o-{number}",
        "status": "final",
        "code": {"coding": [{"system": OURS if code == "WT" else LOINC, "code": code}]},
        "subject": {"reference": "Patient/kid-1"},
        "effectiveDateTime": "2026-03-02T10:00:00Z",
        "valueQuantity": {"value": kilograms, "unit": unit},
        **values,
    }


class Hospital:
    """A site that delivers files, and what becomes of them."""

    def __init__(self, lhn: Network) -> None:
        self.lhn, self.folder = lhn, lhn.folder / "delivery"
        self.folder.mkdir()
        (lhn.folder / "map.csv").write_text(HEADER)
        self.path = lhn.files_site("west", self.folder, types=["Observation"], code_map="map.csv")

    def night(self, *resources: dict[str, Any], **options: Any) -> Any:
        """A delivery, read."""
        text = "".join(json.dumps(each) + "\n" for each in resources)
        (self.folder / "Observation.ndjson").write_text(text)
        return self.lhn.refresh(self.path, **options)

    def learns(self) -> None:
        """Its code map is filled in."""
        (self.lhn.folder / "map.csv").write_text(MAP)

    def opened(self) -> Any:
        return open_refresh(self.path, self.lhn.settings)

    def remapped(self) -> Any:
        with self.opened() as refresh:
            return remap(refresh)

    def values(self) -> list[tuple[str, float]]:
        """(code, value) of what stands; `?` for a code without a meaning."""
        with self.opened() as refresh, refresh.store.database.engine.connect() as connection:
            found = connection.exec_driver_sql("SELECT content FROM record WHERE content IS NOT NULL").scalars()
            records = [json.loads(content) for content in found]
        return sorted((record.get("code", "?"), record["value"]) for record in records)

    def refused(self) -> list[str]:
        with self.opened() as refresh:
            return sorted(each.reason for each in refresh.store.quarantine.of("west"))


@pytest.fixture
def west(lhn: Network) -> Hospital:
    return Hospital(lhn)


@pytest.mark.slow
def test_a_code_map_publishes_only_what_it_changes(west: Hospital) -> None:
    """Three nights of the same, one of which changed something: each resource once, by its newest line."""
    for weight in (30, 31, 31):
        west.night(reading(1, weight), reading(2), reading(3, code="29463-7"))
    published = len(west.lhn.events())
    west.learns()
    report = west.remapped()
    assert (report.replay, report.status, report.published, report.notes) == ("remap", "completed", 2, [])
    assert (report.total.read, report.total.amended, report.total.unchanged) == (3, 2, 1)
    assert west.values() == [("29463-7", 30), ("29463-7", 30), ("29463-7", 31)]
    assert len(west.lhn.events()) == published + 2
    again = west.remapped()
    assert (again.published, again.total.recognised, again.total.unchanged) == (0, 3, 3)
    told = [json.loads(event.raw) for event in west.lhn.events(load_topic) if event.raw]
    assert [each["replay"] for each in told if each["event"] == "completed"] == ["", "", "", "remap", "remap"]
    assert told[-1]["watermarks"] == {}


def test_an_older_version_that_came_later_is_not_the_newest(west: Hospital) -> None:
    """By its own time, wherever it was landed."""
    west.night(reading(1, 32, meta={"lastUpdated": "2026-03-05T00:00:00Z"}))
    west.night(reading(1, 28, meta={"lastUpdated": "2026-03-04T23:00:00-05:00"}))
    west.night(reading(1, 27, meta={"lastUpdated": "2026-03-01T00:00:00Z"}))
    stands = west.values()[0][1]
    west.learns()
    west.remapped()
    assert west.values() == [("29463-7", stands)]


def test_what_a_later_load_withdrew_stays_withdrawn(west: Hospital) -> None:
    """By a line of its own, or for being gone."""
    west.night(reading(1), reading(2), reading(3))
    west.night(reading(1, status="entered-in-error"))
    with west.opened() as refresh:
        load = refresh.store.loads.start("west", mode="full", started=refresh.clock(), plan=Plan())
        ref = next(iter(refresh.store.absences.refs("west", "Observation")))
        refresh.store.records.save(load.id, "Observation", Batch(withdrawn=[(ref, None)]), refresh.clock())
        steps.publish(refresh, load.id)
        refresh.store.loads.complete(load.id, {}, refresh.clock())
    assert len(west.values()) == 1
    west.learns()
    report = west.remapped()
    assert (report.total.recorded, report.total.amended, report.total.stale) == (0, 1, 1)
    assert west.values() == [("29463-7", 30)]


@pytest.mark.slow
def test_what_the_landing_holds_no_more_is_counted_and_named(west: Hospital) -> None:
    """It stays as it was mapped, and the command says so."""
    west.night(reading(1), reading(2))
    west.night(reading(3))
    with west.opened() as refresh:
        oldest = refresh.landing_zone.loads()[-1][1].folder
    shutil.rmtree(oldest)
    west.learns()
    said = west.lhn.here("remap", "--site", west.path)
    assert said.returncode == 3
    assert "Observation: 2 of 3 resources are no longer in the landing; they stay as they were mapped" in said.stdout
    assert [code for code, _ in west.values()] == ["29463-7", "?", "?"]


def test_a_replay_that_broke_off_goes_on_where_it_was(west: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is counted once."""
    west.night(*(reading(number) for number in range(40)))
    west.night(*(reading(number) for number in range(30, 60)))
    west.learns()
    finish, calls = map_step.TypeLoad.finish, []

    def breaks_off(part: map_step.TypeLoad) -> None:
        calls.append(part)
        if len(calls) == 2:
            raise KeyboardInterrupt
        finish(part)

    with monkeypatch.context() as broken:
        broken.setattr(map_step.TypeLoad, "finish", breaks_off)
        with pytest.raises(KeyboardInterrupt):
            west.remapped()
    report = west.remapped()
    assert report.resumed
    assert (report.total.read, report.total.amended, report.published) == (60, 60, 60)


def test_an_unfinished_replay_stands_in_no_nights_way(west: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is given up, which is told; and no replay takes a night's place."""
    west.night(reading(1))
    west.learns()
    with monkeypatch.context() as broken:
        broken.setattr(map_step.TypeLoad, "finish", lambda _part: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            west.remapped()
    assert west.night(reading(1), reading(2)).status == "completed"
    assert [code for code, _ in west.values()] == ["29463-7", "29463-7"]
    with west.opened() as refresh:
        steps.plan(refresh)
        with pytest.raises(TemporaryError, match="not finished"):
            remap(refresh)


@pytest.mark.slow
def test_what_was_refused_is_tried_again_and_what_stays_is_named(west: Hospital) -> None:
    """After the code map; a line without a name, or still unusable, stays in quarantine."""
    west.night(
        reading(1, 4, code="29463-7", unit="stone weights"), reading(2, effectiveDateTime=None), reading(3, id=None)
    )
    assert west.refused() == ["missing-id", "missing-time", "unknown-unit"]
    with west.opened() as refresh, pytest.raises(OperatorError, match="nothing is in quarantine"):
        retry(refresh, reason="bad-code")
    west.learns()
    said = west.lhn.here("quarantine", "retry", "--site", west.path)
    assert said.returncode == 3
    assert "left in quarantine: 1 × missing-id, 1 × missing-time" in said.stdout
    assert west.refused() == ["missing-id", "missing-time"]
    assert len(west.values()) == 1
    with west.opened() as refresh:
        last = refresh.store.loads.last("west")
        assert last is not None
        assert last.report is not None
        assert (last.report.total.read, last.report.total.recorded, last.report.published) == (2, 1, 1)
        assert last.report.total.skipped == {"missing-time": 1}


@pytest.mark.slow
def test_refused_resources_whose_lines_are_gone_are_named(west: Hospital) -> None:
    """A retry does not pass over them in silence."""
    west.night(reading(1, 4, code="29463-7", unit="stone weights"))
    west.night(reading(2, 4, code="29463-7", unit="stone weights"))
    with west.opened() as refresh:
        shutil.rmtree(refresh.landing_zone.loads()[-1][1].folder)
    west.learns()
    said = west.lhn.here("quarantine", "retry", "--site", west.path)
    assert "Observation: the lines of 1 refused resources are kept no more" in said.stdout
    assert "left in quarantine: 1 × unknown-unit" in said.stdout
    assert len(west.values()) == 1


def test_a_refused_resource_that_comes_right_is_in_quarantine_no_more(west: Hospital) -> None:
    """Of an incremental night, too; an old line of it is not tried again."""
    west.night(reading(1, 4, code="29463-7", unit="stone weights"))
    west.night(reading(1, 25, code="29463-7"))
    assert west.refused() == []
    west.learns()
    with west.opened() as refresh, pytest.raises(OperatorError, match="nothing is in quarantine"):
        retry(refresh)


@pytest.mark.slow
def test_the_lines_of_a_quarantine_are_shown_by_the_hospitals_own_reference(west: Hospital) -> None:
    """At the site: reference, field, reason, what to do, who; a person's data on demand alone."""
    west.night(reading(1, 4321, code="29463-7", unit="stone weights"))
    listed = west.lhn.here("quarantine", "list", "--site", west.path)
    assert listed.returncode == 3
    assert "unknown-unit" in listed.stdout
    assert "the site's data manager" in listed.stdout
    (row,) = json.loads(west.lhn.here("quarantine", "list", "--site", west.path, "--lines", "--json").stdout)
    assert (row["reference"], row["reason"], row["field"]) == (
        "Observation/o-1",
        "unknown-unit",
        "Observation.valueQuantity.unit",
    )
    shown = west.lhn.here("quarantine", "show", "Observation/o-1", "--site", west.path)
    assert "unknown-unit" in shown.stdout
    assert "4321" not in shown.stdout + shown.stderr
    assert "4321" in west.lhn.here("quarantine", "show", row["ref"], "--site", west.path, "--resource").stdout
    absent = west.lhn.here("quarantine", "show", "Observation/o-2", "--site", west.path)
    assert (absent.returncode, "no such resource is in quarantine" in absent.stderr) == (78, True)


@pytest.mark.slow
def test_a_load_that_maps_again_takes_no_landings_place(west: Hospital) -> None:
    """However often, what was landed stays as long as it would."""
    west.night(reading(1), reading(2, effectiveDateTime=None))
    west.learns()
    for _ in range(west.lhn.settings.keep_loads + 1):
        west.remapped()
    west.night(reading(3))
    with west.opened() as refresh:
        landed = [load for load, landing in refresh.landing_zone.loads() if landing.types()]
    assert len(landed) == 2
    assert west.refused() == ["missing-time"]


def test_a_retry_is_not_what_a_site_is_judged_by(west: Hospital) -> None:
    """Its figures are of what was refused alone; those of a remap are of all that was landed."""
    west.night(*(reading(number, code="29463-7") for number in range(5)), reading(9, effectiveDateTime=None))
    with west.opened() as refresh:
        night = refresh.store.quality.last_load("west")
        assert retry(refresh).total.skipped == {"missing-time": 1}
        assert refresh.store.quality.last_load("west") == night
    remapped = west.remapped()
    with west.opened() as refresh:
        judged = refresh.store.quality.last_load("west")
        assert judged is not None
        assert (judged.id, judged.counts["Observation"].read) == (remapped.load, 6)
