"""A folder that a site delivers into, over the nights: no night is green on which nothing came."""

import gzip
import json
import os
import zipfile
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from network_under_test import Network

from connectors.source import Source
from mainstem.refresh import open_refresh, verdict
from mainstem.refresh import preflight as look_first
from mainstem.state import State
from schemas.errors import MainstemError
from schemas.gaps import GapCause
from schemas.loads import Gap, LoadEvent, LoadReport, load_topic

TYPES = ["Patient", "Observation"]
LOOKED_AT = [*TYPES, "DiagnosticReport"]
"""What may name the results is looked for too."""


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
        (name, "delivery-late", "site IT") for name in LOOKED_AT
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


@pytest.mark.slow
def test_a_gap_is_told_in_the_same_words_everywhere(site: Site) -> None:
    """By `run`, `status`, `gaps list`, the DAG's last line and the load event: why, what to do, who can."""
    whole(site)
    site.night()
    (site.folder / "Observation.ndjson").unlink()
    ran, status, listed = (
        site.lhn.mainstem(*command) for command in (("run", site.path), ("status",), ("gaps", "list"))
    )
    cause = GapCause.NOT_DELIVERED
    words = ("no file of this type was delivered", cause.fix, f"({cause.who})")
    with open_refresh(site.path, site.lhn.settings) as refresh:
        last = refresh.store.loads.last("west")
        assert last is not None
        line, is_whole = verdict(refresh, last.id)
    for told in (ran.stdout, status.stdout, listed.stdout, line):
        assert all(word in told for word in words), told
    assert (ran.returncode, listed.returncode, is_whole) == (3, 3, False)
    assert "partial" in ran.stdout
    assert "partial" in status.stdout
    assert " partial: " in line
    event = site.told()[-1]
    assert event.status == "partial"
    assert [(gap.cause, gap.fix, gap.who) for gap in event.gaps] == [(cause, cause.fix, cause.who)]


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


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": each} for each in resources]}


def zipped(path: Path, **members: str) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in members.items():
            packed.writestr(name.replace("__", "."), text)


def as_members(folder: Path, patients: str, readings: str) -> None:
    first, second = patients.splitlines(keepends=True)[:1], patients.splitlines(keepends=True)[1:]
    parts = [gzip.compress("".join(each).encode()) for each in (first, second)]
    (folder / "Patient.ndjson.gz").write_bytes(b"".join(parts))
    (folder / "Observation.ndjson.gz").write_bytes(gzip.compress(readings.encode()))


def as_zip(folder: Path, patients: str, readings: str) -> None:
    zipped(folder / "export.ZIP", Patient__ndjson=patients, Observation__ndjson=readings)


def as_zip_of_one_file(folder: Path, patients: str, readings: str) -> None:
    zipped(folder / "export.zip", all__jsonl=readings + patients)


def as_one_file(folder: Path, patients: str, readings: str) -> None:
    (folder / "export.ndjson").write_text(patients + readings)


def as_windows_writes(folder: Path, patients: str, readings: str) -> None:
    text = (patients + readings).replace("\n", "\r\n\r\n")
    (folder / "EXPORT.NDJSON").write_bytes(b"\xef\xbb\xbf" + text.encode())


def as_array(folder: Path, patients: str, readings: str) -> None:
    both = [json.loads(line) for line in (patients + readings).splitlines()]
    (folder / "export.json").write_text(json.dumps(both, indent=2))


def as_bundles(folder: Path, patients: str, readings: str) -> None:
    for name, text in (("one.json", patients), ("two.json", readings)):
        held = bundle(*map(json.loads, text.splitlines()))
        (folder / name).write_text(json.dumps(held, indent=2, sort_keys=True))


def as_single_resources(folder: Path, patients: str, readings: str) -> None:
    for number, line in enumerate((patients + readings).splitlines()):
        (folder / f"{number}.json").write_text(json.dumps(json.loads(line), indent=2))


