"""How connections to a site's server are made: whom TLS trusts, what certificate is shown, through which proxy; and what a
failed handshake means."""

import os
import re
import socket
import ssl
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpx2

from connectors.client.bodies import ACCEPT_ENCODING, READ_BYTES
from connectors.client.origins import DEFAULT_PORTS
from schemas.encryption import on_loopback
from schemas.errors import IncompleteError, MainstemError, OperatorError, TemporaryError
from schemas.showing import host_and_port
from schemas.sites import Auth, Fhir

PROBED_SECONDS = 2.0
PEM, PEM_LINE = re.compile(rb"[ \t]*-----BEGIN ([A-Z0-9 ]+)-----([A-Za-z0-9+/=\s]+)-----END \1-----"), 64
"""A block without headers: with them a key has a password, which is told of."""
WANTS_TLS = re.compile(rb"HTTPS (?:port|server)|requires TLS", re.IGNORECASE)
"""What servers of TLS answer who does not speak it: nginx, Apache, Go, Tomcat."""
_OUT_OF_DATE = {9: "is not valid yet", 10: "has expired"}
_SELF_SIGNED, _OTHER_NAME, _TOO_WEAK = 18, {62, 64}, {66, 67, 68}
"""OpenSSL's X509_V_ERR_*: not yet valid, has expired; host name, IP address mismatch; key too small, signed by MD5 or SHA-1."""
_NOT_TLS = {
    "WRONG_VERSION_NUMBER",
    "HTTP_REQUEST",
    "UNKNOWN_PROTOCOL",
    "RECORD_LAYER_FAILURE",
    "PACKET_LENGTH_TOO_LONG",
}
"""OpenSSL's reasons for an answer that is no TLS."""
_TOO_OLD = (
    "UNSUPPORTED_PROTOCOL",
    "PROTOCOL_VERSION",
    "VERSION_TOO_LOW",
    "KEY_TOO_SMALL",
    "MD_TOO_WEAK",
    "UNSAFE_LEGACY_RENEGOTIATION",
)
"""OpenSSL's reasons for what it does not take up any more: SSL, TLS before 1.2, short keys, SHA-1."""
_ALERTS = {
    "CERTIFICATE_REQUIRED": "wants a client certificate",
    "BAD_CERTIFICATE": "does not take the client certificate",
    "CERTIFICATE_EXPIRED": "says that the client certificate has expired",
    "CERTIFICATE_REVOKED": "says that the client certificate was revoked",
    "CERTIFICATE_UNKNOWN": "does not take the client certificate",
    "UNKNOWN_CA": "does not know the authority of the client certificate",
    "ACCESS_DENIED": "does not permit the client certificate",
}
"""What a server says of our certificate while TLS is set up, by a part of OpenSSL's reason."""


def open_connections(
    fhir: Fhir, folder: Path, secrets: Callable[[str], bytes], transport: httpx2.BaseTransport | None
) -> httpx2.Client:
    """The connections of one site. Raises OperatorError for what is named and cannot be used.

    What is for this machine goes through no proxy but one on this machine: loopback needs no TLS because it leaves no machine.
    """
    here = on_loopback(httpx2.URL(str(fhir.base_url)).host)
    proxy = _proxy(fhir, secrets) if transport is None else None
    if proxy is not None and here and not on_loopback(proxy.url.host):
        proxy = None
    verify = _context(fhir, folder, secrets) if transport is None else True
    seconds = fhir.timeout_seconds
    _read_much_at_once()
    try:
        return httpx2.Client(
            transport=transport,
            timeout=httpx2.Timeout(seconds, connect=min(10.0, seconds)),
            headers={"Accept-Encoding": ACCEPT_ENCODING},
            trust_env=proxy is None and not here,
            verify=verify,
            proxy=proxy,
            follow_redirects=False,
        )
    except (ValueError, ImportError, httpx2.InvalidURL):
        raise OperatorError(
            "the proxy that the environment names cannot be used",
            "Correct HTTPS_PROXY, HTTP_PROXY or ALL_PROXY: http://host:port; or name it in fhir.proxy.",
        ) from None


