"""Before anything is sent: brokers that cannot be reached are said at once, topics that are not as they must be are refused."""

import time
from typing import Any

import psutil
import pytest
from kafka import KafkaProducer

from mainstem.demo.embedded import Tansu
from mainstem.kafka import topics
from mainstem.kafka.settings import KafkaSettings
from mainstem.publisher import Publisher, patience
from schemas.errors import OperatorError, TemporaryError
from schemas.loads import LoadEvent


class Onlooker:
    """Whoever looks at the terminal, with the clock."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.first_after = 0.0
        self.begin()

    def begin(self) -> None:
        self.began = time.monotonic()

    def __call__(self, sentence: str) -> None:
        self.first_after = self.first_after or time.monotonic() - self.began
        self.told.append(sentence)


def started(outbox: Any) -> LoadEvent:
    return LoadEvent(load="north/1", site="north", event="started", mode="full", started=outbox.now)


def publisher(bootstrap: str | KafkaSettings, network: str, outbox: Any, **options: Any) -> Publisher:
    return Publisher(bootstrap, network=network, store=outbox, site="north", software="0.1.0", **options)


@pytest.mark.slow
def test_broker_that_is_down_is_said_before_it_is_tried(outbox, observe):
    """Not after the client's whole time."""
    observe(outbox, 1)
    onlooker = Onlooker()

    with publisher("127.0.0.1:1", "lhn", outbox, notice=onlooker) as dead, pytest.raises(TemporaryError):
        dead.publish()

    assert onlooker.told == [
        "Kafka broker 127.0.0.1:1 is not reachable: TCP failed (Connection refused); waiting for it"
    ]
    assert onlooker.first_after < 2


@pytest.mark.slow
def test_broker_that_goes_while_events_are_on_their_way_is_said_within_seconds(parts_folder, network, outbox, observe):
    """Long before the events are given up; nothing is marked."""
    onlooker = Onlooker()
    options = {"attempts": 1, "delivery_timeout_ms": 9000, "request_timeout_ms": 4000, "notice": onlooker}
    with Tansu(parts_folder / "own-tansu") as broker:
        topics.create(broker.bootstrap, network, replication=1)
        going = publisher(broker.bootstrap, network, outbox, **options)
        observe(outbox, 1)
        going.publish()
    observe(outbox, 2)
    onlooker.begin()
    with pytest.raises(TemporaryError):
        going.publish()

    assert "is not reachable: TCP failed" in onlooker.told[0]
    assert onlooker.first_after < 6
    assert len(outbox.published) == 1


@pytest.mark.slow
def test_load_event_that_waits_for_a_broker_that_went_is_said_within_seconds(parts_folder, network, outbox, observe):
    """Events about the load wait like changes do, and no more in silence than they."""
    onlooker = Onlooker()
    options = {"attempts": 1, "delivery_timeout_ms": 9000, "request_timeout_ms": 4000, "notice": onlooker}
    with Tansu(parts_folder / "own-tansu") as broker:
        topics.create(broker.bootstrap, network, replication=1)
        going = publisher(broker.bootstrap, network, outbox, **options)
        observe(outbox, 1)
        going.publish()
    outbox.tell(started(outbox))
    onlooker.begin()
    with pytest.raises(TemporaryError):
        going.publish()

    assert "is not reachable: TCP failed" in onlooker.told[0]
    assert onlooker.first_after < 6
    assert len(outbox.events) == 1


@pytest.mark.parametrize("plain", [False, True], ids=["whole-batches", "plain-send"])
@pytest.mark.slow
def test_broker_that_stays_away_is_given_up_when_its_batch_is(
    parts_folder, network, outbox, observe, monkeypatch, plain
):
    """Trying again would wait for the same once more, and took three times as long."""
    monkeypatch.setattr(patience, "GIVE_UP_SECONDS", 3.0)
    pauses: list[float] = []
    with Tansu(parts_folder / "own-tansu") as broker:
        topics.create(broker.bootstrap, network, replication=1)
        reach = KafkaSettings(broker.bootstrap, plain_send=plain)
        options = {"delivery_timeout_ms": 4000, "request_timeout_ms": 2000, "sleep": pauses.append}
        going = publisher(reach, network, outbox, **options)
        observe(outbox, 1)
        going.publish()
    observe(outbox, 2)
    with pytest.raises(TemporaryError, match="is not reachable"):
        going.publish()

    assert pauses == []
    assert len(outbox.published) == 1


