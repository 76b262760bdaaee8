"""One record, from its source to whom it was handed: version, load, mapping, software, events, deliveries. Ids and times, no content."""

import json
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from kafka import TopicPartition
from sqlalchemy import Engine

from mainstem.consumer.ledger import handled_by
from mainstem.consumer.letterbox import letters_of
from mainstem.kafka.reading import reader, reading
from mainstem.kafka.settings import KafkaSettings
from mainstem.publisher.encoding import event_id_of, partition_of_subject
from mainstem.state import Held, State
from schemas.events import Header, outcome_topic


class TracedEvent(NamedTuple):
    """An event of the record that the topic holds."""

    id: str
    type: str
    """recorded, amended, withdrawn."""
    version: str
    """`epoch.sequence`."""
    time: str
    """When the change was stored."""
    site: str
    software: str
    load: str
    partition: int
    offset: int
    replay: bool


class Delivery(NamedTuple):
    """How far a consumer group is with the record."""

    group: str
    version: str
    """Of the last change that it handled."""
    letters: int
    """Dead letters of the record that are not done with."""


class Traced(NamedTuple):
    """All that is known of one record."""

    record: str
    type: str
    site: str
    subject: str
    source: Sequence[dict[str, str]]
    """Resources by their keyed hash, with version and time; `mainstem resolve` names them, at the site."""
    mapping: str
    flags: Sequence[str]
    load: str
    load_status: str
    changed: datetime
    """When the state stored the last change, UTC."""
    withdrawn: bool
    version: str
    event_id: str
    """Of that change."""
    published: bool
    events: Sequence[TracedEvent]
    """None where the brokers were not asked, or the topic has compacted them away."""
    deliveries: Sequence[Delivery]


def trace(
    state: State, held: Sequence[Held], *, kafka: KafkaSettings | None, network: str, consumers: Engine | None
) -> Iterator[Traced]:
    """What is known of records that a state holds; of the topic and of consumers where those are asked."""
    for each in held:
        events = _events(kafka, network, state, each) if kafka else []
        deliveries = _deliveries(consumers, each.id) if consumers else []
        yield _traced(state, each, events, deliveries)


def _traced(state: State, held: Held, events: list[TracedEvent], deliveries: list[Delivery]) -> Traced:
    said = json.loads(b"{%b}" % held.provenance)
    record = f"r-{held.id.hex()}"
    epoch = state.mending.epochs(held.site).of(held.number)
    known = {load.id: load.status for load in state.loads.of(held.site, limit=1000)}
    return Traced(
        record=record,
        type=held.type,
        site=held.site,
        subject=f"s-{held.subject.hex()}",
        source=said.get("source", []),
        mapping=said.get("mapping", ""),
        flags=said.get("flags", []),
        load=held.load,
        load_status=known.get(held.load, ""),
        changed=held.changed,
        withdrawn=held.withdrawn,
        version=f"{epoch}.{held.sequence}",
        event_id=event_id_of(record, epoch, held.sequence),
        published=held.sequence == held.published_sequence,
        events=events,
        deliveries=deliveries,
    )


def _events(kafka: KafkaSettings, network: str, state: State, held: Held) -> list[TracedEvent]:
    """Those in the partitions of everybody whom the record was, or is, of."""
    topic, found = outcome_topic(network), list[TracedEvent]()
    with reader(kafka) as client:
        count = len(client.partitions_for_topic(topic) or ())
    if not count:
        return []
    subjects = {held.subject, *state.consents.family(held.site, held.subject)}
    wanted = f"/r-{held.id.hex()}".encode()
    for number in sorted({partition_of_subject(b"s-" + subject.hex().encode(), count) for subject in subjects}):
        with reading(kafka, TopicPartition(topic, number)) as records:
            found += [traced(each) for each in records if (each.key or b"").endswith(wanted)]
    return found


def traced(record: Any) -> TracedEvent:
    """What a Kafka record says, whatever it is."""
    headers = {name: (value or b"").decode(errors="replace") for name, value in record.headers}
    value = record.value
    try:
        origin = dict(json.loads(value)["provenance"]) if value else {}
    except (ValueError, KeyError, TypeError, RecursionError):  # whatever stands there under the record's key
        origin = {}
    return TracedEvent(
        id=headers.get(Header.ID, ""),
        type=headers.get(Header.TYPE, "").split(".")[-2:][0],
        version=headers.get(Header.SEQUENCE, ""),
        time=headers.get(Header.TIME, ""),
        site=headers.get(Header.SOURCE, "").removeprefix("/site/"),
        software=str(origin.get("software", "")),
        load=str(origin.get("load", "")),
        partition=record.partition,
        offset=record.offset,
        replay=Header.REPLAY in headers,
    )


def _deliveries(engine: Engine, record: bytes) -> list[Delivery]:
    letters = letters_of(engine, record)
    handled = handled_by(engine, record)
    return [
        Delivery(group, handled.get(group, "none"), letters.get(group, 0)) for group in sorted({*handled, *letters})
    ]
