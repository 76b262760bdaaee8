"""Fixtures: a site, its topic and a consumer, on the embedded parts and on Apache Kafka with PostgreSQL."""

import os
import random
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from typing import Any

import pytest
from checker import effects_of, judge
from sqlalchemy import Engine
from states import save

from mainstem.config.settings import Settings
from mainstem.state import State
from transforms.mapped import Mapped

SEEDS = (11,)
"""Of the quick runs; `make faults` runs those of seeds.txt."""


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

    def night(self) -> None:
        """Some records come, change, or are withdrawn."""
        self._turn += 1
        at = datetime(2026, 3, 1, tzinfo=UTC) + timedelta(hours=self._turn)
        came = {number: self._record(number) for number in self.chance.sample(range(60), self.chance.randrange(1, 25))}
        gone = [(self._id(number)[:12], None) for number in self.chance.sample(range(60), 3) if number not in came]
        save(self.state, "north", list(came.values()), gone, at)

    def publish(self) -> None:
        self.stream.publish(self.state.outbox, page=self.chance.choice((3, 7, 8000)))

    def consume(self, **options: Any) -> None:
        with self.stream.consumer(
            self.engine, self.latest, poll_records=self.chance.choice((5, 5000)), **options
        ) as consumer:
            consumer.run_until_caught_up(timeout=60)

    def wrong(self, *, consumed: bool = True) -> list[str]:
        """What the judge finds."""
        tables, effects = (self.latest.state(), effects_of(self.engine)) if consumed else (None, None)
        return judge(self.state, self.stream.records(), effects, tables)

    def _id(self, number: int) -> bytes:
        return blake2b(b"fault%d" % number, digest_size=12).digest() + bytes(4)

    def _record(self, number: int) -> Mapped:
        record, subject = self._id(number), blake2b(b"who%d" % (number % 9), digest_size=16).digest()
        content = (
            f'{{"type":"observation","id":"r-{record.hex()}","subject":"s-{subject.hex()}","site":"north","code":"8302-2",'
            f'"status":"final","value":{self.chance.randrange(900)},"unit":"cm","effective":"2026-03-02T09:10:00Z","category":["vital-signs"]}}'
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


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """`seed`: those of the quick runs, or one a line of the file that MAINSTEM_FAULT_SEEDS names."""
    own = any("seed" in str(mark.args[0]) for mark in metafunc.definition.iter_markers("parametrize"))
    if "seed" in metafunc.fixturenames and not own:
        named = os.environ.get("MAINSTEM_FAULT_SEEDS")
        metafunc.parametrize("seed", [int(line) for line in Path(named).read_text().split()] if named else SEEDS)
