"""One server over HTTP: what passes is tried again, what does not is said; no URL from outside leads astray."""

import http.server
import socket
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
import stamina

from connectors.client.capabilities import Capabilities, ask_capabilities
from connectors.client.fhir_client import FhirClient
from connectors.client.limits import THROTTLED
from connectors.outside.times import LONGEST_PAUSE, pause_after
from connectors.pulling import Source
from schemas.errors import IncompleteError, MainstemError, OperatorError, TemporaryError
from schemas.sites import Site

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)
SECRET_TEXT = "Jane Roe"


@pytest.fixture
def client_for(make_site: Callable[..., Site], source_of: Callable[..., Source]) -> Callable[..., FhirClient]:
    def build(transport: httpx2.BaseTransport | None, **fhir: Any) -> FhirClient:
        site = make_site(fhir={"base_url": "http://127.0.0.1:1/fhir", **fhir})
        return source_of(site, secrets=lambda _: b"tok", transport=transport).client()

    return build


def ask(client: FhirClient, url: str = "http://127.0.0.1:1/fhir/Patient") -> bytes:
    with client:
        return client.ask("GET", url, what="Patient", accepted=(200,)).content


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("7", 7.0),
        ("0", 0.0),
        (" 1.5 ", 1.5),
        ("14400", LONGEST_PAUSE),
        (str(int((NOW + timedelta(seconds=9)).timestamp())), 9.0),
        (str(int((NOW + timedelta(seconds=9)).timestamp() * 1000)), 9.0),
        (str(int((NOW - timedelta(hours=9)).timestamp() * 1000)), 0.0),
        ("9" * 400, LONGEST_PAUSE),
        ("Tue, 01 Jan 2030 12:00:20 GMT", 20.0),
        ("Tue, 01 Jan 2030 11:00:00 GMT", 0.0),
        ("soon", None),
        ("", None),
        ("-5", None),
    ],
)
def test_retry_after_is_followed_within_reason(header: str, seconds: float | None) -> None:
    assert pause_after(header, NOW) == seconds


def test_busy_server_is_asked_again(client_for: Callable[..., FhirClient], saying: Any) -> None:
    transport = saying(
        httpx2.Response(429, headers={"Retry-After": "1893499200000"}),
        httpx2.ConnectError("refused"),
        {"resourceType": "Bundle"},
    )
    assert b"Bundle" in ask(client_for(transport))
    assert len(transport.requests) == 3


@pytest.mark.parametrize(
    ("status", "error"),
    [
        (503, TemporaryError),
        (429, TemporaryError),
        (401, OperatorError),
        (403, OperatorError),
        (400, OperatorError),
        (501, OperatorError),
    ],
)
def test_status_becomes_what_to_do_without_the_servers_words(
    client_for: Callable[..., FhirClient], saying: Any, status: int, error: type[MainstemError]
) -> None:
    transport = saying(httpx2.Response(status, text=SECRET_TEXT))
    with pytest.raises(error, match=r"http://127\.0\.0\.1:1") as caught:
        ask(client_for(transport), "http://127.0.0.1:1/fhir/Patient?name=Roe")
    assert str(status) in caught.value.cause
    assert caught.value.fix
    assert "Roe" not in caught.value.cause + caught.value.fix
    assert len(transport.requests) == (3 if error is TemporaryError else 1)


def test_dead_host_is_named_with_its_port(client_for: Callable[..., FhirClient]) -> None:
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
        url = f"http://127.0.0.1:{port}/fhir"
        with pytest.raises(TemporaryError, match=f"nothing answers at 127.0.0.1:{port}"):
            ask(client_for(None, base_url=url), f"{url}/Patient")


def test_unresolvable_host_is_named(client_for: Callable[..., FhirClient], saying: Any) -> None:
    def unresolved(request: httpx2.Request) -> httpx2.Response:
        raise httpx2.ConnectError("x", request=request) from socket.gaierror(-2, "Name or service not known")

    with pytest.raises(TemporaryError, match=r"host name 127\.0\.0\.1 cannot be resolved"):
        ask(client_for(saying(unresolved)))


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (httpx2.ReadTimeout("x"), "did not answer within 60 s"),
        (httpx2.RemoteProtocolError("x"), "broke off its answer"),
    ],
)
def test_broken_connections_are_told_apart(
    client_for: Callable[..., FhirClient], saying: Any, fault: Exception, said: str
) -> None:
    with pytest.raises(TemporaryError, match=said):
        ask(client_for(saying(fault)))


