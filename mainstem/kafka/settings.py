"""How a Kafka cluster is reached: addresses and security for every client of ours, and which of TCP, TLS, Kafka or SASL fails.

kafka-python says "Unable to bootstrap" for a dead host, an untrusted certificate and a wrong password alike; `explain` tells them apart.
"""

import logging
import re
import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from schemas.encryption import on_loopback, require_encryption
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.showing import address

BOOTSTRAP_MS = 8000
"""A dead broker is told after this; a live one answers in milliseconds."""
PROBE_SECONDS = 2.0
SERVER = re.compile(r"([A-Za-z0-9._-]+|\[?[0-9A-Fa-f:.]+\]?)(:[0-9]{1,5})?")
NO_ANSWER = "no answer"
ASK_VERSIONS = struct.pack(">ihhih", 10, 18, 0, 0, -1)
"""ApiVersions, version 0, from a client without a name: every broker answers it, before anybody logs in."""
COMPRESSIONS = ("none", "gzip", "lz4")
PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")

# Without a handler of the application's, kafka-python's warnings would go to standard error through Python's last resort.
logging.getLogger("kafka").addHandler(logging.NullHandler())


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where the brokers are and how to speak to them."""

    bootstrap: str
    """`host:port`, several separated by commas."""
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str | None = None
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    certificate_file: str | None = None
    """Our own certificate (PEM), where brokers let clients in by one (mutual TLS)."""
    key_file: str | None = None
    token_url: str | None = None
    """Where OAUTHBEARER's tokens come from, by client credentials: user name and password are the client's."""
    allow_plaintext: bool = False
    """Allow a connection without TLS to a broker that is not on loopback, with SASL or without."""
    allow_one_copy: bool = False
    """Allow a topic with a single copy of its records on brokers that are not on loopback."""
    compression: str = "lz4"
    """Of what we publish; what a client can read is in docs/events.md."""
    plain_send: bool = False
    """Publish through `KafkaProducer.send` alone, about five times the CPU: see mainstem.kafka.record_batches."""

    @property
    def servers(self) -> list[str]:
        """The bootstrap addresses, one by one."""
        return [server.strip() for server in self.bootstrap.split(",") if server.strip()]

    @property
    def name(self) -> str:
        """What the cluster is called in messages."""
        return address(self.bootstrap)

    def client_options(self) -> dict[str, Any]:
        """Options every kafka-python client takes. Raises OperatorError where the settings are unsafe or incomplete."""
        self._refuse_unsafe()
        options: dict[str, Any] = {
            "bootstrap_servers": self.servers,
            "bootstrap_timeout_ms": BOOTSTRAP_MS,
            "security_protocol": self.security_protocol,
            "request_timeout_ms": 10_000,
            "reconnect_backoff_max_ms": 2000,
        }
        if self.security_protocol.endswith("SSL"):
            options |= {
                "ssl_cafile": self.ca_file,
                "ssl_certfile": self.certificate_file,
                "ssl_keyfile": self.key_file,
            }
        if self.security_protocol.startswith("SASL"):
            options |= {
                "sasl_mechanism": self.sasl_mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        if self.sasl_mechanism == "OAUTHBEARER":
            from mainstem.kafka.tokens import Tokens

            options["sasl_oauth_token_provider"] = Tokens(self.token_url, self.username, self.password, self.ca_file)
        return options

    @property
    def on_loopback(self) -> bool:
        """Whether all brokers are on this machine."""
        return all(on_loopback(split_address(server)[0]) for server in self.servers)

    def _require_addresses(self) -> None:
        if not self.servers:
            raise OperatorError("no Kafka address is set", "Set MAINSTEM_KAFKA to host:port.")
        if not all(SERVER.fullmatch(server) for server in self.servers):
            raise OperatorError(
                "a Kafka address is not of the form host:port",
                "Correct MAINSTEM_KAFKA: no http:// before it; user and password are settings of their own.",
            )

    def _refuse_unsafe(self) -> None:
        self._require_addresses()
        if self.security_protocol not in PROTOCOLS:
            raise OperatorError(
                f"Kafka security '{self.security_protocol}' is none of {', '.join(PROTOCOLS)}",
                "Correct MAINSTEM_KAFKA_SECURITY.",
            )
        if self.security_protocol.startswith("SASL") and not (self.sasl_mechanism and self.username and self.password):
            raise OperatorError(
                f"{self.security_protocol} needs a mechanism, a user name and a password",
                "Set MAINSTEM_KAFKA_SASL_MECHANISM, MAINSTEM_KAFKA_USERNAME and MAINSTEM_KAFKA_PASSWORD.",
            )
        if self.sasl_mechanism == "OAUTHBEARER" and not self.token_url:
            raise OperatorError("OAUTHBEARER needs to know where tokens come from", "Set MAINSTEM_KAFKA_TOKEN_URL.")
        if bool(self.certificate_file) != bool(self.key_file):
            raise OperatorError(
                "a client's certificate and its key go together",
                "Set MAINSTEM_KAFKA_CERTIFICATE_FILE and MAINSTEM_KAFKA_KEY_FILE.",
            )
        if self.compression not in COMPRESSIONS:
            raise OperatorError(
                f"compression '{self.compression}' is none of {', '.join(COMPRESSIONS)}",
                "Correct MAINSTEM_KAFKA_COMPRESSION.",
            )
        _ = self.in_the_open

    @property
    def in_the_open(self) -> list[str]:
        """What travels unencrypted, a sentence a broker, where that is allowed. Raises OperatorError where it is not."""
        self._require_addresses()  # what is no address would be told as one that is not encrypted
        secret = " and the password" if self.security_protocol.startswith("SASL") else ""
        found = (
            require_encryption(
                encrypted=self.security_protocol.endswith("SSL"),
                host=split_address(server)[0],
                allowed=self.allow_plaintext,
                carries=f"outcome data{secret}",
                place=f"Kafka at {address(server)} ({self.security_protocol})",
                fix="Set MAINSTEM_KAFKA_SECURITY to SSL or SASL_SSL; or, where the network itself is encrypted, "
                "MAINSTEM_KAFKA_ALLOW_PLAINTEXT=true.",
            )
            for server in self.servers
        )
        return [sentence for sentence in found if sentence]


Reach = KafkaSettings | str
"""What our clients accept: settings, or just the bootstrap addresses for PLAINTEXT on loopback."""


def as_settings(reach: Reach) -> KafkaSettings:
    """Settings from settings or from bootstrap addresses."""
    return KafkaSettings(reach) if isinstance(reach, str) else reach


@dataclass(frozen=True, slots=True)
class Probe:
    """How far one address let us come; `stage` is the first thing that failed, empty when a broker answered."""

    server: str
    stage: Literal["", "address", "TCP", "TLS", "Kafka"]
    detail: str = ""

    @property
    def is_passing(self) -> bool:
        """Whether it may be well by itself: a certificate will not be."""
        return self.stage != "TLS" or self.detail == NO_ANSWER


def probe(reach: Reach) -> list[Probe]:
    """Try name, TCP, TLS and a first word of Kafka's at every bootstrap address, each within seconds."""
    settings = as_settings(reach)
    return [_probe_one(settings, server) for server in settings.servers if SERVER.fullmatch(server)]


