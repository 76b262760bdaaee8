"""OAUTHBEARER: a token by client credentials (RFC 6749, 4.4), kept until shortly before it ends."""

import time

import httpx2
from kafka.net.sasl.oauth import AbstractTokenProvider

from schemas.encryption import require_encryption
from schemas.errors import OperatorError, TemporaryError

EARLY_SECONDS = 30.0
LIFETIME_SECONDS = 300.0
"""Where the answer says none."""


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """What kafka-python asks whenever it connects. An answer's words are never passed on: they may hold what we sent."""

    def __init__(self, url: str | None, client: str | None, secret: str | None, ca_file: str | None) -> None:
        self._url, self._client, self._secret, self._ca_file = url or "", client or "", secret or "", ca_file
        self._token, self._ends = "", 0.0

    def token(self) -> str:
        """A token that is good for a while. Raises OperatorError, TemporaryError."""
        if time.monotonic() >= self._ends - EARLY_SECONDS:
            self._token, lifetime = self._ask()
            self._ends = time.monotonic() + lifetime
        return self._token

    def _ask(self) -> tuple[str, float]:
        url = httpx2.URL(self._url)
        require_encryption(
            encrypted=url.scheme == "https",
            host=url.host,
            allowed=False,
            carries="the client's secret",
            place=f"the token endpoint at {url.host}",
            fix="Set MAINSTEM_KAFKA_TOKEN_URL to an https address.",
        )
        try:
            answer = httpx2.post(
                url,
                data={"grant_type": "client_credentials"},
                auth=(self._client, self._secret),
                timeout=10,
                verify=self._ca_file or True,
            )
        except httpx2.HTTPError as exc:
            raise TemporaryError(
                f"the token endpoint at {url.host} is not reachable ({type(exc).__name__})", "Look at it; run again."
            ) from None
        if answer.status_code != 200:
            raise OperatorError(
                f"the token endpoint at {url.host} gave no token ({answer.status_code})",
                "Check MAINSTEM_KAFKA_USERNAME and MAINSTEM_KAFKA_PASSWORD: the client's id and its secret.",
            )
        try:
            said = answer.json()
            return str(said["access_token"]), float(said.get("expires_in", LIFETIME_SECONDS))
        except (ValueError, KeyError, TypeError):
            raise OperatorError(f"the token endpoint at {url.host} answered no token", "Check its address.") from None
