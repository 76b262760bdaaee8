"""The kit's tables in the handler's database: how far the group is, and what it has handled of each record."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

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
    delete,
    insert,
    literal,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mainstem.database import connect, make_tables, name_of, parse_url, translated
from schemas.errors import OperatorError

ENGINE = "the URL of the consumer's engine"
"""What names the database, where whoever made the engine says no setting."""
PREPARED = "The consumer makes its own tables; make the handler's before it runs."

WAIT_SECONDS = 10.0
"""A command's longest wait for the consumer's transaction."""
LOOKUP = 5000
"""Records looked up by one statement."""
RECORD_BYTES = 16
"""Of a record's key: `bytes.fromhex` of what follows `r-`."""
Version = tuple[int, int]
"""Epoch and sequence of a record's change."""

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
    Column("record", LargeBinary(RECORD_BYTES), primary_key=True),
    Column("epoch", Integer, nullable=False),
    Column("sequence", BigInteger, nullable=False),
)
consumer_topic = Table(
    "consumer_topic",
    metadata,
    Column("consumer_group", String(100), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column(
        "identity", String(40), nullable=False, comment="The brokers' own name of the topic that the places are of."
    ),
)


class StaleError(Exception):
    """Another consumer has moved our partition's offset."""


class Ledger:
    """The kit's tables of how far the group is, in which topics, and what it has handled of each record."""

    def __init__(self, engine: Engine, group: str, *, setting: str = ENGINE) -> None:
        self._engine = engine
        self._setting = setting
        self.group = group
        self._created = False

    def create_tables(self) -> None:
        if self._created:
            return
        with self._errors(), self._engine.begin() as connection:
            make_tables(connection, metadata)
        self._created = True

    def stored(self) -> dict[TopicPartition, int]:
        """The next offset of every partition the group has read."""
        with self._errors(), self._engine.connect() as connection:
            return self._stored(connection)

    def offsets(self, first: Mapping[TopicPartition, int]) -> dict[TopicPartition, int]:
        """The same; a partition never read gets a row with its `first` offset."""
        rows = [
            {"consumer_group": self.group, **partition._asdict(), "next_offset": offset}
            for partition, offset in first.items()
        ]
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        with self._errors(), self._engine.begin() as connection:
            connection.execute(dialect.insert(consumer_offset).on_conflict_do_nothing(), rows)
            return self._stored(connection)

    def adopt(self, group: str, besides: Callable[[Connection, str], None] = lambda connection, group: None) -> None:
        """Begin where another group of this database stands, with what it has handled; what was begun already stays."""
        with self._errors(), self._engine.begin() as connection:
            if self._stored(connection):
                return
            for table in (consumer_offset, consumer_record, consumer_topic):
                rest = [column for column in table.c if column.name != "consumer_group"]
                of = select(literal(self.group), *rest).where(table.c.consumer_group == group)
                connection.execute(insert(table).from_select([column.name for column in table.c], of))
            besides(connection, group)

    def reset(self, connection: Connection) -> None:
        """As if the group had never read."""
        for table in (consumer_offset, consumer_record):
            connection.execute(delete(table).where(table.c.consumer_group == self.group))

    def prove(self, identities: Mapping[str, str], anew: Callable[[Connection, str], object]) -> None:
        """Topics that were made anew since the group read them are read from their beginning: a place in the one before says nothing of them.

        `anew` is told of each, in the same transaction. What was handled of each record stays, so nothing has its effect twice.
        """
        t, dialect = consumer_topic.c, postgresql if self._engine.dialect.name == "postgresql" else sqlite
        with self._errors(), self._engine.begin() as connection:
            known = dict(iter(connection.execute(select(t.topic, t.identity).where(t.consumer_group == self.group))))
            for topic, identity in identities.items():
                row = {"consumer_group": self.group, "topic": topic, "identity": identity}
                if topic not in known:
                    connection.execute(dialect.insert(consumer_topic).on_conflict_do_nothing(), row)
                elif known[topic] != identity:
                    was = and_(t.consumer_group == self.group, t.topic == topic, t.identity == known[topic])
                    if connection.execute(update(consumer_topic).where(was).values(identity=identity)).rowcount:
                        c = consumer_offset.c
                        connection.execute(
                            delete(consumer_offset).where(c.consumer_group == self.group, c.topic == topic)
                        )
                        anew(connection, topic)

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction that moves no place."""
        return self.transaction({})

    def _errors(self) -> AbstractContextManager[None]:
        return translated(self._engine.url, setting=self._setting, prepared_by=PREPARED)

    @contextmanager
    def transaction(self, moves: Mapping[TopicPartition, tuple[int, int]]) -> Iterator[Connection]:
        """One transaction in which the partitions' offsets go from → to. Raises StaleError where another has moved them."""
        with self._errors(), self._engine.begin() as connection:
            for partition, (before, after) in sorted(moves.items()):
                self._move(connection, partition, before, after)
            yield connection

    def _stored(self, connection: Connection) -> dict[TopicPartition, int]:
        c = consumer_offset.c
        rows = connection.execute(select(c.topic, c.partition, c.next_offset).where(c.consumer_group == self.group))
        return {TopicPartition(topic, partition): offset for topic, partition, offset in rows}

    def _move(self, connection: Connection, partition: TopicPartition, before: int, after: int) -> None:
        c = consumer_offset.c
        mine = and_(
            c.consumer_group == self.group,
            c.topic == partition.topic,
            c.partition == partition.partition,
            c.next_offset == before,
        )
        if connection.execute(update(consumer_offset).where(mine).values(next_offset=after)).rowcount != 1:
            raise StaleError

    def handled(self, connection: Connection, keys: Iterable[bytes]) -> dict[bytes, Version]:
        """What was handled last of these records."""
        wanted = sorted(keys)
        found: dict[bytes, Version] = {}
        for start in range(0, len(wanted), LOOKUP):
            some = wanted[start : start + LOOKUP]
            if connection.dialect.name == "postgresql":
                rows = connection.execute(HANDLED_POSTGRESQL, {"consumer_group": self.group, "records": _array(some)})
            else:
                marks = ",".join("?" * len(some))
                rows = connection.exec_driver_sql(HANDLED_SQLITE + f"({marks})", (self.group, *some))
            found |= {bytes(record): (epoch, sequence) for record, epoch, sequence in rows}
        return found

    def remember(self, connection: Connection, moved: Mapping[bytes, Version]) -> None:
        """These versions are handled."""
        rows = sorted(moved.items())  # as the index has them: PostgreSQL takes two thirds of the time of any order
        if not rows:
            return
        if self._engine.dialect.name == "postgresql":
            connection.execute(
                REMEMBER_POSTGRESQL,
                {
                    "consumer_group": self.group,
                    "records": _array([record for record, _ in rows]),
                    "epochs": _numbers([version[0] for _, version in rows]),
                    "sequences": _numbers([version[1] for _, version in rows]),
                },
            )
            return
        values = [(self.group, record, epoch, sequence) for record, (epoch, sequence) in rows]
        connection.exec_driver_sql(REMEMBER_SQLITE, values)


def handled_by(engine: Engine, record: bytes) -> dict[str, str]:
    """`epoch.sequence` of the last change of a record that each group of a database handled."""
    row = consumer_record.c
    with engine.connect() as connection:
        found = connection.execute(select(row.consumer_group, row.epoch, row.sequence).where(row.record == record))
        return {group: f"{epoch}.{sequence}" for group, epoch, sequence in found}


def groups(engine: Engine) -> list[str]:
    """The groups that ever read into a database."""
    with engine.connect() as connection:
        return list(connection.scalars(select(consumer_offset.c.consumer_group).distinct().order_by("consumer_group")))


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


def _array(records: Iterable[bytes]) -> str:
    """Records, one at least, as PostgreSQL writes a bytea[]: written all at once, in less than a tenth of the time that its driver takes for a list."""
    return '{"\\\\x' + b"".join(records).hex(",", RECORD_BYTES).replace(",", '","\\\\x') + '"}'


def _numbers(numbers: Iterable[int]) -> str:
    """Numbers as PostgreSQL writes an array of them."""
    return f"{{{','.join(map(str, numbers))}}}"


@contextmanager
def open_database(url: str, *, setting: str) -> Iterator[Engine]:
    """A consumer's database, with the kit's tables, for a command. Raises OperatorError where there is none."""
    parsed = parse_url(url, setting=setting)
    if parsed.get_backend_name() == "sqlite" and not Path(parsed.database or "").is_file():
        raise OperatorError(f"there is no consumer's database {name_of(parsed)}", f"Name another in {setting}.")
    engine = connect(parsed, wait_seconds=WAIT_SECONDS)
    try:
        with translated(parsed, setting=setting, prepared_by="The consumer prepares it at its first run."):
            with engine.begin() as connection:
                make_tables(connection, metadata)
            yield engine
    finally:
        engine.dispose()
