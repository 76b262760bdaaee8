"""How far a group is: a row a partition in the handler's database, for people and monitors, and to tell when it was away too long.

A compacted topic forgets a withdrawal some time after it was written (`delete.retention.ms`, 30 days). Whoever was not at a
partition's end for longer may have missed one, and would keep a record for ever that is no more.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from kafka import TopicPartition
from sqlalchemy import BigInteger, Column, Connection, Engine, Integer, String, Table, and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from mainstem.config.metrics import gauge
from mainstem.consumer.ledger import metadata
from mainstem.consumer.letterbox import OPEN, consumer_letter

TOMBSTONES_KEPT = timedelta(days=30)
"""Where a broker does not say."""

consumer_progress = Table(
    "consumer_progress",
    metadata,
    Column("consumer_group", String(100), primary_key=True),
    Column("topic", String(249), primary_key=True),
    Column("partition", Integer, primary_key=True),
    Column("next_offset", BigInteger, nullable=False),
    Column("end_offset", BigInteger, nullable=False),
    Column("at_end", BigInteger, nullable=False, comment="When all was handled last, ms since 1970."),
    Column("last_applied", BigInteger, comment="When an event was handled last, ms since 1970."),
    Column("last_written", BigInteger, comment="When that event was written to the topic, ms since 1970."),
    Column("seen", BigInteger, nullable=False, comment="When this row was written, ms since 1970."),
)
c = consumer_progress.c


class Standing(NamedTuple):
    """One topic of one group."""

    group: str
    topic: str
    lag: int
    """Offsets up to the end: events, and a few marks that are none."""
    at_end: datetime
    """All that was in the topic then was handled, UTC."""
    last_applied: datetime | None
    last_written: datetime | None
    seen: datetime
    """When the consumer said so, UTC."""
    letters: int
    """Dead letters that are not done with."""

    def freshness(self, now: datetime) -> timedelta:
        """How old what is here may be."""
        return timedelta() if self.lag == 0 and now - self.seen < timedelta(minutes=1) else now - self.at_end


class At(NamedTuple):
    """Where a consumer is in a partition."""

    next_offset: int
    end_offset: int


class Progress:
    """Writes and reads a group's rows."""

    def __init__(self, engine: Engine, group: str, clock: Callable[[], float] = time.time) -> None:
        self._engine = engine
        self._group = group
        self._clock = clock
        self._applied: dict[TopicPartition, tuple[int, int]] = {}

    def applied(self, polled: Mapping[TopicPartition, Sequence[Any]]) -> None:
        """These were handled."""
        now = self._now()
        self._applied |= {partition: (now, records[-1].timestamp) for partition, records in polled.items()}

    def write(self, places: Mapping[TopicPartition, At]) -> None:
        """How far each partition is now."""
        now = self._now()
        rows = [
            {
                "consumer_group": self._group,
                "topic": partition.topic,
                "partition": partition.partition,
                "next_offset": at.next_offset,
                "end_offset": max(at),
                "at_end": now,
                "seen": now,
                **dict(zip(("last_applied", "last_written"), self._applied.get(partition, (None, None)), strict=True)),
            }
            for partition, at in sorted(places.items())
        ]
        behind = [row for row in rows if row["next_offset"] < row["end_offset"]]
        with self._engine.begin() as connection:
            self._upsert(connection, [row for row in rows if row not in behind], at_end=True)
            self._upsert(connection, behind, at_end=False)

    def away(self, behind: Iterable[TopicPartition], kept: timedelta) -> datetime | None:
        """Since when, if longer than that, the group was not at the end of one of these partitions."""
        limit = self._now() - int(kept.total_seconds() * 1000)
        with self._engine.connect() as connection:
            rows = connection.execute(
                select(c.topic, c.partition, c.at_end).where(c.consumer_group == self._group, c.at_end < limit)
            )
            wanted = set(behind)
            gone = [row.at_end for row in rows if TopicPartition(row.topic, row.partition) in wanted]
        return _moment(min(gone)) if gone else None

    def seen_within(self, seconds: float) -> bool:
        """Whether a member of the group said so shortly ago how far it is."""
        with self._engine.connect() as connection:
            last = connection.execute(select(func.max(c.seen)).where(c.consumer_group == self._group)).scalar()
        return last is not None and self._now() - last <= seconds * 1000

    def reset(self, connection: Connection) -> None:
        """As if the group had never read."""
        connection.execute(delete(consumer_progress).where(c.consumer_group == self._group))

    def _upsert(self, connection: Connection, rows: list[dict[str, Any]], *, at_end: bool) -> None:
        if not rows:
            return
        dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
        insert = dialect.insert(consumer_progress)
        new = {name: insert.excluded[name] for name in ("next_offset", "end_offset", "seen")}
        for name in ("last_applied", "last_written"):
            new[name] = func.coalesce(insert.excluded[name], c[name])
        if at_end:
            new["at_end"] = insert.excluded.at_end
        keys = [column.name for column in consumer_progress.primary_key]
        connection.execute(insert.on_conflict_do_update(index_elements=keys, set_=new), rows)

    def _now(self) -> int:
        return int(self._clock() * 1000)