FORMS = [
    as_members,
    as_zip,
    as_zip_of_one_file,
    as_one_file,
    as_windows_writes,
    as_array,
    as_bundles,
    as_single_resources,
]


@pytest.mark.parametrize("form", FORMS)
def test_a_delivery_of_any_form_is_read_type_by_type(site: Site, form: Callable[[Path, str, str], None]) -> None:
    """Two nights: what changed is amended, what came as before is not told again, nothing stands twice."""
    for reading, published in ((120.0, 4), (121.5, 1)):
        for path in site.folder.iterdir():
            path.unlink()
        form(site.folder, lines(patient(1), patient(2)), lines(height(1), height(2, reading)))
        report = site.night()
        assert (report.status, report.gaps, report.published) == ("completed", [], published)
        assert {name: counts.read for name, counts in report.types.items()} == {
            "Patient": 2,
            "Observation": 2,
            "DiagnosticReport": 0,
        }
        assert set(report.watermarks) == set(TYPES)
        assert site.records() == {"person": 2, "observation": 2}


def test_what_programs_say_among_the_resources_is_told_and_not_mapped(site: Site) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "informational"}]}
    (site.folder / "all.ndjson").write_text(lines(patient(1), outcome, height(1), {"resourceType": "Parameters"}))
    (site.folder / "settings.json").write_text('{"theme": "dark"}')
    report = site.night()
    assert (report.status, report.total.read, report.total.skipped) == ("completed", 2, {})
    assert "1 lines are OperationOutcome, which is not mapped" in report.notes
    assert "1 lines are Parameters, which is not mapped" in report.notes


def test_types_that_come_and_are_not_mapped_are_named_and_what_the_model_would_make_of_them(site: Site) -> None:
    whole(site)
    (site.folder / "MeasureReport.ndjson").write_text(lines({"resourceType": "MeasureReport", "id": "m1"}))
    (site.folder / "Claim.ndjson").write_text(lines({"resourceType": "Claim", "id": "c1"}))
    report = site.night()
    assert report.status == "completed"
    assert (
        "files of types that the site is not read for: Claim (1), MeasureReport (1; needed by measure_result)"
        in report.notes
    )


def test_what_is_nobodys_is_passed_over_by_name(site: Site) -> None:
    """It costs no type; whoever thought that it is read sees that it is not."""
    whole(site)
    for name in ("clinic.db", "read me.txt", *(f"picture-{number:02}.png" for number in range(19))):
        (site.folder / name).write_bytes(b"\x00\x01")
    (site.folder / "settings.json").write_text('{"theme": "dark"}')
    (site.folder / "Observation.ndjson.sha256").write_text("0" * 64)
    report = site.night()
    assert report.status == "completed"
    (passed,) = [
        note
        for note in report.notes
        if note.startswith("passed over, for they hold no FHIR: clinic.db, picture-00.png")
    ]
    assert passed.endswith("picture-18.png and 2 more")


def test_utf16_is_refused_by_name_and_costs_its_type(site: Site) -> None:
    whole(site)
    (site.folder / "Observation.ndjson").write_text(lines(height(1)), encoding="utf-16")
    report = site.night()
    assert (report.status, list(report.watermarks)) == ("partial", ["Patient"])
    assert any("Observation.ndjson (UTF-16, not UTF-8)" in note for note in report.notes)
    whole(site)
    assert site.night().status == "completed"
    assert site.records() == {"person": 1, "observation": 2}


def test_what_of_an_archive_cannot_be_read_is_a_gap(site: Site) -> None:
    """An archive within, a cut one: the types that it may hold stay where they are, the others are read."""
    whole(site)
    inner = site.folder / "inner.zip"
    zipped(inner, Patient__ndjson=lines(patient(2)))
    with zipfile.ZipFile(site.folder / "Observation.zip", "w") as packed:
        packed.writestr("more.zip", inner.read_bytes())
    inner.write_bytes(inner.read_bytes()[:-20])
    report = site.night()
    assert {gap.resource_type: gap.cause for gap in report.gaps} == dict.fromkeys(LOOKED_AT, "file-not-read")
    assert site.records() == {"person": 1, "observation": 2, "DiagnosticReport": 0}


