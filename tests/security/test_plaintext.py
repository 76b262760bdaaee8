"""No TLS, no secret: one rule for FHIR, Kafka and PostgreSQL; what is allowed by name is said on every run."""

import json
import socket
from pathlib import Path
from typing import Any

import pytest

from connectors.client.origins import Origins
from connectors.source import Source
from mainstem.check import check_site
from mainstem.config.settings import Settings
from mainstem.database import parse_url
from mainstem.kafka.settings import KafkaSettings
from mainstem.refresh import open_refresh
from schemas.encryption import on_loopback
from schemas.errors import OperatorError
from schemas.sites import Fhir, Site

SECRET = b"a-password-or-token"


def fhir(base_url: str, **more: Any) -> Fhir:
    return Fhir.model_validate({"base_url": base_url, **more})


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("localhost.evil.example", False),
        ("127.0.0.1.evil.example", False),
        ("0.0.0.0", False),
        ("10.0.0.7", False),
        ("2130706433", False),
        ("", False),
    ],
)
def test_only_this_machine_is_loopback(host: str, local: bool) -> None:
    assert on_loopback(host) is local


@pytest.mark.parametrize(
    "section",
    [
        {"base_url": "http://ehr.example/fhir"},
        {"base_url": "http://10.0.0.7:8080/fhir"},
        {"base_url": "https://ehr.example/fhir", "allowed_origins": ["http://files.example"]},
        {
            "base_url": "https://ehr.example/fhir",
            "auth": {
                "method": "client-credentials",
                "client_id": "c",
                "secret": "file:s",
                "token_url": "http://login.example/token",
            },
        },
    ],
)
def test_http_to_another_machine_is_refused_unless_the_site_file_allows_it(section: dict[str, Any]) -> None:
    with pytest.raises(OperatorError, match="would send patients' data and the log-in in the open") as refused:
        Origins(Fhir.model_validate(section))
    assert "fhir.allow_plaintext" in refused.value.fix

    (sentence,) = Origins(Fhir.model_validate({**section, "allow_plaintext": True})).in_the_open
    assert "is not encrypted" in sentence


@pytest.mark.parametrize("base_url", ["https://ehr.example/fhir", "http://127.0.0.1:8080/fhir", "http://[::1]/fhir"])
def test_https_and_loopback_need_no_word(base_url: str) -> None:
    assert Origins(fhir(base_url)).in_the_open == []


@pytest.mark.parametrize("auth", [{"method": "basic", "username": "u", "secret": "env:S"}, {"method": "none"}])
def test_not_one_request_is_made_in_the_open(auth: dict[str, str], site: Any, saying: Any, tmp_path: Path) -> None:
    server = saying({"resourceType": "CapabilityStatement"})
    described = site(fhir={"base_url": "http://ehr.example/fhir", "auth": auth})
    findings = check_site(Source(site=described, folder=tmp_path, secrets=lambda _: SECRET, transport=server))
    assert any("in the open" in finding.what for finding in findings if not finding.ok)
    assert server.requests == []


def test_what_is_for_this_machine_goes_through_no_proxy(
    site: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Loopback is exempt because nothing leaves the machine; a proxy of the environment's would carry it off."""
    with socket.create_server(("127.0.0.1", 0)) as proxy, socket.create_server(("127.0.0.1", 0)) as closed:
        proxy.settimeout(0.2)
        port = closed.getsockname()[1]
        closed.close()
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.getsockname()[1]}")
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        described = site(fhir={"base_url": f"http://127.0.0.1:{port}/fhir"})
        check_site(Source(site=described, folder=tmp_path, secrets=lambda _: SECRET * 2, sleep=lambda _: None))
        with pytest.raises(TimeoutError):
            proxy.accept()


def test_check_says_what_is_allowed(site: Any, saying: Any, tmp_path: Path) -> None:
    server = saying({"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"})
    described = site(fhir={"base_url": "http://ehr.example/fhir", "allow_plaintext": True})
    findings = check_site(Source(site=described, folder=tmp_path, secrets=lambda _: SECRET * 2, transport=server))
    assert ["in the open" in finding.what for finding in findings if finding.name == "encryption"] == [True]


