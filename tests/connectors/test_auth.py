"""Logging in: the flows are tried without a network, then against a real SMART server."""

import base64
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import httpx2
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from connectors.client.auth import BackendServices, auth_for
from connectors.pulling import Source, Wanted, pull, read_capabilities
from schemas.errors import OperatorError, TemporaryError
from schemas.sites import Fhir, Site

BASE = "https://ehr.example/fhir"
TOKEN_URL = "https://ehr.example/oauth/token"


def private_key(algorithm: str) -> Any:
    return rsa.generate_private_key(65537, 2048) if algorithm == "RS384" else ec.generate_private_key(ec.SECP384R1())


def pem(key: Any) -> bytes:
    return key.private_bytes(  # type: ignore[no-any-return]
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def jwks(key: Any, kid: str) -> bytes:
    to_jwk = RSAAlgorithm.to_jwk if isinstance(key, rsa.RSAPrivateKey) else ECAlgorithm.to_jwk
    return json.dumps({"keys": [{**to_jwk(key, as_dict=True), "kid": kid}]}).encode()


def fhir_section(**auth: Any) -> Fhir:
    auth = {"method": "smart-backend", "client_id": "c1", "private_key": "file:key", "token_url": TOKEN_URL, **auth}
    return Fhir.model_validate({"base_url": BASE, "auth": auth})


def flow_of(fhir: Fhir, secret: bytes, now: Any, types: Sequence[str] = ("Patient", "Observation")) -> httpx2.Auth:
    auth = auth_for(fhir, types=types, secrets=lambda _: secret, clock=lambda: now[0])
    assert auth is not None
    return auth


def answer(request: httpx2.Request, status: int = 200, **body: Any) -> httpx2.Response:
    return httpx2.Response(status, json=body, request=request)


def form_of(request: httpx2.Request) -> dict[str, str]:
    return dict(httpx2.QueryParams(request.content.decode()))


def resource_request() -> httpx2.Request:
    return httpx2.Request("GET", f"{BASE}/Patient")


@pytest.fixture
def now() -> list[Any]:
    from datetime import UTC, datetime

    return [datetime.now(UTC)]


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
@pytest.mark.parametrize("form", ["pem", "jwks"])
def test_assertion_is_as_smart_wants_it(algorithm: str, form: str, now: list[Any]) -> None:
    key = private_key(algorithm)
    secret = pem(key) if form == "pem" else jwks(key, "k1")
    auth = flow_of(fhir_section(algorithm=algorithm, key_id="k1"), secret, now)
    token_request = next(auth.sync_auth_flow(resource_request()))
    assert (token_request.method, str(token_request.url)) == ("POST", TOKEN_URL)
    sent = form_of(token_request)
    assert sent["grant_type"] == "client_credentials"
    assert sent["scope"] == "system/Patient.read system/Observation.read"
    assertion = sent["client_assertion"]
    claims = jwt.decode(assertion, key.public_key(), algorithms=[algorithm], audience=TOKEN_URL)
    assert jwt.get_unverified_header(assertion)["kid"] == "k1"
    assert claims["iss"] == claims["sub"] == "c1"
    assert 0 < claims["exp"] - now[0].timestamp() <= 300
    assert claims["aud"] == TOKEN_URL
    assert isinstance(auth, BackendServices)
    again = jwt.decode(auth.assertion(TOKEN_URL), options={"verify_signature": False})
    assert again["jti"] != claims["jti"]


def test_client_that_was_never_granted_the_newer_types_reads_the_others(now: list[Any]) -> None:
    """Asked once for less, and for what orders are read with; where the site file names the scope, it is kept to."""
    granted = "system/Patient.read system/MedicationRequest.read system/Medication.read"
    types = ["Patient", "Appointment", "MedicationRequest", "Medication", "Goal"]
    for scope in (None, "system/*.read"):
        section = fhir_section(**({"scope": scope} if scope else {}))
        auth = flow_of(section, pem(private_key("RS384")), now, types=types)
        flow = auth.sync_auth_flow(resource_request())
        refused = answer(next(flow), 400, error="invalid_scope")
        if scope:
            with pytest.raises(OperatorError, match="refuses the scope"):
                flow.send(refused)
            continue
        again = flow.send(refused)
        assert form_of(again)["scope"] == granted
        request = flow.send(answer(again, access_token="t1", expires_in=600))
        assert request.headers["Authorization"] == "Bearer t1"


def test_token_is_kept_renewed_before_its_end_and_once_after_a_401(now: list[Any]) -> None:
    auth = flow_of(fhir_section(), pem(private_key("RS384")), now)
    flow = auth.sync_auth_flow(resource_request())
    request = flow.send(answer(next(flow), access_token="t1", expires_in=600))
    assert request.headers["Authorization"] == "Bearer t1"

    now[0] += timedelta(seconds=500)
    flow = auth.sync_auth_flow(resource_request())
    request = next(flow)
    assert request.headers["Authorization"] == "Bearer t1"
    token_request = flow.send(answer(request, 401))
    assert token_request.method == "POST"
    request = flow.send(answer(token_request, access_token="t2", expires_in=600))
    assert request.headers["Authorization"] == "Bearer t2"
    with pytest.raises(StopIteration):
        flow.send(answer(request, 401))

    now[0] += timedelta(seconds=590)
    assert next(auth.sync_auth_flow(resource_request())).method == "POST"


def test_token_endpoint_is_discovered_by_the_smart_configuration(now: list[Any]) -> None:
    flow = flow_of(fhir_section(token_url=None), pem(private_key("RS384")), now).sync_auth_flow(resource_request())
    discovery = next(flow)
    assert str(discovery.url) == f"{BASE}/.well-known/smart-configuration"
    token_request = flow.send(answer(discovery, token_endpoint=TOKEN_URL, capabilities=["permission-v2"]))
    assert str(token_request.url) == TOKEN_URL
    assert form_of(token_request)["scope"] == "system/Patient.rs system/Observation.rs"


def test_token_endpoint_is_discovered_by_the_capability_statement(now: list[Any]) -> None:
    flow = flow_of(fhir_section(token_url=None), pem(private_key("RS384")), now).sync_auth_flow(resource_request())
    metadata = flow.send(answer(next(flow), 404))
    assert str(metadata.url) == f"{BASE}/metadata"
    url = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"
    security = {"extension": [{"url": url, "extension": [{"url": "token", "valueUri": TOKEN_URL}]}]}
    assert str(flow.send(answer(metadata, rest=[{"security": security}])).url) == TOKEN_URL


def test_token_endpoint_at_another_place_gets_nothing(now: list[Any]) -> None:
    section = fhir_section(method="client-credentials", secret="file:s", token_url=None)
    flow = flow_of(section, b"secret", now).sync_auth_flow(resource_request())
    with pytest.raises(OperatorError, match=r"another place, https://thief\.example") as caught:
        flow.send(answer(next(flow), token_endpoint="https://thief.example/token"))
    assert "fhir.auth.token_url" in caught.value.fix


def test_client_credentials_basic_and_bearer(now: list[Any]) -> None:
    section = fhir_section(method="client-credentials", client_id="c:1", secret="file:s")
    token_request = next(flow_of(section, b"s3cret\n", now).sync_auth_flow(resource_request()))
    assert token_request.headers["Authorization"] == "Basic " + base64.b64encode(b"c:1:s3cret").decode()
    basic = next(
        flow_of(fhir_section(method="basic", username="u", secret="file:s"), b"p", now).sync_auth_flow(
            resource_request()
        )
    )
    assert basic.headers["Authorization"] == "Basic dTpw"
    bearer = next(
        flow_of(fhir_section(method="bearer", secret="file:s"), b"tok\n", now).sync_auth_flow(resource_request())
    )
    assert bearer.headers["Authorization"] == "Bearer tok"
    assert (
        auth_for(Fhir.model_validate({"base_url": BASE}), types=[], secrets=lambda _: b"", clock=lambda: now[0]) is None
    )


@pytest.mark.parametrize(
    ("secret", "algorithm"),
    [
        (b"S3CRET", "RS384"),
        (b'{"S3CRET":1}', "RS384"),
        (b'{"keys":[{"kty":"RSA","d":"S3CRET"}]}', "RS384"),
        (b"{S3CRET", "ES384"),
    ],
)
def test_unusable_key_is_named_and_never_shown(secret: bytes, algorithm: str, now: list[Any]) -> None:
    with pytest.raises(OperatorError) as caught:
        flow_of(fhir_section(algorithm=algorithm), secret, now)
    assert "client c1 (file:key)" in caught.value.cause
    assert caught.value.__cause__ is None
    assert "S3CRET" not in caught.value.cause + caught.value.fix


def test_key_of_the_other_algorithm_is_named(now: list[Any]) -> None:
    with pytest.raises(OperatorError, match="does not fit RS384"):
        flow_of(fhir_section(algorithm="RS384"), pem(private_key("ES384")), now)


@pytest.mark.parametrize(
    ("status", "body", "error", "said"),
    [
        (401, {"error": "invalid_client", "error_description": "John Doe's key"}, OperatorError, "refuses client c1"),
        (400, {"error": "invalid_scope"}, OperatorError, "refuses the scope for client c1"),
        (400, {}, TemporaryError, "answered 400"),
        (503, {}, TemporaryError, "answered 503"),
    ],
)
def test_refusal_says_what_to_do_in_our_words(
    status: int, body: dict[str, str], error: type[Exception], said: str, now: list[Any]
) -> None:
    flow = flow_of(fhir_section(key_id="k9"), pem(private_key("RS384")), now).sync_auth_flow(resource_request())
    with pytest.raises(error, match=said) as caught:
        flow.send(answer(next(flow), status, **body))
    assert "John Doe" not in f"{caught.value!r}"
    if status == 401:
        assert isinstance(caught.value, OperatorError)
        assert "key k9" in caught.value.fix


def two_keys(*kids: str, made: tuple[int, ...] = (1, 2)) -> tuple[bytes, dict[str, Any]]:
    """A private JWKS, and the keys by their ids."""
    keys = {kid: private_key("ES384") for kid in kids}
    members = [
        {**json.loads(jwks(key, kid))["keys"][0], "iat": at} for (kid, key), at in zip(keys.items(), made, strict=True)
    ]
    return json.dumps({"keys": members}).encode(), keys


def kid_of(request: httpx2.Request) -> str:
    return str(jwt.get_unverified_header(form_of(request)["client_assertion"])["kid"])


def test_newest_key_is_tried_first_and_the_other_once_where_it_is_not_known(now: list[Any]) -> None:
    secret, keys = two_keys("old", "new")
    auth = flow_of(fhir_section(), secret, now)
    flow = auth.sync_auth_flow(resource_request())
    first = next(flow)
    assert kid_of(first) == "new"
    second = flow.send(answer(first, 401, error="invalid_client"))
    assert kid_of(second) == "old"
    sent = form_of(second)["client_assertion"]
    jwt.decode(sent, keys["old"].public_key(), algorithms=["ES384"], audience=TOKEN_URL)
    assert flow.send(answer(second, access_token="t1")).headers["Authorization"] == "Bearer t1"

    now[0] += timedelta(hours=2)
    again = next(auth.sync_auth_flow(resource_request()))
    assert kid_of(again) == "old"


def test_both_keys_refused_are_both_named_after_two_requests(now: list[Any]) -> None:
    flow = flow_of(fhir_section(), two_keys("old", "new")[0], now).sync_auth_flow(resource_request())
    second = flow.send(answer(next(flow), 400, error="invalid_client"))
    with pytest.raises(OperatorError, match="refuses client c1") as caught:
        flow.send(answer(second, 400, error="invalid_client"))
    assert "new" in caught.value.fix
    assert "old" in caught.value.fix


def test_key_that_the_site_file_names_is_tried_first(now: list[Any]) -> None:
    flow = flow_of(fhir_section(key_id="old"), two_keys("old", "new")[0], now).sync_auth_flow(resource_request())
    assert kid_of(next(flow)) == "old"


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_algorithm_is_the_keys_own(algorithm: str, now: list[Any]) -> None:
    flow = flow_of(fhir_section(), pem(private_key(algorithm)), now).sync_auth_flow(resource_request())
    assert jwt.get_unverified_header(form_of(next(flow))["client_assertion"])["alg"] == algorithm


@pytest.mark.parametrize("key", [ec.generate_private_key(ec.SECP256R1()), rsa.generate_private_key(65537, 1024)])
def test_key_that_smart_does_not_know_is_refused_by_name(key: Any, now: list[Any]) -> None:
    with pytest.raises(
        OperatorError, match="neither an RSA key of 2,048 bits or more nor an EC key on the curve P-384"
    ):
        flow_of(fhir_section(), pem(key), now)


@pytest.mark.parametrize(
    ("ahead", "description", "said"),
    [
        (600, "", "600 s ahead of the server's"),
        (-4000, "exp claim is in the past", "4,000 s behind the server's"),
        (0, "JWT expired at 10:00 for Baggins", "though its clock and this machine's agree"),
        (20, "unknown key", "refuses client c1"),
    ],
)
def test_clock_that_differs_is_named(ahead: float, description: str, said: str, now: list[Any]) -> None:
    now[0] = now[0].replace(microsecond=0)  # an HTTP date says whole seconds
    flow = flow_of(fhir_section(key_id="k"), pem(private_key("RS384")), now).sync_auth_flow(resource_request())
    refused = answer(next(flow), 400, error="invalid_client", error_description=description)
    refused.headers["Date"] = format_datetime(now[0] - timedelta(seconds=ahead), usegmt=True)
    with pytest.raises(OperatorError) as caught:
        flow.send(refused)
    assert said in caught.value.cause
    assert "Baggins" not in repr(caught.value)


def test_client_of_mutual_tls_names_itself_alone(now: list[Any]) -> None:
    section = fhir_section(method="mutual-tls", client_certificate="file:c")
    sent = form_of(next(flow_of(section, b"", now).sync_auth_flow(resource_request())))
    assert sent == {"grant_type": "client_credentials", "scope": sent["scope"], "client_id": "c1"}


@pytest.mark.parametrize(
    ("section", "endpoint"),
    [
        ({"method": "mutual-tls", "client_certificate": "file:c"}, f"{BASE}/mtls/token"),
        ({"client_certificate": "file:c"}, f"{BASE}/mtls/token"),
        ({}, f"{BASE}/token"),
    ],
)
def test_client_with_a_certificate_asks_where_certificates_are_looked_at(
    now: list[Any], section: dict[str, Any], endpoint: str
) -> None:
    """RFC 8705, 5: the assertion is made out to that endpoint too; at another origin it is refused as any is."""
    fhir = fhir_section(token_url=None, **section)
    told = {"token_endpoint": f"{BASE}/token", "mtls_endpoint_aliases": {"token_endpoint": f"{BASE}/mtls/token"}}
    flow = flow_of(fhir, pem(private_key("RS384")), now).sync_auth_flow(resource_request())
    asked = flow.send(answer(next(flow), **told))
    assert str(asked.url) == endpoint
    if "client_assertion" in (form := form_of(asked)):
        assert jwt.decode(form["client_assertion"], options={"verify_signature": False})["aud"] == endpoint
    elsewhere = {**told, "mtls_endpoint_aliases": {"token_endpoint": "https://mtls.elsewhere.example/token"}}
    flow = flow_of(fhir, pem(private_key("RS384")), now).sync_auth_flow(resource_request())
    if section:
        with pytest.raises(OperatorError, match="at another place"):
            flow.send(answer(next(flow), **elsewhere))


@pytest.mark.parametrize("algorithm", ["RS384", "ES384"])
def test_real_server_lets_in_the_registered_key_only(
    algorithm: str,
    hospital: Callable[..., Any],
    make_site: Callable[..., Site],
    landing: Any,
    tmp_path: Path,
    fhir: Any,
) -> None:
    server = hospital([fhir.patient(1)], smart=True, algorithm=algorithm)
    auth = {
        "method": "smart-backend",
        "client_id": server.client.client_id,
        "private_key": f"file:{server.client.private_key}",
        "key_id": server.client.key_id,
        "algorithm": algorithm,
    }
    site = make_site(fhir={"base_url": server.base_url, "auth": auth})

    def secrets(reference: str) -> bytes:
        return Path(reference.removeprefix("file:")).read_bytes()

    source = Source(site=site, folder=tmp_path, secrets=secrets)
    patients = Wanted(unit="Patient", landing=landing)
    assert pull(source, patients).resources == 1

    capabilities = read_capabilities(source)
    assert capabilities is not None
    assert capabilities.fhir_version == "4.0.1"

    landing.discard(landing.folder.iterdir())
    other = pem(private_key(algorithm))
    with pytest.raises(OperatorError, match=f"refuses client {server.client.client_id}") as caught:
        pull(replace(source, secrets=lambda _: other), patients)
    assert server.client.key_id in caught.value.fix
    assert not landing.files("Patient")
