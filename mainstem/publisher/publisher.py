"""Pending changes of a site → Kafka, in order, acknowledged, then marked published.

`Publisher.publish()` sends what is pending and returns; `Publisher.follow(stop)` goes on while another process maps.
A change is marked only after the broker acknowledged it; after any error the producer is closed and a new one sends again what the
store still has as pending, so a change can come twice (with the same `ce_id`) but never be lost.
"""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, TypeVar

import structlog
from kafka import KafkaProducer
from kafka.errors import KafkaError

from mainstem import __version__, telemetry
from mainstem.config.settings import Settings
from mainstem.kafka.envelopes import id_of
from mainstem.kafka.record_batches import (
    BATCH_BYTES,
    DELIVERY_SECONDS,
    Batch,
    Sent,
    SentRecords,
    introduce,
    road,
    settle,
)
from mainstem.kafka.settings import Reach, as_settings, explain, kafka_errors
from mainstem.kafka.topics import FoundTopic, require_topics
from mainstem.outbox import Change, OldKey, Outbox, Refused, Told
from mainstem.publisher.encoding import MAX_EVENT_BYTES, Encoder, TracedEncoder, instant
from mainstem.publisher.marking import NOTHING, as_sent, made_anew, prove_latest
from mainstem.publisher.patience import Patience
from mainstem.publisher.published import Published
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.events import CONTENT_TYPE, SPEC_VERSION, Header, data_schema, feedback_topic, outcome_topic, source_of
from schemas.feedback import FeedbackEventType, feedback_type
from schemas.loads import LoadEventType, load_topic, load_type
from schemas.published import Mark, site_topic
from schemas.subjects import SubjectEventType, subject_topic, subject_type

log = structlog.get_logger(__name__)

TOLD_AT_ONCE = 100
PAGE = 8000
"""Rows read, sent and marked at once."""
ATTEMPTS = 6
RIGHT_ATTEMPTS, RIGHT_PAUSE = 30, 0.1
"""Whoever has the right to publish for longer is another publisher."""
T = TypeVar("T")


