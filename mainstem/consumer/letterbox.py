"""What became of each dead letter: a table in the handler's database, kept in the transactions that move the places.

The letters' contents lie in the group's topic; here stand their places, whose record they are of, and what is to be done with them.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, NamedTuple, TypeVar

from kafka import TopicPartition
from sqlalchemy import (
    BigInteger,
    Column,
    Connection,
    Engine,
    Index,
    Integer,
    LargeBinary,
    Select,
    String,
    Table,
    and_,
    case,
    delete,
    exists,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from mainstem.consumer.dead_letters import Letter, Place
from mainstem.consumer.ledger import metadata
from mainstem.consumer.received import LetterReason

T = TypeVar("T")
AT_ONCE = 500
"""Letters tried again in one go."""


class LetterState(StrEnum):
    """What is to be done with a letter."""

    WAITING = "waiting"
    """Put aside; somebody retries or drops it."""
    HELD = "held"
    """A later change of a record of which a letter waits; it is handled when that is no more."""
    RETRY = "retry"
    """Somebody asked for it to be tried again; the consumer does."""
    HANDLED = "handled"
    SUPERSEDED = "superseded"
    """A later change of its record was handled."""
    DROPPED = "dropped"


OPEN = (LetterState.WAITING, LetterState.HELD, LetterState.RETRY)

consumer_letter = Table(
    "consumer_letter",
    metadata,
    Column("consumer_group", String(100), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("offset", BigInteger, primary_key=True),
    Column("record", LargeBinary(16)),
    Column("reason", String(40), nullable=False),
    Column("state", String(12), nullable=False),
    Column("since", BigInteger, nullable=False),
    Column("letter_offset", BigInteger, nullable=False),
    Index("consumer_letter_open", "consumer_group", "state", "record"),
)
c = consumer_letter.c


class Noted(NamedTuple):
    """A letter as the table has it."""

    place: Place
    record: bytes | None
    """The record it is of, 16 bytes; None where it names none, or more than one."""
    reason: LetterReason
    state: LetterState
    since: datetime
    letter_offset: int
    """Where the letter lies in the group's topic; -1 where the broker did not say."""


def letters_of(engine: Engine, record: bytes) -> dict[str, int]:
    """How many letters of a record are not done with, by group."""
    waiting = select(c.consumer_group, func.count()).where(c.record == record, c.state.in_(OPEN))
    with engine.connect() as connection:
        return dict(iter(connection.execute(waiting.group_by(c.consumer_group))))


