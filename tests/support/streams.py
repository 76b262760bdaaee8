"""Fixtures: a network with topics on Tansu or Apache Kafka, and an outbox that holds changes in memory."""

import itertools
import socket
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from sqlalchemy import Connection, Engine, create_engine, make_url, text

from mainstem.consumer import Consumer, Received
from mainstem.kafka import topics
from mainstem.kafka.settings import KafkaSettings
from mainstem.outbox import Change, OldKey, Refused, Told
from mainstem.publisher import Published, Publisher
from schemas.events import Header
from schemas.loads import LoadEvent
from schemas.published import Mark


class MemoryOutbox:
    """Record state and pending changes in memory, with the store's port: what C's tests prove of the real one."""

    epoch = 1

    def __init__(self) -> None:
        self.rows: dict[bytes, Change] = {}
        self.published: dict[bytes, tuple[int, bool]] = {}
        self.refused: dict[int, Refused] = {}
        self.keys: list[OldKey] = []
        self.events: list[Told] = []
        self.counts: dict[str, int] = {}
        self.locked = False
        self.known, self.known_topic = Mark(0, 0), ""
        self._numbers = itertools.count(1)
        self.now = datetime(2026, 3, 2, 5, 0, tzinfo=UTC)

    def change(self, record: bytes, subject: bytes, content: bytes | None, *, type_: str = "observation") -> None:
        """Store a change of a record, or its withdrawal."""
        sequence = self.rows[record].sequence + 1 if record in self.rows else 1
        provenance = (
            b'"source":[{"type":"Observation","ref":"h-%b","version":"3"}],"mapping":"observation@1"'
            % record[:12].hex().encode()
        )
        self.rows[record] = Change(
            next(self._numbers),
            record,
            type_,
            subject,
            blake2b(content or b"", digest_size=16).digest(),
            content,
            provenance,
            "north/2026-03-02T05:00Z",
            sequence,
            0,
            False,
            self.now,
        )

    def pending(self, site: str, *, after: int = 0, limit: int) -> list[Change]:
        rows = []
        for row in sorted(self.rows.values()):
            sent, live = self.published.get(row.id, (0, False))
            if row.sequence > sent and row.number > after and row.number not in self.refused:
                rows.append(row._replace(previous=sent, live=live))
        return rows[:limit]

    def old_keys(self, site: str, rows: Sequence[Change]) -> list[OldKey]:
        return [key for key in self.keys if key.id in {row.id for row in rows}]

    def mark_published(self, site: str, rows: Sequence[Change], *, refused: Sequence[Refused] = ()) -> int:
        self.refused |= {each.number: each for each in refused}
        marked = [row for row in rows if row.number not in self.refused]
        for row in marked:
            self.published[row.id] = (row.sequence, row.content is not None)
        self.keys = [key for key in self.keys if key not in self.old_keys(site, marked)]
        return len(marked)

    def told(self, site: str, limit: int) -> list[Told]:
        return self.events[:limit]

    def mark_told(self, site: str, numbers: Sequence[int]) -> None:
        self.events = [event for event in self.events if event.number not in numbers]

    def partitions(self, topic: str, found: int) -> int:
        return self.counts.setdefault(topic, found)

    def marked(self, site: str) -> Mark:
        return max(self.known, Mark(self.epoch, self.known.number))

    def marked_topic(self, site: str) -> str:
        return self.known_topic

    def mark(self, site: str, mark: Mark, topic: str) -> None:
        self.known, self.known_topic = mark, topic

    def tell(self, event: LoadEvent) -> None:
        """An event of a load that waits."""
        at = event.ended or event.started
        value = event.model_dump_json(exclude_none=True).encode()
        self.events.append(Told(next(self._numbers), "load", event.load, event.event, at, value))

    def move(self, record: bytes, subject: bytes, content: bytes) -> None:
        """The record goes over to another subject: its old key is to be tombstoned, and then it stands under the new one."""
        before = self.rows[record]
        self.keys.append(OldKey(record, before.type, before.subject, before.sequence + 1, self.now))
        self.rows[record] = before._replace(sequence=before.sequence + 1)
        self.change(record, subject, content, type_=before.type)

    @contextmanager
    def publishing(self, site: str) -> Iterator[None]:
        assert not self.locked
        self.locked = True
        try:
            yield
        finally:
            self.locked = False


