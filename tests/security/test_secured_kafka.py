"""A secured Apache Kafka: TLS with SCRAM-SHA-512, a client's certificate, OAUTHBEARER; and each fault told as itself within seconds."""

import base64
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from apache_kafka import ApacheKafka, free_port, require_apache_kafka
from kafka.admin import ScramMechanism, UserScramCredentialUpsertion

from mainstem.check.kafka import check_kafka
from mainstem.kafka.acls import allow
from mainstem.kafka.settings import KafkaSettings
from mainstem.kafka.topics import administration, create, require_topics
from schemas.errors import OperatorError

spec = spec_from_file_location("tls_parts", Path(__file__).with_name("test_tls.py"))
assert spec is not None
assert spec.loader is not None
tls = module_from_spec(spec)
spec.loader.exec_module(tls)

pytestmark = [pytest.mark.kafka, pytest.mark.slow, pytest.mark.timeout(280)]
PASSWORD = "a-word-of-tests"


class Secured(NamedTuple):
    """A cluster, and how its clients reach it."""

    admin: str
    scram: Callable[..., KafkaSettings]
    mutual: KafkaSettings
    bearer: KafkaSettings
    authority: Path


def token(claims: dict[str, Any]) -> str:
    """An unsigned JWT, as a broker set for tests takes it."""
    return (
        ".".join(
            base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
            for part in ({"alg": "none"}, claims)
        )
        + "."
    )


