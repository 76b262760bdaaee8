"""The topic of what a consumer could not use."""

from collections.abc import Sequence
from typing import Any

import structlog
from kafka import KafkaProducer

from mainstem.consumer.received import LetterReason
from mainstem.kafka.settings import KafkaSettings, kafka_errors
from mainstem.kafka.topics import create_missing, dead_letter_topic, dead_letters
from schemas.errors import MainstemError, OperatorError

log = structlog.get_logger(__name__)


class DeadLetters:
    """Sends what could not be read to the group's dead-letter topic and waits for the acknowledgement."""

    def __init__(self, settings: KafkaSettings, network: str, group: str) -> None:
        self._settings = settings
        self._network = network
        self._group = group
        self._producer: KafkaProducer | None = None

    def send(self, letters: Sequence[tuple[Any, LetterReason]]) -> None:
        """Raises when a letter was not acknowledged: the offset must then stay."""
        if not letters:
            return
        producer = self._connected()
        topic = dead_letter_topic(self._network, self._group)
        with kafka_errors(self._settings):
            sent = [
                producer.send(
                    topic, key=record.key or b"", value=record.value, headers=dead_letter_headers(record, reason)
                )
                for record, reason in letters
            ]
            for future in sent:
                future.get(timeout=40)
        for record, reason in letters:
            log.error("dead letter", topic=topic, reason=reason.value, partition=record.partition, offset=record.offset)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout=2)
            self._producer = None

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            self._create_topic()
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
        return self._producer

    def _create_topic(self) -> None:
        """Makes it with the cluster's default number of replicas where it is missing."""
        wanted = dead_letters(self._network, self._group, replication=-1, min_in_sync=1)
        try:
            create_missing(self._settings, [wanted])
        except MainstemError as exc:
            raise OperatorError(
                f"{wanted.name} is missing and could not be created: {exc.cause}",
                "Let an administrator create it, for the publishers and this consumer alone.",
            ) from exc


def dead_letter_headers(record: Any, reason: LetterReason) -> list[tuple[str, bytes]]:
    """LetterReason and place; never text of the event or of an error."""
    facts = {
        "reason": reason.value,
        "stage": "consume",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }
    return [(name, str(fact).encode()) for name, fact in facts.items()]