def _read_much_at_once() -> None:
    import httpcore2  # as late as httpx2 itself does

    httpcore2.HTTP11Connection.READ_NUM_BYTES = READ_BYTES


def _proxy(fhir: Fhir, secrets: Callable[[str], bytes]) -> httpx2.Proxy | None:
    if fhir.proxy is None:
        return None
    if fhir.proxy_login is None:
        return httpx2.Proxy(str(fhir.proxy))
    try:
        user, found, password = secrets(fhir.proxy_login).decode().strip().partition(":")
    except UnicodeDecodeError:
        user, found, password = "", "", ""
    if not found or not user:
        raise OperatorError(
            f"fhir.proxy_login ({fhir.proxy_login}) is no log-in", "Put it there as user:password, one line."
        )
    return httpx2.Proxy(str(fhir.proxy), auth=(user, password))


def proxy_for(fhir: Fhir, url: httpx2.URL, *, direct: bool = False) -> str:
    """The proxy by which an address is asked, `host:port`; empty where it is asked without one."""
    here = on_loopback(httpx2.URL(str(fhir.base_url)).host)
    named = "" if fhir.proxy is None else str(fhir.proxy)
    if direct:
        return ""
    if not named and not here and not proxy_bypass(url.host):
        known = getproxies()
        named = known.get(url.scheme) or known.get("all", "")
    if not named:
        return ""
    proxy = httpx2.URL(named if "://" in named else f"http://{named}")
    if here and not on_loopback(proxy.host):
        return ""
    return host_and_port(proxy.host, proxy.port or DEFAULT_PORTS.get(proxy.scheme))


def broken(
    exc: httpx2.HTTPError, url: httpx2.URL, *, proxy: str, seconds: float, key: str = "fhir.base_url"
) -> MainstemError:
    """A failure below HTTP in words; `proxy`: by which it was asked, `seconds`: how long it was waited for, `key`: what of the site
    file names the address."""
    server = host_and_port(url.host, url.port or DEFAULT_PORTS.get(url.scheme))
    met = list(causes(exc))
    for cause in met:  # by a proxy too: TLS is set up with the server behind it
        if isinstance(cause, ssl.SSLError) and (told := refused_handshake(cause, server)):
            return told
    if isinstance(exc, httpx2.ConnectError) and any(isinstance(cause, ssl.SSLError) for cause in met):
        return ended_handshake(server)
    if isinstance(exc, httpx2.ConnectTimeout | httpx2.ConnectError) and proxy:
        return unreached(proxy, server)
    if any(isinstance(cause, socket.gaierror) for cause in met):
        return TemporaryError(f"the host name {url.host} cannot be resolved", f"Check {key} and DNS or the VPN.")
    if isinstance(exc, httpx2.ProxyError):
        return OperatorError(
            f"the proxy on the way to {server} refuses to pass the request on",
            "Have the proxy permit this host; else fhir.proxy or fhir.proxy_login is wrong.",
            who="site IT",
        )
    if isinstance(exc, httpx2.ConnectError) and any(
        isinstance(cause, ConnectionResetError | BrokenPipeError) for cause in met
    ):
        return ended_handshake(server)
    if isinstance(exc, httpx2.ConnectTimeout | httpx2.ConnectError):
        return TemporaryError(
            f"nothing answers at {server}",
            f"See that the EHR is up, and that firewall and VPN let this machine reach it; else {key} is wrong.",
            who="site IT",
        )
    if isinstance(exc, httpx2.TimeoutException):
        return TemporaryError(
            f"{server} did not answer within {seconds:g} s",
            "Raise fhir.timeout_seconds or lower fhir.page_size.",
        )
    if isinstance(exc, httpx2.RemoteProtocolError) and "illegal" in str(exc):
        return OperatorError(
            f"{server} answers, but does not speak HTTP: another service listens on that port",
            f"Write the port of the FHIR server into {key}; its IT knows it.",
        )
    if isinstance(exc, httpx2.DecodingError):
        return IncompleteError(f"{server} sent damaged compressed data", "Run it again.")
    return broken_off(url, server)


