"""Polls, hands over, and keeps the place: one transaction a poll."""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from sqlalchemy import Engine

from mainstem.consumer.dead_letters import DeadLetters
from mainstem.consumer.handling import Found, Handler, LoadHandler
from mainstem.consumer.ledger import Ledger, StaleError
from mainstem.consumer.received import LetterReason, PoisonError, read_event, read_load
from mainstem.kafka.settings import Reach, as_settings, explain, kafka_errors
from schemas.errors import OperatorError, TemporaryError
from schemas.events import outcome_topic
from schemas.loads import LoadEvent, load_topic

log = structlog.get_logger(__name__)

POLL_RECORDS = 5000
"""Events in one transaction at most."""
ATTEMPTS = 8
COMMIT_SECONDS = 5.0


class StopSignal(Protocol):
    """Ends `run`: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...


class Consumer:
    """Feeds `handler` from a network's outcome topic, and `load_handler` from its load topic. Connects at the first run; the kit's two tables are made in `engine`'s
    database.

    `session_timeout`: a lost consumer's partitions go to others after this; Tansu also takes half of it to admit a consumer.
    `share`: take partitions by group membership, so that several processes can share the work; without it this one reads all.
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
        share: bool = True,
        session_timeout: float = 6.0,
        poll_records: int = POLL_RECORDS,
        attempts: int = ATTEMPTS,
        sleep: Callable[[float], Any] = time.sleep,
        **client_options: Any,
    ) -> None:
        self._settings = as_settings(reach)
        self._network = network
        self._load_topic = load_topic(network)
        self._topics = [outcome_topic(network), *([self._load_topic] if load_handler else [])]
        self._group = group
        self._handler = handler
        self._load_handler = load_handler
        self._share = share
        self._session_timeout = session_timeout
        self._poll_records = poll_records
        self._attempts = attempts
        self._sleep = sleep
        self._options = client_options
        self._client: KafkaConsumer | None = None
        self._ledger = Ledger(engine, group)
        self._positions: dict[TopicPartition, int] = {}
        self._doubtful: set[TopicPartition] = set()
        self._goals: dict[TopicPartition, int] = {}
        self._letters = DeadLetters(self._settings, network, group)
        self._committed_at = 0.0

    def __enter__(self) -> "Consumer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def run(self, stop: StopSignal, *, idle: float = 0.5, on_caught_up: Callable[[int], Any] | None = None) -> int:
        """Handle events until `stop` is set; returns how many. A broker that is away is waited for, within limits.

        `on_caught_up` is told how many were handled so far whenever all that the topics hold is handled: once at the start, then after news.
        """
        handled, told = 0, -1
        while not stop.is_set():
            handled += (new := self._step(idle))
            if on_caught_up and not new and handled != told and self._caught_up():
                told = handled
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
        client, self._client = self._client, None
        self._positions.clear()
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
                self._positions.clear()
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
        client = self._connected()
        polled: dict[TopicPartition, list[Any]] = client.poll(timeout_ms=int(idle * 1000))
        new = client.assignment() - self._positions.keys()
        if new:
            # Fetched from Kafka's idea of our place; the database's counts.
            polled = {partition: records for partition, records in polled.items() if partition not in new}
            self._load_positions(client, new)
        self._settle_doubts(client)
        return self._handle(polled) if polled else 0

    def _handle(self, polled: Mapping[TopicPartition, list[Any]]) -> int:
        found = self._read(polled)
        moves = {
            partition: (self._positions[partition], records[-1].offset + 1) for partition, records in polled.items()
        }
        while True:
            self._letters.send(found.unusable)
            found.unusable.clear()
            try:
                handled = self._ledger.apply(moves, found, self._handler, self._load_handler)
                break
            except PoisonError as exc:
                poison = exc.event
                found.events.remove(poison)
                found.unusable.append((poison.source, exc.reason))
        for partition, (_, after) in moves.items():
            self._positions[partition] = after
        self._commit_advisory()
        return handled

    def _read(self, polled: Mapping[TopicPartition, list[Any]]) -> "Found":
        found = Found([], [], [])
        for partition, records in polled.items():
            loads = partition.topic == self._load_topic
            for record in records:
                event = read_load(record) if loads else read_event(record)
                if isinstance(event, LetterReason):
                    found.unusable.append((record, event))
                elif isinstance(event, LoadEvent):
                    found.loads.append(event)
                else:
                    found.events.append(event)
        return found

    def _connected(self) -> KafkaConsumer:
        if self._client is None:
            self._ledger.create_tables()
            client = KafkaConsumer(
                **{
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
            )
            self._client = client
            self._positions.clear()
            for topic in self._topics:
                if not client.partitions_for_topic(topic):
                    raise OperatorError(
                        f"Kafka at {self._settings.bootstrap} has no topic {topic}",
                        "Create it: `mainstem topics create`.",
                    )
            if self._share:
                client.subscribe(self._topics, listener=Forgetting(self._positions))
            else:
                client.assign(self._partitions(client))
        return self._client

    def _load_positions(self, client: KafkaConsumer, partitions: Iterable[TopicPartition]) -> None:
        wanted = list(partitions)
        starts, ends = client.beginning_offsets(wanted), client.end_offsets(wanted)
        known = self._ledger.offsets(starts)
        for partition in wanted:
            self._positions[partition] = offset = known[partition]
            client.seek(partition, offset)
            if offset > ends[partition]:
                self._doubtful.add(partition)

    def _settle_doubts(self, client: KafkaConsumer) -> None:
        """A place beyond the end means that the topic was made anew; then it is read from its start.

        Apache Kafka says "out of range" and the client starts over by itself. Tansu says nothing; and asked for the
        end it gives the start of the last batch plus one, so only the high watermark of a fetch can be believed."""
        for partition in list(self._doubtful):
            if partition not in self._positions or (end := client.highwater(partition)) is None:
                continue
            self._doubtful.discard(partition)
            if self._positions[partition] > end:
                log.warning("the topic was made anew; reading from its start", group=self._group, partition=partition)
                client.seek_to_beginning(partition)

    def _ends(self) -> dict[TopicPartition, int]:
        with kafka_errors(self._settings):
            client = self._connected()
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
        if self._client is None or self._doubtful:
            return False
        mine = self._positions.keys() & self._client.assignment()
        if not all(self._reached_end(self._client, partition, ends[partition]) for partition in mine):
            return False
        others = [partition for partition in ends if partition not in mine and ends[partition] > 0]
        if not others:
            return True
        stored = self._ledger.stored()
        return all(stored.get(partition, 0) >= ends[partition] for partition in others)

    def _reached_end(self, client: KafkaConsumer, partition: TopicPartition, end: int) -> bool:
        # The position moves over transaction markers too, which are no events.
        position = client.position(partition, timeout_ms=2000) or 0
        if position < end:
            return False
        # Tansu's end lies within the last batch; the watermark of the fetch that brought us there is behind it.
        goal = self._goals.setdefault(partition, max(end, client.highwater(partition) or 0))
        return bool(position >= goal)

    def _commit_advisory(self) -> None:
        """Tell Kafka our place now and then, for lag monitors; nothing depends on it."""
        if not self._share or time.monotonic() - self._committed_at < COMMIT_SECONDS or self._client is None:
            return
        self._committed_at = time.monotonic()
        assigned = self._client.assignment()
        offsets = {p: OffsetAndMetadata(n, "", -1) for p, n in self._positions.items() if p in assigned}
        if offsets:
            self._client.commit_async(offsets)


class Forgetting(ConsumerRebalanceListener):  # type: ignore[misc]
    """Forgets the places of partitions taken from us, so that they are read from the database when they come back.

    Runs on the client's I/O loop, hence no database work here."""

    def __init__(self, positions: dict[TopicPartition, int]) -> None:
        self._positions = positions

    def on_partitions_revoked(self, revoked: Iterable[TopicPartition]) -> None:
        for partition in revoked:
            self._positions.pop(partition, None)

    def on_partitions_assigned(self, assigned: Iterable[TopicPartition]) -> None:
        for partition in assigned:
            self._positions.pop(partition, None)
