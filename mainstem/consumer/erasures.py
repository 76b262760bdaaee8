"""The erasure topic as a whole: what families ask of their site, and what consumers report. All is keyed by the site."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import structlog
from kafka import TopicPartition
from pydantic import ValidationError

from mainstem.consumer.received import LetterReason
from mainstem.consumer.subjects import message, read_heeded, read_report, send
from mainstem.kafka.envelopes import TYPE, UnsoundError, envelope_of, within_time
from mainstem.kafka.reading import reading
from mainstem.kafka.settings import KafkaSettings
from mainstem.kafka.topics import partitions_of
from schemas.subjects import ConsentAsked, ConsentHeeded, ErasureReport, asked_type, erasure_topic

log = structlog.get_logger()
Told = ErasureReport | ConsentHeeded | ConsentAsked
FAMILIES = re.compile(rb"/(families)")
"""`ce_source` of what families ask."""
_WORD = "asked"


def said(settings: KafkaSettings, network: str, places: dict[int, int] | None = None) -> Iterator[Told]:
    """What the topic holds, from the places on (offsets by partition), which move; what is neither is counted, and stops nobody."""
    topic, unreadable = erasure_topic(network), 0
    places = {} if places is None else places
    for number in range(partitions_of(settings, topic)):
        with reading(settings, TopicPartition(topic, number), places.get(number, 0)) as records:
            for record in records:
                places[number] = record.offset + 1
                told = read_told(record)
                if isinstance(told, LetterReason):
                    unreadable += 1
                else:
                    yield told
    if unreadable:
        log.error("neither reports of an erasure nor what a family asks", topic=topic, count=unreadable)


def read_told(record: Any) -> Told | LetterReason:
    """A Kafka record of the erasure topic, or why it is none."""
    said = next((value or b"" for name, value in record.headers or () if name == TYPE), b"")
    if f".{_WORD}.".encode() in said:
        return read_asked(record)
    return read_heeded(record) if b".heeded." in said else read_report(record)


def read_asked(record: Any) -> ConsentAsked | LetterReason:
    """What a family asks, or why it is none."""
    try:
        told = envelope_of(record, "erasure", origin=FAMILIES, schema="consent_asked")
        asked = ConsentAsked.model_validate_json(record.value or b"")
    except UnsoundError as exc:
        return LetterReason(exc.fault)
    except ValidationError:
        return LetterReason.INVALID_RECORD
    if (asked.site.encode(), asked.subject.encode(), _WORD) != (record.key, told.about, told.event):
        return LetterReason.CONTRADICTION
    return asked if within_time(asked.at) else LetterReason.INVALID_RECORD


def ask(settings: KafkaSettings, network: str, asked: Sequence[ConsentAsked]) -> None:
    """Tells sites what families ask; the same again goes under the same id."""
    type_ = asked_type(network)
    send(settings, network, [message(each, each.id, "/families", type_, "consent_asked") for each in asked])
