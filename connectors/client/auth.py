"""How we log in at an EHR, as httpx2 flows: SMART Backend Services, client credentials, basic, bearer, none.

A flow is a generator of requests, so it is tried without a network. The token is kept for the life of the flow and
renewed before it ends, and once when the server refuses it in mid-run.
"""

import json
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2
import jwt
import msgspec
from cryptography.hazmat.primitives import serialization

from connectors.client.origins import Origins
from schemas.errors import OperatorError, TemporaryError
from schemas.sites import Auth as AuthSection
from schemas.sites import Fhir

Secrets = Callable[[str], bytes]
"""Resolves a reference such as `env:NAME` or `file:PATH` to the secret."""
Clock = Callable[[], datetime]
Flow = Generator[httpx2.Request, httpx2.Response, Any]

ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
ASSERTION_LIFETIME = timedelta(minutes=4)
"""SMART allows five minutes; one is left for clocks that differ."""
RENEW_BEFORE = timedelta(seconds=30)
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def auth_for(fhir: Fhir, *, types: Sequence[str], secrets: Secrets, clock: Clock) -> httpx2.Auth | None:
    """The flow of the site's `[fhir.auth]`; None for no log-in.

    `types` are asked for where the site file names no scope. Raises OperatorError for a secret that is unusable.
    """
    section = fhir.auth
    if section.method == "basic":
        return httpx2.BasicAuth(section.username or "", _text(section, secrets))
    if section.method == "bearer":
        return BearerAuth(_text(section, secrets))
    if section.method == "client-credentials":
        return ClientCredentials(fhir, types=types, clock=clock, secret=_text(section, secrets))
    if section.method == "smart-backend":
        return BackendServices(fhir, types=types, clock=clock, key=secrets(section.private_key or ""))
    return None


def _text(section: AuthSection, secrets: Secrets) -> str:
    try:
        return secrets(section.secret or "").decode().strip()
    except UnicodeDecodeError:
        raise OperatorError(
            f"fhir.auth.secret ({section.secret}) is not text", "Put the password or token there."
        ) from None


class BearerAuth(httpx2.Auth):
    """A token that somebody else renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request) -> Flow:
        """The request with the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class _SmartConfiguration(msgspec.Struct):
    token_endpoint: str = ""
    capabilities: list[str] = []


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: float = 300


class _Refused(msgspec.Struct):
    error: str = ""


class TokenAuth(httpx2.Auth, ABC):
    """OAuth 2 client credentials: a token is fetched, kept, and renewed. How the client proves itself differs."""

    proof: str = "credentials"

    def __init__(self, fhir: Fhir, *, types: Sequence[str], clock: Clock) -> None:
        self._base = str(fhir.base_url).rstrip("/")
        self._section = fhir.auth
        self._types = types
        self._clock = clock
        self._origins = Origins(fhir)
        self._token_url = str(fhir.auth.token_url) if fhir.auth.token_url else ""
        self._v2_only = False
        self._token = ""
        self._ends: datetime | None = None

    @abstractmethod
    def form(self, token_url: str) -> dict[str, str]:
        """The members of the token request that prove who we are."""

    def token_headers(self) -> dict[str, str]:
        """Headers of the token request that prove who we are."""
        return {}

    def sync_auth_flow(self, request: httpx2.Request) -> Flow:
        """The request with a token; the token's own requests before it, and again after a 401.

        Responses of the FHIR server are passed on unread, so that downloads stream.
        """
        if not self._token or (self._ends is not None and self._clock() >= self._ends - RENEW_BEFORE):
            yield from self._renew()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        if response.status_code == 401:
            yield from self._renew()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _renew(self) -> Flow:
        self._token = ""
        if not self._token_url:
            self._token_url = yield from self._discover()
        form = {"grant_type": "client_credentials", "scope": self._scope(), **self.form(self._token_url)}
        headers = {"Accept": "application/json", **self.token_headers()}
        response = yield httpx2.Request("POST", self._token_url, data=form, headers=headers)
        response.read()
        if response.status_code != 200:
            raise self._refusal(response)
        try:
            granted = msgspec.json.decode(response.content, type=_Granted)
        except msgspec.DecodeError:
            raise OperatorError(
                f"the token endpoint at {response.request.url.host} answered with no token",
                "Check fhir.auth.token_url; a proxy or log-in page may stand there.",
            ) from None
        self._token = granted.access_token
        self._ends = self._clock() + timedelta(seconds=granted.expires_in)

    def _scope(self) -> str:
        permission = "rs" if self._v2_only else "read"
        return self._section.scope or " ".join(f"system/{name}.{permission}" for name in self._types)

    def _discover(self) -> Generator[httpx2.Request, httpx2.Response, str]:
        """The token endpoint by `.well-known/smart-configuration`, else by the CapabilityStatement's oauth-uris."""
        accept = {"Accept": "application/json"}
        response = yield httpx2.Request("GET", f"{self._base}/.well-known/smart-configuration", headers=accept)
        response.read()
        found = ""
        if response.status_code == 200:
            try:
                smart = msgspec.json.decode(response.content, type=_SmartConfiguration)
                found = smart.token_endpoint
                self._v2_only = "permission-v2" in smart.capabilities and "permission-v1" not in smart.capabilities
            except msgspec.DecodeError:
                found = ""
        if not found:
            response = yield httpx2.Request(
                "GET", f"{self._base}/metadata", headers={"Accept": "application/fhir+json"}
            )
            response.read()
            found = _oauth_uri(response.content) if response.status_code == 200 else ""
        if not found and response.status_code >= 500:
            raise TemporaryError(f"{self._origins.place(self._base)} does not say now where its token endpoint is")
        if not found:
            raise OperatorError(
                f"{self._origins.place(self._base)} does not say where its token endpoint is",
                "Set fhir.auth.token_url; the EHR vendor's documentation or the site's IT names it.",
            )
        if not self._origins.own_or_allowed(found):
            raise OperatorError(
                f"the server names a token endpoint at another place, {self._origins.place(found)}",
                "If that is right, set fhir.auth.token_url to it.",
            )
        return str(httpx2.URL(f"{self._base}/").join(found))

    def _refusal(self, response: httpx2.Response) -> Exception:
        """What to do; the server's own words stay out, they may hold anything."""
        where = f"the token endpoint at {response.request.url.host}"
        status = response.status_code
        try:
            error = msgspec.json.decode(response.content, type=_Refused).error
        except msgspec.DecodeError:
            error = ""
        if status == 429 or status >= 500 or (status == 400 and not error):
            # Epic answers a bare 400 now and then to a request that it grants a second later.
            return TemporaryError(f"{where} answered {status}")
        if error == "invalid_scope":
            return OperatorError(
                f"{where} refuses the scope for client {self._section.client_id}",
                f"Ask the site's IT to grant {self._scope()}, or set fhir.auth.scope to what is granted.",
            )
        return OperatorError(f"{where} refuses client {self._section.client_id} ({status})", self._advice())

    def _advice(self) -> str:
        return "Check fhir.auth.client_id and fhir.auth.secret; ask the site's IT whether the client is active."


