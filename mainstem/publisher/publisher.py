"""Pending changes of a site → Kafka, in order, acknowledged, then marked published.

`Publisher.publish()` sends what is pending and returns; `Publisher.follow(stop)` goes on while another process maps.
A change is marked only after the broker acknowledged it; after any error the producer is closed and a new one sends again what the
store still has as pending, so a change can come twice (with the same `ce_id`) but never be lost.
"""

import random
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any, NamedTuple, Protocol
from uuid import uuid5

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError, KafkaTimeoutError, UnknownTopicOrPartitionError

from mainstem import __version__
from mainstem.config.settings import Settings
from mainstem.kafka.record_batches import BATCH_BYTES, DELIVERY_SECONDS, Sent, road
from mainstem.kafka.settings import Reach, as_settings, explain, kafka_errors, kafka_settings_of, probe
from mainstem.publisher.encoding import EVENT_NAMESPACE, MAX_EVENT_BYTES, Encoder, instant
from mainstem.publisher.published import Published
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.events import CONTENT_TYPE, SPEC_VERSION, Header, data_schema, outcome_topic, source_of
from schemas.loads import LoadEvent, load_topic, load_type

log = structlog.get_logger(__name__)

PAGE = 8000
"""Rows read, sent and marked at once."""
ATTEMPTS = 6


class Pending(Protocol):
    """A record whose latest change has not been published: what this module reads of `mainstem.state.Pending`."""

    @property
    def number(self) -> int: ...
    @property
    def id(self) -> bytes: ...
    @property
    def type(self) -> str: ...
    @property
    def subject(self) -> bytes: ...
    @property
    def digest(self) -> bytes: ...
    @property
    def content(self) -> bytes | None: ...
    @property
    def provenance(self) -> bytes: ...
    @property
    def load(self) -> str: ...
    @property
    def sequence(self) -> int: ...
    @property
    def previous(self) -> int: ...
    @property
    def live(self) -> bool: ...
    @property
    def changed(self) -> datetime: ...


class Outbox(Protocol):
    """What the publisher needs of the store."""

    @property
    def epoch(self) -> int: ...
    def pending(self, site: str, *, after: int = 0, limit: int) -> Sequence[Any]: ...
    def mark_published(self, site: str, rows: Any, *, refused: Collection[int] = ()) -> int: ...
    def publishing(self, site: str) -> AbstractContextManager[Any]: ...


