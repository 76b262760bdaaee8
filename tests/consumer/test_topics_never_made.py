"""No client of a consumer lets a broker make a topic by itself: it would have the broker's settings, for good."""

from types import SimpleNamespace

import pytest
from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaError

from mainstem.consumer import Consumer, LetterReason
from mainstem.consumer.dead_letters import DeadLetters, Letter
from mainstem.kafka import topics
from mainstem.kafka.record_batches import settle
from mainstem.kafka.settings import KafkaSettings
from schemas.errors import OperatorError

LETTER = Letter(
    SimpleNamespace(key=b"key", value=b"value", headers=[], topic="lhn.outcome.v1", partition=0, offset=1),
    LetterReason.INVALID_JSON,
)


def named(bootstrap: str, network: str) -> list[str]:
    with topics.administration(bootstrap) as admin:
        return sorted(topic["name"] for topic in admin.describe_topics() if topic["name"].startswith(network))


@pytest.mark.slow
def test_settled_client_asks_for_a_topic_without_making_it(creating_broker, network):
    """kafka-python takes the option and forgets it: a producer that is not settled makes the topic."""
    servers = creating_broker.split(",")
    for number, is_settled in enumerate((True, False)):
        producer = KafkaProducer(bootstrap_servers=servers, allow_auto_create_topics=False, max_block_ms=3000)
        if is_settled:
            settle(producer)
        topic = f"{network}.{number}"
        try:
            producer.partitions_for(topic)
        except KafkaError:
            assert is_settled
        producer.close(timeout=2)
        assert (topic in named(creating_broker, network)) is not is_settled
    client = KafkaConsumer(bootstrap_servers=servers, allow_auto_create_topics=False)
    settle(client)
    client.subscribe([f"{network}.2"])
    client.poll(timeout_ms=1000)
    client.close()
    assert named(creating_broker, network) == [f"{network}.1"]


@pytest.mark.slow
def test_consumer_of_an_absent_topic_says_so_and_makes_none(creating_broker, network, sqlite_engine):
    with (
        Consumer(creating_broker, network=network, group="g", engine=sqlite_engine, handler=lambda *_: None) as early,
        pytest.raises(OperatorError, match="has no topic"),
    ):
        early.run_until_caught_up()
    assert named(creating_broker, network) == []


@pytest.mark.slow
def test_dead_letter_topic_that_was_deleted_is_made_anew_by_us(creating_broker, network):
    """Proven before each letter: its settings are the contract's, whenever it went."""
    letters = DeadLetters(KafkaSettings(creating_broker), network, "g")
    name = topics.dead_letter_topic(network, "g")
    wanted = topics.dead_letters(network, "g", replication=1, min_in_sync=1)
    try:
        letters.send([LETTER])
        with topics.administration(creating_broker) as admin:
            admin.delete_topics([name])
        assert letters._producer is not None
        letters._producer._metadata.request_update()  # as it does by itself every five minutes
        letters.send([LETTER, Letter(SimpleNamespace(**vars(LETTER.record) | {"offset": 2}), LETTER.reason)])
    finally:
        letters.close()
    with topics.administration(creating_broker) as admin:
        assert [finding for finding in topics._findings(admin, wanted) if finding.setting != "replication"] == []
