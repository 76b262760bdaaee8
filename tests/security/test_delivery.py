"""A delivery stays in its folder: what is no plain file below it is not read, is counted, and named in the report."""

import os
import socket
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.delivery import NotPlain, blocks, look_into
from connectors.formats.ndjson import read_lines
from connectors.landing import Landing
from connectors.pulled import EXPORT, Pulled
from connectors.pulling import pull
from connectors.source import Source, Wanted
from mainstem.check import check_site
from mainstem.commands.map.files import map_paths
from mainstem.config.settings import Settings
from mainstem.refresh import map_types, open_refresh, plan, pull_units
from schemas.errors import MainstemError, OperatorError
from schemas.sites import Site

OWN = b'{"resourceType":"Patient","id":"own"}\n'
OTHERS = b'{"resourceType":"Patient","id":"of-another-site"}\n'


@pytest.fixture
def others(tmp_path: Path) -> Path:
    folder = tmp_path / "south"
    folder.mkdir()
    (folder / "Patient.ndjson").write_bytes(OTHERS)
    return folder


@pytest.fixture
def delivery(tmp_path: Path) -> Path:
    folder = tmp_path / "north"
    folder.mkdir()
    (folder / "Patient.ndjson").write_bytes(OWN)
    return folder


def source(tmp_path: Path, **given: Any) -> Source:
    named = {"site": "north", "name": "North", "time_zone": "UTC", "subject_key": "env:K"}
    described = {"types": ["Patient", "Observation"], "files": {"folder": "north"}, **given}
    site = Site.model_validate({**named, **described})
    return Source(
        site=site, folder=tmp_path, secrets=lambda _: b"s" * 32, clock=lambda: datetime(2030, 1, 1, tzinfo=UTC)
    )


@pytest.fixture
def pulled(tmp_path: Path) -> Callable[..., Pulled]:
    def run(unit: str = "Patient") -> Pulled:
        return pull(source(tmp_path), Wanted(unit=unit, landing=Landing(tmp_path / "landing")))

    return run


@pytest.fixture
def landed(tmp_path: Path) -> Callable[[], bytes]:
    def read() -> bytes:
        files = sorted((tmp_path / "landing").glob("*.ndjson.gz"))
        return b"".join(
            line + b"\n" for path in files for line in read_lines(path, cap=1 << 20) if isinstance(line, bytes)
        )

    return read


def link_to_file(delivery: Path, others: Path) -> None:
    (delivery / "Patient.2.ndjson").symlink_to(others / "Patient.ndjson")


def link_by_dots(delivery: Path, others: Path) -> None:
    (delivery / "Patient.2.ndjson").symlink_to(Path("..") / others.name / "Patient.ndjson")


def link_inside(delivery: Path, others: Path) -> None:
    (delivery / "Patient.2.ndjson").symlink_to("Patient.ndjson")


def link_to_nothing(delivery: Path, others: Path) -> None:
    (delivery / "Patient.2.ndjson").symlink_to(others / "not-yet")


def link_to_folder(delivery: Path, others: Path) -> None:
    (delivery / "more").symlink_to(others)


def link_to_itself(delivery: Path, others: Path) -> None:
    (delivery / "round").symlink_to(delivery)


def link_deep_down(delivery: Path, others: Path) -> None:
    (delivery / "a/b").mkdir(parents=True)
    (delivery / "a/b/c").symlink_to(others.parent)


def pipe(delivery: Path, others: Path) -> None:
    os.mkfifo(delivery / "Patient.2.ndjson")


def door(delivery: Path, others: Path) -> None:
    os.chdir(delivery)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("Patient.2.ndjson")


def device(delivery: Path, others: Path) -> None:
    (delivery / "Patient.2.ndjson").symlink_to("/dev/zero")


ATTACKS = [
    link_to_file,
    link_by_dots,
    link_inside,
    link_to_nothing,
    link_to_folder,
    link_to_itself,
    link_deep_down,
    pipe,
    door,
    device,
]


@pytest.fixture(autouse=True)
def _stays_here() -> Iterator[None]:
    here = Path.cwd()
    yield
    os.chdir(here)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("attack", ATTACKS)
def test_what_leads_out_is_refused_counted_and_named(
    attack: Callable[[Path, Path], None], delivery: Path, others: Path, pulled: Any, landed: Any, tmp_path: Path
) -> None:
    attack(delivery, others)
    (refused,) = look_into(delivery).refused

    found = pulled()

    assert landed() == OWN
    assert (found.resources, found.complete) == (1, False)
    assert "Patient: 1 files were not read" in found.error
    assert found.notes == [f"not read, no plain file of the delivery: {refused.relative_to(delivery)}"]
    findings = {finding.name: finding for finding in check_site(source(tmp_path))}
    assert not findings["links"].ok


def test_refused_file_of_one_type_costs_that_type_alone(delivery: Path, others: Path, pulled: Any) -> None:
    (delivery / "Observation.ndjson").symlink_to(others / "Patient.ndjson")
    assert pulled("Patient").complete
    assert not pulled("Observation").complete


def test_file_that_becomes_a_link_after_it_was_seen_is_not_followed(delivery: Path, others: Path) -> None:
    (path,) = look_into(delivery).files
    path.unlink()
    path.symlink_to(others / "Patient.ndjson")
    with pytest.raises(NotPlain):
        list(blocks(path, delivery))


