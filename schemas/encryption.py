"""No TLS, no secret: what may go over a connection that is not encrypted. One rule for FHIR, Kafka and PostgreSQL alike."""

from ipaddress import ip_address

from schemas.errors import OperatorError


def on_loopback(host: str) -> bool:
    """Whether the host is this machine's loopback: what goes there leaves no machine."""
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def require_encryption(*, encrypted: bool, host: str, allowed: bool, carries: str, place: str, fix: str) -> str:
    """The sentence to be said on every run where plaintext is allowed and used; empty where nothing is in the open.

    Raises OperatorError where something would be that nobody allowed.
    """
    if encrypted or on_loopback(host):
        return ""
    sentence = f"{carries} in the open: the connection to {place} is not encrypted"
    if allowed:
        return sentence
    raise OperatorError(f"would send {sentence}", fix)
