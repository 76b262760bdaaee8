"""The same paths on Apache Kafka itself, and what only it can show: settings, a killed broker, replicas, groups."""

import threading

import pytest
from confluent_kafka import Producer
from kafka.admin import ConfigResource, ConfigResourceType

from mainstem.kafka import topics
from mainstem.publisher import Publisher
from schemas.errors import OperatorError

pytestmark = [pytest.mark.kafka, pytest.mark.slow]


def test_published_events_are_consumed_once_each(kafka_stream, outbox, observe, fill, latest_of, sqlite_engine):
    """Publish, amend, withdraw; a consumer of the group holds the same state as the outbox."""
    latest = latest_of(sqlite_engine)
    fill(outbox, 2000, subjects=100)
    kafka_stream.publish(outbox)
    observe(outbox, 1, "9.9", subject=1)
    observe(outbox, 2, None, subject=2)
    kafka_stream.publish(outbox)

    with kafka_stream.consumer(sqlite_engine, latest, share=True) as consumer:
        assert consumer.run_until_caught_up(timeout=60) == 2002
        assert consumer.run_until_caught_up(timeout=60) == 0

    assert latest.state().keys() == {f"r-{row.id.hex()}" for row in outbox.rows.values() if row.content}
    assert len({record.partition for record in kafka_stream.records()}) == 12


def test_topics_have_the_settings_of_the_contract(kafka_stream):
    """The broker describes the topics as declared; `check` finds nothing."""
    with topics.administration(kafka_stream.bootstrap) as admin:
        described = topics._settings(admin, f"{kafka_stream.network}.outcome.v1")

    assert described["cleanup.policy"] == "compact"
    assert described["min.compaction.lag.ms"] == str(7 * topics.DAY_MS)
    assert described["delete.retention.ms"] == str(30 * topics.DAY_MS)
    assert described["min.insync.replicas"] == "1"
    assert topics.check_topics(kafka_stream.bootstrap, kafka_stream.network, replication=1) == []


def test_check_names_each_setting_that_differs_with_its_fix(apache_kafka, network):
    """Too few partitions, no compaction, a missing topic: three findings at least, each with what to do."""
    wrong = topics.Topic(f"{network}.outcome.v1", 3, 1, {"cleanup.policy": "delete"})
    topics.create_missing(apache_kafka.bootstrap, [wrong])

    findings = topics.check_topics(apache_kafka.bootstrap, network, replication=1)

    by_setting = {finding.setting: finding for finding in findings}
    assert by_setting["cleanup.policy"].what == "cleanup.policy is delete, should be compact"
    assert "--add-config cleanup.policy=compact" in by_setting["cleanup.policy"].fix
    assert "Never alter it" in by_setting["partitions"].fix
    assert "mainstem topics create" in by_setting["topic"].fix
    assert {"min.compaction.lag.ms", "delete.retention.ms"} < by_setting.keys()


def test_three_replicas_on_one_broker_are_refused_with_the_number_to_use(apache_kafka, network):
    """The default needs three brokers; a trial says so itself."""
    with pytest.raises(OperatorError, match=r"3 replicas; the cluster has 1 broker") as caught:
        topics.create(apache_kafka.bootstrap, network)
    assert "--replication 1" in caught.value.fix


def test_missing_topic_is_told_with_the_command_that_creates_it(apache_kafka, network, outbox, observe):
    """A broker without the network's topics is an operator's matter, not a wait."""
    observe(outbox, 1)
    with (
        Publisher(apache_kafka.bootstrap, network=network, store=outbox, site="north", software="0.1.0") as publisher,
        pytest.raises(OperatorError, match=rf"no topic {network}\.outcome\.v1") as caught,
    ):
        publisher.publish()
    assert "mainstem topics create" in caught.value.fix


def test_broker_killed_while_publishing_loses_nothing(own_apache_kafka, stream_on, outbox, fill):
    """kill -9 in mid-publish and a restart: every change arrives, copies have the id of the first, order holds."""
    stream = stream_on(own_apache_kafka)
    fill(outbox, 6000, subjects=200)
    killed = threading.Event()

    def kill_once(events: int) -> None:
        if not killed.is_set():
            killed.set()
            own_apache_kafka.kill()
            threading.Thread(target=own_apache_kafka.restart).start()

    with stream.publisher(outbox, page=500, progress=kill_once) as publisher:
        published = publisher.publish()

    ids: dict[bytes, set[bytes]] = {}
    for record in stream.records():
        ids.setdefault(record.key, set()).add(dict(record.headers)["ce_id"])
    assert killed.is_set()
    assert published.events == 6000
    assert len(ids) == 6000
    assert all(len(of_key) == 1 for of_key in ids.values())
    assert outbox.pending("north", limit=1) == []


