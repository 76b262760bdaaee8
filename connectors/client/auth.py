"""How we log in at an EHR, as httpx2 flows: SMART Backend Services, client credentials, mutual TLS, basic, bearer, none.

A flow is a generator of requests, so it is tried without a network. The token is kept for the life of the flow and
renewed before it ends, and once when the server refuses it in mid-run.
"""

import re
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Generator, Sequence
from datetime import datetime, timedelta
from typing import Any

import httpx2
import jwt
import msgspec

from connectors.client.bodies import SMALL_BYTES, STATEMENT_BYTES, body
from connectors.client.keys import signing_keys
from connectors.client.origins import Origins
from connectors.outside.decoding import ABSENT, Unreadable, decoded, each, said
from connectors.outside.times import http_date, lifetime
from schemas.errors import OperatorError, TemporaryError
from schemas.gaps import GapCause, Who
from schemas.outcomes import CORE_TYPES, referred_types
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
CLOCKS_AGREE = 60.0
"""Seconds by which two clocks may differ that nobody looks after."""
_ABOUT_TIME = re.compile(
    r"\b(exp|iat|nbf)\b|expir|not (yet )?valid (yet|before|until)|in the future|\bclock\b|\btoo old\b", re.I
)
"""Words of a refusal that is about the assertion's times."""
BUSY = GapCause.NOT_ANSWERED.fix
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
    if section.method == "mutual-tls":
        return MutualTls(fhir, types=types, clock=clock)
    if section.method == "smart-backend":
        return BackendServices(fhir, types=types, clock=clock, key=secrets(section.private_key or ""))
    return None


def _text(section: AuthSection, secrets: Secrets) -> str:
    try:
        text = secrets(section.secret or "").decode("utf-8-sig").strip()
        why = "" if len(text.splitlines()) == 1 else "has several lines" if text else "is empty"
    except UnicodeDecodeError:
        text, why = "", "is not text"
    if why:
        raise OperatorError(f"fhir.auth.secret ({section.secret}) {why}", "Put the password or token there, alone.")
    return text


def _bearer(section: AuthSection, secrets: Secrets) -> str:
    if not _is_token(token := _text(section, secrets)):
        raise OperatorError(f"fhir.auth.secret ({section.secret}) is no token: no header can carry it", "Put it there.")
    return token


def _is_token(text: str) -> bool:
    """Whether a header can carry it: visible ASCII. RFC 6750 allows less, servers are less strict than that."""
    return 0 < len(text) <= LONGEST_TOKEN and all("!" <= sign <= "~" for sign in text)


NO_SUCH_PLACE = (301, 302, 303, 307, 308, 404, 405, 410)
"""What an address answers that is no token endpoint."""
NOT_SO = ("unauthorized_client", "unsupported_grant_type")
"""The client is known, and registered for people who log in (RFC 6749, 5.2)."""
UNSURE = (
    f"{BUSY} Where it answers so each time: some servers do to a client or key that they do not know; have the EHR's administrator "
    "look fhir.auth.client_id and the registered key up."
)
"""For a token endpoint that fails: whether it passes cannot be told."""


class BearerAuth(httpx2.Auth):
    """A token that somebody else renews."""

    def __init__(self, token: str) -> None:
        self._token = token

    def auth_flow(self, request: httpx2.Request) -> Flow:
        """The request with the token."""
        request.headers["Authorization"] = f"Bearer {self._token}"
        yield request


class _Aliases(msgspec.Struct):
    token_endpoint: msgspec.Raw = ABSENT


class _SmartConfiguration(msgspec.Struct):
    token_endpoint: msgspec.Raw = ABSENT
    capabilities: msgspec.Raw = ABSENT
    mtls_endpoint_aliases: msgspec.Raw = ABSENT


class _Granted(msgspec.Struct):
    access_token: msgspec.Raw = ABSENT
    expires_in: msgspec.Raw = ABSENT
    scope: msgspec.Raw = ABSENT