METRICS: dict[str, tuple[str, Callable[[Standing, datetime], float]]] = {
    "mainstem_consumer_lag": ("Offsets left to read.", lambda each, now: each.lag),
    "mainstem_consumer_freshness_seconds": (
        "How old what is in the tables may be.",
        lambda each, now: each.freshness(now).total_seconds(),
    ),
    "mainstem_consumer_last_applied_timestamp_seconds": (
        "When an event was handled last; 0: never.",
        lambda each, now: each.last_applied.timestamp() if each.last_applied else 0,
    ),
    "mainstem_consumer_seen_timestamp_seconds": ("When it said so.", lambda each, now: each.seen.timestamp()),
    "mainstem_consumer_dead_letters": ("Dead letters that are not done with.", lambda each, now: each.letters),
}
"""Name → meaning, value. Labels are group and topic: nothing of a patient."""


def as_metrics(found: Sequence[Standing], now: datetime) -> str:
    """In Prometheus's text format."""
    return "".join(
        gauge(name, meaning, (({"group": each.group, "topic": each.topic}, value(each, now)) for each in found))
        for name, (meaning, value) in METRICS.items()
    )


def standing(engine: Engine, group: str | None = None) -> list[Standing]:
    """How far a group is, or all of a database, a line a topic, in their order."""
    letters = select(consumer_letter.c.consumer_group, consumer_letter.c.topic, func.count().label("letters")).where(
        consumer_letter.c.state.in_(OPEN)
    )
    waiting = letters.group_by(consumer_letter.c.consumer_group, consumer_letter.c.topic).subquery()
    query = (
        select(
            c.consumer_group,
            c.topic,
            func.sum(c.end_offset - c.next_offset),
            func.min(c.at_end),
            func.max(c.last_applied),
            func.max(c.last_written),
            func.min(c.seen),
            func.coalesce(func.max(waiting.c.letters), 0),
        )
        .outerjoin(waiting, and_(waiting.c.consumer_group == c.consumer_group, waiting.c.topic == c.topic))
        .group_by(c.consumer_group, c.topic)
        .order_by(c.consumer_group, c.topic)
    )
    with engine.connect() as connection:
        rows = connection.execute(query if group is None else query.where(c.consumer_group == group)).all()
    return [
        Standing(of, topic, int(lag), _moment(at_end), _maybe(applied), _maybe(written), _moment(seen), letters)
        for of, topic, lag, at_end, applied, written, seen, letters in rows
    ]


def _maybe(milliseconds: int | None) -> datetime | None:
    return None if milliseconds is None else _moment(milliseconds)


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
