"""The consumer kit: Kafka → a handler, each event's effect once, in the handler's own database.

A whole consumer, which keeps the latest content of every record in a table:

    from sqlalchemy import create_engine, text
    from mainstem.consumer import Consumer

    engine = create_engine("sqlite:///latest.db")
    with engine.begin() as db:
        db.execute(text("create table if not exists latest (record text primary key, type text, content text)"))

    def keep(db, events):
        for event in events:
            if event.outcome is None:
                db.execute(text("delete from latest where record = :record"), {"record": event.record_id})
            else:
                content = event.outcome.record.model_dump_json()
                row = {"record": event.record_id, "type": event.record_type, "content": content}
                db.execute(text("insert or replace into latest values (:record, :type, :content)"), row)

    with Consumer("127.0.0.1:9092", network="lhn", group="example", engine=engine, handler=keep) as consumer:
        consumer.run_until_caught_up()

For each poll there is one transaction: the partitions' offsets move by compare-and-set (a consumer that lost its partitions finds
another value and is refused), events not newer than what was handled for their record are dropped, and the handler writes. Kafka's own
commits are only for lag monitors; after an assignment we read from the database's offsets.

What cannot be read goes to `<network>.dlq.<group>`, acknowledged before the offset moves, with a reason and its place but no text.
Later events of the same record are handled on: each carries the whole record, so the next one supersedes what was lost.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec
import structlog
from kafka import ConsumerRebalanceListener, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from pydantic import ValidationError
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    and_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError

from mainstem.kafka.settings import KafkaSettings, Reach, as_settings, explain, kafka_errors
from mainstem.kafka.topics import create_missing, dead_letter_topic, dead_letters
from schemas.errors import MainstemError, OperatorError, TemporaryError
from schemas.events import CONTRACT_MAJOR, Header, Operation, OutcomeEvent, outcome_topic
from schemas.loads import LoadEvent, load_topic

log = structlog.get_logger(__name__)

POLL_RECORDS = 5000
"""Events in one transaction at most."""
LOOKUP = 5000
ATTEMPTS = 8
COMMIT_SECONDS = 5.0
T = TypeVar("T")

metadata = MetaData()
consumer_offset = Table(
    "consumer_offset",
    metadata,
    Column("consumer_group", String(100), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
)
consumer_record = Table(
    "consumer_record",
    metadata,
    Column("consumer_group", String(100), primary_key=True),
    Column("record", LargeBinary(16), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)


class Reason(StrEnum):
    """Why an event went to the dead-letter topic."""

    MISSING_HEADER = "missing-header"
    INVALID_HEADER = "invalid-header"
    UNKNOWN_VERSION = "unknown-version"
    INVALID_JSON = "invalid-json"
    INVALID_RECORD = "invalid-record"


class PoisonError(Exception):
    """An event that cannot be used; a handler may raise it too. Says nothing of the content."""

    def __init__(self, event: "Received", reason: Reason) -> None:
        super().__init__(reason.value)
        self.event = event
        self.reason = reason


class Received:
    """One outcome event. Headers are decoded; `time`, `subject`, `type` and above all `outcome` only when asked for."""

    def __init__(self, record: Any) -> None:
        headers: dict[str, bytes] = dict(record.headers)
        _, operation, major = headers[Header.TYPE].rsplit(b".", 2)
        if major != MAJOR:
            raise _UnknownVersionError
        epoch, sequence = headers[Header.SEQUENCE].split(b".")
        self.event_id = headers[Header.ID].decode()
        """`ce_id`; a duplicate has the same."""
        self.record_id = headers[Header.SUBJECT].decode()
        """`r-…`"""
        self.op = Operation(operation.decode())
        self.epoch, self.sequence = int(epoch), int(sequence)
        self.site = headers[Header.SOURCE].decode().removeprefix("/site/")
        self.replay = Header.REPLAY in headers
        self.value: bytes | None = record.value
        """The value's JSON; None for a withdrawal."""
        self.key: bytes = record.key
        self.record_key = bytes.fromhex(self.record_id[2:])
        """The record id as 16 bytes."""
        self.source = record
        """The Kafka record."""
        self._schema = headers[Header.DATA_SCHEMA]
        self._time = headers[Header.TIME]
        if not self.key.startswith(b"s-") or not self.key.endswith(headers[Header.SUBJECT]):
            raise ValueError

    @property
    def subject(self) -> str:
        """`s-…`"""
        return str(self.key.partition(b"/")[0].decode())

    @property
    def record_type(self) -> str:
        """The record type, `observation`; a withdrawal has it too."""
        return self._schema.rsplit(b"/", 1)[-1].split(b".", 1)[0].decode()

    @property
    def time(self) -> datetime:
        """When the change was stored, UTC."""
        return datetime.fromisoformat(self._time.decode())

    @cached_property
    def outcome(self) -> OutcomeEvent | None:
        """The whole event, checked; None for a withdrawal. A value that breaks the contract goes to the dead letters."""
        if self.value is None:
            return None
        try:
            return OutcomeEvent.model_validate_json(self.value)
        except ValidationError:
            raise PoisonError(self, Reason.INVALID_RECORD) from None

    def decode(self, kind: type[T]) -> T:
        """The value as a msgspec type of the caller's, much faster than `outcome`; not for withdrawals."""
        if self.value is None:
            raise PoisonError(self, Reason.INVALID_RECORD)
        try:
            return msgspec.json.decode(self.value, type=kind)
        except msgspec.MsgspecError:
            raise PoisonError(self, Reason.INVALID_RECORD) from None