def test_a_file_that_is_still_being_written_waits_for_the_next_night(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It grows between two looks: nothing of it is read, its type alone is missing."""
    whole(site)
    site.path.write_text(site.path.read_text().replace("settle_seconds = 0", "settle_seconds = 5"))
    growing = site.folder / "Observation.ndjson"

    def more(_seconds: float) -> None:
        with growing.open("a") as file:
            file.write(lines(height(9)))

    with monkeypatch.context() as copying:
        copying.setattr("mainstem.refresh.opening.Source", partial(Source, sleep=more))
        report = site.night()
    assert (report.status, list(report.watermarks)) == ("partial", ["Patient"])
    assert [(gap.resource_type, gap.cause) for gap in report.gaps] == [("Observation", "delivery-late")]
    assert "still being written" in report.gaps[0].reason
    assert "observation" not in site.records() or site.records()["observation"] == 0

    with monkeypatch.context() as copied:
        copied.setattr("mainstem.refresh.opening.Source", partial(Source, sleep=lambda _seconds: None))
        report = site.night()
    assert (report.status, site.gaps()) == ("completed", [])
    assert site.records()["observation"] == 3


def test_a_manifests_counts_are_held_against_what_came(site: Site) -> None:
    whole(site)
    output = [{"type": "Patient", "url": "https://ehr.example/p/Patient.ndjson", "count": 1}]
    output += [
        {"type": "Observation", "url": f"https://ehr.example/o/Observation{n}.ndjson", "count": 2} for n in ("", ".2")
    ]
    (site.folder / "manifest.json").write_text(
        json.dumps({"transactionTime": "2026-03-01T00:00:00Z", "output": output})
    )
    report = site.night()
    assert (report.status, list(report.watermarks)) == ("partial", ["Patient"])
    assert [(gap.cause, gap.reason) for gap in report.gaps] == [
        ("short-of-count", "Observation: 2 of 4 that the delivery counts came")
    ]
    assert site.records() == {"person": 1, "observation": 2}
    (site.folder / "Observation.2.ndjson").write_text(lines(height(3), height(4)))
    assert (site.night().status, site.gaps()) == ("completed", [])


def event(kind: str, **detail: Any) -> dict[str, Any]:
    return {"exportId": "e-1", "timestamp": "2026-03-01T00:00:00Z", "eventId": kind, "eventDetail": detail}


def test_a_bulk_clients_log_says_whether_its_export_ended_and_what_it_fetched(site: Site) -> None:
    whole(site)
    log = [event("kickoff", exportUrl="https://ehr.example/$export")]
    for name, count in (("Patient", 1), ("Observation", 5)):
        url = f"https://ehr.example/{name}.ndjson"
        log.append(event("download_request", fileUrl=url, itemType="output", resourceType=name))
        log.append(event("download_complete", fileUrl=url, resourceCount=count, fileSize=1))
    (site.folder / "log.ndjson").write_text(lines(*log))
    assert "an export that has not ended" in site.fails()

    (site.folder / "log.ndjson").write_text(lines(*log, event("export_complete", files=2)))
    report = site.night()
    assert [(gap.resource_type, gap.reason) for gap in report.gaps] == [
        ("Observation", "Observation: 2 of 5 that the delivery counts came")
    ]

    url = "https://ehr.example/more.ndjson"
    log[-1] = event("download_complete", fileUrl="https://ehr.example/Observation.ndjson", resourceCount=2, fileSize=1)
    log.append(event("download_request", fileUrl=url, itemType="output", resourceType="Observation"))
    log.append(event("download_error", fileUrl=url, code=404))
    (site.folder / "log.ndjson").write_text(lines(*log, event("export_complete", files=2)))
    report = site.night()
    assert [(gap.resource_type, gap.cause) for gap in report.gaps] == [("Observation", "file-not-read")]
    assert "could not be fetched" in report.gaps[0].reason


def test_far_less_of_a_type_than_before_is_a_gap_until_it_is_accepted(site: Site) -> None:
    """What came is read and told all the same; where a site delivers changes only, nights differ as they may."""
    (site.folder / "Patient.ndjson").write_text(lines(patient(1)))
    (site.folder / "Observation.ndjson").write_text(lines(*(height(number) for number in range(40))))
    upto = site.night().watermarks
    (site.folder / "Observation.ndjson").write_text(lines(*(height(number, 130) for number in range(5))))
    report = site.night()
    assert (report.status, list(report.watermarks), report.published) == ("partial", ["Patient"], 5)
    assert [(gap.resource_type, gap.cause) for gap in report.gaps] == [("Observation", "sharp-fall")]
    assert site.watermarks()["Observation"] == upto["Observation"]
    assert site.records()["observation"] == 40
    site.state(lambda store: store.gaps.accept("west", "Observation", "a clinic closed", datetime.now(UTC)))
    accepted = site.night()
    assert (accepted.status, accepted.gaps, set(accepted.watermarks)) == ("completed", [], set(TYPES))

    site.says(delivers="changes")
    (site.folder / "Observation.ndjson").write_text(lines(height(41)))
    assert site.night().status == "completed"


def test_a_type_that_holds_nothing_any_more_is_a_gap(site: Site) -> None:
    whole(site)
    site.night()
    (site.folder / "Observation.ndjson").unlink()
    (site.folder / "Observation.ndjson.gz").write_bytes(gzip.compress(b""))
    report = site.night()
    assert [(gap.resource_type, gap.cause) for gap in report.gaps] == [("Observation", "fell-silent")]
    assert site.records()["observation"] == 2


def test_files_that_are_older_than_the_site_delivers_are_late(site: Site) -> None:
    """They are read; but the night is not whole until newer ones come, and the watermark is the delivery's own time."""
    site.says(every_hours=24)
    whole(site)
    assert site.night().status == "completed"
    written = datetime.now(UTC).timestamp() - 30 * 3600
    (site.folder / "Patient.ndjson").write_text(lines(patient(1), patient(2)))
    for path in site.folder.iterdir():
        os.utime(path, (written, written))
    report = site.night()
    assert (report.status, report.watermarks, report.published) == ("partial", {}, 1)
    assert {gap.resource_type: gap.cause for gap in report.gaps} == dict.fromkeys(TYPES, "delivery-late")
    assert "longer ago than files.every_hours" in report.gaps[0].reason
    whole(site)
    assert (site.night().status, site.gaps()) == ("completed", [])


def test_the_same_delivery_again_is_noted_or_late_as_the_site_says(site: Site) -> None:
    whole(site)
    assert site.night().notes == []
    for path in site.folder.iterdir():
        path.touch()
    again = site.night()
    assert (again.status, again.published) == ("completed", 0)
    assert again.notes == ["the delivery is the same as at the load before, in every file"]

    site.says(same_again="late")
    late = site.night()
    assert {gap.resource_type: gap.cause for gap in late.gaps} == dict.fromkeys(TYPES, "delivery-late")
    (site.folder / "Observation.ndjson").write_text(lines(height(1), height(2), height(3)))
    assert (site.night().status, site.gaps()) == ("completed", [])


def test_files_of_several_types_with_none_of_ours_are_no_delivery(site: Site) -> None:
    """Only when every line was read is it known that nothing of it was wanted."""
    (site.folder / "all.ndjson").write_text(lines({"resourceType": "Practitioner", "id": "p"}))
    with pytest.raises(MainstemError, match="nothing of the site's types was delivered"):
        site.night()
    assert {gap.cause for gap in site.gaps()} == {"delivery-late"}


def test_the_watermark_is_the_deliverys_time_and_not_our_clock(site: Site) -> None:
    whole(site)
    written = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    os.utime(site.folder / "Patient.ndjson", (written.timestamp(), written.timestamp()))
    report = site.night()
    assert report.watermarks["Patient"] == written
    assert report.watermarks["Observation"] > written
