"""Polls, hands over, and keeps the place: one transaction a poll."""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import structlog
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import IllegalStateError, KafkaError
from kafka.structs import OffsetAndMetadata
from sqlalchemy import Engine

from mainstem.consumer.dead_letters import DeadLetters, Letter
from mainstem.consumer.handling import Found, FoundLoad, Handler, Handling, LoadHandler
from mainstem.consumer.ledger import ENGINE, Ledger, StaleError
from mainstem.consumer.places import Places, Polled, Rebalances
from mainstem.consumer.received import LetterReason, read_event, read_load
from mainstem.kafka.record_batches import settle
from mainstem.kafka.settings import Reach, as_settings, explain, kafka_errors
from schemas.errors import OperatorError, TemporaryError
from schemas.events import outcome_topic
from schemas.loads import LoadEvent, load_topic
from schemas.outcomes import RECORD_TYPES

log = structlog.get_logger(__name__)

POLL_RECORDS = 5000
"""Events in one transaction at most."""
ATTEMPTS = 8
COMMIT_SECONDS = 5.0
READ_AGAIN = "Update the consumer, then read the topic from the start with a new group."


class StopSignal(Protocol):
    """Ends `run`: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...


class Consumer:
    """Feeds `handler` from a network's outcome topic, and `load_handler` from its load topic. Connects at the first run; the kit's two tables are made in `engine`'s
    database.

    `session_timeout`: a lost consumer's partitions go to others after this; Tansu also takes half of it to admit a consumer.
    `setting`: what names `engine`'s database, in messages on what to do.
    `share`: take partitions by group membership, so that several processes can share the work; without it this one reads all.
    `unknown_too`: `handler` is also given events of record types that this version does not know, to keep as they are.
    `late_handler` is given what is older than what was handled of its record, and duplicates: for a history, which wants all of it.
    """

    def __init__(
        self,
        reach: Reach,
        *,
        network: str,
        group: str,
        engine: Engine,
        handler: Handler,
        load_handler: LoadHandler | None = None,
        late_handler: Handler | None = None,
        unknown_too: bool = False,
        share: bool = True,
        session_timeout: float = 6.0,
        poll_records: int = POLL_RECORDS,
        setting: str = ENGINE,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], Any] = time.sleep,
        **client_options: Any,
    ) -> None:
        self._settings = as_settings(reach)
        self._network = network
        self._load_topic = load_topic(network)
        self._topics = [outcome_topic(network), *([self._load_topic] if load_handler else [])]
        self._group = group
        self._share = share
        self._unknown_too = unknown_too
        self._session_timeout = session_timeout
        self._poll_records = poll_records
        self._attempts = attempts
        self._sleep = sleep
        self._options = client_options
        self._client: KafkaConsumer | None = None
        self._places: Places | None = None
        self._goals: dict[TopicPartition, int] = {}
        self._ledger = Ledger(engine, group, setting=setting)
        self._letters = DeadLetters(self._settings, network, group)
        self._handling = Handling(self._ledger, handler, load_handler, self._letters, late_handler)
        self.ignored: Counter[str] = Counter()
        """Events whose record type this version does not know, by type: passed over, or with `unknown_too` handed over as they are."""
        self._committed_at = 0.0

    def __enter__(self) -> "Consumer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def run(self, stop: StopSignal, *, idle: float = 0.5, on_caught_up: Callable[[int], Any] | None = None) -> int:
        """Handle events until `stop` is set; returns how many. A broker that is away is waited for, within limits.

        `on_caught_up` is told how many were handled so far whenever all that the topics hold is handled: once at the start, then after
        news, of types passed over too.
        """
        handled, told = 0, (-1, 0)
        while not stop.is_set():
            handled += (new := self._step(idle))
            news = (handled, self.ignored.total())
            if on_caught_up and not new and news != told and self._caught_up():
                told = news
                on_caught_up(handled)
        return handled

    def run_until_caught_up(self, *, timeout: float = 120.0) -> int:
        """Handle everything that is in the topic now; returns how many events reached the handler."""
        deadline = time.monotonic() + timeout
        ends: dict[TopicPartition, int] | None = None
        self._goals.clear()
        handled = 0
        while ends is None or not self._reached(ends):
            if ends is None:
                ends = self._ends()
            if time.monotonic() > deadline:
                raise TemporaryError(
                    f"consumer group {self._group} did not reach the end of {self._topics[0]} in {timeout:.0f} s",
                    "Run it again; look whether other members of the group are stuck.",
                )
            handled += self._step(0.5)
        return handled

    def close(self) -> None:
        """Leave the group and close the connections; offsets are already in the database."""
        client, self._client, self._places = self._client, None, None
        if client is not None:
            try:
                client.close(autocommit=False, timeout_ms=2000)
            except KafkaError as exc:
                log.info("left the group without goodbye", group=self._group, kind=type(exc).__name__)
        self._letters.close()

    def _step(self, idle: float) -> int:
        """One poll and its transaction. After an error of Kafka's the client is rebuilt: it may be stuck at the place."""
        for attempt in range(1, self._attempts + 1):
            first = self._client is None
            try:
                return self._poll(idle)
            except StaleError:
                log.warning("another consumer has moved on; reading from its place", group=self._group)
                if self._places is not None:
                    self._places.forget()
                return 0
            except KafkaError as exc:
                problem = explain(self._settings, exc)
                cause: Exception = exc
            except TemporaryError as exc:
                problem, cause = exc, exc
            self.close()
            if attempt == self._attempts or (first and attempt == 1) or not isinstance(problem, TemporaryError):
                raise problem from cause
            pause = min(10.0, 0.25 * 2**attempt)
            log.warning("consuming again", group=self._group, cause=problem.cause, attempt=attempt, pause=pause)
            self._sleep(pause)
        raise AssertionError("unreachable: the last attempt returns or raises")

    def _poll(self, idle: float) -> int:
        client, places = self._connected()
        polled = places.admit(client.poll(timeout_ms=int(idle * 1000)))
        if not polled:
            return 0
        moves = places.moves(polled)
        handled = self._handling.handle(moves, self._read(polled))
        places.moved(moves)
        self._commit_advisory(client, places)
        return handled

    def _read(self, polled: Polled) -> Found:
        found = Found([], [], [])
        for partition, records in polled.items():
            loads = partition.topic == self._load_topic
            for record in records:
                event = read_load(record) if loads else read_event(record)
                if isinstance(event, LetterReason):
                    found.unusable.append(Letter(record, event))
                elif isinstance(event, LoadEvent):
                    found.loads.append(FoundLoad(event, record))
                elif event.record_type in RECORD_TYPES or self._unknown(event.record_type):
                    found.events.append(event)
        return found

    def _unknown(self, record_type: str) -> bool:
        """Counts an event of a type that this version does not know; whether it is handed over all the same."""
        if record_type not in self.ignored:
            log.warning(
                "events of a record type that this version does not know",
                group=self._group,
                record_type=record_type,
                done="kept as they are" if self._unknown_too else "passed over",
                fix="Update the consumer." if self._unknown_too else READ_AGAIN,
            )
        self.ignored[record_type] += 1
        return self._unknown_too

    def _connected(self) -> tuple[KafkaConsumer, Places]:
        if self._client is None or self._places is None:
            self._ledger.create_tables()
            self._client = client = KafkaConsumer(**self._client_options())
            settle(client)
            for topic in self._topics:
                if not client.partitions_for_topic(topic):
                    raise OperatorError(
                        f"Kafka at {self._settings.name} has no topic {topic}",
                        "Create it: `mainstem topics create`.",
                    )
            rebalances = Rebalances()
            if self._share:
                client.subscribe(self._topics, listener=rebalances)
            else:
                client.assign(self._partitions(client))
            self._places = Places(client, self._ledger, rebalances)
        return self._client, self._places

    def _client_options(self) -> dict[str, Any]:
        return {
            **self._settings.client_options(),
            "client_id": f"mainstem-consumer-{self._group}",
            "group_id": self._group if self._share else None,
            "auto_offset_reset": "earliest",
            "enable_auto_commit": False,
            "isolation_level": "read_committed",
            "allow_auto_create_topics": False,
            "session_timeout_ms": int(self._session_timeout * 1000),
            "heartbeat_interval_ms": int(self._session_timeout * 1000 / 4),
            "max_poll_records": self._poll_records,
            "metrics_enabled": False,
            **self._options,
        }

    def _ends(self) -> dict[TopicPartition, int]:
        with kafka_errors(self._settings):
            client, _ = self._connected()
            return dict(client.end_offsets(self._partitions(client)))

    def _caught_up(self) -> bool:
        """Whether all that the topics hold now is handled; not known while the broker is away."""
        self._goals.clear()
        try:
            return self._reached(self._ends())
        except (KafkaError, TemporaryError):
            return False

    def _partitions(self, client: KafkaConsumer) -> list[TopicPartition]:
        return [
            TopicPartition(topic, number)
            for topic in self._topics
            for number in sorted(client.partitions_for_topic(topic) or ())
        ]

    def _reached(self, ends: Mapping[TopicPartition, int]) -> bool:
        """Whether every partition is handled up to its end, by us or by another member of the group."""
        client, places = self._client, self._places
        if client is None or places is None or not places.settled:
            return False
        mine = places.ours()
        if not all(self._reached_end(client, partition, ends.get(partition, 0)) for partition in mine):
            return False
        others = [partition for partition in ends if partition not in mine and ends[partition] > 0]
        if not others:
            return True
        stored = self._ledger.stored()
        return all(stored.get(partition, 0) >= ends[partition] for partition in others)

    def _reached_end(self, client: KafkaConsumer, partition: TopicPartition, end: int) -> bool:
        try:
            # The position moves over transaction markers too, which are no events.
            position = client.position(partition, timeout_ms=2000) or 0
            if position < end:
                return False
            # Tansu's end lies within the last batch; the watermark of the fetch that brought us there is behind it.
            goal = self._goals.setdefault(partition, max(end, client.highwater(partition) or 0))
        except IllegalStateError:
            return False  # taken from us since we asked
        return bool(position >= goal)

    def _commit_advisory(self, client: KafkaConsumer, places: Places) -> None:
        """Tell Kafka our place now and then, for lag monitors; nothing depends on it."""
        if not self._share or time.monotonic() - self._committed_at < COMMIT_SECONDS:
            return
        self._committed_at = time.monotonic()
        if offsets := {partition: OffsetAndMetadata(n, "", -1) for partition, n in places.offsets().items()}:
            client.commit_async(offsets)
