"""Real TLS against a server on this machine: an unknown authority, another name, an expired certificate; each is said as itself."""

import shutil
import socket
import ssl
import tempfile
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from authorities import TODAY, Authority, tunnelling
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.client.capabilities import ask_capabilities
from connectors.client.connections import open_connections
from connectors.source import Source
from mainstem.check import check_site
from mainstem.kafka.settings import KafkaSettings, probe
from schemas.errors import MainstemError, OperatorError
from schemas.sites import Fhir, Site


class Statement(BaseHTTPRequestHandler):
    """A FHIR server that says only that it is one, and remembers what it was sent."""

    heard: list[str]

    def do_GET(self) -> None:
        self.heard.append(self.headers.get("Authorization", ""))
        body = b'{"resourceType":"CapabilityStatement","fhirVersion":"4.0.1"}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        return


def sound(_: ssl.SSLContext) -> None:
    """TLS as it is usual."""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "hospital-ca")


@pytest.fixture
def serving() -> Iterator[Callable[..., tuple[int, list[str]]]]:
    """`serving(certificate, key)`: the port it listens on, and the log-ins it has heard; with `clients_of`, mutual TLS;
    `wrongly`: how its TLS is set."""
    running: list[ThreadingHTTPServer] = []

    def start(
        certificate: Path, key: Path, clients_of: Path | None = None, wrongly: Callable[[ssl.SSLContext], None] = sound
    ) -> tuple[int, list[str]]:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        wrongly(context)
        context.load_cert_chain(certificate, key)
        if clients_of is not None:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(clients_of)
        heard: list[str] = []
        server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (Statement,), {"heard": heard}))
        server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is the point
        server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        running.append(server)
        return server.server_address[1], heard

    yield start
    for server in running:
        server.shutdown()
        server.server_close()


def source(
    port: int,
    folder: Path,
    ca_file: Path | None,
    secrets: dict[str, bytes] | None = None,
    *,
    scheme: str = "https",
    fhir: dict[str, str] | None = None,
    **auth: str,
) -> Source:
    """A hospital at that port, whose address may say http or https."""
    site = Site.model_validate(
        {
            "site": "north",
            "name": "North",
            "time_zone": "UTC",
            "subject_key": "env:K",
            "fhir": {
                "base_url": f"{scheme}://localhost:{port}/fhir",
                "ca_file": str(ca_file) if ca_file else None,
                "auth": {"method": "bearer", "secret": "env:T", **auth},
                **(fhir or {}),
            },
        }
    )
    return Source(
        site=site,
        folder=folder,
        secrets=lambda name: (secrets or {}).get(name, b"the-token"),
        sleep=lambda _: None,
        attempts=1,
    )


def asked(*where: Any, **more: Any) -> str:
    """The server's FHIR version."""
    with source(*where, **more).client() as client:
        client.ask("GET", client.url("metadata"), what="the log-in", accepted=(200,))
        return ask_capabilities(client).fhir_version


def test_certificate_of_the_sites_own_authority_is_trusted_once_it_is_named(
    authority: Authority, serving: Any, tmp_path: Path
) -> None:
    port, heard = serving(*authority.certificate(host="localhost", ends=TODAY + timedelta(days=1)))
    assert asked(port, tmp_path, authority.file) == "4.0.1"
    assert "Bearer the-token" in heard


@pytest.mark.parametrize(
    ("host", "days", "named", "said", "fix"),
    [
        ("localhost", 1, False, "is not trusted", "fhir.ca_file"),
        ("ehr.example", 1, True, "is made out to another name", "fhir.base_url"),
        ("10.1.2.3", 1, True, "is made out to another name", "fhir.base_url"),
        ("localhost", -1, True, "has expired", "Renew"),
    ],
)
def test_bad_certificate_is_said_as_what_it_is_and_hears_no_secret(
    host: str, days: int, named: bool, said: str, fix: str, authority: Authority, serving: Any, tmp_path: Path
) -> None:
    port, heard = serving(*authority.certificate(host=host, ends=TODAY + timedelta(days=days)))
    with pytest.raises(OperatorError, match=said) as refused:
        asked(port, tmp_path, authority.file if named else None)
    assert fix in refused.value.fix
    assert heard == []


