"""The OpenID provider over HTTP: what it says of itself, its keys, tokens for a code, userinfo."""

import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, urlencode, urlsplit

import httpx2
from authlib.oauth2.auth import ClientAuth

from schemas.errors import MainstemError, OperatorError, TemporaryError
from services.access.claims import RefusedError

if TYPE_CHECKING:
    from services.access.oidc import Client

SECONDS = 10.0
"""Longest wait for the provider."""
KEPT_SECONDS = 3600.0
"""So long is what it says of itself believed."""
LOOPBACK = ("127.0.0.1", "::1", "localhost")
SETTING = "MAINSTEM_OIDC_ISSUER"


class Provider:
    """One issuer. Asked when somebody logs in, not at the start: it may be down then."""

    def __init__(
        self,
        issuer: str,
        *,
        transport: httpx2.BaseTransport | None = None,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        _demand_encrypted(issuer)
        self.issuer = issuer
        self._http = httpx2.Client(timeout=SECONDS, transport=transport, follow_redirects=False)
        self._seconds = seconds
        self._kept: dict[str, tuple[float, dict[str, Any]]] = {}
        self._lock = Lock()

    def endpoint(self, name: str) -> str:
        """One of its addresses."""
        found = self._metadata().get(name)
        if not isinstance(found, str):
            raise OperatorError(f"the OpenID provider names no {name}", f"Check {SETTING}.")
        _demand_encrypted(found)
        return found

    def keys(self, *, anew: bool = False) -> Any:
        """Its public keys."""
        return self._remembered(self.endpoint("jwks_uri"), anew=anew)

    def tokens(self, client: "Client", code: str, verifier: str) -> dict[str, Any]:
        """What it gives for a code. Raises RefusedError where it gives nothing."""
        body = urlencode(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": client.redirect,
                "code_verifier": verifier,
            }
        )
        headers = {"Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
        endpoint = self.endpoint("token_endpoint")
        for proof in self._proofs(client):
            answer = self._asked("POST", *proof.prepare("POST", endpoint, dict(headers), body))
            if not (refused := _refuses_client(answer)):
                break
        if refused:
            raise OperatorError("the OpenID provider refuses us", "Check MAINSTEM_OIDC_CLIENT_ID and its secret.")
        if answer.status_code != 200:
            raise RefusedError("The log-in's code is worth nothing, or was used already.", "Log in again.")
        return _object(answer)

    def user_info(self, access_token: object) -> dict[str, Any]:
        """What it tells of a person besides the ID token; nothing where it tells nothing."""
        address = self._metadata().get("userinfo_endpoint")
        if not isinstance(address, str) or not isinstance(access_token, str):
            return {}
        _demand_encrypted(address)
        answer = self._asked("GET", address, {"Accept": "application/json", "Authorization": f"Bearer {access_token}"})
        signed = not answer.headers.get("content-type", "").startswith("application/json")
        return {} if answer.status_code != 200 or signed else _object(answer)

    def _proofs(self, client: "Client") -> list[ClientAuth]:
        """By what we show that we are the client, as RFC 6749 (2.3.1) wants it first: form-encoded before it is joined for the header.

        Some providers take the header without that; some offer it to all, and take of this client the form alone.
        """
        if client.secret is None:
            return [ClientAuth(client.id, None, "none")]
        offered = self._metadata().get("token_endpoint_auth_methods_supported") or ["client_secret_basic"]
        plain, encoded = (client.id, client.secret), (quote_plus(client.id), quote_plus(client.secret))
        ways = [(encoded, "client_secret_basic"), (plain, "client_secret_post"), (plain, "client_secret_basic")]
        kept = [(pair, way) for pair, way in ways if way in offered] or [(plain, "client_secret_post")]
        return [ClientAuth(*pair, way) for pair, way in dict.fromkeys(kept)]

    def _metadata(self) -> dict[str, Any]:
        found = self._remembered(self.issuer.rstrip("/") + "/.well-known/openid-configuration")
        if found.get("issuer") != self.issuer:
            raise OperatorError(
                "the OpenID provider calls itself otherwise", f"Set {SETTING} as it says, to the slash."
            )
        return found

    def _remembered(self, address: str, *, anew: bool = False) -> dict[str, Any]:
        with self._lock:
            at, found = self._kept.get(address, (float("-inf"), {}))
            if anew or self._seconds() - at > KEPT_SECONDS:
                answer = self._asked("GET", address, {"Accept": "application/json"})
                if answer.status_code != 200:
                    raise OperatorError(f"the OpenID provider answers {answer.status_code}", f"Check {SETTING}.")
                found = _object(answer)
                self._kept[address] = (self._seconds(), found)
            return found

    def _asked(self, method: str, address: str, headers: Mapping[str, str], body: str | None = None) -> httpx2.Response:
        try:
            answer = self._http.request(method, address, headers=dict(headers), content=body)
        except httpx2.HTTPError as exc:
            raise _away(type(exc).__name__) from None
        if answer.status_code >= 500:
            raise _away(str(answer.status_code))
        return answer


def _refuses_client(answer: httpx2.Response) -> bool:
    """Whether we are not taken for the client; by 400, too, where the proof did not stand in the header (RFC 6749, 5.2)."""
    return answer.status_code == 401 or (answer.status_code == 400 and b'"invalid_client"' in answer.content)


def _away(why: str) -> MainstemError:
    return TemporaryError(f"the OpenID provider does not answer ({why})", "Try again in a minute.")


def _object(answer: httpx2.Response) -> dict[str, Any]:
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise OperatorError("the OpenID provider's answer is no JSON object", f"Check {SETTING}.")
    return found


def _demand_encrypted(address: str) -> None:
    parts = urlsplit(address)
    if parts.scheme != "https" and not (parts.scheme == "http" and parts.hostname in LOOPBACK):
        raise OperatorError("an address of the OpenID provider is not https", f"Set {SETTING} to an https address.")