def test_body_that_breaks_off_is_asked_for_again_and_never_taken_for_whole(
    client_for: Callable[..., FhirClient],
) -> None:
    class HalfAnswer(http.server.BaseHTTPRequestHandler):
        asked = 0

        def do_GET(self) -> None:
            HalfAnswer.asked += 1
            self.send_response(200)
            self.send_header("Content-Length", "1000")
            self.end_headers()
            self.wfile.write(b'{"resourceType":"Bundle"}')

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with http.server.HTTPServer(("127.0.0.1", 0), HalfAnswer) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        try:
            url = f"http://127.0.0.1:{server.server_port}/fhir"
            with pytest.raises(TemporaryError, match=rf"127\.0\.0\.1:{server.server_port} broke off its answer"):
                ask(client_for(None, base_url=url), f"{url}/Patient")
        finally:
            server.shutdown()
            serving.join()
    assert HalfAnswer.asked == 3


@pytest.mark.parametrize(
    "elsewhere",
    [
        "http://other.example/fhir?page=2",
        "https://127.0.0.1:1/fhir?page=2",
        "http://127.0.0.1:2/fhir?page=2",
        "http://127.0.0.1:1@other.example/x",
        "http://169.254.169.254/latest/meta-data",
        "//other.example/x",
        "file:///etc/passwd",
        "http://[bad",
    ],
)
def test_url_from_outside_leads_nowhere_else(
    client_for: Callable[..., FhirClient], saying: Any, elsewhere: str
) -> None:
    transport = saying({})
    with pytest.raises(OperatorError, match="links to another place") as caught:
        ask(client_for(transport), elsewhere)
    assert "page=2" not in caught.value.cause
    assert "fhir.allowed_origins" in caught.value.fix
    assert transport.requests == []


def test_redirect_goes_nowhere_else(client_for: Callable[..., FhirClient], saying: Any) -> None:
    transport = saying(httpx2.Response(307, headers={"Location": "http://other.example/x"}))
    with pytest.raises(OperatorError, match=r"links to another place, http://other\.example"):
        ask(client_for(transport))
    assert len(transport.requests) == 1


def test_allowed_origin_is_asked_without_the_token(client_for: Callable[..., FhirClient], saying: Any) -> None:
    transport = saying(httpx2.Response(307, headers={"Location": "https://files.example/x"}), {"ok": True})
    auth = {"method": "bearer", "secret": "env:T"}
    client = client_for(transport, allowed_origins=["https://files.example"], auth=auth, vendor="epic")
    assert b"ok" in ask(client)
    first, second = transport.requests
    assert first.headers["Authorization"] == "Bearer tok"
    assert "Authorization" not in second.headers
    assert "Epic-Client-ID" in first.headers
    assert "Epic-Client-ID" not in second.headers


def test_endless_redirects_end(client_for: Callable[..., FhirClient], saying: Any) -> None:
    transport = saying(httpx2.Response(302, headers={"Location": "/fhir/Patient"}))
    with pytest.raises(OperatorError, match="redirects without end"):
        ask(client_for(transport))


def test_link_local_server_is_refused(client_for: Callable[..., FhirClient]) -> None:
    with pytest.raises(OperatorError, match="link-local"):
        client_for(None, base_url="http://169.254.169.254/fhir")


STATEMENT = {
    "resourceType": "CapabilityStatement",
    "fhirVersion": "4.0.1",
    "software": {"name": "Ehr", "version": "9"},
    "rest": [
        {
            "operation": [
                {"name": "export", "definition": "http://hl7.org/fhir/uv/bulkdata/OperationDefinition/group-export|1.0"}
            ],
            "resource": [
                {
                    "type": "Patient",
                    "interaction": [{"code": "search-type"}],
                    "operation": [{"name": "export", "definition": "x"}],
                }
            ],
        }
    ],
}