class StopSignal(Protocol):
    """Tells `follow` to drain and end: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> Any: ...


class Publisher:
    """The one publisher of a site. Nothing connects before `publish`, `follow` or `send_load_event`."""

    def __init__(
        self,
        reach: Reach,
        *,
        network: str,
        store: Outbox,
        site: str,
        software: str,
        page: int = PAGE,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], Any] = time.sleep,
        progress: Callable[[int], Any] = lambda events: None,
        **client_options: Any,
    ) -> None:
        self._settings = as_settings(reach)
        self._network = network
        self._store = store
        self._site = site
        self._software = software
        self._page = page
        self._attempts = attempts
        self._sleep = sleep
        self._progress = progress
        self._options = client_options
        self._road = road(plain=self._settings.plain_send)
        self._producer: KafkaProducer | None = None
        self._encoder: Encoder | None = None
        self._refused: dict[int, str] = {}

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def publish(self) -> Published:
        """Send all that is pending. Raises TemporaryError when the broker stays away or another publisher has the site."""
        with self._store.publishing(self._site):
            return self._drain()

    def follow(self, stop: StopSignal, *, idle: float = 0.2) -> Published:
        """Publish what another process stores until `stop` is set, then drain."""
        total = Published()
        with self._store.publishing(self._site):
            while True:
                last = stop.is_set()
                done = self._drain()
                total = total.plus(done)
                if last:
                    return total
                if not done.events:
                    stop.wait(idle)

    def send_load_event(self, event: LoadEvent) -> None:
        """Send a load's event to the network's load topic, keyed by site, and wait for the acknowledgement.

        Sent again after a crash, it has the same `ce_id`."""
        headers = {
            Header.SPEC_VERSION: SPEC_VERSION,
            Header.ID: str(uuid5(EVENT_NAMESPACE, f"{event.load}/{event.event}")),
            Header.SOURCE: source_of(event.site),
            Header.TYPE: load_type(self._network, event.event),
            Header.TIME: instant(event.ended or event.started),
            Header.SUBJECT: event.load,
            Header.DATA_SCHEMA: data_schema("load"),
            Header.CONTENT_TYPE: CONTENT_TYPE,
        }
        value = event.model_dump_json(exclude_none=True).encode()
        with kafka_errors(self._settings):
            try:
                sent = self._connected().send(
                    load_topic(self._network),
                    key=event.site.encode(),
                    value=value,
                    headers=[(str(name), text.encode()) for name, text in headers.items()],
                )
                sent.get(timeout=40)
            except KafkaError:
                self._discard()
                raise

    def close(self) -> None:
        """Close the connection to the brokers."""
        if self._producer is not None:
            self._producer.close(timeout=5)
        self._producer = self._encoder = None

    def _drain(self) -> Published:
        """Sweep from the oldest change until a sweep finds nothing: a change with a lower number may be committed late."""
        total = Published()
        while (sweep := self._sweep_again_after_errors()).events:
            total = total.plus(sweep)
        return total.plus(sweep)

    def _sweep_again_after_errors(self) -> Published:
        done = Published()
        for attempt in range(1, self._attempts + 1):
            tally = _Tally()
            try:
                self._sweep(tally)
                return done.plus(tally.published)
            except (KafkaError, TemporaryError) as exc:
                done = done.plus(tally.published)
                never_connected = self._producer is None and attempt == 1
                self._discard()
                problem = exc if isinstance(exc, MainstemError) else explain(self._settings, exc)
                if never_connected or attempt == self._attempts or not isinstance(problem, TemporaryError):
                    raise problem from exc
                pause = min(15.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
                log.warning(
                    "publishing again", site=self._site, cause=problem.cause, attempt=attempt, pause=round(pause, 1)
                )
                self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _sweep(self, tally: "_Tally") -> None:
        """Send page after page; while one is on its way, the next is read and encoded."""
        after = 0
        flying: _Flight | None = None
        while rows := self._store.pending(self._site, after=after, limit=self._page):
            after = rows[-1].number
            launched = self._launch(rows)
            if flying:
                self._land(flying, tally)
            flying = launched
        if flying:
            self._land(flying, tally)

    def _launch(self, rows: Sequence[Any]) -> "_Flight | None":
        producer = self._connected()
        assert self._encoder is not None
        sendable = [row for row in rows if row.number not in self._refused] if self._refused else rows
        batches, refused, size = self._encoder.encode(sendable)
        if refused:
            self._refused.update(refused)
            log.error(
                "event too large to send", site=self._site, records=sorted(refused.values()), limit=MAX_EVENT_BYTES
            )
            sendable = [row for row in sendable if row.number not in refused]
        if not sendable:
            return None
        return _Flight(sendable, [self._road.send(producer, batch) for batch in batches], size)

    def _land(self, flight: "_Flight", tally: "_Tally") -> None:
        for sent in flight.sent:
            if not sent.arrived(60):
                raise TemporaryError(
                    f"Kafka at {self._settings.bootstrap} acknowledged nothing for a minute", "Look at the brokers."
                )
        self._store.mark_published(self._site, flight.rows, refused=self._refused)
        tally.add(flight, tuple(self._refused.values()))
        self._progress(len(flight.rows))

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            with kafka_errors(self._settings):
                self._producer = KafkaProducer(
                    **{
                        **self._settings.client_options(),
                        "client_id": f"mainstem-publisher-{self._site}",
                        "acks": "all",
                        "enable_idempotence": True,
                        "compression_type": "lz4",
                        "max_in_flight_requests_per_connection": 5,
                        "linger_ms": 0,
                        "batch_size": BATCH_BYTES,
                        "max_request_size": 8 * BATCH_BYTES,
                        "max_block_ms": 5000,
                        "delivery_timeout_ms": DELIVERY_SECONDS * 1000,
                        "allow_auto_create_topics": False,
                        "metrics_enabled": False,
                        **self._options,
                    }
                )
                topic = outcome_topic(self._network)
                partitions = self._partitions_of(self._producer, topic)
            self._encoder = Encoder(
                self._network,
                self._site,
                self._software,
                topic=topic,
                partitions=len(partitions),
                epoch=self._store.epoch,
            )
        return self._producer

    def _partitions_of(self, producer: KafkaProducer, topic: str) -> set[int]:
        try:
            return set(producer.partitions_for(topic))
        except (KafkaTimeoutError, UnknownTopicOrPartitionError) as exc:
            if any(not found.stage for found in probe(self._settings)):
                raise OperatorError(
                    f"Kafka at {self._settings.bootstrap} has no topic {topic}", "Create it: `mainstem topics create`."
                ) from exc
            raise

    def _discard(self) -> None:
        """Drop a producer that failed; what it still held must not be sent behind a newer change."""
        producer, self._producer, self._encoder = self._producer, None, None
        if producer is not None:
            self._road.abandon(producer)


def publisher_of(
    site: str, settings: Settings, store: Outbox, *, progress: Callable[[int], Any] = lambda events: None
) -> Publisher:
    """A site's publisher on the configured brokers."""
    return Publisher(
        kafka_settings_of(settings),
        network=settings.network,
        store=store,
        site=site,
        software=__version__,
        progress=progress,
    )


class _Flight(NamedTuple):
    """A page on its way."""

    rows: Sequence[Any]
    sent: list[Sent]
    size: int


class _Tally:
    """Sums of what has been acknowledged and marked."""

    def __init__(self) -> None:
        self.published = Published()

    def add(self, flight: _Flight, refused: tuple[str, ...]) -> None:
        rows = flight.rows
        self.published = self.published.plus(
            Published(
                events=len(rows),
                tombstones=sum(row.content is None for row in rows),
                bytes=flight.size,
                coalesced=sum(row.sequence - row.previous - 1 for row in rows),
                refused=refused,
            )
        )