def observation(record: bytes, subject: bytes, value: str = "7.1") -> bytes:
    """An outcome record's JSON, as transforms writes it."""
    return (
        b'{"type":"observation","id":"r-%b","subject":"s-%b","site":"north","code":"4548-4","status":"final",'
        b'"value":%b,"raw_value":"7.10","unit":"%%","effective":"2026-03-02T09:10:00Z","category":["laboratory"]}'
        % (record.hex().encode(), subject.hex().encode(), value.encode())
    )


def name(kind: str, number: int) -> bytes:
    """16 bytes that stand for a record or a subject."""
    return blake2b(f"{kind}{number}".encode(), digest_size=16).digest()


@pytest.fixture
def observe() -> Callable[..., bytes]:
    """`observe(outbox, 1, "7.1")` stores a value of observation 1; `None` withdraws it. Returns the record."""

    def store(outbox: MemoryOutbox, number: int, value: str | None = "7.1", *, subject: int = 0) -> bytes:
        record, person = name("record", number), name("subject", subject)
        outbox.change(record, person, None if value is None else observation(record, person, value))
        return record

    return store


@pytest.fixture
def fill() -> Callable[..., Any]:
    """`fill(outbox, 100, subjects=10)` stores that many new observations."""

    def store(outbox: MemoryOutbox, records: int, *, subjects: int = 50) -> None:
        for number in range(records):
            record, subject = name("record", number), name("subject", number % subjects)
            outbox.change(record, subject, observation(record, subject))

    return store


@pytest.fixture
def outbox() -> MemoryOutbox:
    return MemoryOutbox()


@pytest.fixture
def stream(broker: str, network: str) -> "Stream":
    """A network of its own on Tansu, its topics created."""
    return Stream(broker, network)


@pytest.fixture
def kafka_stream(request: pytest.FixtureRequest, network: str) -> "Stream":
    """The same on Apache Kafka."""
    return Stream(request.getfixturevalue("apache_kafka").bootstrap, network)


@pytest.fixture
def stream_on(network: str) -> "Callable[..., Stream]":
    """`stream_on(cluster)`: the same on a cluster of the test's own."""

    def make(cluster: Any, *, replication: int = 1) -> Stream:
        return Stream(cluster.bootstrap, network, replication=replication)

    return make


TYPE = Header.TYPE.value
ANY = (b"lhn", b"test", b"contract")


def of_network(network: str, headers: Iterable[tuple[Any, Any]]) -> list[tuple[Any, Any]]:
    """The headers; a `ce_type` that names a network of `ANY` names this one."""
    return [(name, _retold(network, text) if name in (TYPE, TYPE.encode()) else text) for name, text in headers]


def _retold(network: str, event_type: bytes) -> bytes:
    named, dot, rest = event_type.partition(b".")
    return network.encode() + dot + rest if named in ANY else event_type