class _Refused(msgspec.Struct):
    error: msgspec.Raw = ABSENT
    error_description: msgspec.Raw = ABSENT


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
    mended_by: Who = "network"
    """Who can mend a refused client as a rule: what we were given is written wrong, or what we gave is not registered."""

    def __init__(self, fhir: Fhir, *, types: Sequence[str], clock: Clock) -> None:
        self._base = str(fhir.base_url).rstrip("/")
        self._section = fhir.auth
        self._types = types
        self._clock = clock
        self._origins = Origins(fhir)
        self._token_url = str(fhir.auth.token_url) if fhir.auth.token_url else ""
        self._v2_only = False
        self._token = self.granted = ""
        self._ends: datetime | None = None
        self._opened = False
        """Whether the present token was taken."""

    @abstractmethod
    def form(self, token_url: str) -> dict[str, str]:
        """The members of the token request that prove who we are."""

    def token_headers(self) -> dict[str, str]:
        """Headers of the token request that prove who we are."""
        return {}

    def other_proof(self) -> bool:
        """Whether there is another proof to try, once, where the first was not taken."""
        return False

    def sync_auth_flow(self, request: httpx2.Request) -> Flow:
        """The request with a token; the token's own requests before it, and again after a 401, or what some gateways say instead of
        a token that was taken and has ended: 403.

        Responses of the FHIR server are passed on unread, so that downloads stream.
        """
        if not self._token or (self._ends is not None and self._clock() >= self._ends - RENEW_BEFORE):
            yield from self._renew()
        request.headers["Authorization"] = f"Bearer {self._token}"
        response = yield request
        ended = response.status_code == 403 and self._opened and "Retry-After" not in response.headers
        self._opened |= response.is_success
        if response.status_code == 401 or ended:
            yield from self._renew()
            request.headers["Authorization"] = f"Bearer {self._token}"
            yield request

    def _renew(self) -> Flow:
        self._token, self._opened = "", False
        if not self._token_url:
            self._token_url = yield from self._discover()
        response, content = yield from self._ask_for_token()
        if content.lstrip()[:1] == b"<":  # a page for people may pass in a moment
            response, content = yield from self._ask_for_token()
        if _is_no_client(response, content) and self.other_proof():
            response, content = yield from self._ask_for_token()
        if _is_no_scope(response, content) and self._ask_for_less():
            response, content = yield from self._ask_for_token()
        if response.status_code not in (200, 201) or said(_refused(content).error, str, ""):
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
        self._token, self.granted = token, said(granted.scope, str, "")
        self._ends = self._clock() + lifetime(said(granted.expires_in, object, None), USUAL_LIFETIME)

    def _ask_for_token(self) -> Generator[httpx2.Request, httpx2.Response, tuple[httpx2.Response, bytes]]:
        form = {"grant_type": "client_credentials", "scope": self._scope(), **self.form(self._token_url)}
        headers = {"Accept": "application/json", **self.token_headers()}
        response = yield httpx2.Request("POST", self._token_url, data=form, headers=headers)
        return response, body(response, cap=SMALL_BYTES, what="the token")

    def _ask_for_less(self) -> bool:
        """Whether there is less to ask for: what every system gives, of a client that was never granted the rest."""
        core = [name for name in self._types if name in CORE_TYPES]
        less = [name for name in self._types if name in (*core, *referred_types(core))]
        if self._section.scope or not core or less == list(self._types):
            return False
        self._types = less
        return True

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
            raise TemporaryError(f"{place} does not say now where its token endpoint is", BUSY, who="site IT")
        if not found:
            raise OperatorError(
                f"{place} does not say where its token endpoint is",
                "Set fhir.auth.token_url; the EHR vendor's documentation names it.",
            )
        if not self._origins.is_own(found):
            raise OperatorError(
                f"the server names a token endpoint at another place, {self._origins.place(found)}",
                "If that is right, set fhir.auth.token_url to it.",
            )
        return str(self._origins.trusted(found))

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
        by_certificate = (
            said(smart.mtls_endpoint_aliases, _Aliases, _Aliases()) if self._section.client_certificate else _Aliases()
        )
        return said(by_certificate.token_endpoint, str, "") or said(smart.token_endpoint, str, "")

    def _refusal(self, response: httpx2.Response, content: bytes) -> Exception:
        """What to do; the server's own words stay out, they may hold anything."""
        where, status = f"the token endpoint at {response.request.url.host}", response.status_code
        refused = _refused(content)
        error = said(refused.error, str, "")
        if status == 429 or status >= 500 or (status == 400 and not error):
            # Epic answers a bare 400 now and then to a request that it grants a second later.
            return TemporaryError(f"{where} answered {status}", UNSURE, who="site IT")
        if status in NO_SUCH_PLACE and not error:
            return OperatorError(
                f"there is no token endpoint where it is asked at {response.request.url.host} ({status})",
                "Correct fhir.auth.token_url, or leave it out where the server says it itself.",
            )
        if error in NOT_SO:
            return OperatorError(
                f"{where} does not let client {self._section.client_id} log in by client credentials ({status})",
                "Register it as a backend service (grant type client_credentials), or give the id of one that is.",
                who="site IT",
            )
        if error == "invalid_scope":
            return OperatorError(
                f"{where} refuses the scope for client {self._section.client_id}",
                f"Grant {self._scope()} to this client; or fhir.auth.scope is set to what is granted.",
                who="site IT",
            )
        return self._refused_client(response, said(refused.error_description, str, ""), f"{where} refuses")

    def _refused_client(self, response: httpx2.Response, description: str, refuses: str) -> Exception:
        client = f"client {self._section.client_id} ({response.status_code})"
        return OperatorError(f"{refuses} {client}", self._advice(), who=self.mended_by)

    def _advice(self) -> str:
        return (
            "Check fhir.auth.client_id and fhir.auth.secret, and with the EHR's administrator whether the client is active and its "
            "secret has not expired."
        )


