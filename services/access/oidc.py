"""Log-in by OpenID Connect: authorization code with PKCE, state and nonce; who it is from the ID token (and userinfo).

authlib makes and judges the protocol's words; httpx2 carries them.
"""

import hmac
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from authlib.oauth2.client import OAuth2Client
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from services.access.claims import Mapped, RefusedError
from services.access.provider import Provider
from services.access.viewers import Viewer

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "Ed25519", "EdDSA")
"""Signatures of a key that only the provider has."""
LEEWAY_SECONDS = 60
"""Two clocks may differ so much."""
AGAIN = "Log in again. If it goes on, tell whoever runs your network's log-in."


@dataclass(frozen=True)
class Client:
    """What we are at the provider."""

    id: str
    secret: str | None
    redirect: str
    """Our address it sends people back to: https://…/login/back."""
    scope: str = "openid profile"


class LogIn:
    """Sends people to the provider and takes what they bring back."""

    def __init__(
        self, provider: Provider, client: Client, mapped: Mapped, seconds: Callable[[], float] = time.time
    ) -> None:
        self._provider = provider
        self._seconds = seconds
        self._client = client
        self._mapped = mapped

    @property
    def issuer(self) -> str:
        """Who vouches."""
        return self._provider.issuer

    def begin(self, to: str) -> tuple[str, dict[str, str]]:
        """The provider's address to go to, and what to keep meanwhile. Raises TemporaryError or OperatorError."""
        kept = {"state": secrets.token_urlsafe(24), "nonce": secrets.token_urlsafe(24), "to": to}
        kept["verifier"] = secrets.token_urlsafe(48)
        address, _ = self._spoken().create_authorization_url(
            self._provider.endpoint("authorization_endpoint"),
            state=kept["state"],
            code_verifier=kept["verifier"],
            nonce=kept["nonce"],
        )
        return str(address), kept

    def finish(self, answer: Mapping[str, str], kept: Mapping[str, str]) -> Viewer:
        """Who came back. Raises RefusedError in words; TemporaryError or OperatorError where the provider fails."""
        if not hmac.compare_digest(answer.get("state", "").encode(), kept["state"].encode()):
            raise RefusedError("This log-in is not the one that was begun here.", AGAIN)
        if "code" not in answer:
            raise RefusedError("The log-in was not completed there.", AGAIN)
        if answer.get("iss", self._provider.issuer) != self._provider.issuer:
            raise RefusedError("This log-in was answered by another provider than ours.", AGAIN)
        tokens = self._provider.tokens(self._client, answer["code"], kept["verifier"])
        claims = self._judged(tokens, kept["nonce"])
        return self._mapped.viewer(self._more(claims, tokens))

    def _spoken(self) -> OAuth2Client:
        client = self._client
        return OAuth2Client(
            None, client.id, scope=client.scope, redirect_uri=client.redirect, code_challenge_method="S256"
        )

    def _judged(self, tokens: Mapping[str, Any], nonce: str) -> dict[str, Any]:
        """The claims of the ID token: signed by the provider, for us, for this log-in, not over."""
        token = tokens.get("id_token")
        if not isinstance(token, str):
            raise RefusedError("The log-in's answer does not say who you are.", AGAIN)
        wanted = {
            "iss": {"essential": True, "value": self._provider.issuer},
            "aud": {"essential": True, "value": self._client.id},
        }
        given = {"nonce": nonce, "client_id": self._client.id, "access_token": tokens.get("access_token")}
        try:
            read = self._verified(token)
            claims = CodeIDToken(read.claims, read.header, wanted, given)
            claims.validate(now=int(self._seconds()), leeway=LEEWAY_SECONDS)
        except (JoseError, ValueError) as exc:
            raise RefusedError(f"The log-in's answer is not to be trusted: {_why(exc)}.", AGAIN) from None
        return dict(claims)

    def _verified(self, token: str) -> jwt.Token:
        """By the provider's keys; fetched again once where it signs with a new one."""
        registry = JWSRegistry(algorithms=list(ALGORITHMS), strict_check_header=False)
        try:
            return jwt.decode(token, KeySet.import_key_set(self._provider.keys()), registry=registry)
        except (JoseError, ValueError):
            return jwt.decode(token, KeySet.import_key_set(self._provider.keys(anew=True)), registry=registry)

    def _more(self, claims: dict[str, Any], tokens: Mapping[str, Any]) -> dict[str, Any]:
        """With what the provider tells by userinfo alone; what it says of another person is not heard."""
        told = self._provider.user_info(tokens.get("access_token"))
        return {**told, **claims} if told.get("sub") == claims["sub"] else claims


def _why(exc: Exception) -> str:
    """The library's word for it, which holds no value of a token."""
    known = {
        "expired_token": "it is over",
        "invalid_claim": "it is for somebody else or by somebody else",
        "missing_claim": "it leaves out what it must say",
        "bad_signature": "its signature is not the provider's",
    }
    return known.get(getattr(exc, "error", ""), "it is not signed as it must be")
