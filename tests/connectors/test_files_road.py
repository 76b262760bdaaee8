"""Reading a site by a folder of NDJSON files that it delivers."""

import json
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from isal import igzip

from connectors.delivery import look_into
from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.pulling import units
from connectors.roads.files import SMALL
from connectors.sorting import SORTED, UNKNOWN, DeliveryPart, files_by_type
from schemas.errors import OperatorError
from schemas.problems import Problem, Reason
from schemas.sites import Site

CAP = 1 << 20


def ndjson(resource_type: str, *numbers: int) -> bytes:
    return b"".join(
        json.dumps(
            {"resourceType": resource_type, "id": str(n), "meta": {"lastUpdated": "2029-01-01T00:00:00Z"}}
        ).encode()
        + b"\n"
        for n in numbers
    )


@pytest.fixture
def delivered(tmp_path: Path) -> Path:
    folder = tmp_path / "delivered"
    folder.mkdir()
    return folder


@pytest.fixture
def site(make_site: Callable[..., Site], delivered: Path) -> Site:
    return make_site(files={"folder": delivered.name}, types=["Patient", "Observation"])


@pytest.mark.parametrize(
    "name",
    [
        "Observation.ndjson",
        "Observation.000.ndjson.gz",
        "1.Observation.ndjson",
        "Observation_12.ndjson",
        "deep/er/a-Observation-3.ndjson",
    ],
)
def test_file_is_known_by_its_name(delivered: Path, name: str) -> None:
    (delivered / name).parent.mkdir(parents=True, exist_ok=True)
    (delivered / name).write_bytes(b"its lines are not looked at\n")
    assert files_by_type(look_into(delivered), ["Patient", "Observation"], cap=CAP) == {
        "Observation": [DeliveryPart(delivered / name)]
    }


def test_file_of_another_name_is_known_by_its_first_lines(delivered: Path) -> None:
    (delivered / "export1.ndjson").write_bytes(b"broken\n[]\n" + ndjson("Patient", 1))
    (delivered / "Practitioner-2.ndjson.gz").write_bytes(igzip.compress(ndjson("Practitioner", 1)))
    (delivered / "Patient.Observation.ndjson").write_bytes(ndjson("Observation", 1))
    (delivered / "dark.ndjson").write_bytes(b"broken\n")
    (delivered / "empty.ndjson").touch()
    found = files_by_type(look_into(delivered), ["Patient", "Observation"], cap=CAP)
    assert {kind: [part.name for part in parts] for kind, parts in found.items()} == {
        SORTED: ["export1.ndjson"],
        "Practitioner": ["Practitioner-2.ndjson.gz"],
        "Observation": ["Patient.Observation.ndjson"],
        UNKNOWN: ["dark.ndjson"],
    }


def test_folder_is_copied_type_by_type(site: Site, delivered: Path, pull_unit: Any, ids: Any, landing: Landing) -> None:
    (delivered / "Patient.000.ndjson").write_bytes(ndjson("Patient", 1, 2))
    (delivered / "Patient.001.ndjson.gz").write_bytes(igzip.compress(ndjson("Patient", 3)))
    (delivered / "Observation.ndjson").write_bytes(ndjson("Observation", *range(50_000)))
    assert units(site, None) == ["Patient", "Observation"]

    patients, observations = (pull_unit(site, unit) for unit in units(site, None))

    assert (patients.resources, patients.files, patients.complete) == (3, ["Patient-0001.ndjson.gz"], True)
    assert ids("Patient") == ["1", "2", "3"]
    assert ids("Observation") == [str(number) for number in range(50_000)]
    assert observations.bytes == (delivered / "Observation.ndjson").stat().st_size
    assert observations.newest == datetime(2029, 1, 1, tzinfo=UTC)


def test_large_packed_files_are_copied_as_they_are_between_small_ones(
    site: Site, delivered: Path, pull_unit: Any, ids: Any, landing: Landing
) -> None:
    """In the delivery's order: of equal versions the last counts. Small ones are landed together, whatever they end with."""
    packed = igzip.compress(ndjson("Patient", *range(10, 100_000)))
    assert len(packed) > SMALL
    (delivered / "Patient.0.ndjson").write_bytes(b"\xef\xbb\xbf" + ndjson("Patient", 1).strip())
    (delivered / "Patient.1.ndjson.gz").write_bytes(igzip.compress(ndjson("Patient", 2, 3)))
    (delivered / "Patient.2.ndjson.gz").write_bytes(packed)
    (delivered / "Patient.3.ndjson").write_bytes(ndjson("Patient", 4))
    pulled = pull_unit(site, "Patient")
    assert (len(pulled.files), pulled.resources, pulled.complete) == (3, 99_994, True)
    assert landing.files("Patient")[1].read_bytes() == packed
    assert ids("Patient") == ["1", "2", "3", *map(str, range(10, 100_000)), "4"]