@pytest.mark.slow
def test_broker_that_never_answers_is_said_within_seconds_and_given_up(silent_broker, outbox, observe):
    """It takes connections, so nothing but an answer shows that it lives."""
    observe(outbox, 1)
    onlooker = Onlooker()

    with (
        publisher(silent_broker, "lhn", outbox, notice=onlooker) as waiting,
        pytest.raises(TemporaryError, match="Kafka failed"),
    ):
        waiting.publish()

    assert onlooker.told == [f"Kafka broker {silent_broker} is not reachable: Kafka failed (no answer); waiting for it"]
    assert onlooker.first_after < 4
    assert time.monotonic() - onlooker.began < 20


@pytest.mark.slow
def test_broker_that_falls_silent_is_given_up_when_its_batch_is(parts_folder, network, outbox, observe, monkeypatch):
    """A broker that hangs still takes connections: it was tried six times over, for minutes."""
    monkeypatch.setattr(patience, "GIVE_UP_SECONDS", 3.0)
    pauses: list[float] = []
    onlooker = Onlooker()
    with Tansu(parts_folder / "own-tansu") as broker:
        topics.create(broker.bootstrap, network, replication=1)
        options = {"delivery_timeout_ms": 4000, "request_timeout_ms": 2000, "sleep": pauses.append}
        going = publisher(broker.bootstrap, network, outbox, notice=onlooker, **options)
        observe(outbox, 1)
        going.publish()
        process = psutil.Process(broker.pid)
        process.suspend()
        try:
            observe(outbox, 2)
            with pytest.raises(TemporaryError, match="no answer"):
                going.publish()
        finally:
            process.resume()

    assert pauses == []
    assert "Kafka failed (no answer)" in onlooker.told[0]
    assert len(outbox.published) == 1


@pytest.mark.slow
def test_absent_topic_is_refused_and_not_made_by_asking(creating_broker, network, outbox, observe):
    """`run` before `topics create` let the broker make it, with its own partition count and without compaction, for good."""
    observe(outbox, 1)

    with (
        publisher(creating_broker, network, outbox) as early,
        pytest.raises(OperatorError, match="has no topic") as caught,
    ):
        early.publish()

    assert "mainstem topics create" in caught.value.fix
    with topics.administration(creating_broker) as admin:
        assert not [topic for topic in admin.describe_topics() if topic["name"].startswith(network)]
    assert outbox.published == {}


@pytest.mark.slow
def test_absent_load_topic_is_refused_and_not_made_by_asking(creating_broker, network, outbox, observe):
    """The producer's own question made it, whatever its options said."""
    outcome, load, *_ = topics.topics(network, replication=1)
    topics.create_missing(creating_broker, [outcome])
    observe(outbox, 1)
    outbox.tell(started(outbox))

    with (
        publisher(creating_broker, network, outbox) as early,
        pytest.raises(OperatorError, match=rf"has no topic {load.name}"),
    ):
        early.publish()

    with topics.administration(creating_broker) as admin:
        assert [topic["name"] for topic in admin.describe_topics() if topic["name"].startswith(network)] == [
            outcome.name
        ]
    assert (len(outbox.events), outbox.published) == (1, {})


