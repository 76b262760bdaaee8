"""Fixtures: a site, its topic and a consumer, on the embedded parts and on Apache Kafka with PostgreSQL."""

import random
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

import pytest
from checker import effects_of, judge
from sqlalchemy import Engine
from states import save

from mainstem.config.settings import Settings
from mainstem.state import State
from transforms.mapped import Mapped


class Killed(BaseException):
    """A kill at a point of the code: nothing that runs afterwards may mend it."""


class World:
    """One site that changes at random, by a seed."""

    def __init__(self, seed: int, stream: Any, url: str, engine: Engine, latest: Any) -> None:
        self.chance = random.Random(seed)
        self.stream, self.engine, self.latest = stream, engine, latest
        self.settings = Settings(network=stream.network, kafka=stream.bootstrap, database_url=url, derive="none")
        self.state = State.open(url)
        self.state.migrate()
        self.url = url
        self._turn = 0

    def at(self) -> datetime:
        """The present night."""
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=self._turn)

    def night(self, chance: random.Random | None = None) -> None:
        """Some records come, change, or are withdrawn; by the world's own chance, or another's."""
        self._turn += 1
        pick = chance or self.chance
        came = {number: self._record(number, pick) for number in pick.sample(range(60), pick.randrange(1, 25))}
        gone = [(self._id(number)[:12], None) for number in pick.sample(range(60), 3) if number not in came]
        save(self.state, "north", list(came.values()), gone, self.at())

    def put(self, sizes: dict[int, int]) -> None:
        """Records of these numbers, of about so many bytes each."""
        self._turn += 1
        records = [self._record(number, self.chance, "x" * size) for number, size in sizes.items()]
        save(self.state, "north", records, [], self.at())

    def publish(self, **options: Any) -> Any:
        return self.stream.publish(self.state.outbox, page=self.chance.choice((3, 7, 8000)), **options)

    def consume(self, *, handler: Any = None, rebuild: bool = False, **options: Any) -> None:
        given = {"poll_records": self.chance.choice((5, 5000)), **options}
        with self.stream.consumer(self.engine, handler or self.latest, **given) as consumer:
            if rebuild:
                consumer.rebuild()
            consumer.run_until_caught_up(timeout=60)

    def wrong(self, *, effects: bool = True, only: Callable[[Any], bool] = lambda record: True) -> list[str]:
        """What the judge finds; `only` of these of the topic's records, `effects` too."""
        had = effects_of(self.engine) if effects else None
        return judge(self.state, list(filter(only, self.stream.records())), had, self.latest.state())

    def _id(self, number: int) -> bytes:
        return blake2b(b"fault%d" % number, digest_size=12).digest() + bytes(4)

    def subject(self, number: int) -> bytes:
        """One of nine children."""
        return blake2b(b"who%d" % (number % 9), digest_size=16).digest()

    def _record(self, number: int, chance: random.Random, said: str = "") -> Mapped:
        record, subject = self._id(number), self.subject(number)
        content = (
            f'{{"type":"observation","id":"r-{record.hex()}","subject":"s-{subject.hex()}","site":"north","code":"8302-2",'
            f'"status":"final","value":{chance.randrange(900)},"unit":"cm","effective":"2026-03-02T09:10:00Z","category":["vital-signs"],'
            f'"raw_value":"{said}"}}'
        )
        return Mapped(record, "observation", subject, content.encode(), b'"source":[],"mapping":"observation@1"', None)


@pytest.fixture(
    params=["embedded", pytest.param("apache", marks=[pytest.mark.kafka, pytest.mark.slow])],
)
def world_of(request: pytest.FixtureRequest, tmp_path: Any, latest_of: Any) -> Any:
    """`world_of(seed)`: Tansu and SQLite, or Apache Kafka and PostgreSQL."""
    made: list[World] = []
    apache = request.param == "apache"
    stream = request.getfixturevalue("kafka_stream" if apache else "stream")
    engine = request.getfixturevalue("postgres_engine" if apache else "sqlite_engine")
    url = request.getfixturevalue("postgres_server").create_database if apache else None

    def make(seed: int) -> World:
        where = (
            url(f"w_{blake2b(stream.network.encode(), digest_size=6).hexdigest()}")
            if url
            else f"sqlite:///{tmp_path / 'north.db'}"
        )
        made.append(World(seed, stream, where, engine, latest_of(engine)))
        return made[-1]

    yield make
    for world in made:
        world.state.close()


@pytest.fixture
def killed() -> type[Killed]:
    """What a kill raises."""
    return Killed
