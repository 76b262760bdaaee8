"""Who may do what with topics and databases: a principal a site, a reader that cannot write; tried on Apache Kafka and PostgreSQL."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from apache_kafka import ApacheKafka, free_port, require_apache_kafka
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError
from typer.testing import CliRunner

from mainstem.commands import app
from mainstem.kafka.acls import allow, rights
from mainstem.kafka.settings import KafkaSettings
from mainstem.kafka.topics import create, require_topics
from schemas.errors import MainstemError

USERS = ("north", "registry", "stranger")


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[tuple[ApacheKafka, Callable[[str], KafkaSettings]]]:
    """Apache Kafka with an authorizer: by one listener an administrator comes, by the other users with passwords."""
    require_apache_kafka()
    cluster, port = ApacheKafka(tmp_path / "kafka"), free_port()
    inner, control = cluster._ports[1]
    users = " ".join(f'user_{name}="{name}-word"' for name in USERS)
    cluster._settings = {
        "listeners": f"PLAINTEXT://127.0.0.1:{inner},USERS://127.0.0.1:{port},CONTROLLER://127.0.0.1:{control}",
        "advertised.listeners": f"PLAINTEXT://127.0.0.1:{inner},USERS://127.0.0.1:{port}",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,USERS:SASL_PLAINTEXT",
        "sasl.enabled.mechanisms": "PLAIN",
        "listener.name.users.plain.sasl.jaas.config": (
            f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
        ),
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS",
        "allow.everyone.if.no.acl.found": "false",
    }

    def user(name: str) -> KafkaSettings:
        return KafkaSettings(f"127.0.0.1:{port}", "SASL_PLAINTEXT", "PLAIN", name, f"{name}-word")

    try:
        yield cluster.start(), user
    finally:
        cluster.stop()


def may_write(reach: KafkaSettings, topic: str) -> bool:
    producer = KafkaProducer(**reach.client_options(), enable_idempotence=True, acks="all", max_block_ms=5000)
    try:
        producer.send(topic, key=b"k", value=b"v").get(timeout=10)
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
def test_each_principal_may_do_its_own_work_and_nothing_else(
    guarded: tuple[ApacheKafka, Callable[[str], KafkaSettings]],
) -> None:
    """A site's publisher writes and reads nothing; the registry reads and writes its dead letters alone; others do neither."""
    cluster, user = guarded
    create(cluster.bootstrap, "lhn", groups=["registry"], partitions=1, replication=1)
    outcome, letters = "lhn.outcome.v1", "lhn.dlq.registry"
    with pytest.raises(MainstemError):
        require_topics(user("north"), "lhn")
    environment = {"MAINSTEM_KAFKA": cluster.bootstrap, "MAINSTEM_NETWORK": "lhn"}
    done = CliRunner().invoke(app, ["topics", "allow", "User:north"], env=environment)
    assert done.exit_code == 0, done.exception
    assert "User:north may WRITE TOPIC lhn.outcome.v1" in done.output
    allow(cluster.bootstrap, "lhn", "User:registry", "consumer")
    assert set(require_topics(user("north"), "lhn")) == {outcome, "lhn.load.v1"}
    assert may_write(user("north"), outcome)
    assert not may_write(user("north"), letters)
    assert not may_read(user("north"), outcome, "registry")
    assert may_read(user("registry"), outcome, "registry")
    assert not may_read(user("registry"), outcome, "another")
    assert not may_write(user("registry"), outcome)
    assert may_write(user("registry"), letters)
    assert not may_write(user("stranger"), outcome)
    assert not may_read(user("stranger"), outcome, "registry")


def test_a_publisher_reads_nothing_and_a_consumer_writes_dead_letters_alone() -> None:
    """By the rights themselves, where Apache Kafka is not here."""
    publisher = {str(right) for right in rights("lhn", "publisher", "registry")}
    assert not [right for right in publisher if right.startswith("READ")]
    consumer = {str(right) for right in rights("lhn", "consumer", "registry")}
    assert [right for right in consumer if right.startswith("WRITE")] == ["WRITE TOPIC lhn.dlq.registry"]
    assert not [right for right in publisher | consumer if "CLUSTER" in right or "ALTER" in right or "DELETE" in right]