class Stream:
    """A network's topics, what a test writes to them and reads back with a plain client."""

    def __init__(self, bootstrap: str, network: str, *, replication: int = 1, compression: str = "lz4") -> None:
        self.bootstrap = bootstrap
        self.network = network
        topics.create(KafkaSettings(bootstrap, compression=compression), network, replication=replication)

    def publisher(self, outbox: Any, **options: Any) -> Publisher:
        reach = options.pop("reach", self.bootstrap)
        return Publisher(reach, network=self.network, store=outbox, site="north", software="0.1.0", **options)

    def publish(self, outbox: Any, **options: Any) -> Published:
        with self.publisher(outbox, **options) as publisher:
            return publisher.publish()

    def consumer(self, engine: Engine, handler: Any, **options: Any) -> Consumer:
        return Consumer(
            self.bootstrap,
            network=self.network,
            engine=engine,
            handler=handler,
            **{"share": False, "group": "test"} | options,
        )

    def records(self, topic: str = "outcome.v1") -> list[Any]:
        """Everything in a topic, in the order of each partition."""
        name = f"{self.network}.{topic}"
        client = KafkaConsumer(
            bootstrap_servers=self.bootstrap.split(","), auto_offset_reset="earliest", max_poll_records=20_000
        )
        try:
            partitions = [TopicPartition(name, number) for number in client.partitions_for_topic(name) or ()]
            client.assign(partitions)
            ends = client.end_offsets(partitions)
            found: list[Any] = []
            while any(client.position(p) < max(end, client.highwater(p) or 0) for p, end in ends.items()):
                for records in client.poll(timeout_ms=500).values():
                    found += records
            return found
        finally:
            client.close()

    def send(self, value: bytes | None, *, key: bytes = b"s-aa/r-bb", headers: Any = ()) -> None:
        """Put anything at all on the outcome topic."""
        self.send_all([(key, value, headers)])

    def send_all(self, records: Sequence[tuple[Any, Any, Any]], *, topic: str = "outcome.v1", **options: Any) -> None:
        """Put any keys, values and headers on a topic, in their order; what names a network of `ANY` names this one."""
        producer = KafkaProducer(bootstrap_servers=self.bootstrap, **options)
        sent = [
            producer.send(f"{self.network}.{topic}", key=key, value=value, headers=of_network(self.network, headers))
            for key, value, headers in records
        ]
        for future in sent:
            future.get(timeout=60)
        producer.close()


class Latest:
    """A handler that keeps each record's latest value in a table, and counts what it was given."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.given: list[str] = []
        with engine.begin() as db:
            db.execute(text("create table if not exists latest (record varchar(40) primary key, value text)"))
            db.execute(text("create table if not exists effect (event varchar(40))"))

    def __call__(self, db: Connection, events: Sequence[Received]) -> None:
        for event in events:
            self.given.append(event.event_id)
            db.execute(text("insert into effect values (:event)"), {"event": event.event_id})
            db.execute(text("delete from latest where record = :record"), {"record": event.record_id})
            if event.outcome is not None:
                row = {"record": event.record_id, "value": str(getattr(event.outcome.record, "value", ""))}
                db.execute(text("insert into latest values (:record, :value)"), row)

    def state(self) -> dict[str, str]:
        with self.engine.connect() as db:
            return {row.record: row.value for row in db.execute(text("select record, value from latest"))}

    def effects(self) -> list[str]:
        with self.engine.connect() as db:
            return [event for (event,) in db.execute(text("select event from effect"))]


@pytest.fixture
def silent_broker() -> Iterator[str]:
    """The address of a port that takes every connection and never answers."""
    with socket.socket() as port:
        port.bind(("127.0.0.1", 0))
        port.listen(100)  # the system takes connections; nobody ever reads from one
        yield f"127.0.0.1:{port.getsockname()[1]}"


@pytest.fixture
def sqlite_engine(tmp_path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{tmp_path / 'consumer.db'}")
    yield engine
    engine.dispose()


@pytest.fixture
def postgres_engine(postgres_url: str) -> Iterator[Engine]:
    engine = create_engine(make_url(postgres_url).set(drivername="postgresql+psycopg"))
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite_engine", "postgres_engine"], ids=["sqlite", "postgresql"])
def engine(request: pytest.FixtureRequest) -> Engine:
    """The consumer's database: both kinds."""
    made: Engine = request.getfixturevalue(request.param)
    return made


@pytest.fixture
def latest_of() -> type[Latest]:
    """`latest_of(engine)`: a handler that keeps the latest values there."""
    return Latest
