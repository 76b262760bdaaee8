"""A hospital behind an HTTP proxy, a real one on this machine that wants a log-in."""

import base64
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from connectors.source import Source
from schemas.errors import OperatorError, TemporaryError
from schemas.sites import Site

LOG_IN = "Basic " + base64.b64encode(b"user:pass:word").decode()


class _Proxy(BaseHTTPRequestHandler):
    """Answers in the server's place; refuses whoever does not log in, and every tunnel."""

    passed: list[str]

    def do_GET(self) -> None:
        if self.headers.get("Proxy-Authorization") != LOG_IN:
            self._say(407, {})
            return
        self.passed.append(self.path)
        self._say(200, {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})

    def do_CONNECT(self) -> None:
        self._say(407, {})

    def _say(self, status: int, body: Any) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def proxy() -> Iterator[tuple[str, list[str]]]:
    """Its address, and the addresses it was asked to fetch."""
    passed: list[str] = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Proxy,), {"passed": passed}))
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", passed
    server.shutdown()
    server.server_close()


def ask(site: Site, source_of: Callable[..., Source], login: bytes = b"user:pass:word\n") -> int:
    with source_of(site, secrets=lambda _: login, attempts=1).client() as client:
        return client.ask("GET", client.url("metadata"), what="the statement", accepted=(200,)).status


def behind(make_site: Callable[..., Site], base_url: str, proxy: str, **fhir: Any) -> Site:
    return make_site(fhir={"base_url": base_url, "proxy": proxy, "allow_plaintext": True, **fhir})


def test_requests_go_through_the_proxy_with_its_log_in(make_site: Any, source_of: Any, proxy: Any) -> None:
    address, passed = proxy
    site = behind(make_site, "http://ehr.example/fhir", address, proxy_login="env:P")
    assert ask(site, source_of) == 200
    assert passed == ["http://ehr.example/fhir/metadata"]


def test_proxy_that_wants_a_log_in_is_named(make_site: Any, source_of: Any, proxy: Any) -> None:
    address, passed = proxy
    with pytest.raises(OperatorError, match=r"proxy on the way to http://ehr.example wants a log-in \(407\)") as caught:
        ask(behind(make_site, "http://ehr.example/fhir", address), source_of)
    assert "fhir.proxy_login" in caught.value.fix
    with pytest.raises(OperatorError, match=r"proxy on the way to ehr\.example:443 refuses"):
        ask(behind(make_site, "https://ehr.example/fhir", address), source_of)
    assert passed == []


@pytest.mark.parametrize("login", [b"S3CRET", b":S3CRET", b"\xff\xfe"])
def test_log_in_that_is_none_is_named_and_never_shown(make_site: Any, source_of: Any, login: bytes) -> None:
    site = behind(make_site, "http://ehr.example/fhir", "http://127.0.0.1:9", proxy_login="env:P")
    with pytest.raises(OperatorError, match=r"fhir.proxy_login \(env:P\) is no log-in") as caught:
        ask(site, source_of, login)
    assert "S3CRET" not in repr(caught.value)


@pytest.mark.parametrize("named", ["site file", "HTTPS_PROXY", "ALL_PROXY"])
@pytest.mark.parametrize("away", ["127.0.0.1:9", "proxy.nosuch.invalid:3128"])
def test_proxy_that_cannot_be_reached_is_not_taken_for_the_hospital(
    make_site: Any, source_of: Any, monkeypatch: pytest.MonkeyPatch, named: str, away: str
) -> None:
    """Neither for a server that is away, nor for a name of its own that nobody knows."""
    for name in ("HTTPS_PROXY", "ALL_PROXY", "https_proxy", "all_proxy", "NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    proxy: dict[str, Any] = {"proxy": f"http://{away}"} if named == "site file" else {}
    if not proxy:
        monkeypatch.setenv(named, f"http://user:S3CRET@{away}")
    site = make_site(fhir={"base_url": "https://ehr.example/fhir", **proxy})
    with pytest.raises(
        TemporaryError, match=f"the proxy {away} on the way to ehr.example:443 cannot be reached"
    ) as told:
        ask(site, source_of)
    assert "fhir.proxy" in told.value.fix
    assert "S3CRET" not in str(told.value)


def test_what_is_for_this_machine_goes_to_no_proxy_elsewhere(make_site: Any, source_of: Any, proxy: Any) -> None:
    """Loopback needs no TLS because it leaves no machine."""
    address, passed = proxy
    site = behind(make_site, f"{address}/fhir", "http://proxy.example:3128")
    with pytest.raises(OperatorError, match="407"):
        ask(site, source_of)
    assert passed == []


@pytest.mark.parametrize(
    "proxy", ["http://u:S3CRET@proxy.example:3128", "http://proxy.example/S3CRET", "socks5://S3CRET:1"]
)
def test_address_of_the_proxy_holds_no_log_in(make_site: Any, proxy: str) -> None:
    with pytest.raises(ValueError, match="proxy"):
        behind(make_site, "http://ehr.example/fhir", proxy)