def unreachable(reach: Reach) -> MainstemError | None:
    """Why no address answers, as far as is seen without logging in; None where one does."""
    found = probe(reach)
    if not found or not all(result.stage for result in found):
        return None
    first = found[0]
    cause = f"Kafka broker {first.server} is not reachable: {first.stage} failed ({first.detail})"
    if not first.is_passing:
        return OperatorError(cause, "Check MAINSTEM_KAFKA_CA_FILE and the name in the broker's certificate.")
    return TemporaryError(cause, "Start the broker, or correct MAINSTEM_KAFKA.")


def explain(reach: Reach, exc: Exception) -> MainstemError:
    """Why the cluster could not be used, as an error of ours with its fix."""
    settings = as_settings(reach)
    if (problem := unreachable(settings)) is not None:
        return problem
    kind = type(exc).__name__
    if "Authentication" in kind or "Sasl" in kind or "Authentication" in str(exc):
        return OperatorError(
            f"Kafka at {settings.name} refused the user name or password ({kind})",
            "Check the SASL settings and the user.",
        )
    if "Authorization" in kind:
        return OperatorError(
            f"Kafka at {settings.name} does not permit this ({kind})", "Grant the ACL to our principal."
        )
    if kind == "UnsupportedCodecError":
        packed = next((name for name in ("zstd", "snappy", "lz4") if name in str(exc)), "what is not known here")
        return OperatorError(
            f"Kafka at {settings.name} holds events that somebody compressed by {packed}, which cannot be unpacked here",
            "Install Python's zstandard or python-snappy beside Mainstem, and run again; `mainstem topics check` tells how the "
            "brokers store what everybody can read.",
        )
    if settings.security_protocol.startswith("SASL"):
        return TemporaryError(
            f"Kafka at {settings.name} takes connections but did not let us in ({kind})",
            "Check user name, password and mechanism; if they are right, the broker's log.",
        )
    return TemporaryError(
        f"Kafka at {settings.name} did not answer as it should ({kind})", "Look into the broker's log; run again."
    )


@contextmanager
def kafka_errors(reach: Reach) -> Iterator[None]:
    """Translate kafka-python's errors into ours."""
    from kafka.errors import KafkaError

    try:
        yield
    except KafkaError as exc:
        raise explain(reach, exc) from exc


def split_address(server: str) -> tuple[str, int]:
    """`host:port` as its parts; 9092 where no port is given. An IPv6 address with a port stands in brackets."""
    host, colon, port = server.rpartition(":")
    if not colon or not port.isdigit() or (":" in host and not host.endswith("]")):
        return server.strip("[]"), 9092
    return host.strip("[]"), int(port)


def _probe_one(settings: KafkaSettings, server: str) -> Probe:
    try:
        connection = socket.create_connection(split_address(server), timeout=PROBE_SECONDS)
    except socket.gaierror:
        return Probe(server, "address", "the host name is not known")
    except OSError as exc:
        return Probe(server, "TCP", exc.strerror or NO_ANSWER)
    with connection:
        if not settings.security_protocol.endswith("SSL"):
            return Probe(server, *_first_word(connection))
        try:
            context = ssl.create_default_context(cafile=settings.ca_file)
            if settings.certificate_file:
                context.load_cert_chain(settings.certificate_file, settings.key_file)
            with context.wrap_socket(connection, server_hostname=split_address(server)[0]) as secured:
                return Probe(server, *_first_word(secured))
        except TimeoutError:
            return Probe(server, "TLS", NO_ANSWER)
        except (ssl.SSLError, OSError) as exc:
            return Probe(
                server, "TLS", getattr(exc, "verify_message", "") or getattr(exc, "reason", "") or type(exc).__name__
            )


def _first_word(connection: socket.socket) -> tuple[Literal["", "Kafka"], str]:
    """Whether a broker speaks: what takes connections may hang, or be something else."""
    try:
        connection.sendall(ASK_VERSIONS)
        return ("", "") if connection.recv(1) else ("Kafka", "the connection was closed")
    except TimeoutError:
        return "Kafka", NO_ANSWER
    except OSError as exc:
        return "Kafka", exc.strerror or type(exc).__name__