def unreached(proxy: str, server: str) -> TemporaryError:
    """Whoever asks by a proxy talks to the proxy alone: where no connection comes about, it is not the server that is away."""
    return TemporaryError(
        f"the proxy {proxy} on the way to {server} cannot be reached",
        "Correct fhir.proxy, or HTTPS_PROXY and HTTP_PROXY where it has none; where they are right, see that the proxy is up.",
        who="site IT",
    )


def _context(fhir: Fhir, folder: Path, secrets: Callable[[str], bytes]) -> ssl.SSLContext:
    """The system's authorities; a hospital's own is often not among them, and named by `ca_file`."""
    if _never_by_tls(fhir):
        return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # trusts nobody
    if fhir.ca_file is None and fhir.auth.client_certificate is None:
        return _usual(os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR"))
    context = httpx2.create_ssl_context()
    if fhir.ca_file is not None:
        try:
            context.load_verify_locations(folder / fhir.ca_file)
        except ssl.SSLError as exc:
            raise OperatorError(
                f"fhir.ca_file: {folder / fhir.ca_file} holds no certificates",
                "Give a PEM file. One in DER becomes it by: openssl x509 -inform der -in FILE -out ca.pem",
            ) from exc
        except OSError as exc:
            raise OperatorError(
                f"fhir.ca_file: {folder / fhir.ca_file} cannot be read ({exc.strerror})",
                "Write its path as it is seen from the site file's folder.",
            ) from exc
    if fhir.auth.client_certificate is not None:
        _show(context, fhir.auth, secrets)
    return context


def _never_by_tls(fhir: Fhir) -> bool:
    """Whether all that is asked stands on this machine, and in the clear."""
    named = [str(fhir.base_url), *fhir.allowed_origins, *([str(fhir.auth.token_url)] if fhir.auth.token_url else [])]
    in_clear = all(each.startswith("http://") and on_loopback(httpx2.URL(each).host) for each in named)
    return in_clear and fhir.proxy is None and fhir.ca_file is None and fhir.auth.client_certificate is None


@cache
def _usual(_file: str | None, _folder: str | None) -> ssl.SSLContext:
    """The authorities of the system, or those that the environment names, once a process: to read them takes longer than to
    set up a connection."""
    return httpx2.create_ssl_context()


def _show(context: ssl.SSLContext, auth: Auth, secrets: Callable[[str], bytes]) -> None:
    """The client's certificate and key, for mutual TLS."""
    certificate = secrets(auth.client_certificate or "")
    key = secrets(auth.client_key) if auth.client_key else b""
    with _kept_for_a_moment(in_lines(certificate + b"\n" + key + b"\n")) as path:
        try:
            context.load_cert_chain(path, password=lambda: "")  # a key with a password would be asked for at a terminal
        except (OSError, ssl.SSLError, ValueError):
            raise OperatorError(
                f"fhir.auth.client_certificate ({auth.client_certificate}) and its key do not make a pair",
                "Give certificate (chain) and private key in PEM, without a password; where they stand in two places, name "
                "the key's by fhir.auth.client_key.",
            ) from None


def in_lines(pem: bytes) -> bytes:
    """PEM as OpenSSL reads it, in lines of 64, also of what a form or an environment took for one line."""

    def block(found: re.Match[bytes]) -> bytes:
        body = b"".join(found[2].split())
        lines = [body[begin : begin + PEM_LINE] for begin in range(0, len(body), PEM_LINE)]
        return b"\n".join((b"-----BEGIN %b-----" % found[1], *lines, b"-----END %b-----\n" % found[1]))

    return PEM.sub(block, pem)


@contextmanager
def _kept_for_a_moment(secret: bytes) -> Iterator[str]:
    """A file that this user alone can read: OpenSSL takes a key from nowhere else."""
    descriptor, path = tempfile.mkstemp()
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(secret)
        yield path
    finally:
        Path(path).unlink()


def refused_handshake(exc: ssl.SSLError, server: str) -> OperatorError | None:
    """What is wrong between two who would set up TLS: each has another remedy, and another person who can apply it."""
    if isinstance(exc, ssl.SSLCertVerificationError):
        return _bad_certificate(exc, server)
    if exc.reason in _NOT_TLS:
        return OperatorError(
            f"{server} does not speak TLS: https is asked of a port that answers http",
            "Give the https address in fhir.base_url; where the site has none, its IT sets one up.",
        )
    reason = exc.reason or ""
    if "UNRECOGNIZED_NAME" in reason:
        return OperatorError(
            f"{server} knows no host of this name", "Write the name that its certificate has into fhir.base_url."
        )
    if any(name in reason for name in _TOO_OLD):
        return OperatorError(
            f"{server} speaks only TLS that is too old or too weak", "Let it speak TLS 1.2 or newer.", who="site IT"
        )
    if (said := next((said for name, said in _ALERTS.items() if name in reason), None)) is not None:
        return OperatorError(
            f"{server} {said}",
            "Set fhir.auth.client_certificate (and client_key) to the pair that was issued for this client.",
        )
    if "HANDSHAKE_FAILURE" in reason:
        return OperatorError(
            f"{server} refuses the TLS handshake: it wants a client certificate, or knows none of today's ciphers",
            "Set fhir.auth.client_certificate to the one that was issued for this client; where none was, have the "
            "server speak TLS 1.2 with ECDHE, or newer.",
        )
    return None


def ended_handshake(server: str) -> TemporaryError:
    """A connection came about, and ended before anything could be asked."""
    return TemporaryError(
        f"{server} takes up connections and breaks off while TLS is set up",
        "See that fhir.base_url has the right port; then let the server's log be read, and that of a firewall or gateway in "
        "between, which may not let this machine through.",
        who="site IT",
    )


def broken_off(url: httpx2.URL, server: str) -> MainstemError:
    """An answer that ended too soon, as one does that speaks TLS to somebody who does not."""
    if url.scheme == "http" and _speaks_tls(url):
        return wants_tls(server)
    return TemporaryError(f"{server} broke off its answer", "Run it again; it goes on where it stopped.")


def wants_tls(server: str) -> OperatorError:
    """http was asked of a port of https."""
    return OperatorError(
        f"{server} speaks TLS: http is asked of a port that answers https", "Write https:// in fhir.base_url."
    )


def _speaks_tls(url: httpx2.URL) -> bool:
    """Whether somebody there takes up TLS; nothing is sent."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        with (
            socket.create_connection((url.host, url.port or 80), timeout=PROBED_SECONDS) as connection,
            context.wrap_socket(connection, server_hostname=url.host),
        ):
            return True
    except OSError:
        return False


def _bad_certificate(exc: ssl.SSLCertVerificationError, server: str) -> OperatorError:
    if exc.verify_code in _OUT_OF_DATE:
        return OperatorError(
            f"the TLS certificate of {server} {_OUT_OF_DATE[exc.verify_code]}",
            "Renew it. Where it is valid, this machine's clock is wrong.",
            who="site IT",
        )
    if exc.verify_code == _SELF_SIGNED:
        return OperatorError(
            f"the TLS certificate of {server} is signed by itself, by no authority",
            "Set fhir.ca_file to that certificate where its fingerprint is the right one; or have one issued by an authority.",
        )
    if exc.verify_code in _OTHER_NAME:
        return OperatorError(
            f"the TLS certificate of {server} is made out to another name",
            "Write the name in the certificate into fhir.base_url, or have one issued that names this host.",
        )
    if exc.verify_code in _TOO_WEAK:
        return OperatorError(
            f"the TLS certificate of {server} is too weak: its key is short, or it is signed by MD5 or SHA-1",
            "Have one issued with an RSA key of 2,048 bits or more, or an elliptic one, signed by SHA-256.",
            who="site IT",
        )
    return OperatorError(
        f"the TLS certificate of {server} is not trusted",
        "Set fhir.ca_file to the site's certificate authority; where it is, the server leaves out a certificate between them.",
    )


def causes(exc: BaseException | None) -> Iterator[BaseException]:
    """An error and those it came of."""
    while exc is not None:
        yield exc
        exc = exc.__cause__ or exc.__context__
