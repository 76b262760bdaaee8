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

from connectors.client.bodies import SMALL_BYTES, STATEMENT_BYTES, body
from connectors.client.origins import Origins
from connectors.outside.decoding import ABSENT, Unreadable, decoded, each, said
from connectors.outside.times import lifetime
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
USUAL_LIFETIME = 300.0
"""Seconds a token lives whose server does not say."""
LONGEST_TOKEN = 64 * 1024
"""Characters; longer ones no server takes back in a header."""
OAUTH_URIS = "http://fhir-registry.smarthealthit.org/StructureDefinition/oauth-uris"


def auth_for(fhir: Fhir, *, types: Sequence[str], secrets: Secrets, clock: Clock) -> httpx2.Auth | None:
    """The flow of the site's `[fhir.auth]`; None for no log-in.

    `types` are asked for where the site file names no scope. Raises OperatorError for a secret that is unusable.
    """
    section = fhir.auth
    if section.method == "basic":
        return httpx2.BasicAuth(section.username or "", _text(section, secrets))
    if section.method == "bearer":
        return BearerAuth(_bearer(section, secrets))
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


def _bearer(section: AuthSection, secrets: Secrets) -> str:
    token = _text(section, secrets)
    if not _is_token(token):
        raise OperatorError(
            f"fhir.auth.secret ({section.secret}) is no token: empty, or with characters no header can carry",
            "Put the token there, one line of plain letters, digits and signs.",
        )
    return token


def _is_token(text: str) -> bool:
    """Whether a header can carry it: visible ASCII. RFC 6750 allows less, servers are less strict than that."""
    return 0 < len(text) <= LONGEST_TOKEN and all("!" <= sign <= "~" for sign in text)


class BearerAuth(httpx2.Auth):
    """A token that somebody else renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request) -> Flow:
        """The request with the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class _SmartConfiguration(msgspec.Struct):
    token_endpoint: msgspec.Raw = ABSENT
    capabilities: msgspec.Raw = ABSENT


class _Granted(msgspec.Struct):
    access_token: msgspec.Raw = ABSENT
    expires_in: msgspec.Raw = ABSENT


class _Refused(msgspec.Struct):
    error: msgspec.Raw = ABSENT


_SMART = msgspec.json.Decoder(_SmartConfiguration)
_GRANTED = msgspec.json.Decoder(_Granted)
_REFUSED = msgspec.json.Decoder(_Refused)


def smart_token_endpoint(content: bytes) -> str:
    """The token endpoint that a SMART configuration names; empty where it is none, or names none."""
    try:
        return said(decoded(content, _SMART).token_endpoint, str, "")
    except Unreadable:
        return ""


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
        content = body(response, cap=SMALL_BYTES, what="the token")
        if response.status_code != 200:
            raise self._refusal(response, content)
        try:
            granted = decoded(content, _GRANTED)
        except Unreadable:
            granted = _Granted()
        token = said(granted.access_token, str, "")
        if not _is_token(token):
            raise OperatorError(
                f"the token endpoint at {response.request.url.host} answered with no usable token",
                "Check fhir.auth.token_url; a proxy or log-in page may stand there.",
            )
        self._token = token
        self._ends = self._clock() + lifetime(said(granted.expires_in, object, None), USUAL_LIFETIME)

    def _scope(self) -> str:
        permission = "rs" if self._v2_only else "read"
        return self._section.scope or " ".join(f"system/{name}.{permission}" for name in self._types)

    def _discover(self) -> Generator[httpx2.Request, httpx2.Response, str]:
        """The token endpoint by `.well-known/smart-configuration`, else by the CapabilityStatement's oauth-uris.

        Only at the server's own origin: whoever writes these answers would else be sent the client's secret.
        """
        place = self._origins.place(self._base)
        response = yield httpx2.Request(
            "GET", f"{self._base}/.well-known/smart-configuration", headers={"Accept": "application/json"}
        )
        found = self._by_smart(response)
        if not found:
            accept = {"Accept": "application/fhir+json"}
            response = yield httpx2.Request("GET", f"{self._base}/metadata", headers=accept)
            content = body(response, cap=STATEMENT_BYTES, what="the capability statement")
            found = _oauth_uri(content) if response.status_code == 200 else ""
        if not found and response.status_code >= 500:
            raise TemporaryError(f"{place} does not say now where its token endpoint is")
        if not found:
            raise OperatorError(
                f"{place} does not say where its token endpoint is",
                "Set fhir.auth.token_url; the EHR vendor's documentation or the site's IT names it.",
            )
        if not self._origins.is_own(found):
            raise OperatorError(
                f"the server names a token endpoint at another place, {self._origins.place(found)}",
                "If that is right, set fhir.auth.token_url to it.",
            )
        return str(httpx2.URL(f"{self._base}/").join(found))

    def _by_smart(self, response: httpx2.Response) -> str:
        """The token endpoint of a SMART configuration; empty where it is none, or names none."""
        content = body(response, cap=SMALL_BYTES, what="the SMART configuration")
        if response.status_code != 200:
            return ""
        try:
            smart = decoded(content, _SMART)
        except Unreadable:
            return ""
        able = each(smart.capabilities, str)
        self._v2_only = "permission-v2" in able and "permission-v1" not in able
        return said(smart.token_endpoint, str, "")

    def _refusal(self, response: httpx2.Response, content: bytes) -> Exception:
        """What to do; the server's own words stay out, they may hold anything."""
        where = f"the token endpoint at {response.request.url.host}"
        status = response.status_code
        try:
            error = said(decoded(content, _REFUSED).error, str, "")
        except Unreadable:
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
    except (ValueError, TypeError, AttributeError, RecursionError, jwt.PyJWTError):
        raise _unusable_key(section, f"holds no JWKS that fits {section.algorithm}") from None


def _unusable_key(section: AuthSection, why: str) -> OperatorError:
    return OperatorError(
        f"the private key of client {section.client_id} ({section.private_key}) {why}",
        "Point fhir.auth.private_key to the client's own private key: PEM without password, or JWKS.",
    )


class _Extension(msgspec.Struct):
    url: msgspec.Raw = ABSENT
    valueUri: msgspec.Raw = ABSENT
    extension: msgspec.Raw = ABSENT


class _Security(msgspec.Struct):
    extension: msgspec.Raw = ABSENT


class _Rest(msgspec.Struct):
    security: _Security = msgspec.field(default_factory=_Security)


class _Statement(msgspec.Struct):
    rest: msgspec.Raw = ABSENT


_STATEMENT = msgspec.json.Decoder(_Statement)


def _oauth_uri(content: bytes) -> str:
    try:
        statement = decoded(content, _STATEMENT)
    except Unreadable:
        return ""
    outer = (
        extension
        for rest in each(statement.rest, _Rest)
        for extension in each(rest.security.extension, _Extension)
        if said(extension.url, str, "") == OAUTH_URIS
    )
    inner = (extension for each_outer in outer for extension in each(each_outer.extension, _Extension))
    return next(
        (said(extension.valueUri, str, "") for extension in inner if said(extension.url, str, "") == "token"), ""
    )
