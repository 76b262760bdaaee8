"""A client's secret goes to the log-in the site file names, or to the FHIR server itself; nowhere a server sends it."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
import pytest

from connectors.source import Source
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.sites import Site

BASE = "https://ehr.example/fhir"
NOW = datetime(2030, 1, 1, tzinfo=UTC)
OAUTH = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
ELSEWHERE = [
    "https://files.example/token",
    "https://thief.example/token",
    "http://ehr.example/token",
    "https://ehr.example:8443/token",
    "https://ehr.example@thief.example/token",
    "https://ehr.example.thief.example/token",
    "//thief.example/token",
    "https://xn--.example/token",
    "ftp://ehr.example/token",
    "https://169.254.169.254/token",
    "https://[::1/token",
]


def client_of(server: Any, folder: Path, secret: bytes = b"s3cret", **auth: Any) -> Any:
    fhir = {
        "base_url": BASE,
        "allowed_origins": ["https://files.example"],
        "requests_per_second": 10_000,
        "auth": {"method": "client-credentials", "client_id": "c", "secret": "env:S", **auth},
    }
    named = {"site": "north", "name": "North", "time_zone": "UTC", "subject_key": "env:K", "fhir": fhir}
    return Source(
        site=Site.model_validate(named),
        folder=folder,
        secrets=lambda _: secret,
        clock=lambda: NOW,
        sleep=lambda _: None,
        transport=server,
        attempts=1,
    ).client()


def read(client: Any) -> Any:
    with client:
        return client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))


@pytest.mark.parametrize("endpoint", ELSEWHERE)
@pytest.mark.parametrize("by", ["smart", "statement"])
def test_discovered_endpoint_elsewhere_gets_nothing(endpoint: str, by: str, saying: Any, tmp_path: Path) -> None:
    """Not even at an origin that downloads may come from."""
    security = {"extension": [{"url": OAUTH, "extension": [{"url": "token", "valueUri": endpoint}]}]}

    def answer(request: httpx2.Request) -> Any:
        if request.url.path.endswith("smart-configuration"):
            return {"token_endpoint": endpoint} if by == "smart" else httpx2.Response(404)
        return {"rest": [{"security": security}]}

    server = saying(answer)
    with pytest.raises(OperatorError, match="names a token endpoint at another place") as refused:
        read(client_of(server, tmp_path))
    assert "fhir.auth.token_url" in refused.value.fix
    assert {request.url.host for request in server.requests} == {"ehr.example"}
    assert not any("Authorization" in request.headers for request in server.requests)


def test_endpoint_the_site_file_names_is_believed(saying: Any, tmp_path: Path) -> None:
    server = saying(lambda request: {"access_token": "t"} if request.url.host == "login.example" else {})
    read(client_of(server, tmp_path, token_url="https://login.example/token"))
    assert [request.url.host for request in server.requests] == ["login.example", "ehr.example"]
    assert server.requests[1].headers["Authorization"] == "Bearer t"


def test_token_request_is_not_sent_on(saying: Any, tmp_path: Path) -> None:
    """A redirect of the log-in would carry the secret to wherever it says."""
    server = saying(lambda _: httpx2.Response(307, headers={"Location": "https://thief.example/token"}))
    with pytest.raises(OperatorError):
        read(client_of(server, tmp_path, token_url="https://login.example/token"))
    assert {request.url.host for request in server.requests} == {"login.example"}


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        "two words",
        "line\nbreak",
        "line\r\nX-Evil: 1",
        "tab\t",
        "żółw",
        "\x00",
        "\ud800",
        "x" * 100_000,
        7,
        None,
        [],
        {},
    ],
)
def test_token_that_no_header_can_carry_is_said(token: Any, saying: Any, tmp_path: Path) -> None:
    content = json.dumps({"access_token": token}).encode()
    server = saying(lambda request: content if request.url.path.endswith("token") else {})
    with pytest.raises(OperatorError, match="answered with no usable token") as refused:
        read(client_of(server, tmp_path, token_url=f"{BASE}/token"))
    assert str(token) not in refused.value.cause or not str(token).strip()
    assert len(server.requests) == 1


@pytest.mark.parametrize("secret", [b"", b"two words", b"line\nbreak", "żółw".encode(), b"\xff\xfe", b"\x00"])
def test_bearer_token_from_a_file_that_is_none_is_said_and_not_shown(
    secret: bytes, saying: Any, tmp_path: Path
) -> None:
    with pytest.raises(OperatorError, match=r"fhir\.auth\.secret \(env:S\)") as refused:
        client_of(saying({}), tmp_path, secret, method="bearer")
    assert "line" not in refused.value.cause.replace("one line", "").replace("several lines", "")


@pytest.mark.parametrize("lives", [1e300, -1, 0, True, None, "soon", "3600", "1e400", [], 10**400, float("nan")])
def test_token_lives_a_sensible_while_whatever_is_said(lives: Any, saying: Any, tmp_path: Path) -> None:
    content = b'{"access_token":"t","expires_in":%b}' % json.dumps(lives).encode()
    server = saying(lambda request: content if request.url.path.endswith("token") else {})
    try:
        client = client_of(server, tmp_path, token_url=f"{BASE}/token")
        with client:
            for _ in range(3):
                client.ask("GET", client.url("Patient"), what="Patient", accepted=(200,))
    except MainstemError:
        assert content.endswith((b"NaN}", b"0}"))  # no JSON, or a number beyond any
        return
    assert sum(request.url.path.endswith("token") for request in server.requests) == 1


@pytest.mark.parametrize(
    "location", [None, "", "http://[", "https://thief.example/", "\\\\thief", "https://ehr.example:99999/"]
)
def test_redirect_to_nowhere_is_an_error_of_ours(location: str | None, saying: Any, tmp_path: Path) -> None:
    headers = {} if location is None else {"Location": location}
    server = saying(
        lambda request: {"access_token": "t"} if "token" in request.url.path else httpx2.Response(302, headers=headers)
    )
    with pytest.raises((OperatorError, TemporaryError)):
        read(client_of(server, tmp_path, token_url=f"{BASE}/token"))
    assert {request.url.host for request in server.requests} == {"ehr.example"}
