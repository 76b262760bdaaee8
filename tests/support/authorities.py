"""Certificates of a hospital's own authority, and a proxy in front of what shows them."""

import base64
import ipaddress
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
TODAY = datetime.now(UTC)


class Authority:
    """Somebody who signs certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        self.folder, self.name = folder, x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.file = folder / f"{name}.pem"
        own = self._signed(self.name, self.key, TODAY + timedelta(days=30), is_authority=True)
        self.file.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def certificate(self, *, host: str, ends: datetime, key: Key | None = None) -> tuple[Path, Path]:
        """A server's certificate and key, as files; a new key where none is given."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        try:
            name: x509.GeneralName = x509.IPAddress(ipaddress.ip_address(host))
        except ValueError:
            name = x509.DNSName(host)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        signed = self._signed(subject, key, ends, name)
        files = self.folder / f"{host}.pem", self.folder / f"{host}.key"
        files[0].write_bytes(signed.public_bytes(serialization.Encoding.PEM))
        files[1].write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return files

    def _signed(
        self,
        subject: x509.Name,
        key: Key,
        ends: datetime,
        name: x509.GeneralName | None = None,
        *,
        is_authority: bool = False,
    ) -> x509.Certificate:
        """Beside the names, what a careful verifier wants to see (RFC 5280)."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(TODAY - timedelta(days=60))
            .not_valid_after(ends)
            .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key()), critical=False)
        )
        if is_authority:
            use = x509.KeyUsage(True, False, False, False, False, True, True, False, False)
            builder = builder.add_extension(use, critical=True)
        if name is not None:
            builder = builder.add_extension(x509.SubjectAlternativeName([name]), critical=False)
        return builder.sign(self.key, hashes.SHA256())


class _Tunnel(BaseHTTPRequestHandler):
    """Passes on what it cannot read, for whoever logs in."""

    wanted: str
    passed: list[str]

    def do_CONNECT(self) -> None:
        """A tunnel to one host and port."""
        if self.headers.get("Proxy-Authorization") != self.wanted:
            self.send_response(407)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.passed.append(self.path)
        host, _, port = self.path.partition(":")
        with socket.create_connection((host, int(port))) as there:
            self.send_response(200)
            self.end_headers()
            self.wfile.flush()
            back = threading.Thread(target=_pass_on, args=(there, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, there)
            back.join()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def _pass_on(source: socket.socket, target: socket.socket) -> None:
    try:
        while block := source.recv(1 << 16):
            target.sendall(block)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        return


@contextmanager
def tunnelling(log_in: str) -> Iterator[tuple[str, list[str]]]:
    """A proxy that tunnels for whoever shows `user:password`: its address, and the places it led to."""
    passed: list[str] = []
    wanted = "Basic " + base64.b64encode(log_in.encode()).decode()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Tunnel,), {"passed": passed, "wanted": wanted}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", passed
    finally:
        server.shutdown()
        server.server_close()
