"""Reading a site by bulk export: from a real server, and from servers that do what real ones do now and then."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest

from connectors.landing import Landing
from connectors.pulling import read_capabilities, units
from connectors.roads.bulk.jobs import FORGETFUL
from schemas.errors import IncompleteError, OperatorError, TemporaryError
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
BASE = "http://127.0.0.1:1/fhir"
STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"}


class ExportingServer(httpx2.BaseTransport):
    """A server with one export, whose every answer can be replaced by path: `server.instead["/fhir/status"] = […]`."""

    def __init__(self, *patients: dict[str, Any]) -> None:
        self.asked: list[tuple[str, str]] = []
        self.requests: list[httpx2.Request] = []
        self.body = b"".join(json.dumps(patient).encode() + b"\n" for patient in patients)
        self.manifest: dict[str, Any] = {
            "transactionTime": "2030-01-01T11:00:00Z",
            "requiresAccessToken": False,
            "output": [{"type": "Patient", "url": f"{BASE}/files/1", "count": len(patients)}],
            "error": [],
        }
        self.instead: dict[str, list[Any]] = {}

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        path = request.url.path
        self.asked.append((request.method, path.removeprefix("/fhir/")))
        if self.instead.get(path):
            answer = self.instead[path].pop(0)
            if isinstance(answer, Exception):
                raise answer
            assert isinstance(answer, httpx2.Response)
            return answer
        if path.endswith("$export"):
            return httpx2.Response(202, headers={"Content-Location": f"{BASE}/status"})
        if path.endswith("/status"):
            return httpx2.Response(202) if request.method == "DELETE" else httpx2.Response(200, json=self.manifest)
        if path.endswith("/metadata"):
            return httpx2.Response(200, json=STATEMENT)
        return httpx2.Response(200, content=self.body)


@pytest.fixture
def site(make_site: Callable[..., Site]) -> Site:
    return make_site(road="bulk", fhir={"base_url": BASE})


@pytest.mark.parametrize("road", ["auto", "bulk"])
def test_real_server_exports_what_changed(
    hospital: Callable[..., Any],
    make_site: Callable[..., Site],
    source_of: Any,
    pull_unit: Any,
    ids: Any,
    fhir: Any,
    road: str,
) -> None:
    condition = {"resourceType": "Condition", "id": "c1", "subject": {"reference": "Patient/p1"}}
    server = hospital([*(fhir.patient(n) for n in range(7)), condition], smart=True)
    auth = {
        "method": "smart-backend",
        "client_id": server.client.client_id,
        "private_key": f"file:{server.client.private_key}",
        "key_id": server.client.key_id,
        "algorithm": "ES384",
        "scope": "system/*.read",
    }
    site = make_site(road=road, fhir={"base_url": server.base_url, "auth": auth}, types=["Patient", "Condition"])
    real = {"clock": lambda: datetime.now(UTC)}
    assert units(
        site, read_capabilities(source_of(site, secrets=lambda _: server.client.private_key.read_bytes()))
    ) == ["export"]
    import time

    pulled = pull_unit(site, "export", sleep=time.sleep, **real)

    assert sorted(ids("Patient")) == sorted(f"p{n}" for n in range(7))
    assert ids("Condition") == ["c1"]
    assert (pulled.types, pulled.complete) == ({"Condition": 1, "Patient": 7}, True)
    assert abs(pulled.as_of - datetime.now(UTC)) < timedelta(minutes=1)
    assert pulled.as_json()["short"] == []


def test_kick_off_says_what_and_since_when(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    pull_unit(site, "export", transport=server, since=datetime.fromisoformat("2029-06-01T02:00:00+02:00"))
    kick_off = next(request for request in server.requests if request.url.path.endswith("$export"))
    assert kick_off.url.path == "/fhir/Patient/$export"
    assert dict(kick_off.url.params) == {"_type": "Patient", "_since": "2029-06-01T00:00:00.000Z"}
    assert kick_off.headers["Prefer"] == "respond-async"
    assert server.asked[-1] == ("DELETE", "status")


def test_named_group_is_exported(pull_unit: Any, make_site: Callable[..., Site], fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    pull_unit(make_site(road="bulk", fhir={"base_url": BASE, "group": "cf"}), "export", transport=server)
    assert [path for _, path in server.asked if path.endswith("$export")] == ["Group/cf/$export"]


def test_patient_export_that_does_not_work_falls_back_to_the_system(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    server.instead["/fhir/Patient/$export"] = [httpx2.Response(501)]
    assert pull_unit(site, "export", transport=server).resources == 1
    assert ("GET", "$export") in server.asked


def test_server_without_export_names_the_other_road(pull_unit: Any, site: Site) -> None:
    server = ExportingServer()
    server.instead["/fhir/Patient/$export"] = [httpx2.Response(404)] * 2
    server.instead["/fhir/$export"] = [httpx2.Response(400)] * 2  # once more, without naming the types
    with pytest.raises(OperatorError) as caught:
        pull_unit(site, "export", transport=server)
    assert 'road = "search"' in caught.value.fix


def test_waiting_follows_the_server_within_reason(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    waits = ["3", "1893499200000", "86400", ""]
    server.instead["/fhir/status"] = [httpx2.Response(202, headers={"Retry-After": wait}) for wait in waits]
    slept: list[float] = []
    pull_unit(site, "export", transport=server, sleep=slept.append)
    assert slept[0] == 3.0
    assert all(0.5 <= seconds <= 60 for seconds in slept)
    assert len(slept) == 4


def test_crash_comes_back_to_the_same_job_and_the_next_file(pull_unit: Any, site: Site, fhir: Any, ids: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    server.manifest["output"].append({"type": "Patient", "url": f"{BASE}/files/2", "count": 1})
    server.instead["/fhir/files/2"] = [httpx2.ReadError("power")] * 3
    server.instead["/fhir/status"] = [httpx2.Response(200, json=server.manifest), *[httpx2.ReadError("power")] * 3]
    with pytest.raises(TemporaryError):
        pull_unit(site, "export", transport=server)
    server.asked.clear()
    pulled = pull_unit(site, "export", transport=server)
    assert server.asked == [("GET", "files/2"), ("DELETE", "status")]
    assert (pulled.resources, ids("Patient")) == (2, ["p1", "p1"])


def test_job_that_is_gone_is_begun_again(pull_unit: Any, site: Site, fhir: Any, ids: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    server.instead["/fhir/status"] = [httpx2.ReadError("power")] * 3
    with pytest.raises(TemporaryError):
        pull_unit(site, "export", transport=server)
    server.instead["/fhir/status"] = [httpx2.Response(404)] * FORGETFUL
    assert pull_unit(site, "export", transport=server).resources == 1
    assert [path for _, path in server.asked].count("Patient/$export") == 2
    assert ids("Patient") == ["p1"]


def test_export_that_is_not_ready_in_time_is_kept(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    server.instead["/fhir/status"] = [httpx2.Response(202)] * 100
    times = iter(NOW + timedelta(hours=hour) for hour in range(100))
    with pytest.raises(TemporaryError, match="not ready after 240 minutes"):
        pull_unit(site, "export", transport=server, clock=lambda: next(times))
    server.instead.clear()
    assert pull_unit(site, "export", transport=server).resources == 1
    assert [path for _, path in server.asked].count("Patient/$export") == 1


def test_failed_job_is_said_given_back_and_begun_anew_by_the_next_run(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    fatal = {"resourceType": "OperationOutcome", "issue": [{"severity": "fatal", "diagnostics": "Jane Roe"}]}
    server.instead["/fhir/status"] = [httpx2.Response(500, json=fatal)]
    with pytest.raises(TemporaryError, match="the server's export failed"):
        pull_unit(site, "export", transport=server)
    assert server.asked[-1] == ("DELETE", "status")
    assert pull_unit(site, "export", transport=server).resources == 1
    assert [path for _, path in server.asked].count("Patient/$export") == 2


@pytest.mark.parametrize(("severity", "complete"), [("error", False), ("fatal", False), ("warning", True)])
def test_error_entries_of_the_manifest_are_weighed(
    pull_unit: Any, site: Site, fhir: Any, landing: Landing, severity: str, complete: bool
) -> None:
    server = ExportingServer(fhir.patient(1))
    server.manifest["error"] = [{"type": "OperationOutcome", "url": f"{BASE}/files/errors"}]
    outcome = {"resourceType": "OperationOutcome", "issue": [{"severity": severity, "diagnostics": "Jane Roe"}]}
    server.instead["/fhir/files/errors"] = [httpx2.Response(200, content=json.dumps(outcome).encode() + b"\n")]
    pulled = pull_unit(site, "export", transport=server)
    assert (pulled.complete, pulled.messages, pulled.resources) == (complete, 1, 1)
    assert "Jane" not in pulled.error
    assert len(landing.files("OperationOutcome")) == 1


def test_half_a_file_keeps_its_good_lines_and_is_incomplete(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1), fhir.patient(2))
    server.body = server.body[:-20]
    pulled = pull_unit(site, "export", transport=server)
    assert (pulled.complete, pulled.resources) == (False, 1)
    assert pulled.error == "Patient: a file of the export ends in mid-line"


def test_file_with_fewer_resources_than_said_is_incomplete_and_costs_no_second_job(
    pull_unit: Any, site: Site, fhir: Any
) -> None:
    """A load that is taken up again, as after a broker's fault, begins no other export for what it lacks: the next load does."""
    server = ExportingServer(fhir.patient(1))
    server.manifest["output"][0]["count"] = 3
    for _ in range(2):
        pulled = pull_unit(site, "export", transport=server)
        assert pulled.error == "Patient: a file of the export holds 1 of 3 resources"
    assert [path for _, path in server.asked].count("Patient/$export") == 1