class StopSignal(Protocol):
    """Tells `follow` to drain and end: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...
    def wait(self, timeout: float) -> Any: ...


class Publisher:
    """The one publisher of a site. Nothing connects before `publish` or `follow`."""

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
        notice: Callable[[str], Any] = lambda sentence: None,
        anew: bool = False,
        **client_options: Any,
    ) -> None:
        """`anew`: the brokers may have lost what was published; whoever says so tells it again."""
        self._settings = as_settings(reach)
        self._network = network
        self._store = store
        self._site = site
        self._software = software
        self._page = page
        self._attempts = attempts
        self._sleep = sleep
        self._progress = progress
        self._notice = notice
        self._patience = Patience(self._settings, site, notice)
        self._options = client_options
        self._road = road(plain=self._settings.plain_send)
        self._producer: KafkaProducer | None = None
        self._encoder: Encoder | None = None
        self._has_marks = self._has_subjects = self._proven = False
        self._anew = anew
        self._outcomes = FoundTopic(0)
        self._marked = NOTHING

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(self, kind: type[BaseException] | None, *exc_info: object) -> None:
        if kind is None:
            self.close()
        else:  # what is on its way is not marked and comes again: waiting for it would only hide the error
            self.discard()

    def publish(self) -> Published:
        """Send all that is pending. Raises TemporaryError when the broker stays away or another publisher has the site."""
        with self.right():
            return self._drain()

    def follow(self, stop: StopSignal, *, idle: float = 0.2) -> Published:
        """Publish what another process stores until `stop` is set, then drain."""
        total = Published()
        with self.right():
            while True:
                last = stop.is_set()
                done = self._drain()
                total = total.plus(done)
                if last:
                    return total
                if not done.events:
                    stop.wait(idle)

    @contextmanager
    def right(self) -> Iterator[None]:
        """The right to publish, while the context lasts; who replays has it a moment at a time. Raises TemporaryError."""
        with ExitStack() as stack:
            for left in range(RIGHT_ATTEMPTS, -1, -1):
                try:
                    stack.enter_context(self._store.publishing(self._site))
                    break
                except TemporaryError:
                    if not left:
                        raise
                    self._sleep(RIGHT_PAUSE)
            yield

    def resend(self, rows: Sequence[Change], epoch: int, topic: str = "") -> int:
        """Send changes of one epoch again, as they were, to the outcome topic or another of as many partitions. Returns how many the
        brokers have. Whoever sends to the outcome topic has the right to publish, and read the rows under it."""

        def send() -> int:
            producer = self._connected()
            self._prove()
            encoder = Encoder(
                self._network,
                self._site,
                self._software,
                topic=topic or outcome_topic(self._network),
                partitions=self._outcomes.partitions,
                epoch=epoch,
                replay=True,
            )
            encoded = encoder.encode(rows)
            for sent in self._send(producer, encoded.batches):
                self._patience.wait_for(sent)
            return len(rows) - len(encoded.refused)

        sent = self._again_after_errors(send)
        self._progress(sent)
        return sent

    def outcomes_made_anew(self) -> tuple[bool, str]:
        """Whether the outcome topic is another than what was published to, and the brokers' name of it. Raises OperatorError where this
        state is an older one."""

        def look() -> bool:
            self._connected()
            self._prove()
            return self._is_anew

        return self._again_after_errors(look), self._outcomes.identity

    @property
    def _is_anew(self) -> bool:
        return self._store.marked_topic(self._site) not in ("", self._outcomes.identity)

    def tell(self) -> None:
        """Send what waits to be told, and no change. Whoever calls it has the right to publish."""
        self._again_after_errors(self._tell)

    def tell_mark(self) -> None:
        """The network is told again how far this state has come: all that it published is there."""
        mark = self._store.marked(self._site)
        if self._has_marks and mark.number:
            self._store.mark(self._site, mark, self._outcomes.identity)
            sent = SentRecords([self._connected().send(**as_sent(self._network, self._site, mark))])
            self._patience.wait_for(sent)

    @property
    def is_connected(self) -> bool:
        """Whether it connected, and nothing failed since."""
        return self._producer is not None

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

    def _tell(self) -> None:
        """Send the events about the site that wait, in their order. They come before changes: that a load is complete is
        written when none of its changes waits any more."""
        while waiting := self._store.told(self._site, TOLD_AT_ONCE):
            producer = self._connected()
            self._require_subject_topic(waiting)
            if change := max(event.change for event in waiting):
                self._mark(producer, Mark(self._store.epoch, change))
            self._patience.wait_for(SentRecords([producer.send(**self._told(event)) for event in waiting]))
            self._store.mark_told(self._site, [event.number for event in waiting])

    def _told(self, event: Told) -> dict[str, Any]:
        """An event's topic, key, value and headers. Sent again after a crash, it has the same `ce_id`."""
        topic, told_type = _topic_and_type(self._network, event)
        subject, _, sequence = event.name.partition("/") if event.kind == "subject" else ("", "", "")
        version = {Header.SEQUENCE: f"{self._store.epoch}.{sequence}"} if subject else {}
        named = f"{subject}/{self._store.epoch}.{sequence}" if subject else f"{event.name}/{event.event}"
        headers = {
            Header.SPEC_VERSION: SPEC_VERSION,
            Header.ID: id_of(named.encode()).decode(),
            Header.SOURCE: source_of(self._site),
            Header.TYPE: told_type,
            Header.TIME: instant(event.at),
            Header.SUBJECT: subject or event.name,
            Header.DATA_SCHEMA: data_schema(event.kind),
            Header.CONTENT_TYPE: CONTENT_TYPE,
            **version,
        }
        return {
            "topic": topic,
            "key": (subject or event.about or self._site).encode(),
            "value": event.value,
            "headers": [(str(name), text.encode()) for name, text in headers.items()],
        }

    def _require_subject_topic(self, waiting: Sequence[Told]) -> None:
        """A withdrawal of consent must not wait unseen where a network from before has no topic for it."""
        if not self._has_subjects and any(event.kind == "subject" for event in waiting):
            raise OperatorError(
                f"there is no topic {subject_topic(self._network)}: how it stands with a subject's consent cannot be told",
                "Nothing was sent. Create it: `mainstem topics create`.",
            )

    def _sweep_again_after_errors(self) -> Published:
        tally = _Tally()
        self._again_after_errors(lambda: self._sweep(tally))
        return tally.published

    def _again_after_errors(self, attempted: Callable[[], T]) -> T:
        """What an attempt gives; after an error of Kafka's or one that passes, by a new producer."""
        for attempt in range(1, self._attempts + 1):
            try:
                return attempted()
            except (KafkaError, TemporaryError) as exc:
                never_connected = self._producer is None and attempt == 1
                self.discard()
                problem = exc if isinstance(exc, MainstemError) else explain(self._settings, exc)
                last = attempt == self._attempts or self._patience.is_over()
                if never_connected or last or not isinstance(problem, TemporaryError):
                    raise problem from exc
                pause = min(15.0, 0.5 * 2**attempt) * random.uniform(0.5, 1.0)
                self._patience.say(problem.cause, attempt=attempt, pause=round(pause, 1))
                self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _sweep(self, tally: "_Tally") -> None:
        """Send page after page; while one is on its way, the next is read and encoded."""
        self._tell()
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

    def _launch(self, rows: Sequence[Change]) -> "_Flight":
        producer = self._connected()
        assert self._encoder is not None
        self._mark(producer, Mark(self._store.epoch, rows[-1].number))
        if old := self._store.old_keys(self._site, rows):
            for sent in self._send(producer, self._encoder.encode([_tombstone(key) for key in old]).batches):
                self._patience.wait_for(sent)
        encoded = self._encoder.encode(rows)
        if encoded.refused:
            largest = max(refused.size for refused in encoded.refused)
            log.error(
                "events too large to send",
                site=self._site,
                count=len(encoded.refused),
                largest=largest,
                limit=MAX_EVENT_BYTES,
            )
        return _Flight(rows, self._send(producer, encoded.batches), encoded.size, encoded.refused)

    def _mark(self, producer: KafkaProducer, mark: Mark) -> None:
        """Tells the network how far this state has come, before it is told what changed; where the network has a topic for that."""
        self._prove()
        if self._has_marks and mark > self._store.marked(self._site):
            self._store.mark(self._site, mark, self._outcomes.identity)
        if self._has_marks and mark > self._marked:
            self._patience.wait_for(SentRecords([producer.send(**as_sent(self._network, self._site, mark))]))
            self._marked = mark

    def _prove(self) -> None:
        """Once: nobody else publishes meanwhile."""
        if self._proven:
            return
        if self._has_marks:
            prove_latest(self._settings, self._network, self._site, self._store)
            if self._is_anew and not self._anew:
                raise made_anew(self._site, outcome_topic(self._network))
        else:
            log.warning("no topic of the sites", site=self._site, fix="mainstem topics create")
            absent = f"there is no topic {site_topic(self._network)}: a state from a backup would not be noticed"
            self._notice(f"{absent}; `mainstem topics create` makes it")
        self._proven = True

    def _send(self, producer: KafkaProducer, batches: Sequence[Batch]) -> list[Sent]:
        return [self._road.send(producer, batch) for batch in batches]

    def _land(self, flight: "_Flight", tally: "_Tally") -> None:
        for sent in flight.sent:
            self._patience.wait_for(sent)
        self._store.mark_published(self._site, flight.rows, refused=flight.refused)
        if telemetry.is_on():
            waited = datetime.now(UTC) - min(row.changed for row in flight.rows)
            telemetry.measured("publish.latency.seconds", waited.total_seconds(), site=self._site)
        tally.add(flight)
        self._progress(len(flight.rows) - len(flight.refused))

    def _connected(self) -> KafkaProducer:
        if self._producer is None:
            self._patience.before_connecting()
            topic = outcome_topic(self._network)
            found = self._proven_topics()
            self._has_marks, self._outcomes = site_topic(self._network) in found, found[topic]
            self._has_subjects = subject_topic(self._network) in found
            with kafka_errors(self._settings):
                self._producer = KafkaProducer(
                    **{
                        **self._settings.client_options(),
                        "client_id": f"mainstem-publisher-{self._site}",
                        "acks": "all",
                        "enable_idempotence": True,
                        "compression_type": None
                        if self._settings.compression == "none"
                        else self._settings.compression,
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
                settle(self._producer)
                introduce(self._producer, found)  # batches are handed over behind its back: it must know their leaders
            self._encoder = (TracedEncoder if telemetry.is_on() else Encoder)(
                self._network,
                self._site,
                self._software,
                topic=topic,
                partitions=self._outcomes.partitions,
                epoch=self._store.epoch,
            )
        return self._producer

    def _proven_topics(self) -> dict[str, FoundTopic]:
        """The topics, if all are as they must be and outcomes' as it was: subjects keep theirs for ever."""
        found = require_topics(self._settings, self._network)
        topic = outcome_topic(self._network)
        known = self._store.partitions(topic, found[topic].partitions)
        if found[topic].partitions != known:
            raise OperatorError(
                f"{topic} has {found[topic].partitions} partitions; this site published to {known}",
                "Nothing was sent: subjects would change partition and lose their order. Make the topic anew with "
                f"--partitions {known}, or use a new network name.",
            )
        return found

    def discard(self) -> None:
        """Drop a producer that failed; what it still held must not be sent behind a newer change."""
        producer, self._producer, self._encoder = self._producer, None, None
        if producer is not None:
            self._road.abandon(producer)


def publisher_of(
    site: str,
    settings: Settings,
    store: Outbox,
    *,
    progress: Callable[[int], Any] = lambda events: None,
    notice: Callable[[str], Any] = lambda sentence: None,
    anew: bool = False,
) -> Publisher:
    """A site's publisher on the configured brokers. `progress` is told how many more events arrived, `notice` why nothing does."""
    kafka = settings.kafka_settings()
    for sentence in kafka.in_the_open:
        log.warning("not encrypted", site=site, what=sentence)
        notice(sentence)
    return Publisher(
        kafka,
        network=settings.network,
        store=store,
        site=site,
        software=__version__,
        progress=progress,
        notice=notice,
        anew=anew,
    )


class _Flight(NamedTuple):
    """A page on its way."""

    rows: Sequence[Change]
    sent: list[Sent]
    size: int
    refused: Sequence[Refused]


class _Tally:
    """Sums of what has been acknowledged and marked."""

    def __init__(self) -> None:
        self.published = Published()

    def add(self, flight: _Flight) -> None:
        refused = {each.number for each in flight.refused}
        rows = [row for row in flight.rows if row.number not in refused] if refused else flight.rows
        self.published = self.published.plus(
            Published(
                events=len(rows),
                tombstones=sum(row.content is None for row in rows),
                bytes=flight.size,
                coalesced=sum(row.sequence - row.previous - 1 for row in rows),
                refused=len(refused),
            )
        )


def _topic_and_type(network: str, event: Told) -> tuple[str, str]:
    if event.kind == "feedback":
        return feedback_topic(network), feedback_type(network, FeedbackEventType(event.event))
    if event.kind == "subject":
        return subject_topic(network), subject_type(network, SubjectEventType(event.event))
    return load_topic(network), load_type(network, LoadEventType(event.event))


def _tombstone(key: OldKey) -> Change:
    """What goes out under a key that a record has no longer."""
    return Change(
        0, key.id, key.type, key.subject, b"", None, b"", "", key.sequence, key.sequence - 1, True, key.changed
    )