@pytest.mark.parametrize("packed", [False, True])
def test_half_a_file_keeps_its_good_lines_and_is_incomplete(
    site: Site, delivered: Path, pull_unit: Any, landing: Landing, packed: bool
) -> None:
    content = ndjson("Observation", *range(50_000))
    if packed:
        (delivered / "Observation.ndjson.gz").write_bytes(igzip.compress(content)[:-200])
    else:
        (delivered / "Observation.ndjson").write_bytes(content[:-20])
    pulled = pull_unit(site, "Observation")
    assert not pulled.complete
    assert pulled.error == "Observation: 1 of 1 files end in mid-line or mid-block"
    (path,) = landing.files("Observation")
    *good, last = read_lines(path, cap=CAP)
    assert last == Problem(Reason.TRUNCATED_FILE, "Observation")
    assert len(good) > 20_000
    assert all(isinstance(line, bytes) for line in good)


def test_type_that_was_not_delivered_is_said(site: Site, delivered: Path, pull_unit: Any) -> None:
    (delivered / "Patient.ndjson").write_bytes(ndjson("Patient", 1))
    assert pull_unit(site, "Patient").delivered
    pulled = pull_unit(site, "Observation")
    assert (pulled.delivered, pulled.complete, pulled.resources) == (False, True, 0)


def test_file_of_no_known_type_is_landed_and_makes_every_type_incomplete(
    site: Site, delivered: Path, pull_unit: Any, landing: Landing
) -> None:
    (delivered / "dark.ndjson").write_bytes(b"broken\n")
    (delivered / "Observation.ndjson").write_bytes(ndjson("Observation", 1))
    patients, observations = pull_unit(site, "Patient"), pull_unit(site, "Observation")
    assert not patients.complete
    assert not observations.complete
    assert [line for path in landing.files("Patient") for line in read_lines(path, cap=CAP)] == [b"broken"]


def test_crash_goes_on_at_the_next_file(site: Site, delivered: Path, pull_unit: Any, ids: Any) -> None:
    """What was copied is not looked at again."""
    for number in range(3):
        (delivered / f"Patient.{number}.ndjson").write_bytes(ndjson("Patient", number))

    def crash(_unit: str, count: int, _of: int | None) -> None:
        if count == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        pull_unit(site, "Patient", progress=crash)
    (delivered / "Patient.1.ndjson").write_bytes(ndjson("Patient", 7))
    assert pull_unit(site, "Patient").resources == 3
    assert ids("Patient") == ["0", "1", "2"]


@pytest.mark.parametrize("killed_at", [1, 7, 19, 30])
def test_small_files_landed_together_survive_a_kill(
    site: Site,
    delivered: Path,
    pull_unit: Any,
    ids: Any,
    landing: Landing,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: int,
) -> None:
    """What is on the disk at any moment is gone on from: no line is lost, none stands twice."""
    monkeypatch.setattr("connectors.landing.TOGETHER_BYTES", 500)
    monkeypatch.setattr("connectors.landing.FILE_BYTES", 600)
    for number in range(40):
        (delivered / f"Patient.{number:02d}.ndjson").write_bytes(ndjson("Patient", number * 2, number * 2 + 1))
    at_the_kill = tmp_path / "as-it-was"

    def see(_unit: str, count: int, _of: int | None) -> None:
        if count == 2 * killed_at:
            shutil.copytree(landing.folder, at_the_kill)

    whole = pull_unit(site, "Patient", progress=see)
    assert (whole.resources, 1 < len(whole.files) < 20) == (80, True)
    shutil.rmtree(landing.folder)
    at_the_kill.rename(landing.folder)
    again = pull_unit(site, "Patient")
    assert (again.resources, again.digest) == (80, whole.digest)
    assert ids("Patient") == [str(number) for number in range(80)]


def test_finished_unit_is_not_copied_again(site: Site, delivered: Path, pull_unit: Any) -> None:
    (delivered / "Patient.ndjson").write_bytes(ndjson("Patient", 1))
    first = pull_unit(site, "Patient")
    (delivered / "Patient.ndjson").write_bytes(ndjson("Patient", 1, 2))
    assert pull_unit(site, "Patient") == first


def test_missing_folder_is_named(make_site: Callable[..., Site], pull_unit: Any) -> None:
    with pytest.raises(OperatorError, match=r"no such folder: .*nowhere"):
        pull_unit(make_site(files={"folder": "nowhere"}), "Patient")


def test_files_are_found_at_any_depth_sorted_and_hidden_ones_left_out(delivered: Path) -> None:
    for name in ("b/Patient.ndjson", "a.ndjson.gz", "b/c/d.ndjson", ".git/x.ndjson", "b/notes.txt", ".part.ndjson"):
        (delivered / name).parent.mkdir(parents=True, exist_ok=True)
        (delivered / name).touch()
    found = look_into(delivered)
    assert [path.relative_to(delivered).as_posix() for path in found.files] == [
        "a.ndjson.gz",
        "b/Patient.ndjson",
        "b/c/d.ndjson",
    ]
    assert found.refused == []
