"""The same-origin rule: where requests may go, and where the token may."""

import ipaddress

import httpx2

from schemas.errors import OperatorError
from schemas.sites import Fhir

DEFAULT_PORTS = {"http": 80, "https": 443}
Origin = tuple[str, str, int]


class Origins:
    """The origins of one site. A URL from outside (a link, a redirect, a file) goes nowhere else.

    The site's own origin and those listed in `fhir.allowed_origins` may be asked; only its own gets the token. What is
    listed is believed, a link-local address (the cloud's metadata service lives there) never.
    """

    def __init__(self, fhir: Fhir) -> None:
        self._base = httpx2.URL(f"{str(fhir.base_url).rstrip('/')}/")
        self._own = _origin(self._base)
        self._known = {self._own, *(_origin(httpx2.URL(text)) for text in fhir.allowed_origins)}
        if _link_local(self._base.host):
            raise OperatorError(
                f"fhir.base_url points to {self._base.host}, a link-local address", "Give the EHR's own address."
            )

    def own(self, url: httpx2.URL) -> bool:
        """Whether the token may go there."""
        return _origin(url) == self._own

    def own_or_allowed(self, text: str) -> bool:
        """Whether a URL from outside may be asked."""
        try:
            url = self._base.join(text)
        except httpx2.InvalidURL:
            return False
        return url.scheme in DEFAULT_PORTS and _origin(url) in self._known and not _link_local(url.host)

    def trusted(self, text: str) -> httpx2.URL:
        """The absolute URL. Raises OperatorError where it leads elsewhere."""
        if not self.own_or_allowed(text):
            raise OperatorError(
                f"{self.place(str(self._base))} links to another place, {self.place(text)}; not followed",
                "If that place is the site's own, add it to fhir.allowed_origins; it will not get the token.",
            )
        return self._base.join(text)

    def place(self, text: str) -> str:
        """Scheme, host and port of a URL, for messages: the rest may name a patient."""
        try:
            scheme, host, port = _origin(self._base.join(text))
        except httpx2.InvalidURL:
            return "an address that is none"
        return f"{scheme}://{host}" + ("" if DEFAULT_PORTS.get(scheme) == port else f":{port}")


def _origin(url: httpx2.URL) -> Origin:
    return url.scheme, url.host.lower(), url.port or DEFAULT_PORTS.get(url.scheme, 0)


def _link_local(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_link_local
    except ValueError:
        return False
