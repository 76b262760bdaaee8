"""`mainstem check` tells what is wrong before the first run, and who can mend it."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.pulling import Source
from mainstem.check import Finding, check_site
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
STATEMENT = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1", "software": {"name": "Ehr"}}


@pytest.fixture
def findings(tmp_path: Path) -> Callable[..., dict[str, Finding]]:
    def run(site: Site, transport: httpx2.BaseTransport | None = None, **given: Any) -> dict[str, Finding]:
        given = {"secrets": lambda _: b"k" * 32, "clock": lambda: NOW, "sleep": lambda _: None, **given}
        source = Source(site=site, folder=tmp_path, transport=transport, **given)
        return {finding.name: finding for finding in check_site(source)}

    return run


def test_real_server_is_found_ready(
    hospital: Callable[..., Any], make_site: Callable[..., Site], findings: Any, fhir: Any
) -> None:
    server = hospital([fhir.patient(1), fhir.patient(2)], smart=True)
    auth = {
        "method": "smart-backend",
        "client_id": server.client.client_id,
        "private_key": "file:k",
        "algorithm": "ES384",
    }
    site = make_site(fhir={"base_url": server.base_url, "auth": auth}, road="search", types=["Patient", "Condition"])
    real = {"clock": lambda: datetime.now(UTC), "secrets": lambda _: server.client.private_key.read_bytes()}
    found = findings(site, **real)
    assert list(found) == ["subject key", "capability statement", "log-in", "Patient", "Condition"]
    assert all(finding.ok for finding in found.values())
    assert found["Patient"].what == "1 read, 2 in all"

    wrong = findings(site.model_copy(update={"fhir": site.fhir.model_copy(  # type: ignore[union-attr]
        update={"auth": site.fhir.auth.model_copy(update={"client_id": "stranger"})})}), **real)  # type: ignore[union-attr]  # fmt: skip
    assert not wrong["log-in"].ok
    assert "stranger" in wrong["log-in"].what
    assert wrong["log-in"].fix
    assert "Patient" not in wrong


def test_type_that_may_not_be_read_is_found_while_others_may(
    make_site: Any, findings: Any, saying: Any, fhir: Any
) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        if request.url.path.endswith("metadata"):
            return httpx2.Response(200, json=STATEMENT)
        if request.url.path.endswith("Condition"):
            return httpx2.Response(403)
        return httpx2.Response(200, json=fhir.bundle(fhir.patient(1, meta={})))

    found = findings(make_site(types=["Patient", "Condition"]), saying(answer))
    assert found["Patient"] == Finding("Patient", True, "1 read; no usable meta.lastUpdated", resource_type="Patient")
    assert not found["Condition"].ok
    assert found["Condition"].who == "site IT"
    assert "scope" in found["Condition"].fix


def test_dead_server_ends_the_check_soon(make_site: Any, findings: Any, saying: Any) -> None:
    transport = saying(httpx2.ConnectError("refused"))
    found = findings(make_site(), transport)
    assert list(found) == ["subject key", "capability statement"]
    assert "nothing answers at 127.0.0.1:1" in found["capability statement"].what
    assert found["capability statement"].kind == "temporary"


def test_server_without_export_is_found_before_the_run(make_site: Any, findings: Any, saying: Any, fhir: Any) -> None:
    def answer(request: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, json=STATEMENT if request.url.path.endswith("metadata") else fhir.bundle())

    found = findings(make_site(road="bulk"), saying(answer))
    assert not found["bulk export"].ok
    assert found["bulk export"].who == "EHR vendor"


def test_short_key_missing_secret_and_unknown_vendor_are_findings(make_site: Any, findings: Any, saying: Any) -> None:
    found = findings(
        make_site(fhir={"base_url": "http://127.0.0.1:1/fhir", "vendor": "epik"}), secrets=lambda _: b"short"
    )
    assert "5 bytes" in found["subject key"].what
    assert "epik" in found["configuration"].what


def test_folder_of_files_is_looked_into(make_site: Any, findings: Any, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
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
    assert not findings(make_site(files={"folder": "nowhere"}))["folder"].ok