def test_capability_statement_is_read(client_for: Callable[..., FhirClient], saying: Any) -> None:
    with client_for(saying(STATEMENT)) as client:
        assert ask_capabilities(client) == Capabilities(
            fhir_version="4.0.1",
            software="Ehr 9",
            exports=["Group", "Patient"],
            bulk_data=1,
            types={"Patient": ["search-type"]},
        )


def test_capability_statement_behind_the_log_in_is_read_with_it(
    client_for: Callable[..., FhirClient], saying: Any
) -> None:
    transport = saying(httpx2.Response(401, json={}), STATEMENT)
    with client_for(transport, auth={"method": "bearer", "secret": "env:T"}) as client:
        assert ask_capabilities(client).fhir_version == "4.0.1"
    assert [request.headers.get("Authorization") for request in transport.requests] == [None, "Bearer tok"]


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        ({**STATEMENT, "fhirVersion": "3.0.2"}, OperatorError, r"STU3 \(FHIR 3\.0\.2\); Mainstem reads R4"),
        ({"resourceType": "Conformance", "fhirVersion": "1.0.2"}, OperatorError, r"DSTU2 \(FHIR 1\.0\.2\); Mainstem"),
        ({"resourceType": "Conformance"}, OperatorError, "says DSTU2; Mainstem reads R4"),
        ({**STATEMENT, "fhirVersion": "4.3.0"}, OperatorError, r"R4B \(FHIR 4\.3\.0\)"),
        ({**STATEMENT, "fhirVersion": ""}, OperatorError, "no FHIR version"),
        ({"resourceType": "Patient"}, OperatorError, "no FHIR capability statement"),
        (httpx2.Response(404), OperatorError, "no FHIR capability statement"),
        (httpx2.Response(200, html="<html><form>Log in</form>"), OperatorError, "web page"),
        (httpx2.Response(200, text="  <?xml version='1.0'?>"), OperatorError, "web page"),
        (httpx2.Response(200, text='{"resourceType":"Capab'), IncompleteError, "not whole"),
        (httpx2.Response(200, text="[7]"), IncompleteError, "not FHIR"),
    ],
)
def test_what_is_no_r4_server_is_said(
    client_for: Callable[..., FhirClient], saying: Any, answer: Any, error: type[MainstemError], said: str
) -> None:
    with client_for(saying(answer)) as client, pytest.raises(error, match=said):
        ask_capabilities(client)


def test_requests_keep_their_pace(make_site: Callable[..., Site], source_of: Any, saying: Any) -> None:
    slept: list[float] = []
    site = make_site(fhir={"base_url": "http://127.0.0.1:1/fhir", "requests_per_second": 2})
    client = source_of(site, transport=saying({}), sleep=slept.append).client()
    for _ in range(3):
        client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))
    assert [round(seconds, 1) for seconds in slept] == [0.5, 1.0]


def test_readers_share_what_a_vendor_takes_in_a_minute(
    make_site: Callable[..., Site], source_of: Any, saying: Any
) -> None:
    """eClinicalWorks: 250, beyond which it answers nothing more for the rest of the minute."""
    slept: list[float] = []
    site = make_site(fhir={"base_url": "http://127.0.0.1:1/fhir", "vendor": "eclinicalworks"}, parallel=5)
    client = source_of(site, transport=saying({}), sleep=slept.append).client()
    for _ in range(2):
        client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))
    assert [round(seconds, 1) for seconds in slept] == [1.2]


def test_a_server_that_has_enough_is_given_a_minute(
    make_site: Callable[..., Site], source_of: Any, saying: Any
) -> None:
    """It does not say for how long; the first pauses are short, as some count by the second."""
    waits: list[str] = []
    answers = [httpx2.Response(429), httpx2.Response(403, headers={"Retry-After": "0"}), httpx2.Response(429), {}]
    client = source_of(make_site(), transport=saying(*answers), notice=waits.append, attempts=5).client()
    with stamina.set_testing(True, attempts=5):
        client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))
    assert sum(THROTTLED) > 60
    assert waits == ["Patient: http://127.0.0.1:1 answered 403; waiting 5 s at a time"]