def test_load_topic_that_is_compacted_is_refused(broker, network, outbox, observe):
    """Its key is the site: compaction would leave the last event of each."""
    outcome, load, *_ = topics.topics(network, replication=1)
    topics.create_missing(broker, [outcome, load._replace(settings={"cleanup.policy": "compact"})])
    observe(outbox, 1)

    with publisher(broker, network, outbox) as early, pytest.raises(OperatorError, match="instead of delete"):
        early.publish()
    assert outbox.published == {}


@pytest.mark.slow
def test_topic_the_broker_made_by_itself_is_refused(creating_broker, network, outbox, observe):
    """It is there, but forgets records by their age."""
    observe(outbox, 1)
    outcome = f"{network}.outcome.v1"
    stranger = KafkaProducer(bootstrap_servers=creating_broker)
    assert stranger.partitions_for(outcome)
    stranger.close()

    with publisher(creating_broker, network, outbox) as early, pytest.raises(OperatorError, match=r"cleanup\.policy"):
        early.publish()
    assert outbox.published == {}


def test_topic_that_is_compacted_and_cut_by_age_is_refused(broker, network, outbox, observe):
    """Both policies at once: a record that never changes would still be forgotten."""
    observe(outbox, 1)
    topics.create_missing(broker, [topics.Topic(f"{network}.outcome.v1", 12, 1, {"cleanup.policy": "compact,delete"})])

    with (
        publisher(broker, network, outbox) as early,
        pytest.raises(OperatorError, match=r"cleanup\.policy=compact,delete"),
    ):
        early.publish()
    assert outbox.published == {}


@pytest.mark.parametrize(
    ("copies", "settings", "cause", "fix"),
    [
        (1, {}, "one copy of each record", "MAINSTEM_KAFKA_ALLOW_ONE_COPY"),
        (3, {"min.insync.replicas": "1"}, "min.insync.replicas=1 instead of 2", "kafka-configs --alter"),
        (3, {"cleanup.policy": "delete"}, "cleanup.policy=delete instead of compact", "topics check"),
    ],
)
def test_topic_that_could_lose_events_is_refused(copies, settings, cause, fix):
    """Off loopback a second copy is no luxury; with three copies an acknowledgement of one is no promise."""
    outcome, *_ = topics.topics("lhn")
    reach = KafkaSettings("kafka.example:9092", allow_plaintext=True)
    ((said, what),) = topics._refused(reach, outcome, copies, {**outcome.settings, **settings})
    assert cause in said
    assert fix in what
    assert list(topics._refused(reach, outcome, 3, outcome.settings)) == []


def test_one_copy_is_taken_on_loopback_and_where_somebody_said_so():
    """A laptop has one broker, and so has a trial."""
    outcome, *_ = topics.topics("lhn", replication=1)
    for reach in (
        KafkaSettings("127.0.0.1:9092"),
        KafkaSettings("kafka.example:9092", allow_plaintext=True, allow_one_copy=True),
    ):
        assert list(topics._refused(reach, outcome, 1, outcome.settings)) == []


@pytest.mark.kafka
@pytest.mark.slow
def test_topic_whose_acknowledgements_were_weakened_is_refused_before_anything_is_sent(
    three_brokers, network, outbox, observe
):
    """Somebody lowered min.insync.replicas on the cluster: nothing is sent, and the command that mends it is told."""
    bootstrap = three_brokers.bootstrap
    wanted = [each._replace(settings={**each.settings, "min.insync.replicas": "1"}) for each in topics.topics(network)]
    topics.create_missing(bootstrap, wanted)
    observe(outbox, 1)

    with publisher(bootstrap, network, outbox) as early, pytest.raises(OperatorError) as caught:
        early.publish()

    assert [cause for cause in caught.value.causes if "min.insync.replicas=1 instead of 2" in cause] == list(
        caught.value.causes
    )
    named = {cause.split(".")[1] for cause in caught.value.causes}
    assert (
        {"outcome", "load"} <= named <= {"outcome", "load", "subject", "site"}
    )  # the others where a broker knows of them by now
    assert f"--entity-name {network}.outcome.v1 --add-config min.insync.replicas=2" in caught.value.fix
