"""The same-origin rule: where requests may go, and where the token may."""

import ipaddress
import re

import httpx2

from schemas.encryption import require_encryption
from schemas.errors import OperatorError
from schemas.showing import host_and_port
from schemas.sites import Fhir

DEFAULT_PORTS = {"http": 80, "https": 443}
Origin = tuple[str, str, int]
_PORT_AGAIN = re.compile(r"^(\s*https?://[^/?#@:]+)(:[0-9]+)\2+(?![0-9])", re.IGNORECASE)
"""Behind gateways some servers write `host:443:443`: the port of what they were asked for, and that of the gateway's header."""


class Origins:
    """The origins of one site. A URL from outside (a link, a redirect, a file) goes nowhere else.

    The site's own origin and those listed in `fhir.allowed_origins` may be asked; only its own gets the token. What is
    listed is believed, a link-local address (the cloud's metadata service lives there) never.
    """

    def __init__(self, fhir: Fhir) -> None:
        self._base = httpx2.URL(f"{str(fhir.base_url).rstrip('/')}/")
        self._own = _origin(self._base)
        self._known = {self._own, *(_origin(_listed(text)) for text in fhir.allowed_origins)}
        if _link_local(self._base.host):
            raise OperatorError(
                f"fhir.base_url points to {self._base.host}, a link-local address", "Give the EHR's own address."
            )
        log_in = {_origin(httpx2.URL(str(fhir.auth.token_url)))} if fhir.auth.token_url else set()
        self.in_the_open = [
            said for origin in sorted(self._known | log_in) if (said := _plaintext(origin, fhir.allow_plaintext))
        ]
        """What travels unencrypted, a sentence an origin, where the site file allows it."""

    def own(self, url: httpx2.URL) -> bool:
        """Whether the token may go there."""
        return _origin(url) == self._own

    def is_own(self, text: str) -> bool:
        """The same of a URL from outside, as it is written: a log-in is never guessed to be meant here."""
        url = self._written(text)
        return url is not None and self.own(url)

    def own_or_allowed(self, text: str) -> bool:
        """Whether a URL from outside may be asked."""
        url = self._joined(text)
        return url is not None and self._allowed(url)

    def at_the_asked_port(self, text: str) -> str:
        """A URL of the same host with the scheme and the port that are asked, unless the one it names is allowed; any other as it is."""
        url = self._written(text)
        if url is None or self._allowed(url) or url.host.lower() != self._base.host.lower():
            return text
        return str(url.copy_with(scheme=self._base.scheme, port=self._base.port))

    def trusted(self, text: str) -> httpx2.URL:
        """The absolute URL. Raises OperatorError where it leads elsewhere."""
        url = self._joined(text)
        if url is None or not self._allowed(url):
            raise OperatorError(
                f"{self.place(str(self._base))} links to another place, {self.place(text)}; not followed",
                "If that place is the site's own, add it to fhir.allowed_origins; it will not get the token.",
            )
        return url

    def place(self, text: str) -> str:
        """Scheme, host and port of a URL, for messages: the rest may name a patient."""
        url = self._written(text)
        return "an address that is none" if url is None else _named(_origin(url))

    def _allowed(self, url: httpx2.URL) -> bool:
        return url.scheme in DEFAULT_PORTS and _origin(url) in self._known and not _link_local(url.host)

    def _joined(self, text: str) -> httpx2.URL | None:
        """The address that is asked for it; None for what is no URL."""
        url = self._written(text)
        if url is None or _origin(url) in self._known or not self._is_meant(url):
            return url
        return url.copy_with(scheme=self._base.scheme, port=self._base.port)

    def _written(self, text: str) -> httpx2.URL | None:
        """None for what is no URL; a host that is no name is found out only when it is looked at."""
        try:
            url = self._base.join(_PORT_AGAIN.sub(r"\1\2", text))
            _origin(url)
        except (httpx2.InvalidURL, ValueError):
            return None
        return url

    def _is_meant(self, url: httpx2.URL) -> bool:
        """Whether an address of the same host is this server's, told as the server sees itself: behind a gateway that ends TLS
        it knows of http alone, behind one that forwards a port it does not know which. The asked one is asked."""
        same = url.host.lower() == self._base.host.lower() and url.port in (
            None,
            self._base.port,
            DEFAULT_PORTS.get(self._base.scheme),
        )
        return same and url.scheme in ("http", self._base.scheme)


def _listed(text: str) -> httpx2.URL:
    try:
        url = httpx2.URL(text)
        if url.scheme in DEFAULT_PORTS and url.host:
            return url
    except (httpx2.InvalidURL, ValueError):
        pass
    raise OperatorError("fhir.allowed_origins: one of them is no address", "Write https://host or https://host:port.")


def _plaintext(origin: Origin, allowed: bool) -> str:
    scheme, host, _ = origin
    return require_encryption(
        encrypted=scheme == "https",
        host=host,
        allowed=allowed,
        carries="patients' data and the log-in",
        place=_named(origin),
        fix="Write https; or, where the network in between is itself encrypted, set fhir.allow_plaintext = true.",
    )


def _named(origin: Origin) -> str:
    scheme, host, port = origin
    return f"{scheme}://{host_and_port(host, None if DEFAULT_PORTS.get(scheme) == port else port)}"


def _origin(url: httpx2.URL) -> Origin:
    return url.scheme, url.host.lower(), url.port or DEFAULT_PORTS.get(url.scheme, 0)


def _link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False