class _UnknownVersionError(Exception):
    """The event is of another major version of the contract."""


MAJOR = f"v{CONTRACT_MAJOR}".encode()
Handler = Callable[[Connection, Sequence[Received]], Any]
"""Writes the effect of events, in their order, by the connection given; neither commits nor rolls back."""
LoadHandler = Callable[[Connection, Sequence[LoadEvent]], Any]
"""The same for the sites' loads; one may come twice."""


class StopSignal(Protocol):
    """Ends `run`: a threading or multiprocessing Event."""

    def is_set(self) -> bool: ...


class _Envelope(msgspec.Struct):
    """Just enough to know that a value is an outcome event in well-formed JSON."""

    record: msgspec.Raw
    change: msgspec.Raw
    provenance: msgspec.Raw


class _Found(NamedTuple):
    """What a poll brought."""

    events: list[Received]
    loads: list[LoadEvent]
    unusable: list[tuple[Any, Reason]]


class _StaleError(Exception):
    """Another consumer has moved our partition's offset."""


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
        self._ledger = _Ledger(engine, group)
        self._positions: dict[TopicPartition, int] = {}
        self._doubtful: set[TopicPartition] = set()
        self._goals: dict[TopicPartition, int] = {}
        self._letters = _DeadLetters(self._settings, network, group)
        self._committed_at = 0.0

    def __enter__(self) -> "Consumer":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def run(self, stop: StopSignal, *, idle: float = 0.5) -> int:
        """Handle events until `stop` is set; returns how many. A broker that is away is waited for, within limits."""
        handled = 0
        while not stop.is_set():
            handled += self._step(idle)
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
            except _StaleError:
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

    def _read(self, polled: Mapping[TopicPartition, list[Any]]) -> "_Found":
        found = _Found([], [], [])
        for partition, records in polled.items():
            loads = partition.topic == self._load_topic
            for record in records:
                event = read_load(record) if loads else read_event(record)
                if isinstance(event, Reason):
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
                client.subscribe(self._topics, listener=_Forgetting(self._positions))
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


def read_event(record: Any) -> Received | Reason:
    """A Kafka record as an event, or why it is none."""
    try:
        event = Received(record)
    except KeyError:
        return Reason.MISSING_HEADER
    except _UnknownVersionError:
        return Reason.UNKNOWN_VERSION
    except (ValueError, TypeError, AttributeError):
        return Reason.INVALID_HEADER
    if event.value is not None:
        try:
            msgspec.json.decode(event.value, type=_Envelope)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            return Reason.INVALID_JSON
    return event


def read_load(record: Any) -> LoadEvent | Reason:
    """A Kafka record of the load topic, or why it is none."""
    try:
        return LoadEvent.model_validate_json(record.value or b"")
    except ValidationError:
        return Reason.INVALID_RECORD


class _Forgetting(ConsumerRebalanceListener):  # type: ignore[misc]
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