def test_publishing_goes_on_when_one_of_three_brokers_dies(three_brokers, stream_on, outbox, fill):
    """With the contract's three replicas and two in sync, the loss of a leader is survived without a restart."""
    stream = stream_on(three_brokers, replication=3)
    fill(outbox, 3000, subjects=200)
    killed = threading.Event()

    def kill_once(events: int) -> None:
        if not killed.is_set():
            killed.set()
            three_brokers.kill(three_brokers.nodes[0])

    with stream.publisher(outbox, page=500, progress=kill_once) as publisher:
        assert publisher.publish().events == 3000

    assert len({record.key for record in stream.records()}) == 3000


def test_group_members_share_the_work_and_leave_no_gap(kafka_stream, outbox, fill, latest_of, postgres_engine):
    """Two members of a group, one of them leaving: every event has its effect once."""
    latest = latest_of(postgres_engine)
    fill(outbox, 600, subjects=60)
    kafka_stream.publish(outbox)
    stop = threading.Event()
    # The last: as long the broker waits for a member that left in the middle of joining, which the default makes five minutes.
    options = {"share": True, "poll_records": 10, "max_poll_interval_ms": 20_000}
    with (
        kafka_stream.consumer(postgres_engine, latest, **options) as leaving,
        kafka_stream.consumer(postgres_engine, latest, **options) as staying,
    ):
        leaver = threading.Thread(target=lambda: leaving.run(stop, idle=0.1))
        leaver.start()
        try:
            for _ in range(5):
                staying._step(0.5)
            stop.set()
            leaver.join(60)
            leaving.close()
            staying.run_until_caught_up(timeout=60)
        finally:
            stop.set()
            leaver.join(60)
    assert len(latest.effects()) == len(set(latest.effects())) == 600


def test_consumer_reads_a_topic_made_anew_from_its_start(kafka_stream, outbox, observe, fill, latest_of, sqlite_engine):
    """After the broker lost its data, offsets of old are beyond the end; the new topic is read from its first event."""
    latest = latest_of(sqlite_engine)
    fill(outbox, 100)
    kafka_stream.publish(outbox)
    with kafka_stream.consumer(sqlite_engine, latest) as consumer:
        assert consumer.run_until_caught_up() == 100
    with topics.administration(kafka_stream.bootstrap) as admin:
        admin.delete_topics([f"{kafka_stream.network}.outcome.v1"])
    wait_for_topics_created_again(kafka_stream)
    observe(outbox, 1, "9.9", subject=1)
    with pytest.raises(OperatorError, match="made anew"):
        kafka_stream.publish(outbox)
    kafka_stream.publish(outbox, anew=True)

    with kafka_stream.consumer(sqlite_engine, latest) as consumer:
        assert consumer.run_until_caught_up() == 1
    assert sorted(latest.state().values()) == ["7.1"] * 99 + ["9.9"]


def wait_for_topics_created_again(stream) -> None:
    for _ in range(50):
        if topics.create(stream.bootstrap, stream.network, replication=1):
            return
        threading.Event().wait(0.2)
    raise AssertionError("the deleted topic is still there")


def compressed_by_another(bootstrap, topic, packed):
    """A hundred records that are no events, from a client that has more ways to compress than ours."""
    producer = Producer({"bootstrap.servers": bootstrap, "compression.type": packed, "linger.ms": 50})
    for _ in range(100):
        producer.produce(topic, b"nonsense" * 100, b"key", 3)
    assert producer.flush(20) == 0


@pytest.mark.parametrize("packed", ["zstd", "snappy"])
def test_what_another_producer_compressed_its_own_way_stops_no_reader(
    kafka_stream, outbox, observe, latest_of, sqlite_engine, packed
):
    """The topics' setting has the brokers store it as everybody reads it."""
    observe(outbox, 1)
    kafka_stream.publish(outbox)
    compressed_by_another(kafka_stream.bootstrap, f"{kafka_stream.network}.outcome.v1", packed)
    observe(outbox, 2)
    kafka_stream.publish(outbox)
    with kafka_stream.consumer(sqlite_engine, latest_of(sqlite_engine)) as consumer:
        assert consumer.run_until_caught_up(timeout=60) == 2
    assert len(kafka_stream.records("dlq.test")) == 100


def test_what_cannot_be_unpacked_here_is_said_with_what_reads_it(kafka_stream, latest_of, sqlite_engine):
    """On a topic that takes whatever comes: not "did not answer as it should"; and the check has the setting that ends it."""
    topic = f"{kafka_stream.network}.outcome.v1"
    with topics.administration(kafka_stream.bootstrap) as admin:
        admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, topic, {"compression.type": "producer"})])
    [finding] = [
        each
        for each in topics.check_topics(kafka_stream.bootstrap, kafka_stream.network, replication=1)
        if each.setting == "compression.type"
    ]
    assert (finding.found, finding.expected) == ("producer", "lz4")
    assert "--add-config compression.type=lz4" in finding.fix
    compressed_by_another(kafka_stream.bootstrap, topic, "zstd")
    with (
        kafka_stream.consumer(sqlite_engine, latest_of(sqlite_engine), attempts=1) as consumer,
        pytest.raises(OperatorError, match="compressed by zstd, which cannot be unpacked here") as told,
    ):
        consumer.run_until_caught_up(timeout=60)
    assert "zstandard" in told.value.fix
