"""The topic of what a consumer could not use."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, NamedTuple

import structlog
from kafka import KafkaProducer

from mainstem.consumer.received import LetterReason
from mainstem.kafka.record_batches import settle
from mainstem.kafka.settings import KafkaSettings, kafka_errors
from mainstem.kafka.topics import create_missing, dead_letter_topic, dead_letters
from schemas.errors import MainstemError, OperatorError

log = structlog.get_logger(__name__)


LARGEST = 900_000
"""Bytes of key and value: a broker takes batches of 1,048,588 bytes if nobody told it otherwise."""


class Letter(NamedTuple):
    """A Kafka record that could not be used, and why."""

    record: Any
    reason: LetterReason


class DeadLetters:
    """Sends what could not be read to the group's dead-letter topic and waits for the acknowledgement."""

    def __init__(self, settings: KafkaSettings, network: str, group: str) -> None:
        self._settings = settings
        self._network = network
        self._group = group
        self._producer: KafkaProducer | None = None

    def send(self, letters: Sequence[Letter]) -> None:
        """All of them, then one wait. Raises when a letter was not acknowledged: the offset must then stay."""
        if not letters:
            return
        self._prove_topic()
        producer = self._connected()
        topic = dead_letter_topic(self._network, self._group)
        with kafka_errors(self._settings):
            sent = [producer.send(topic, **_as_sent(letter)) for letter in letters]
            producer.flush(timeout=40)
            for future in sent:
                future.get(timeout=40)
        first = letters[0].record
        log.error(
            "dead letters",
            topic=topic,
            reasons=dict(Counter(letter.reason.value for letter in letters)),
            first=f"{first.topic} {first.partition}:{first.offset}",
        )

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=2)
            self._producer = None

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            with kafka_errors(self._settings):
                self._producer = KafkaProducer(
                    **self._settings.client_options(),
                    client_id=f"mainstem-dead-letters-{self._group}",
                    acks="all",
                    enable_idempotence=True,
                    compression_type="lz4",
                    max_block_ms=10_000,
                    delivery_timeout_ms=30_000,
                    max_request_size=2_000_000,
                    allow_auto_create_topics=False,
                    metrics_enabled=False,
                )
                settle(self._producer)
        return self._producer

    def _prove_topic(self) -> None:
        """Makes it with the cluster's default number of replicas where it is missing; a broker would make it with settings of its own."""
        wanted = dead_letters(self._network, self._group, replication=-1, min_in_sync=1)
        try:
            create_missing(self._settings, [wanted])
        except MainstemError as exc:
            raise OperatorError(
                f"{wanted.name} is missing and could not be created: {exc.cause}",
                "Let an administrator create it, for the publishers and this consumer alone.",
            ) from exc


def _as_sent(letter: Letter) -> dict[str, Any]:
    """The record as it came, with reason and place; never text of the event or of an error in a header.

    What is too large for any topic is left out, so that it cannot hold the offset for ever; the place says where it lies.
    """
    record = letter.record
    key, value = record.key or b"", record.value
    facts = {
        "reason": letter.reason.value,
        "stage": "consume",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }
    if len(key) + len(value or b"") > LARGEST:
        facts["left-out-bytes"] = len(key) + len(value or b"")
        key, value = key[:100], None
    return {"key": key, "value": value, "headers": [(name, str(fact).encode()) for name, fact in facts.items()]}