def old(context: ssl.SSLContext) -> None:
    """TLS 1.0 alone."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1


def bare(context: ssl.SSLContext) -> None:
    """Ciphers that nobody takes any more."""
    context.set_ciphers("eNULL:@SECLEVEL=0")
    context.maximum_version = ssl.TLSVersion.TLSv1_2


def lax(context: ssl.SSLContext) -> None:
    """Keys as they are."""
    context.set_ciphers("ALL:@SECLEVEL=0")


def by_name(alert: ssl.AlertDescription) -> Callable[[ssl.SSLContext], None]:
    """A host that is not served here."""

    def refuse(context: ssl.SSLContext) -> None:
        context.sni_callback = lambda *_: alert

    return refuse


@pytest.mark.parametrize(
    ("wrongly", "said", "who", "fix"),
    [
        (old, "speaks only TLS that is too old or too weak", "site IT", "TLS 1.2"),
        (bare, "or knows none of today's ciphers", "network", "ECDHE"),
        (by_name(ssl.ALERT_DESCRIPTION_UNRECOGNIZED_NAME), "knows no host of this name", "network", "fhir.base_url"),
        (
            by_name(ssl.ALERT_DESCRIPTION_ACCESS_DENIED),
            "does not permit the client certificate",
            "network",
            "client_key",
        ),
        (by_name(ssl.ALERT_DESCRIPTION_INTERNAL_ERROR), "breaks off while TLS is set up", "site IT", "port"),
    ],
)
def test_a_handshake_that_fails_is_said_as_what_it_is(
    wrongly: Any, said: str, who: str, fix: str, authority: Authority, serving: Any, tmp_path: Path
) -> None:
    files = authority.certificate(host="localhost", ends=TODAY + timedelta(days=1))
    port, heard = serving(*files, wrongly=wrongly)
    with pytest.raises(MainstemError, match=said) as refused:
        asked(port, tmp_path, authority.file)
    assert (refused.value.who, fix in refused.value.fix) == (who, True)
    assert f"localhost:{port}" in refused.value.cause
    found = check_site(source(port, tmp_path, authority.file, {"env:K": b"k" * 32}))[-1]
    assert (found.name, found.what, found.who) == ("capability statement", refused.value.cause, who)
    assert heard == []


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (bytes.fromhex("160301002a02000026 0301" + 32 * "00" + "00 c014 00"), "too old or too weak"),
        (bytes.fromhex("1503030002 0228"), "or knows none of today's ciphers"),
        (b"", "breaks off while TLS is set up"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", "does not speak TLS"),
    ],
)
def test_the_first_bytes_of_an_old_server_or_of_a_firewall(
    answer: bytes, said: str, tmp_path: Path, authority: Authority
) -> None:
    """A server of before TLS 1.3 answers with its own version and sends no alert; a firewall just hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up() -> None:
            for _ in range(2):  # what broke off is asked again
                with suppress(OSError), server.accept()[0] as connection:
                    connection.recv(1 << 14)
                    connection.sendall(answer)

        threading.Thread(target=hang_up, daemon=True).start()
        with pytest.raises(MainstemError, match=said):
            asked(server.getsockname()[1], tmp_path, authority.file)


def test_a_certificate_of_a_short_key_is_told_from_an_unknown_one(
    authority: Authority, serving: Any, tmp_path: Path
) -> None:
    files = authority.certificate(
        host="localhost", ends=TODAY + timedelta(days=1), key=rsa.generate_private_key(65537, 1024)
    )
    port, heard = serving(*files, wrongly=lax)
    with pytest.raises(OperatorError, match="is too weak") as refused:
        asked(port, tmp_path, authority.file)
    assert refused.value.who == "site IT"
    assert heard == []


def test_a_certificate_behind_a_proxy_is_no_fault_of_the_proxy(
    authority: Authority, serving: Any, tmp_path: Path
) -> None:
    port, heard = serving(*authority.certificate(host="ehr.example", ends=TODAY + timedelta(days=1)))
    with (
        tunnelling("user:word") as (proxy, passed),
        pytest.raises(OperatorError, match="is made out to another name"),
    ):
        asked(port, tmp_path, authority.file, {"env:P": b"user:word"}, fhir={"proxy": proxy, "proxy_login": "env:P"})
    assert passed == [f"localhost:{port}"]
    assert heard == []


def test_http_to_a_port_of_https_is_said_as_such(authority: Authority, serving: Any, tmp_path: Path) -> None:
    """Not that the answer broke off, and not that the same may go well later."""
    port, heard = serving(*authority.certificate(host="localhost", ends=TODAY + timedelta(days=1)))
    with pytest.raises(OperatorError, match="http is asked of a port that answers https") as refused:
        asked(port, tmp_path, None, scheme="http")
    assert "https://" in refused.value.fix
    assert heard == []


@pytest.fixture
def guarded(authority: Authority, serving: Any) -> tuple[int, list[str]]:
    """A server that speaks only with those who show a certificate of its authority."""
    files = authority.certificate(host="localhost", ends=TODAY + timedelta(days=1))
    port, heard = serving(*files, clients_of=authority.file)
    return port, heard


