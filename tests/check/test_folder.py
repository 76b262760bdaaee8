"""A folder of files is looked into before the first run."""

import os
from pathlib import Path
from typing import Any

import pytest

from mainstem.check import Finding, check_site


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


def test_each_type_is_looked_for_in_the_folder(make_site: Any, findings: Any, folder: Path) -> None:
    (folder / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"1"}\n')
    (folder / "Condition.ndjson").write_text('{"resourceType":"Observation","id":"1"}\n')
    (folder / "Procedure.ndjson").write_text("broken\n")
    (folder / "dark.ndjson").write_text("broken\n")
    types = ["Patient", "Condition", "Procedure", "Immunization"]
    found = findings(make_site(files={"folder": "in"}, types=types))
    assert found["folder"].ok
    assert found["Patient"] == Finding("Patient", True, "1 file, 0.0 MB", resource_type="Patient")
    assert "another type than its name says" in found["Condition"].what
    assert "no line that is a FHIR resource" in found["Procedure"].what
    assert "no file holds it" in found["Immunization"].what
    assert "1 files whose resource type" in found["files"].what
    assert {found[name].kind for name in ("Condition", "Procedure", "Immunization", "files")} == {"incomplete"}


def test_folder_that_is_not_there_stops_the_site(make_site: Any, findings: Any) -> None:
    found = findings(make_site(files={"folder": "nowhere"}))
    assert list(found) == ["subject key", "folder"]
    assert (found["folder"].ok, found["folder"].who, found["folder"].kind) == (False, "site IT", "operator")
    assert "Mount the share" in found["folder"].fix


def test_folder_that_may_not_be_read_is_a_finding(
    make_site: Any, findings: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A share refuses by an error of the system, not by an empty list."""

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("os.scandir", refuse)
    found = findings(make_site(files={"folder": "in"}))
    assert (found["folder"].ok, found["folder"].fix) == (False, "Check permissions and the share.")


def test_file_that_may_not_be_read_leaves_the_other_types(
    make_site: Any, findings: Any, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "Patient.ndjson").write_text('{"resourceType":"Patient","id":"1"}\n')
    (folder / "Condition.ndjson").write_text('{"resourceType":"Condition","id":"1"}\n')
    unhindered = os.open

    def refuse(path: Any, *given: Any, **named: Any) -> int:
        if Path(path).name == "Condition.ndjson":
            raise PermissionError(13, "Permission denied")
        return unhindered(path, *given, **named)

    monkeypatch.setattr("os.open", refuse)
    found = findings(make_site(files={"folder": "in"}, types=["Patient", "Condition"]))
    assert found["Patient"].ok
    assert not found["Condition"].ok
    assert "cannot be read" in found["Condition"].what


def test_site_that_names_no_folder_is_told_so(make_site: Any, findings: Any) -> None:
    found = findings(make_site().model_copy(update={"road": "files", "files": None}))
    assert (found["files"].ok, found["files"].who) == (False, "network")
    assert "[files]" in found["files"].fix


def test_dates_written_as_midnight_are_noticed_and_the_setting_is_named(
    make_site: Any, findings: Any, folder: Path
) -> None:
    line = '{"resourceType":"Observation","id":"1","effectiveDateTime":"2026-03-02T%s:00:00Z","issued":"2026-03-02T09:00:00Z"}\n'
    options = {"files": {"folder": "in"}, "types": ["Observation"]}
    (folder / "Observation.ndjson").write_text((line % "00") * 30)
    assert "dates_as_midnight_utc" in findings(make_site(**options))["midnights"].fix
    assert "midnights" not in findings(make_site(**options, dates_as_midnight_utc=True))
    (folder / "Observation.ndjson").write_text((line % "09") * 30)
    assert "midnights" not in findings(make_site(**options))


def test_what_a_folder_holds_is_told_by_each_types_own_lines(make_site: Any, source_of: Any, folder: Path) -> None:
    """Few long lines beside many short ones: their common length would be neither's."""
    held = {"Patient": (60, 2_000), "Observation": (3_000, 20)}
    for name, (count, filled) in held.items():
        line = f'{{"resourceType":"{name}","id":"%04d","x":"{"x" * filled}"}}\n'
        (folder / f"{name}.ndjson").write_text("".join(line % number for number in range(count)))
    site = make_site(files={"folder": "in"}, types=list(held))
    found = check_site(source_of(site, secrets=lambda _: b"k" * 32), closer=True)
    (told,) = [finding.what for finding in found if finding.name == "first load"]
    assert told.startswith("about 3,060 resources in 2 files")
