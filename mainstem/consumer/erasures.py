"""The erasure topic: what families ask of their site, and what consumers report. Both are keyed by the site."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from kafka import KafkaProducer, TopicPartition
from pydantic import ValidationError

from mainstem.kafka.reading import reading
from mainstem.kafka.record_batches import settle
from mainstem.kafka.settings import KafkaSettings, kafka_errors
from mainstem.kafka.topics import partitions_of
from schemas.errors import OperatorError
from schemas.events import CONTENT_TYPE, SPEC_VERSION, Header, data_schema
from schemas.subjects import ConsentAsked, ErasureReport, asked_type, erasure_topic, erasure_type

Told = ErasureReport | ConsentAsked
NAMESPACE = uuid5(NAMESPACE_URL, "urn:mainstem:erasure")
"""`ce_id` of a report = uuid5 of this and `group/subject/epoch.sequence`; of what a family asks, of this and its id."""
FAMILIES = "/families"
"""`ce_source` of what families ask."""


def said(settings: KafkaSettings, network: str, start: int = 0) -> Iterator[tuple[int, Told]]:
    """What the topic holds from an offset on, each with its offset; what is of another form is passed over."""
    topic = erasure_topic(network)
    if not partitions_of(settings, topic):
        return
    forms: Mapping[bytes, type[Told]] = {
        erasure_type(network).encode(): ErasureReport,
        asked_type(network).encode(): ConsentAsked,
    }
    with reading(settings, TopicPartition(topic, 0), start) as records:
        for record in records:
            form = forms.get(dict(record.headers).get(Header.TYPE, b""))
            try:
                told = form.model_validate_json(record.value) if form and record.value else None
            except ValidationError:
                continue
            if told is not None and record.key == told.site.encode():
                yield record.offset, told


def ask(settings: KafkaSettings, network: str, asked: Sequence[ConsentAsked]) -> None:
    """Tells sites what families ask; the same again goes under the same id."""
    send(settings, network, [_asked(network, each) for each in asked])


def report(settings: KafkaSettings, network: str, reports: Sequence[ErasureReport]) -> None:
    """Tells sites what became of erasures; the same again goes under the same id."""
    send(settings, network, [_reported(network, each) for each in reports])


def send(settings: KafkaSettings, network: str, messages: Sequence[dict[str, Any]]) -> None:
    """To the erasure topic, until the broker has all. Raises OperatorError where there is none, TemporaryError where it is away."""
    if not partitions_of(settings, topic := erasure_topic(network)):
        raise OperatorError(
            f"there is no topic {topic}: nobody is told what is to be forgotten, or was", "`mainstem topics create`."
        )
    with kafka_errors(settings):
        producer = KafkaProducer(
            **settings.client_options(), acks="all", allow_auto_create_topics=False, metrics_enabled=False
        )
        settle(producer)
        try:
            sent = [producer.send(topic, **message) for message in messages]
            for future in sent:
                future.get(timeout=40)
        finally:
            producer.close(timeout=5)


def _reported(network: str, each: ErasureReport) -> dict[str, Any]:
    named = f"{each.group}/{each.subject}/{each.epoch}.{each.sequence}"
    return _message(each, named, f"/consumer/{each.group}", erasure_type(network), "erasure")


def _asked(network: str, each: ConsentAsked) -> dict[str, Any]:
    return _message(each, each.id, FAMILIES, asked_type(network), "consent_asked")


def _message(told: Told, named: str, source: str, type_: str, schema: str) -> dict[str, Any]:
    headers = {
        Header.SPEC_VERSION: SPEC_VERSION,
        Header.ID: str(uuid5(NAMESPACE, named)),
        Header.SOURCE: source,
        Header.TYPE: type_,
        Header.TIME: told.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        Header.SUBJECT: told.subject,
        Header.DATA_SCHEMA: data_schema(schema),
        Header.CONTENT_TYPE: CONTENT_TYPE,
    }
    return {
        "key": told.site.encode(),
        "value": told.model_dump_json().encode(),
        "headers": [(str(name), text.encode()) for name, text in headers.items()],
    }