class _Ledger:
    """The kit's two tables: how far the group is, and what it has handled of each record."""

    def __init__(self, engine: Engine, group: str) -> None:
        self._engine = engine
        self._group = group
        self._created = False

    def create_tables(self) -> None:
        if self._created:
            return
        with _database_errors():
            try:
                metadata.create_all(self._engine)
            except DBAPIError:
                metadata.create_all(self._engine)  # another member of the group made them at the same moment
        self._created = True

    def stored(self) -> dict[TopicPartition, int]:
        """The next offset of every partition the group has read."""
        with _database_errors(), self._engine.connect() as connection:
            return self._stored(connection)

    def offsets(self, first: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The same; a partition never read gets a row with its `first` offset."""
        rows = [
            {"consumer_group": self._group, **partition._asdict(), "next_offset": offset}
            for partition, offset in first.items()
        ]
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        with _database_errors(), self._engine.begin() as connection:
            connection.execute(dialect.insert(consumer_offset).on_conflict_do_nothing(), rows)
            return self._stored(connection)

    def apply(
        self,
        moves: Mapping[TopicPartition, tuple[int, int]],
        found: _Found,
        handler: Handler,
        load_handler: LoadHandler | None,
    ) -> int:
        """One transaction: offsets from → to, guards, effects. Returns how many outcome events were new."""
        with _database_errors(), self._engine.begin() as connection:
            for partition, (before, after) in sorted(moves.items()):
                self._move(connection, partition, before, after)
            if fresh := self._fresh(connection, found.events):
                handler(connection, fresh)
            if found.loads and load_handler:
                load_handler(connection, found.loads)
            return len(fresh)

    def _stored(self, connection: Connection) -> dict[TopicPartition, int]:
        c = consumer_offset.c
        rows = connection.execute(select(c.topic, c.partition, c.next_offset).where(c.consumer_group == self._group))
        return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}

    def _move(self, connection: Connection, partition: TopicPartition, before: int, after: int) -> None:
        c = consumer_offset.c
        mine = and_(
            c.consumer_group == self._group,
            c.topic == partition.topic,
            c.partition == partition.partition,
            c.next_offset == before,
        )
        if connection.execute(update(consumer_offset).where(mine).values(next_offset=after)).rowcount != 1:
            raise _StaleError

    def _fresh(self, connection: Connection, events: Sequence[Received]) -> list[Received]:
        """The events that are newer than what was handled of their record; what was handled is moved to them."""
        handled = self._handled(connection, {event.record_key for event in events})
        fresh: list[Received] = []
        moved: dict[bytes, tuple[int, int]] = {}
        for event in events:
            key, version = event.record_key, (event.epoch, event.sequence)
            if version > handled.get(key, (0, 0)):
                handled[key] = moved[key] = version
                fresh.append(event)
        if moved:
            self._remember(connection, moved)
        return fresh

    def _handled(self, connection: Connection, keys: Iterable[bytes]) -> dict[bytes, tuple[int, int]]:
        wanted = sorted(keys)
        found: dict[bytes, tuple[int, int]] = {}
        for start in range(0, len(wanted), LOOKUP):
            some = wanted[start : start + LOOKUP]
            if connection.dialect.name == "postgresql":
                rows = connection.execute(HANDLED_POSTGRESQL, {"consumer_group": self._group, "records": some})
            else:
                marks = ",".join("?" * len(some))
                rows = connection.exec_driver_sql(HANDLED_SQLITE + f"({marks})", (self._group, *some))
            found |= {bytes(record): (epoch, sequence) for record, epoch, sequence in rows}
        return found

    def _remember(self, connection: Connection, moved: Mapping[bytes, tuple[int, int]]) -> None:
        if self._engine.dialect.name == "postgresql":
            connection.execute(
                REMEMBER_POSTGRESQL,
                {
                    "consumer_group": self._group,
                    "records": list(moved),
                    "epochs": [epoch for epoch, _ in moved.values()],
                    "sequences": [sequence for _, sequence in moved.values()],
                },
            )
            return
        rows = [(self._group, record, epoch, sequence) for record, (epoch, sequence) in moved.items()]
        connection.exec_driver_sql(REMEMBER_SQLITE, rows)


HANDLED_SQLITE = "select record, epoch, sequence from consumer_record where consumer_group = ? and record in "
HANDLED_POSTGRESQL = text(
    "select record, epoch, sequence from consumer_record "
    "where consumer_group = :consumer_group and record = any(cast(:records as bytea[]))"
)
REMEMBER = (
    "on conflict (consumer_group, record) do update set epoch = excluded.epoch, sequence = excluded.sequence "
    "where (excluded.epoch, excluded.sequence) > (consumer_record.epoch, consumer_record.sequence)"
)
REMEMBER_SQLITE = (
    f"insert into consumer_record (consumer_group, record, epoch, sequence) values (?, ?, ?, ?) {REMEMBER}"
)
REMEMBER_POSTGRESQL = text(
    "insert into consumer_record (consumer_group, record, epoch, sequence) "
    "select :consumer_group, u.record, u.epoch, u.sequence from "
    "unnest(cast(:records as bytea[]), cast(:epochs as int[]), cast(:sequences as bigint[])) as u (record, epoch, sequence) "
    + REMEMBER
)


class _DeadLetters:
    """Sends what could not be read to the group's dead-letter topic and waits for the acknowledgement."""

    def __init__(self, settings: KafkaSettings, network: str, group: str) -> None:
        self._settings = settings
        self._network = network
        self._group = group
        self._producer: KafkaProducer | None = None

    def send(self, letters: Sequence[tuple[Any, Reason]]) -> None:
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


def dead_letter_headers(record: Any, reason: Reason) -> list[tuple[str, bytes]]:
    """Reason and place; never text of the event or of an error."""
    facts = {
        "reason": reason.value,
        "stage": "consume",
        "topic": record.topic,
        "partition": record.partition,
        "offset": record.offset,
    }
    return [(name, str(fact).encode()) for name, fact in facts.items()]


class _database_errors:
    """The database's errors as ours: theirs quote the statement's parameters, which are outcome data."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, exc: BaseException | None, trace: Any) -> None:
        if isinstance(exc, DBAPIError):
            raise TemporaryError(
                f"the consumer's database refused ({type(exc.orig).__name__})",
                "Look into the database's log; run again.",
            ) from None
