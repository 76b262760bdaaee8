"""The kit's two tables, in the handler's database: how far the group is, and what it has handled of each record."""

from collections.abc import Iterable, Mapping, Sequence

from kafka import TopicPartition
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

from mainstem.consumer.handling import Found, Handler, LoadHandler
from mainstem.consumer.received import Received
from mainstem.database.errors import translated

LOOKUP = 5000
"""Records looked up by one statement."""

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


class StaleError(Exception):
    """Another consumer has moved our partition's offset."""


class Ledger:
    """The kit's two tables: how far the group is, and what it has handled of each record."""

    def __init__(self, engine: Engine, group: str) -> None:
        self._engine = engine
        self._group = group
        self._created = False

    def create_tables(self) -> None:
        if self._created:
            return
        with translated(self._engine.url):
            try:
                metadata.create_all(self._engine)
            except DBAPIError:
                metadata.create_all(self._engine)  # another member of the group made them at the same moment
        self._created = True

    def stored(self) -> dict[TopicPartition, int]:
        """The next offset of every partition the group has read."""
        with translated(self._engine.url), self._engine.connect() as connection:
            return self._stored(connection)

    def offsets(self, first: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The same; a partition never read gets a row with its `first` offset."""
        rows = [
            {"consumer_group": self._group, **partition._asdict(), "next_offset": offset}
            for partition, offset in first.items()
        ]
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        with translated(self._engine.url), self._engine.begin() as connection:
            connection.execute(dialect.insert(consumer_offset).on_conflict_do_nothing(), rows)
            return self._stored(connection)

    def apply(
        self,
        moves: Mapping[TopicPartition, tuple[int, int]],
        found: Found,
        handler: Handler,
        load_handler: LoadHandler | None,
    ) -> int:
        """One transaction: offsets from → to, guards, effects. Returns how many outcome events were new."""
        with translated(self._engine.url), self._engine.begin() as connection:
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
            raise StaleError

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
