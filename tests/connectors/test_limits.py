"""What bounds the talk with a server: its pauses are said, its quota of a day is kept, what only drips is given up."""

import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from hospital_with_faults import Answered, Asked, FaultyHospital

from connectors.client import bodies
from connectors.client.fhir_client import FhirClient
from connectors.client.limits import QuotaSpent
from connectors.formats.bundle import BUNDLE
from connectors.source import Source
from schemas.errors import TemporaryError
from schemas.gaps import GapCause
from schemas.sites import Site

PATIENT = {"resourceType": "Patient", "id": "kid-1"}


@pytest.fixture
def client_of(source_of: Callable[..., Source], make_site: Callable[..., Site]) -> Callable[..., FhirClient]:
    """A client of a server at an address."""

    def make(base_url: str, vendor: str = "generic", **given: Any) -> FhirClient:
        fhir = {"base_url": base_url, "vendor": vendor, "requests_per_second": 1000}
        return source_of(make_site(fhir=fhir), transport=None, **given).client()

    return make


def test_a_pause_the_server_asks_for_is_said_once(faulty: FaultyHospital, client_of: Callable[..., FhirClient]) -> None:
    faulty.put(PATIENT)
    busy = [Answered({}, 429, {"Retry-After": "7200"}), Answered({}, 503, {"Retry-After": "60"})]
    faulty.faults.append(lambda asked: busy.pop(0) if busy else None)
    said: list[str] = []
    with client_of(faulty.base_url, notice=said.append) as client:
        client.read(client.url("Patient"), BUNDLE, what="Patient")
    (sentence,) = said
    assert sentence == f"Patient: {faulty.base_url.removesuffix('/fhir')} answered 429; waiting 120 s at a time"


@pytest.mark.parametrize(
    ("headers", "left"),
    [
        (lambda made: {"X-RateLimit-Remaining": str(25 - made)}, 20),
        (lambda made: {"X-Plan-Quota-Current": str(made), "X-Plan-Quota-Allotted": "25"}, 20),
    ],
)
def test_the_last_requests_of_a_days_quota_are_left_to_end_what_was_begun(
    faulty: FaultyHospital, client_of: Callable[..., FhirClient], headers: Callable[[int], dict[str, str]], left: int
) -> None:
    def counted(asked: Asked) -> Answered:
        bundle = {"resourceType": "Bundle", "type": "searchset"}
        return Answered(bundle, headers=headers(len(faulty.asked)))

    faulty.faults.append(counted)
    with client_of(faulty.base_url, "athenahealth") as client:
        for _ in range(5):
            client.read(client.url("Patient"), BUNDLE, what="Patient")
        with pytest.raises(QuotaSpent, match=f"athenahealth is spent but for {left}") as caught:
            client.read(client.url("Patient"), BUNDLE, what="Patient")
        assert len(faulty.asked) == 5  # and it is not tried again
        client.ask("DELETE", client.url("job"), what="the job", accepted=(200,))
    assert caught.value.gap is GapCause.QUOTA_SPENT


def test_a_sites_own_quota_header_stands_in_the_vendors_place(
    faulty: FaultyHospital, source_of: Callable[..., Source], make_site: Callable[..., Site]
) -> None:
    """What the vendor's file takes for the quota may be the second's, there."""
    headers = {"X-RateLimit-Remaining": "1", "X-Day-Left": "21"}
    faulty.faults.append(lambda asked: Answered({"resourceType": "Bundle"}, headers=headers))
    fhir = {"base_url": faulty.base_url, "vendor": "athenahealth", "quota_header": "X-Day-Left"}
    with source_of(make_site(fhir=fhir), transport=None).client() as client:
        client.read(client.url("Patient"), BUNDLE, what="Patient")
        headers["X-Day-Left"] = "20"
        client.read(client.url("Patient"), BUNDLE, what="Patient")
        with pytest.raises(QuotaSpent, match="spent but for 20"):
            client.read(client.url("Patient"), BUNDLE, what="Patient")


def test_other_vendors_headers_mean_what_they_like(
    faulty: FaultyHospital, client_of: Callable[..., FhirClient]
) -> None:
    faulty.faults.append(lambda asked: Answered({"resourceType": "Bundle"}, headers={"X-RateLimit-Remaining": "0"}))
    with client_of(faulty.base_url) as client:
        for _ in range(2):
            client.read(client.url("Patient"), BUNDLE, what="Patient")


def test_a_download_that_drips_for_ever_is_given_up(
    client_of: Callable[..., FhirClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each byte comes in time; all of them would take weeks."""
    monkeypatch.setattr(bodies, "WINDOW_SECONDS", 0.3)
    ended = threading.Event()

    class Dripping(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            try:
                while not ended.wait(0.05):
                    self.wfile.write(b"{")
            except OSError:
                return

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = HTTPServer(("127.0.0.1", 0), Dripping)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        with (
            client_of(f"http://127.0.0.1:{server.server_port}/fhir") as client,
            pytest.raises(TemporaryError, match="fewer than 1024 bytes a second"),
            client.download(client.url("file"), what="the file", log_in=False) as blocks,
        ):
            for _ in blocks:
                pass
    finally:
        ended.set()
        server.shutdown()
        server.server_close()


def test_a_large_file_is_read_whole_or_not_at_all(faulty: FaultyHospital, client_of: Callable[..., FhirClient]) -> None:
    """Of a large one the connection itself is read: neither a byte more nor one less than its length; the next request has
    another connection."""
    content = b"".join(b'{"resourceType":"Patient","id":"%d"}\n' % number for number in range(250_000))
    assert len(content) > 2 * bodies.LARGE_BYTES
    cuts = [0, 1, len(content) // 2]
    faulty.faults.append(lambda asked: Answered(content, cut=cuts[0]) if asked.path == "file" else None)

    def fetched(client: FhirClient) -> bytes:
        with client.download(client.url("file"), what="the file", log_in=False) as blocks:
            return b"".join(blocks)

    with client_of(faulty.base_url) as client:
        for _ in range(2):
            assert fetched(client) == content
        for _ in range(2):
            cuts.pop(0)
            with pytest.raises(TemporaryError, match="broke off its answer"):
                fetched(client)
        cuts[0] = 0
        assert fetched(client) == content
        client.read(client.url("Patient"), BUNDLE, what="Patient")