class TokenEndpoint(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        given = base64.b64decode(self.headers["Authorization"].removeprefix("Basic ")).decode()
        good = given == f"north:{PASSWORD}"
        now = int(time.time())
        body = json.dumps({"access_token": token({"sub": "north", "iat": now, "exp": now + 600}), "expires_in": 600})
        self.send_response(200 if good else 401)
        self.end_headers()
        self.wfile.write(body.encode() if good else b"{}")

    def log_message(self, *_: Any) -> None:
        return


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    require_apache_kafka()
    folder = tmp_path_factory.mktemp("secured")
    authority = tls.Authority(folder, "network-ca")
    ends = datetime.now(UTC) + timedelta(days=1)
    certificate, key = authority.certificate(host="127.0.0.1", ends=ends)
    store = folder / "broker-store.pem"
    store.write_bytes(key.read_bytes() + certificate.read_bytes())
    own, own_key = authority.certificate(host="north", ends=ends)
    cluster = ApacheKafka(folder / "kafka")
    ports = {name: free_port() for name in ("SSL", "SASL_SSL", "BEARER")}
    inner, control = cluster._ports[1]
    where = {"PLAINTEXT": inner, **ports}
    bearer = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    cluster._settings = {
        "listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in {**where, "CONTROLLER": control}.items()),
        "advertised.listeners": ",".join(f"{name}://127.0.0.1:{port}" for name, port in where.items()),
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SSL:SSL,SASL_SSL:SASL_SSL,BEARER:SASL_SSL",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(store),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "SCRAM-SHA-512,OAUTHBEARER",
        "listener.name.sasl_ssl.sasl.enabled.mechanisms": "SCRAM-SHA-512",
        "listener.name.sasl_ssl.scram-sha-512.sasl.jaas.config": "org.apache.kafka.common.security.scram.ScramLoginModule required;",
        "listener.name.bearer.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.bearer.oauthbearer.sasl.jaas.config": bearer,
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
    }
    endpoint = ThreadingHTTPServer(("127.0.0.1", 0), TokenEndpoint)
    threading.Thread(target=endpoint.serve_forever, daemon=True).start()
    common: dict[str, Any] = {"ca_file": str(authority.file)}

    def scram(user: str = "north", password: str = PASSWORD, **more: Any) -> KafkaSettings:
        address = more.pop("address", f"127.0.0.1:{ports['SASL_SSL']}")
        return KafkaSettings(address, "SASL_SSL", "SCRAM-SHA-512", user, password, **{**common, **more})

    mutual = KafkaSettings(
        f"127.0.0.1:{ports['SSL']}", "SSL", certificate_file=str(own), key_file=str(own_key), **common
    )
    by_token = KafkaSettings(
        f"127.0.0.1:{ports['BEARER']}",
        "SASL_SSL",
        "OAUTHBEARER",
        "north",
        PASSWORD,
        token_url=f"http://127.0.0.1:{endpoint.server_port}/token",
        **common,
    )
    try:
        cluster.start()
        admin = f"127.0.0.1:{inner}"
        with administration(admin) as client:
            for user in ("north", "stranger"):
                client.alter_user_scram_credentials(
                    [UserScramCredentialUpsertion(user, ScramMechanism.SCRAM_SHA_512, PASSWORD)]
                )
        create(admin, "lhn", partitions=1, replication=1)
        for principal in ("User:north", "User:CN=north"):
            allow(admin, "lhn", principal, "publisher")
        yield Secured(admin, scram, mutual, by_token, authority.file)
    finally:
        endpoint.shutdown()
        cluster.stop()


@pytest.mark.parametrize("way", ["scram", "mutual", "bearer"])
def test_each_way_of_logging_in_reaches_the_topics(secured: Secured, way: str) -> None:
    reach = secured.scram() if way == "scram" else getattr(secured, way)
    assert "lhn.outcome.v1" in require_topics(reach, "lhn")


def first_fault(reach: KafkaSettings) -> tuple[str, str, float]:
    began = time.monotonic()
    found = [each for each in check_kafka(reach, "lhn", partitions=1, replication=1) if not each.ok]
    return found[0].name, found[0].fix, time.monotonic() - began


def test_each_fault_is_told_as_itself_within_seconds(secured: Secured, tmp_path: Path) -> None:
    """TCP, TLS, host name, authority, our certificate, SASL, rights: no two are said alike."""
    port = secured.scram().bootstrap.rpartition(":")[2]
    other = tls.Authority(tmp_path, "another-ca")
    faults = {
        "TCP": secured.scram(address=f"127.0.0.1:{free_port()}"),
        "TLS: host name": secured.scram(address=f"localhost:{port}"),
        "TLS: authority": secured.scram(ca_file=str(other.file)),
        "SASL": secured.scram(password="wrong"),
        "ACL": secured.scram(user="stranger"),
    }
    for name, reach in faults.items():
        said, fix, seconds = first_fault(reach)
        assert name in said, (name, said)
        assert fix
        assert seconds < 20


@pytest.mark.slow
def test_of_several_faults_the_first_is_told_whatever_they_are(secured: Secured, tmp_path: Path, seed: int) -> None:
    """By chance: what stands in the way first is what somebody has to mend first."""
    chance = random.Random(seed)
    port = secured.scram().bootstrap.rpartition(":")[2]
    other = tls.Authority(tmp_path, "another-ca")
    in_order: dict[str, dict[str, Any]] = {
        "TCP": {"address": f"127.0.0.1:{free_port()}"},
        "TLS: authority": {"ca_file": str(other.file)},
        "TLS: host name": {"address": f"localhost:{port}"},
        "SASL": {"password": "".join(chance.choices("abc 123äß%@/", k=chance.randrange(1, 40)))},
        "ACL": {"user": "stranger"},
    }
    for _ in range(3):
        some = sorted(chance.sample(list(in_order), chance.randrange(1, 4)), key=list(in_order).index)
        wrong = {name: value for each in reversed(some) for name, value in in_order[each].items()}
        said, fix, seconds = first_fault(secured.scram(**wrong))
        assert some[0] in said, (some, said)
        assert fix
        assert wrong.get("password", "no password") not in said + fix or len(wrong["password"]) < 8
        assert seconds < 20


def test_what_is_as_it_should_be_is_told(secured: Secured) -> None:
    found = check_kafka(KafkaSettings(secured.admin), "lhn", partitions=1, replication=1)
    assert all(each.ok for each in found), found
    differing = check_kafka(KafkaSettings(secured.admin), "lhn", partitions=12, replication=1)
    assert "kafka" not in [each.name for each in differing if not each.ok]
    assert any(each.name.startswith("topic ") for each in differing if not each.ok)


def test_client_whose_secret_is_wrong_gets_no_token_and_is_told(secured: Secured) -> None:
    from mainstem.kafka.tokens import Tokens

    with pytest.raises(OperatorError, match="gave no token") as refused:
        Tokens(secured.bearer.token_url, "north", "wrong", None).token()
    assert "wrong" not in str(refused.value)