class ClientCredentials(TokenAuth):
    """A client with a shared secret, sent as HTTP basic authentication; in the form where only that is taken (RFC 6749, 2.3.1)."""

    def __init__(self, fhir: Fhir, *, types: Sequence[str], clock: Clock, secret: str) -> None:
        super().__init__(fhir, types=types, clock=clock)
        self._secret = secret
        self._in_form = self._other_tried = False

    def form(self, token_url: str) -> dict[str, str]:
        """Nothing while the proof stands in the header."""
        return {"client_id": self._section.client_id or "", "client_secret": self._secret} if self._in_form else {}

    def other_proof(self) -> bool:
        """The form, which is kept where it is taken."""
        if self._other_tried:
            self._in_form = False
            return False
        self._in_form = self._other_tried = True
        return True

    def token_headers(self) -> dict[str, str]:
        """Client id and secret."""
        if self._in_form:
            return {}
        basic = httpx2.BasicAuth(self._section.client_id or "", self._secret)
        request = next(basic.auth_flow(httpx2.Request("POST", self._base)))
        return {"Authorization": request.headers["Authorization"]}


class MutualTls(TokenAuth):
    """A client that its TLS certificate proves (RFC 8705, `tls_client_auth`)."""

    mended_by: Who = "site IT"

    def form(self, token_url: str) -> dict[str, str]:
        """Its name alone."""
        return {"client_id": self._section.client_id or ""}

    def _advice(self) -> str:
        return (
            f"Register the client certificate ({self._section.client_certificate}) for client {self._section.client_id}; or "
            "fhir.auth.client_id is not the client's."
        )


class BackendServices(TokenAuth):
    """SMART Backend Services: an assertion signed by a private key that never leaves us (RFC 7523).

    While keys are changed there are two: the second is tried once where the first is not known yet, or no more.
    """

    mended_by: Who = "site IT"

    def __init__(self, fhir: Fhir, *, types: Sequence[str], clock: Clock, key: bytes) -> None:
        super().__init__(fhir, types=types, clock=clock)
        self._keys = signing_keys(key, self._section)
        self._other_tried = False

    def form(self, token_url: str) -> dict[str, str]:
        """A fresh assertion for that endpoint."""
        return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": self.assertion(token_url)}

    def other_proof(self) -> bool:
        """The next key, which is kept where it is taken."""
        if self._other_tried or len(self._keys) < 2:
            return False
        self._keys, self._other_tried = [self._keys[1], self._keys[0]], True
        return True

    def assertion(self, token_url: str) -> str:
        """A signed JWT: one use, four minutes, for exactly that endpoint."""
        section, now, key = self._section, self._clock(), self._keys[0]
        claims = {
            "iss": section.client_id,
            "sub": section.client_id,
            "aud": token_url,
            "jti": str(uuid.uuid4()),
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTION_LIFETIME).timestamp()),
        }
        headers = {"kid": key.kid} if key.kid else None
        return jwt.encode(claims, key.key, algorithm=key.algorithm, headers=headers)

    def _refused_client(self, response: httpx2.Response, description: str, refuses: str) -> Exception:
        """An assertion lives minutes: a clock that differs by more is the likelier cause than its key."""
        ahead, about_time = self._clock_ahead(response), bool(_ABOUT_TIME.search(description))
        if abs(ahead) <= CLOCKS_AGREE and not about_time:
            return super()._refused_client(response, description, refuses)
        client = f"client {self._section.client_id} ({response.status_code})"
        if abs(ahead) <= CLOCKS_AGREE:
            return OperatorError(
                f"{refuses} the times in the assertion of {client}, though its clock and this machine's agree",
                "Say how long an assertion may live: Mainstem's live four minutes, SMART allows five.",
                who="EHR vendor",
            )
        where = f"{abs(ahead):,.0f} s {'ahead of' if ahead > 0 else 'behind'}"
        return OperatorError(
            f"{refuses} {client}: this machine's clock is {where} the server's",
            f"Set this machine's clock (NTP), or have the server's set. Where both are right: {self._advice()}",
        )

    def _clock_ahead(self, response: httpx2.Response) -> float:
        """Seconds by which our clock runs before the server's; 0 where it does not say its own."""
        server = http_date(response.headers.get("Date", ""))
        return (self._clock() - server).total_seconds() if server is not None else 0.0

    def _advice(self) -> str:
        section = self._section
        kids = [each.kid for each in self._keys[:2] if each.kid]
        key = f"key {' or '.join(kids)}" if kids else "the key (fhir.auth.key_id names none)"
        return (
            f"Register the public half of {key} for client {section.client_id} (`mainstem keys jwks` shows it), and see that it "
            f"has been taken over; else {section.private_key} is not its private half, or this machine's clock is wrong."
        )


def _refused(content: bytes) -> _Refused:
    try:
        return decoded(content, _REFUSED)
    except Unreadable:
        return _Refused()


def _is_no_client(response: httpx2.Response, content: bytes) -> bool:
    """Whether the client's proof is what is refused."""
    error = said(_refused(content).error, str, "")
    return (response.status_code in (400, 401) and error in ("invalid_client", "invalid_request")) or (
        response.status_code == 401 and not error
    )


def _is_no_scope(response: httpx2.Response, content: bytes) -> bool:
    """Whether what is asked for is what is refused."""
    return response.status_code in (400, 401, 403) and said(_refused(content).error, str, "") == "invalid_scope"


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
