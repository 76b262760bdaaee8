"""What lies in a network's topics and names another: copied by a mirror or a script, with keys and sites that may be those of ours."""

from datetime import UTC, datetime

import pytest
from kafka import TopicPartition
from services_cases import KafkaRecord, load_record, subject_id

from mainstem.consumer.sifting import Sieve
from mainstem.consumer.testing import message
from mainstem.kafka.envelopes import id_of
from schemas.events import Header, data_schema, source_of
from schemas.loads import LoadEvent, LoadEventType
from schemas.subjects import SubjectEvent, SubjectEventType, subject_type

NOW = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)


def subject_record(network):
    """A family's withdrawal, as its site's publisher sends it."""
    subject = subject_id("ada")
    event = SubjectEvent(
        event=SubjectEventType.WITHDRAWN,
        subject=subject,
        site="north",
        sequence=1,
        at=NOW,
        withdrawn=["qi"],
        erase=True,
    )
    headers = {
        Header.ID: id_of(f"{subject}/1.1".encode()).decode(),
        Header.TYPE: subject_type(network, event.event),
        Header.SUBJECT: subject,
        Header.SOURCE: source_of("north"),
        Header.DATA_SCHEMA: data_schema("subject"),
        Header.TIME: "2026-11-02T06:00:00Z",
        Header.SEQUENCE: "1.1",
    }
    encoded = [(str(name), text.encode()) for name, text in headers.items()]
    return KafkaRecord(subject.encode(), event.model_dump_json().encode(), encoded)


LOAD = LoadEvent(load="north/1", site="north", event=LoadEventType.COMPLETED, mode="full", started=NOW)
SAID = {
    "outcome": lambda network: message("a", 1, network=network),
    "load": lambda network: load_record(LOAD, network),
    "subject": subject_record,
}
"""A sound event of each topic that a consumer reads, in the words of a network."""


def sorted_in(network, topic, record):
    placed = TopicPartition(f"{network or 'any'}.{topic}.v1", 0)
    return Sieve("test", network=network).sort({placed: [record._replace(topic=placed.topic)]})


@pytest.mark.parametrize("topic", SAID)
@pytest.mark.parametrize("named", ["staging", "east.lhn", "lhn-2", "n", "ahn.lhn"])
def test_event_of_another_network_is_a_dead_letter_and_holds_no_record_back(named, topic):
    """Nothing of it is taken; it may be told of the same record, load or child."""
    found = sorted_in("lhn", topic, SAID[topic](named))
    (letter,) = found.unusable
    assert (letter.reason, letter.of_record) == ("foreign-network", None)
    assert (found.events, found.loads, found.subjects) == ([], [], [])


@pytest.mark.parametrize("topic", SAID)
@pytest.mark.parametrize("network", ["lhn", "east.lhn", "eu.east.lhn", None])
def test_mirror_may_put_words_before_the_topics_name(network, topic):
    """As Kafka's MirrorMaker does; who reads there calls the network by that name."""
    found = sorted_in(network, topic, SAID[topic]("lhn"))
    assert (len(found.events) + len(found.loads) + len(found.subjects), found.unusable) == (1, [])


def test_consumer_holds_events_against_its_own_network(stream, sqlite_engine, latest_of):
    """Of two that lie side by side, the one is handled and the other put aside."""
    ours, other = (message(name, 1, network=network) for name, network in (("a", stream.network), ("b", "staging")))
    stream.send_all([(each.key, each.value, each.headers) for each in (ours, other)])
    latest = latest_of(sqlite_engine)
    with stream.consumer(sqlite_engine, latest) as consumer:
        assert consumer.run_until_caught_up() == 1
    (letter,) = stream.records("dlq.test")
    assert dict(letter.headers)["reason"] == b"foreign-network"
    assert letter.key == other.key