def test_client_is_let_in_by_its_certificate(authority: Authority, guarded: Any, tmp_path: Path) -> None:
    """Certificate and key stand behind references, in one place or in two, in lines or in one; no copy of them is left behind."""
    port, heard = guarded
    certificate, key = (path.read_bytes() for path in authority.certificate(host="us", ends=TODAY + timedelta(days=1)))
    before = set(Path(tempfile.gettempdir()).iterdir())
    two = {"env:C": certificate, "env:K": key}
    assert asked(port, tmp_path, authority.file, two, client_certificate="env:C", client_key="env:K") == "4.0.1"
    one = key + b"\n" + certificate
    for secret in (one, one.replace(b"\n", b""), one.replace(b"\n", b" ")):
        assert asked(port, tmp_path, authority.file, {"env:C": secret}, client_certificate="env:C") == "4.0.1"
    assert "Bearer the-token" in heard
    left = {
        path for path in set(Path(tempfile.gettempdir()).iterdir()) - before if path.is_file() and path.stat().st_size
    }
    assert not [path for path in left if b"PRIVATE KEY" in path.read_bytes()]


def test_client_without_a_certificate_hears_that_one_is_wanted(
    authority: Authority, guarded: Any, tmp_path: Path
) -> None:
    port, heard = guarded
    with pytest.raises(OperatorError, match="wants a client certificate") as refused:
        asked(port, tmp_path, authority.file)
    assert "fhir.auth.client_certificate" in refused.value.fix
    assert heard == []


def test_client_certificate_of_another_authority_is_not_taken(
    authority: Authority, guarded: Any, tmp_path: Path
) -> None:
    port, heard = guarded
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "another-ca")
    certificate, key = (path.read_bytes() for path in other.certificate(host="us", ends=TODAY + timedelta(days=1)))
    with pytest.raises(OperatorError, match="does not know the authority of the client certificate"):
        asked(port, tmp_path, authority.file, {"env:C": certificate + key}, client_certificate="env:C")
    assert heard == []


def test_certificate_and_key_that_do_not_fit_are_named_and_never_shown(authority: Authority, tmp_path: Path) -> None:
    certificate, _ = (path.read_bytes() for path in authority.certificate(host="us", ends=TODAY + timedelta(days=1)))
    _, key = (path.read_bytes() for path in authority.certificate(host="them", ends=TODAY + timedelta(days=1)))
    for secret in (certificate + key, certificate, b"S3CRET"):
        with pytest.raises(
            OperatorError, match=r"client_certificate \(env:C\) and its key do not make a pair"
        ) as caught:
            asked(1, tmp_path, None, {"env:C": secret}, client_certificate="env:C")
        assert "S3CRET" not in repr(caught.value)
        assert caught.value.__cause__ is None


def test_another_authority_of_the_same_name_is_not_believed(authority: Authority, serving: Any, tmp_path: Path) -> None:
    (tmp_path / "thief").mkdir()
    thief = Authority(tmp_path / "thief", "hospital-ca")
    port, heard = serving(*thief.certificate(host="localhost", ends=TODAY + timedelta(days=1)))
    with pytest.raises(MainstemError, match="is not trusted"):
        asked(port, tmp_path, authority.file)
    assert heard == []


def test_broker_with_a_bad_certificate_is_not_spoken_to(authority: Authority, serving: Any) -> None:
    """The probe that explains a Kafka failure proves certificates as the client does."""
    port, _ = serving(*authority.certificate(host="ehr.example", ends=TODAY + timedelta(days=1)))
    (found,) = probe(KafkaSettings(f"localhost:{port}", "SSL", ca_file=str(authority.file)))
    assert found.stage == "TLS"
    assert "ehr.example" in found.detail or "localhost" in found.detail
    (unknown,) = probe(KafkaSettings(f"localhost:{port}", "SSL"))
    assert unknown.stage == "TLS"


def test_what_never_leaves_this_machine_trusts_nobody_and_others_read_the_authorities_once(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In the clear on loopback no TLS is set up; where it were, it would be refused."""
    made: list[ssl.SSLContext] = []
    usual = httpx2.create_ssl_context

    def read() -> ssl.SSLContext:
        made.append(usual())
        return made[-1]

    def named(file: str) -> None:
        shutil.copy(authority.file, tmp_path / file)
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / file))

    monkeypatch.setattr(httpx2, "create_ssl_context", read)
    for bundle in ("here.pem", "there.pem"):  # another environment names other authorities
        named(bundle)
        for base in ("http://127.0.0.1:1/fhir", "https://ehr.example/fhir", "https://other.example/fhir"):
            open_connections(Fhir.model_validate({"base_url": base}), tmp_path, lambda _: b"", None).close()
    assert len(made) == 2
    leads_out = {"base_url": "http://127.0.0.1:1/fhir", "allowed_origins": ["https://files.example"]}
    named("third.pem")
    open_connections(Fhir.model_validate(leads_out), tmp_path, lambda _: b"", None).close()
    assert len(made) == 3