def test_folder_that_becomes_a_link_after_it_was_seen_is_not_followed(delivery: Path, others: Path) -> None:
    (delivery / "a").mkdir()
    (delivery / "a/Patient.ndjson").write_bytes(OWN)
    path = delivery / "a/Patient.ndjson"
    assert path in look_into(delivery).files
    path.unlink()
    (delivery / "a").rmdir()
    (delivery / "a").symlink_to(others)
    with pytest.raises(NotPlain):
        list(blocks(path, delivery))


def test_folder_named_in_the_site_file_may_be_a_link(tmp_path: Path, pulled: Any, landed: Any) -> None:
    """That is the operator's own word, not the deliverer's."""
    (tmp_path / "mounted").mkdir()
    (tmp_path / "mounted/Patient.ndjson").write_bytes(OWN)
    (tmp_path / "north").symlink_to("mounted")
    assert pulled().complete
    assert landed() == OWN


@pytest.mark.parametrize(
    "name", [b"Patient.\xff\xfe.ndjson", b"Patient.\x1b[31m\n.ndjson", "Patient.ä.ndjson".encode()]
)
def test_name_of_any_bytes_is_read_and_shown_in_plain_letters(
    name: bytes, delivery: Path, others: Path, pulled: Any, landed: Any
) -> None:
    Path(os.fsdecode(os.fsencode(delivery) + b"/" + name)).write_bytes(OWN)
    Path(os.fsdecode(os.fsencode(delivery) + b"/x" + name)).symlink_to(others / "Patient.ndjson")
    found = pulled()
    assert landed() == OWN + OWN
    assert found.resources == 2
    assert all(note.isascii() and note.isprintable() for note in found.notes)


def test_a_folder_that_is_mapped_without_a_load_is_looked_into_likewise(delivery: Path, others: Path) -> None:
    link_to_folder(delivery, others)
    with pytest.raises(OperatorError, match=r"1 links, pipes or folders .* more"):
        map_paths([delivery], None, out=BytesIO())
    (delivery / "more").unlink()
    assert map_paths([delivery], None, out=BytesIO()).read == 1


def test_many_links_are_counted_and_some_named(delivery: Path, others: Path, pulled: Any) -> None:
    for number in range(50):
        (delivery / f"Patient.{number}.ndjson").symlink_to(others / "Patient.ndjson")
    found = pulled()
    assert "50 files were not read" in found.error
    assert len(found.notes) == 21
    assert "30 more" in found.notes[-1]


def test_report_names_what_was_refused_and_the_network_hears_the_count_alone(
    delivery: Path, others: Path, tmp_path: Path
) -> None:
    link_to_file(delivery, others)
    (delivery / "Observation.ndjson").write_bytes(b'{"resourceType":"Observation","id":"1"}\n')
    file = tmp_path / "north.toml"
    file.write_text(
        'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "file:key"\n'
        'types = ["Patient", "Observation"]\n[files]\nfolder = "north"\n'
    )
    (tmp_path / "key").write_text("k" * 40)
    settings = Settings(database_url=f"sqlite:///{tmp_path}/state.db", landing=tmp_path / "landing")
    with open_refresh(file, settings) as refresh:
        load = plan(refresh).load
        with pytest.raises(MainstemError, match="1 files were not read"):
            pull_units(refresh, load, ["Patient", "Observation"])
        map_types(refresh, load, ["Patient", "Observation"])
        refresh.store.loads.fail(load, refresh.clock(), "for the test")
        report = refresh.store.loads.get(load).report
        assert report is not None
        assert report.notes == ["not read, no plain file of the delivery: Patient.2.ndjson"]


MANIFEST_NAMES = [
    "../../south/Patient.ndjson",
    "/etc/passwd",
    "file:///etc/passwd",
    "//south.example/p",
    "Patient\x00.ndjson",
]


@pytest.mark.parametrize("name", MANIFEST_NAMES)
def test_manifest_names_no_file_of_this_machine_and_no_other_server(name: str, saying: Any, tmp_path: Path) -> None:
    """A name in it is an address at the server that wrote it; the landing's files are named by us."""
    asked: list[str] = []

    def answer(request: httpx2.Request) -> Any:
        asked.append(str(request.url))
        if request.url.path.endswith("$export"):
            return httpx2.Response(202, headers={"Content-Location": "http://127.0.0.1:1/fhir/status"})
        if request.url.path.endswith("/metadata"):
            return {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}
        if request.url.path.endswith("/status"):
            return {"output": [{"type": "Patient", "url": name}, {"type": "../Patient", "url": "/x"}]}
        return httpx2.Response(404)

    at = source(
        tmp_path, road="bulk", fhir={"base_url": "http://127.0.0.1:1/fhir", "requests_per_second": 10_000}, files=None
    )
    at = Source(
        site=at.site,
        folder=tmp_path,
        secrets=at.secrets,
        clock=at.clock,
        sleep=lambda _: None,
        transport=saying(answer),
    )
    pulled = pull(at, Wanted(unit=EXPORT, landing=Landing(tmp_path / "landing")))
    assert [each.type for each in pulled.missing("Patient")]
    assert pulled.resources == 0
    assert all(url.startswith("http://127.0.0.1:1/") for url in asked)
    assert {path.name for path in (tmp_path / "landing").iterdir()} == {"cursor-export.json", "cursor-exports.json"}