class ClientCredentials(TokenAuth):
    """A client with a shared secret, sent as HTTP basic authentication (RFC 6749, 2.3.1)."""

    def __init__(self, fhir: Fhir, *, types: Sequence[str], clock: Clock, secret: str) -> None:
        super().__init__(fhir, types=types, clock=clock)
        self._secret = secret

    def form(self, token_url: str) -> dict[str, str]:
        """Nothing: the proof stands in the header."""
        return {}

    def token_headers(self) -> dict[str, str]:
        """Client id and secret."""
        basic = httpx2.BasicAuth(self._section.client_id or "", self._secret)
        request = next(basic.auth_flow(httpx2.Request("POST", self._base)))
        return {"Authorization": request.headers["Authorization"]}


class BackendServices(TokenAuth):
    """SMART Backend Services: an assertion signed by a private key that never leaves us (RFC 7523)."""

    def __init__(self, fhir: Fhir, *, types: Sequence[str], clock: Clock, key: bytes) -> None:
        super().__init__(fhir, types=types, clock=clock)
        self._key, self._kid = _private_key(key, self._section)

    def form(self, token_url: str) -> dict[str, str]:
        """A fresh assertion for that endpoint."""
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion(token_url)}

    def assertion(self, token_url: str) -> str:
        """A signed JWT: one use, four minutes, for exactly that endpoint."""
        section, now = self._section, self._clock()
        claims = {
            "iss": section.client_id,
            "sub": section.client_id,
            "aud": token_url,
            "jti": str(uuid.uuid4()),
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIFETIME).timestamp()),
        }
        headers = {"kid": self._kid} if self._kid else None
        try:
            return jwt.encode(claims, self._key, algorithm=section.algorithm, headers=headers)
        except (jwt.PyJWTError, TypeError, ValueError):
            raise _unusable_key(section, f"does not fit {section.algorithm}") from None

    def _advice(self) -> str:
        section = self._section
        key = f"key {self._kid}" if self._kid else "the key (fhir.auth.key_id names none)"
        return (
            f"Ask the site's IT whether the public half of {key} is registered for client {section.client_id} "
            f"and has been taken over; check that {section.private_key} is its private half and this machine's clock."
        )


def _private_key(text: bytes, section: AuthSection) -> tuple[Any, str | None]:
    """The private key and its id, from PEM, a JWK or a JWKS."""
    if text.lstrip().startswith(b"{"):
        return _jwk(text, section)
    try:
        return serialization.load_pem_private_key(text, password=None), section.key_id
    except (ValueError, TypeError):
        raise _unusable_key(section, "is no private key in PEM or JWKS form, or has a password") from None


def _jwk(text: bytes, section: AuthSection) -> tuple[Any, str | None]:
    try:
        document = json.loads(text)
        keys = [key for key in document.get("keys", [document]) if "d" in key]
        chosen = next(key for key in keys if section.key_id in (None, key.get("kid")))
        return jwt.PyJWK(chosen, algorithm=section.algorithm).key, chosen.get("kid")
    except StopIteration:
        raise _unusable_key(section, f"holds no private key {section.key_id or ''}".rstrip()) from None
    except (ValueError, TypeError, AttributeError, jwt.PyJWTError):
        raise _unusable_key(section, f"holds no JWKS that fits {section.algorithm}") from None


def _unusable_key(section: AuthSection, why: str) -> OperatorError:
    return OperatorError(
        f"the private key of client {section.client_id} ({section.private_key}) {why}",
        "Point fhir.auth.private_key to the client's own private key: PEM without password, or JWKS.",
    )


class _Extension(msgspec.Struct):
    url: str = ""
    valueUri: str = ""
    extension: list["_Extension"] = []


class _Security(msgspec.Struct):
    extension: list[_Extension] = []


class _Rest(msgspec.Struct):
    security: _Security | None = None


class _Statement(msgspec.Struct):
    rest: list[_Rest] = []


def _oauth_uri(content: bytes) -> str:
    try:
        statement = msgspec.json.decode(content, type=_Statement)
    except msgspec.DecodeError:
        return ""
    outer = (
        ext for rest in statement.rest if rest.security for ext in rest.security.extension if ext.url == OAUTH_URIS
    )
    return next((ext.valueUri for each in outer for ext in each.extension if ext.url == "token"), "")