def test_compressed_files_and_types_not_asked_for(pull_unit: Any, site: Site, fhir: Any, landing: Landing) -> None:
    server = ExportingServer(fhir.patient(1))
    server.body = gzip.compress(server.body)
    for kind in ("Binary", "MeasureReport", "Binary"):
        server.manifest["output"].append({"type": kind, "url": f"{BASE}/files/binary"})
    pulled = pull_unit(site, "export", transport=server)
    told = "files of types that the site is not read for: Binary (2), MeasureReport (1; needed by measure_result)"
    assert pulled.notes == [told]
    assert pulled.types == {"Patient": 1}
    assert ("GET", "files/binary") not in server.asked
    assert pulled.files == ["Patient-0001.ndjson.gz"]


def test_manifest_in_several_pages_is_read_whole(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    further = {**server.manifest, "output": [{"type": "Patient", "url": f"{BASE}/files/2"}]}
    server.manifest["link"] = [{"relation": "next", "url": f"{BASE}/manifest/2"}]
    server.instead["/fhir/manifest/2"] = [httpx2.Response(200, json=further)]
    assert pull_unit(site, "export", transport=server).resources == 2


@pytest.mark.parametrize(("needed", "sent"), [(True, "Bearer tok"), (False, None)])
def test_token_goes_with_a_file_only_where_the_manifest_wants_it(
    pull_unit: Any, make_site: Any, tmp_path: Any, fhir: Any, needed: bool, sent: str | None
) -> None:
    (tmp_path / "tok").write_text("tok")
    server = ExportingServer(fhir.patient(1))
    server.manifest["requiresAccessToken"] = needed
    site = make_site(road="bulk", fhir={"base_url": BASE, "auth": {"method": "bearer", "secret": "file:tok"}})
    pull_unit(site, "export", transport=server)
    download = next(request for request in server.requests if "/files/" in request.url.path)
    assert download.headers.get("Authorization") == sent


def test_a_manifest_without_end_is_the_vendors(
    pull_unit: Any, site: Site, fhir: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connectors.roads.bulk.export.MOST_FILES", 2)
    server = ExportingServer(fhir.patient(1))
    server.manifest["output"] = [{"type": "Patient", "url": f"{BASE}/files/{number}"} for number in range(3)]
    with pytest.raises(IncompleteError, match="the export's manifest names more than 2 files") as refused:
        pull_unit(site, "export", transport=server)
    assert refused.value.who == "EHR vendor"


def test_status_at_another_place_is_not_asked(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    elsewhere = httpx2.Response(202, headers={"Content-Location": "https://thief.example/status"})
    server.instead["/fhir/Patient/$export"] = [elsewhere]
    with pytest.raises(OperatorError, match=r"links to another place, https://thief\.example"):
        pull_unit(site, "export", transport=server)
    assert {request.url.host for request in server.requests} == {"127.0.0.1"}


def test_file_at_another_place_is_not_asked_and_costs_its_type(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    server.manifest["output"].append({"type": "Patient", "url": "https://thief.example/file"})
    pulled = pull_unit(site, "export", transport=server)
    assert (pulled.resources, [short.type for short in pulled.short]) == (1, ["Patient"])
    assert "links to another place, https://thief.example" in pulled.error
    assert {request.url.host for request in server.requests} == {"127.0.0.1"}


def test_refused_deletion_is_noted_and_nothing_more(pull_unit: Any, site: Site, fhir: Any) -> None:
    server = ExportingServer(fhir.patient(1))
    server.instead["/fhir/status"] = [httpx2.Response(200, json=server.manifest), httpx2.Response(403)]
    pulled = pull_unit(site, "export", transport=server)
    assert pulled.complete
    assert "could not be deleted" in pulled.notes[0]


def test_file_beyond_the_cap_is_refused(pull_unit: Any, make_site: Any, fhir: Any, landing: Landing) -> None:
    server = ExportingServer(*(fhir.patient(n) for n in range(100)))
    site = make_site(road="bulk", fhir={"base_url": BASE}, limits={"file_bytes": 1000})
    pulled = pull_unit(site, "export", transport=server)
    assert not pulled.complete
    assert pulled.error == "Patient: a file of the export holds more than 1000 bytes; not taken"
    assert landing.files("Patient") == []