class Letterbox:
    """A group's letters. What is given a connection belongs to the caller's transaction.

    `hold`: those of a record are tried in their order, as its later changes wait for them.
    """

    def __init__(self, engine: Engine, group: str, *, hold: bool = False) -> None:
        self.hold = hold
        self._engine = engine
        self._group = group
        self._mine = c.consumer_group == group
        self._named = and_(self._mine, c.state.in_(OPEN), c.record.is_not(None))

    def keep(self, connection: Connection, letters: Iterable[Letter], offset_of: Callable[[Place], int]) -> None:
        """These were sent. One that is met again, as by a rebuild, waits again unless it was dropped."""
        rows = [
            {
                "consumer_group": self._group,
                **letter.place._asdict(),
                "record": letter.of_record,
                "reason": letter.reason.value,
                "state": LetterState.HELD if letter.reason is LetterReason.HELD else LetterState.WAITING,
                "since": _now(),
                "letter_offset": offset_of(letter.place),
            }
            for letter in letters
        ]
        if rows:
            dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
            insert = dialect.insert(consumer_letter)
            new = {name: insert.excluded[name] for name in ("state", "reason")}
            known = [column.name for column in consumer_letter.primary_key]
            statement = insert.on_conflict_do_update(
                index_elements=known, set_=new, where=c.state != LetterState.DROPPED
            )
            connection.execute(statement, rows)

    def any_open(self, connection: Connection) -> bool:
        """Whether any record has an open letter: most often none has, and nothing else need be asked."""
        return connection.execute(select(c.record).where(self._named).limit(1)).first() is not None

    def blocked(self, connection: Connection, records: Collection[bytes]) -> set[bytes]:
        """Those of the records of which a letter is open."""
        if not self.any_open(connection):
            return set()
        found: set[bytes] = set()
        for some in _pieces(list(records)):
            found |= {
                bytes(record) for record in connection.scalars(select(c.record).where(self._named, c.record.in_(some)))
            }
        return found

    def supersede(self, connection: Connection, handled: Mapping[bytes, Place]) -> None:
        """The open letters of records of which the event at this place was handled: its own, as after a rebuild, and those before it."""
        for record in self.blocked(connection, handled.keys()):
            place = handled[record]
            until = and_(c.topic == place.topic, c.partition == place.partition, c.offset <= place.offset)
            which = and_(self._mine, c.record == record, c.state.in_(OPEN), until)
            itself = (c.offset == place.offset, LetterState.HANDLED)
            values = {"state": case(itself, else_=LetterState.SUPERSEDED)}
            connection.execute(update(consumer_letter).where(which).values(values))

    def forget(self, connection: Connection, topic: str) -> int:
        """The letters of a topic that was made anew: what they were of is told there again, at other places. Returns how many were open."""
        of = and_(self._mine, c.topic == topic)
        waiting = connection.scalar(select(func.count()).select_from(consumer_letter).where(of, c.state.in_(OPEN)))
        connection.execute(delete(consumer_letter).where(of))
        return waiting or 0

    def due(self, partitions: Collection[TopicPartition]) -> list[Noted]:
        """What may be tried again now, in order: what was asked for, and what was held and is no longer. With `hold`, what was asked for
        waits for those before it of its record too: several may have been refused at once."""
        if not partitions:
            return []
        asked = c.state == LetterState.RETRY
        held = c.state == LetterState.HELD
        due = and_(or_(asked, held), ~self._waits()) if self.hold else or_(asked, and_(held, ~self._waits()))
        ours = tuple_(c.topic, c.partition).in_(sorted(tuple(partition) for partition in partitions))
        return self._found(select(consumer_letter).where(self._mine, due, ours).limit(AT_ONCE))

    def _waits(self) -> Any:
        """Whether a letter before this one, of its record, waits. Offsets order those of a partition. A record that went over to another
        subject may have some in another partition: what was put aside before goes first, whoever hands it over. Of what was put aside in
        the same millisecond, what waits or was asked for goes before what is held, and no two wait for each other."""
        first = consumer_letter.alias().c
        here = and_(first.topic == c.topic, first.partition == c.partition)
        waiting = first.state == LetterState.WAITING
        before = and_(here, first.offset < c.offset, waiting)
        at_once = and_(
            first.since == c.since, or_(waiting, and_(first.state == LetterState.RETRY, c.state == LetterState.HELD))
        )
        elsewhere = or_(and_(first.since < c.since, first.state.in_(OPEN)), at_once)
        of_record = and_(first.consumer_group == self._group, first.record == c.record)
        return exists(select(first.offset).where(of_record, or_(before, and_(~here, elsewhere))))

    def states(self, connection: Connection, places: Iterable[Place]) -> dict[Place, str]:
        """What is to be done with the letters of these places, as it is now: another member may have been faster."""
        return self._by_place(connection, places, c.state)

    def settle(
        self, connection: Connection, place: Place, state: LetterState, reason: LetterReason | None = None
    ) -> None:
        """What became of a letter."""
        values: dict[str, Any] = {"state": state} | ({"reason": reason.value} if reason else {})
        connection.execute(update(consumer_letter).where(self._mine, _at(place)).values(values))

    def last_of(self, partition: TopicPartition) -> int:
        """The last letter of a partition's that is in the table, by its offset in the group's topic; -1 for none."""
        of = and_(self._mine, c.topic == partition.topic, c.partition == partition.partition)
        with self._engine.connect() as connection:
            found: int | None = connection.scalar(select(func.max(c.letter_offset)).where(of))
        return -1 if found is None else found

    def known(self, places: Iterable[Place]) -> dict[Place, int]:
        """Those of the places whose letters are in the table, and where these lie."""
        with self._engine.connect() as connection:
            return self._by_place(connection, places, c.letter_offset)

    def noted(self, *, closed: bool = False) -> list[Noted]:
        """The group's letters, those not done with alone or all."""
        query = select(consumer_letter).where(self._mine)
        return self._found(query if closed else query.where(c.state.in_(OPEN)))

    def depth(self) -> dict[str, int]:
        """How many letters are open, by state."""
        query = select(c.state, func.count().label("letters")).where(self._mine, c.state.in_(OPEN)).group_by(c.state)
        with self._engine.connect() as connection:
            return {row.state: row.letters for row in connection.execute(query)}

    def ask(self, places: Iterable[Place], state: LetterState) -> int:
        """Have the letters that wait at these places retried or dropped; returns how many did. One that is held waits for the first."""
        changed = 0
        with self._engine.begin() as connection:
            for place in places:
                waits = and_(self._mine, _at(place), c.state.in_((LetterState.WAITING, LetterState.RETRY)))
                changed += connection.execute(update(consumer_letter).where(waits).values(state=state)).rowcount
        return changed

    def _by_place(self, connection: Connection, places: Iterable[Place], column: "Column[T]") -> dict[Place, T]:
        """What stands in a column of the letters of these places; those without a letter are left out."""
        offsets: dict[tuple[str, int], list[int]] = {}
        for place in places:
            offsets.setdefault((place.topic, place.partition), []).append(place.offset)
        found: dict[Place, T] = {}
        for (topic, partition), those in offsets.items():
            query = select(c.offset, column).where(self._mine, c.topic == topic, c.partition == partition)
            for some in _pieces(those):
                rows = connection.execute(query.where(c.offset.in_(some)))
                found |= {Place(topic, partition, offset): value for offset, value in rows}
        return found

    def _found(self, query: Select[Any]) -> list[Noted]:
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(c.topic, c.partition, c.offset)).all()
        return [
            Noted(
                Place(row.topic, row.partition, row.offset),
                None if row.record is None else bytes(row.record),
                LetterReason(row.reason),
                LetterState(row.state),
                datetime.fromtimestamp(row.since / 1000, UTC),
                row.letter_offset,
            )
            for row in rows
        ]


def _at(place: Place) -> Any:
    return and_(c.topic == place.topic, c.partition == place.partition, c.offset == place.offset)


def _now() -> int:
    return int(datetime.now(UTC).timestamp() * 1000)


def _pieces(records: Sequence[T]) -> Iterable[Sequence[T]]:
    return (records[start : start + 5000] for start in range(0, len(records), 5000))