def test_every_run_says_what_is_allowed(tmp_path: Path) -> None:
    """Twice opened, twice said; and without the word, the run does not begin."""
    file = tmp_path / "north.toml"
    text = 'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "env:K"\n[fhir]\nbase_url = "http://ehr.example/fhir"\n'
    settings = Settings(database_url=f"sqlite:///{tmp_path}/state.db", landing=tmp_path / "landing")
    file.write_text(text)
    with pytest.raises(OperatorError, match=r"http://ehr\.example"), open_refresh(file, settings):
        pass
    file.write_text(text + "allow_plaintext = true\n")
    for _ in range(2):
        heard: list[str] = []
        with open_refresh(file, settings, notice=heard.append):
            pass
        assert [sentence for sentence in heard if "http://ehr.example is not encrypted" in sentence]


@pytest.mark.parametrize("protocol", ["PLAINTEXT", "SASL_PLAINTEXT"])
def test_kafka_without_tls_is_refused_with_a_password_or_without(protocol: str) -> None:
    sasl = ("PLAIN", "mainstem", SECRET.decode()) if protocol.startswith("SASL") else (None, None, None)
    with pytest.raises(OperatorError, match="in the open") as refused:
        KafkaSettings("broker.example:9093", protocol, *sasl).client_options()
    assert "MAINSTEM_KAFKA_ALLOW_PLAINTEXT" in refused.value.fix
    assert SECRET.decode() not in refused.value.cause + refused.value.fix

    allowed = KafkaSettings("broker.example:9093", protocol, *sasl, allow_plaintext=True)
    assert allowed.client_options()["security_protocol"] == protocol
    (sentence,) = allowed.in_the_open
    assert ("the password" in sentence) is protocol.startswith("SASL")

    assert KafkaSettings("127.0.0.1:9092", protocol, *sasl).in_the_open == []
    assert KafkaSettings("broker.example:9093", protocol.replace("PLAINTEXT", "SSL"), *sasl).in_the_open == []


def test_every_publisher_says_that_its_broker_is_reached_in_the_open(tmp_path: Path) -> None:
    file = tmp_path / "north.toml"
    file.write_text(
        'site = "north"\nname = "North"\ntime_zone = "UTC"\nsubject_key = "env:K"\n[files]\nfolder = "delivery"\n'
    )
    settings = Settings(
        database_url=f"sqlite:///{tmp_path}/state.db",
        landing=tmp_path / "landing",
        kafka="broker.example:9092",
        kafka_allow_plaintext=True,
    )
    heard: list[str] = []
    with open_refresh(file, settings, notice=heard.append) as refresh:
        refresh.publisher()
    assert any("Kafka at broker.example:9092 (PLAINTEXT) is not encrypted" in sentence for sentence in heard)
    strict = settings.model_copy(update={"kafka_allow_plaintext": False})
    with open_refresh(file, strict) as refresh, pytest.raises(OperatorError, match="would send outcome data"):
        refresh.publisher()


@pytest.mark.parametrize(
    ("url", "verdict"),
    [
        ("postgresql://u:p@db.example/mainstem", "refused"),
        ("postgresql://u:p@db.example/mainstem?sslmode=prefer", "refused"),
        ("postgresql://u:p@db.example/mainstem?sslmode=allow", "refused"),
        ("postgresql://u:p@/mainstem?host=db.example", "refused"),
        ("postgresql://u:p@/mainstem?host=/run/postgresql&hostaddr=10.0.0.7", "refused"),
        ("postgresql://u:p@127.0.0.1/mainstem?hostaddr=10.0.0.7", "refused"),
        ("postgresql://u:p@db.example/mainstem?sslmode=verify-full", "taken"),
        ("postgresql://u:p@db.example/mainstem?sslmode=require", "taken"),
        ("postgresql://u:p@db.example/mainstem?sslmode=disable", "taken"),
        ("postgresql://u:p@127.0.0.1/mainstem", "taken"),
        ("postgresql://u:p@/mainstem?host=/run/postgresql", "taken"),
    ],
)
def test_postgresql_elsewhere_needs_a_word_on_tls(url: str, verdict: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """libpq's own default, `prefer`, sends all in the open to whoever says that there is no TLS."""
    monkeypatch.delenv("PGSSLMODE", raising=False)
    monkeypatch.delenv("PGHOST", raising=False)
    if verdict == "taken":
        parse_url(url)
        return
    with pytest.raises(OperatorError, match="in the open") as refused:
        parse_url(url)
    assert "sslmode" in refused.value.fix
    assert "u:p" not in json.dumps([refused.value.cause, refused.value.fix])


@pytest.fixture
def site() -> Any:
    def make(**given: Any) -> Site:
        named = {"site": "north", "name": "North", "time_zone": "UTC", "subject_key": "env:K", "types": ["Patient"]}
        return Site.model_validate({**named, **given})

    return make
