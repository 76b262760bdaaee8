"""The network's topics as declared, and `tail`'s view of them, on the embedded broker."""

import io
import json

import pytest
from rich.console import Console

from mainstem.consumer.tail import print_events, tail
from mainstem.kafka import topics
from mainstem.kafka.settings import KafkaSettings, probe
from schemas.errors import OperatorError, TemporaryError


def test_topics_are_declared_as_the_contract_says():
    """Outcome events are compacted with a week's lag; three replicas of which two must have an event."""
    outcome, load, subject, site, feedback, _, letters = topics.topics("lhn", groups=["registry"])

    assert (outcome.name, outcome.partitions, outcome.replication) == ("lhn.outcome.v1", 12, 3)
    assert outcome.settings == {
        "cleanup.policy": "compact",
        "min.compaction.lag.ms": "604800000",
        "delete.retention.ms": "2592000000",
        "min.insync.replicas": "2",
        "compression.type": "lz4",
    }
    assert (load.name, load.settings["retention.ms"]) == ("lhn.load.v1", "7776000000")
    assert (subject.name, subject.partitions, subject.settings) == ("lhn.subject.v1", 12, outcome.settings)
    assert (site.name, site.partitions, site.settings) == ("lhn.site.v1", 1, outcome.settings)
    assert (feedback.name, feedback.settings["retention.ms"]) == ("lhn.feedback.v1", "31536000000")
    assert (letters.name, letters.settings["retention.ms"]) == ("lhn.dlq.registry", "1209600000")


def test_creating_topics_again_creates_nothing(broker, network):
    """`create` names what it made; a second call makes nothing."""
    assert topics.create(broker, network, replication=1) == [
        f"{network}.{kind}.v1" for kind in ("outcome", "load", "subject", "site", "feedback", "erasure")
    ]
    assert topics.create(broker, network, replication=1) == []


def test_tail_shows_what_a_reader_needs(stream, outbox, observe):
    """Time, site, operation, type, code with value and unit, short ids; withdrawals too; filters hold."""
    observe(outbox, 1, "7.1")
    stream.publish(outbox)
    observe(outbox, 1, None)
    stream.publish(outbox)
    stream.send(b"nonsense")
    topic = f"{stream.network}.outcome.v1"

    everything = list(tail(stream.bootstrap, topic, from_beginning=True, follow=False))
    out = io.StringIO()
    print_events(
        stream.bootstrap,
        topic,
        Console(file=out, width=200),
        from_beginning=True,
        follow=False,
        site="north",
        record_type="observation",
    )

    assert {seen.operation for seen in everything} == {"recorded", "withdrawn", "unreadable"}
    recorded, withdrawn = out.getvalue().splitlines()
    assert recorded.split() == [
        "2026-03-02",
        "05:00:00",
        "north",
        "recorded",
        "observation",
        "4548-4",
        "7.1",
        "%",
        everything[0].record[:10],
        everything[0].subject[:10],
    ]
    assert "withdrawn" in withdrawn


def test_tail_as_json_is_one_event_a_line(stream, outbox, observe):
    """For other programs: headers and value, whole."""
    observe(outbox, 1, "7.1")
    stream.publish(outbox)
    out = io.StringIO()

    print_events(
        stream.bootstrap,
        f"{stream.network}.outcome.v1",
        Console(file=out, width=40),
        from_beginning=True,
        follow=False,
        as_json=True,
    )

    event = json.loads(out.getvalue())
    assert event["value"]["record"]["value"] == 7.1
    assert event["headers"]["ce_source"] == "/site/north"


def test_tail_from_now_on_leaves_out_what_was_there(stream, outbox, fill):
    """Without `from_beginning` and without waiting there is nothing to show."""
    fill(outbox, 100)
    stream.publish(outbox)

    assert list(tail(stream.bootstrap, f"{stream.network}.outcome.v1", follow=False)) == []


@pytest.mark.slow
def test_tail_of_a_dead_broker_says_so():
    """No traceback of kafka-python's for a broker that is down."""
    with pytest.raises(TemporaryError, match=r"127\.0\.0\.1:1 is not reachable"):
        list(tail("127.0.0.1:1", "lhn.outcome.v1", follow=False))


def test_plaintext_is_refused_off_loopback():
    """Outcome data does not cross a network unencrypted unless somebody says so."""
    with pytest.raises(OperatorError, match=r"outcome data in the open: .* kafka\.example:9092 \(PLAINTEXT\)"):
        KafkaSettings("127.0.0.1:9092, kafka.example:9092").client_options()

    allowed = KafkaSettings("kafka.example:9092", allow_plaintext=True).client_options()
    assert allowed["bootstrap_servers"] == ["kafka.example:9092"]


def test_password_is_in_no_representation():
    """Settings can be logged."""
    settings = KafkaSettings("127.0.0.1:1", "SASL_SSL", "SCRAM-SHA-512", "mainstem", "s3cret")
    assert "s3cret" not in repr(settings)
    assert settings.client_options()["sasl_plain_password"] == "s3cret"


def test_probe_tells_an_unknown_host_a_closed_port_and_a_missing_tls_apart(broker):
    """One word for the first thing that fails."""
    found = probe(KafkaSettings(f"no-such-host.invalid:9092,127.0.0.1:1,{broker}", "SSL"))

    assert [result.stage for result in found] == ["address", "TCP", "TLS"]
    assert [result.stage for result in probe(broker)] == [""]


@pytest.mark.slow
def test_probe_tells_a_broker_that_hangs_from_one_that_answers(silent_broker):
    """It takes connections and says nothing, with TLS and without: that may pass, whatever the certificate."""
    for protocol, stage in (("PLAINTEXT", "Kafka"), ("SSL", "TLS")):
        (found,) = probe(KafkaSettings(silent_broker, protocol))
        assert (found.stage, found.detail, found.is_passing) == (stage, "no answer", True)
