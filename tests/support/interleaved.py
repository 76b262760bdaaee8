"""Processes of ours that stop at every point where another may come between, and go on, or die by kill -9, when they are told.

Real parts all but one: steps, publisher, database, landing, locks, and a process each, forked from a warm one. In the place of
kafka-python's producer stands a port that appends what it is given to a file as a broker to its log: before it is
acknowledged, so that a process that dies in between has sent what nobody marked.
"""

import json
import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial, wraps
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, NamedTuple

from mainstem.config.settings import Settings
from schemas.errors import MainstemError, TemporaryError

WARM = multiprocessing.get_context("forkserver")
WARM.set_forkserver_preload(
    ["pytest", "mainstem.refresh", "mainstem.publisher.publisher", "mainstem.state.migrations.upgrade"]
)
SECONDS = 90
DIE, GO = "die", "go"
SITE = """\
site = "west"
name = "West"
time_zone = "UTC"
subject_key = "file:key"
types = ["Patient", "Observation", "MedicationRequest", "Medication"]
[files]
folder = "delivery"
"""
SUBJECT_KEY = "0123456789abcdef0123456789abcdef"


class Event(NamedTuple):
    """One event in the log of the topics."""

    topic: str
    key: str
    id: str
    value: Any
    """None: a tombstone."""
    type: str


class Place:
    """A folder with a site, its delivery, its state, its landing and the log of its network's topics."""

    def __init__(self, folder: Path, database_url: str = "") -> None:
        self.folder = folder
        (folder / "delivery").mkdir(parents=True)
        (folder / "key").write_text(SUBJECT_KEY)
        self.site = folder / "west.toml"
        self.site.write_text(SITE)
        self.log = folder / "topics.ndjson"
        self.log.touch()
        self.settings = Settings(
            database_url=database_url or f"sqlite:///{folder / 'state.db'}",
            landing=folder / "landing",
            keep_loads=2,
            derive="none",
        )

    def events(self) -> list[Event]:
        """All that was sent, in the order in which the broker had it."""
        return [Event(*json.loads(line)) for line in self.log.read_text().splitlines()]


class Actor:
    """A process at some work of ours: it stops where it may be disturbed, until it is told to go on."""

    def __init__(self, place: Place, work: Callable[..., Any], *arguments: Any) -> None:
        self._told, theirs = WARM.Pipe()
        self._process = WARM.Process(target=_act, args=(theirs, place, work, arguments), daemon=True)
        self._process.start()
        theirs.close()
        self.error: MainstemError | None = None
        self.result: Any = None
        self.at = "begun"
        self._hear()

    @property
    def ended(self) -> bool:
        """Whether it came to its end, good or bad."""
        return self.at == "ended"

    def go(self, points: int = 1) -> None:
        """Goes on past so many points, or to its end."""
        for _ in range(points):
            if not self.ended:
                self._told.send(GO)
                self._hear()

    def finish(self) -> Any:
        """Goes on to its end; gives what it returned, or raises its error."""
        while not self.ended:
            self.go()
        if self.error is not None:
            raise self.error
        return self.result

    def kill(self, *, in_transaction: bool = False) -> None:
        """kill -9, where it stands or before its next commit (else at its next point)."""
        if in_transaction and not self.ended:
            self._told.send(DIE)
        elif self._process.pid is not None:
            self._process.kill()
        self._process.join(SECONDS)
        assert not self._process.is_alive(), f"not dead: {self.at}"
        self.at = "ended"

    def _hear(self) -> None:
        assert self._told.poll(SECONDS), f"the process is stuck behind {self.at}"
        try:
            self.at, self.result = self._told.recv()
        except EOFError:
            raise AssertionError(f"the process died behind {self.at}") from None
        if self.at == "ended":
            self._process.join(SECONDS)
            if isinstance(self.result, MainstemError):
                self.error = self.result
            elif isinstance(self.result, str) and self.result.startswith("defect"):
                raise AssertionError(self.result)


def to_the_end(place: Place, work: Callable[..., Any]) -> Any:
    """Work that nobody disturbs. A database server may take a moment to see that who held a right was killed."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            return Actor(place, work).finish()
        except TemporaryError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class _Points:
    """In the process: where it is to stop."""

    def __init__(self, told: Connection) -> None:
        self._told = told
        self._dies = False

    def stop(self, name: str) -> None:
        """Says where it is and waits for the word to go on."""
        if self._dies:
            os.kill(os.getpid(), signal.SIGKILL)
        self._told.send((name, None))
        self._dies = self._told.recv() == DIE

    def commit(self) -> None:
        """About to commit: nobody else could go on meanwhile, so it does not stop here, but may die."""
        if self._dies:
            os.kill(os.getpid(), signal.SIGKILL)

    def around(self, owner: Any, name: str) -> None:
        """Stops before and after a function."""
        function = getattr(owner, name)

        @wraps(function)
        def stopping(*arguments: Any, **options: Any) -> Any:
            self.stop(f"before {name}")
            result = function(*arguments, **options)
            self.stop(f"after {name}")
            return result

        setattr(owner, name, stopping)


def _act(told: Connection, place: Place, work: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    """The process: real work, with points to stop at, small batches, and the log in the place of a producer."""
    from mainstem.refresh import open_refresh

    try:
        _prepare(_Points(told), place)
        with open_refresh(place.site, place.settings) as refresh:
            result = work(refresh, *arguments)
    except MainstemError as exc:
        result = exc.with_traceback(None)
        result.__cause__ = result.__context__ = None
    except Exception as exc:  # noqa: BLE001 - the scheduler raises it as a defect
        import traceback

        result = f"defect: {exc!r}\n{traceback.format_exc()}"
    told.send(("ended", result))


def _prepare(points: _Points, place: Place) -> None:
    from connectors.formats import gzip
    from connectors.landing import Landing, LandingZone, Quarantine
    from mainstem.database import Database
    from mainstem.kafka.topics import FoundTopic
    from mainstem.publisher import patience, publisher

    mapping, telling = (import_module(f"mainstem.refresh.{name}") for name in ("map", "telling"))

    gzip.BLOCK_BYTES, mapping.BLOCKS, mapping.BATCH = 900, 1, 5
    publisher.Publisher.__init__.__kwdefaults__["page"] = 6
    publisher.KafkaProducer = partial(_Producer, points, place)
    publisher.settle = lambda _producer: None
    publisher.road = lambda **_: _Road()
    publisher.require_topics = lambda _reach, network: {
        f"{network}.outcome.v1": FoundTopic(3),
        f"{network}.load.v1": FoundTopic(1),
    }
    telling.unreachable = patience.unreachable = lambda _reach: None
    Database.write = _stopping_write(points, Database.write)  # type: ignore[method-assign]
    points.around(Landing, "save_cursor")
    points.around(Landing, "write")
    points.around(Quarantine, "keep")
    points.around(LandingZone, "tidy")


def _stopping_write(points: _Points, write: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @contextmanager
    def stopping(database: Any) -> Iterator[Any]:
        points.stop("before a transaction")
        with write(database) as connection:
            yield connection
            points.commit()
        points.stop("after a transaction")

    return stopping


class _Producer:
    """What the publisher needs of kafka-python's producer; a file is the broker's log."""

    def __init__(self, points: _Points, place: Place, **_: Any) -> None:
        self._points, self._log = points, place.log

    def partitions_for(self, topic: str) -> set[int]:
        return {0, 1, 2}

    def send(self, topic: str, value: bytes | None, key: bytes, headers: list[tuple[str, bytes]], **_: Any) -> "_Sent":
        found = {name: content.decode() for name, content in headers}
        event = Event(topic, key.decode(), found["ce_id"], json.loads(value) if value else None, found["ce_type"])
        self._points.stop("before send")
        with self._log.open("a") as log:
            log.write(json.dumps(event) + "\n")
        self._points.stop("sent, not acknowledged")
        return _Sent()

    def close(self, timeout: float | None = None) -> None:
        pass


class _Sent:
    def arrived(self, seconds: float) -> bool:
        return True

    def get(self, timeout: float) -> None:
        pass

    is_done = True


class _Road:
    """Batches, record by record."""

    def send(self, producer: _Producer, batch: Any) -> _Sent:
        from mainstem.kafka.record_format import records_in

        for record in records_in(bytes(batch.records), 0, batch.events):
            producer.send(batch.partition.topic, record.value, record.key or b"", record.headers)
        return _Sent()

    def abandon(self, producer: _Producer) -> None:
        pass


def run(refresh: Any, **options: Any) -> Any:
    """`mainstem run`."""
    from mainstem import refresh as steps

    return steps.run(refresh, **options).model_dump(mode="json")


def run_fresh(refresh: Any) -> Any:
    """`mainstem run --fresh`."""
    return run(refresh, fresh=True)


def publish(refresh: Any) -> Any:
    """`mainstem publish`."""
    with refresh.publisher() as publisher:
        return publisher.publish().events


PARTS = 2


def task_plan(refresh: Any) -> str:
    """A DAG's task plan, with the parameters it has where nobody gave others."""
    from mainstem import refresh as steps

    return str(steps.plan(refresh, mode="incremental", types=list(refresh.site.types), since=None).load)


def task_pull(refresh: Any, load: str, part: int) -> int:
    """A DAG's task pull: its part, unit by unit."""
    from mainstem import refresh as steps

    units = steps.planned(refresh, load).units_of(part, PARTS)
    return sum(steps.pull_units(refresh, load, [unit]) for unit in units)


def task_map(refresh: Any, load: str, part: int) -> int:
    """A DAG's task map_types: its part."""
    from mainstem import refresh as steps

    return steps.map_types(refresh, load, steps.planned(refresh, load).types_of(part, PARTS)).read


def task_derive(refresh: Any, load: str) -> int:
    """A DAG's task derive."""
    from mainstem import refresh as steps

    return steps.derive(refresh, load)


def task_publish(refresh: Any, load: str) -> int:
    """A DAG's task publish."""
    from mainstem import refresh as steps

    return steps.publish(refresh, load)


def task_complete(refresh: Any, load: str) -> str:
    """A DAG's task complete."""
    from mainstem import refresh as steps

    return steps.complete(refresh, load).status


class Run:
    """One process from the first step to the last, or a part of its work."""

    def __init__(self, place: Place, work: Callable[..., Any]) -> None:
        self._actor = Actor(place, work)

    @property
    def ended(self) -> bool:
        return self._actor.ended

    def go(self, points: int, choice: int) -> None:
        self._actor.go(points)

    def kill(self, choice: int, *, in_transaction: bool) -> None:
        self._actor.kill(in_transaction=in_transaction)


class Dag:
    """A DAG's run: a process a task, those of a stage side by side; a task is tried again after what passes or kills it."""

    STAGES = (
        (task_plan, False),
        (task_pull, True),
        (task_map, True),
        (task_derive, False),
        (task_publish, False),
        (task_complete, False),
    )
    TRIES = 2

    def __init__(self, place: Place) -> None:
        self._place = place
        self._stage = -1
        self._load: list[str] = []
        self._tasks: list[Actor] = []
        self._tries: dict[int, int] = {}
        self.ended = False
        self._next_stage()

    def go(self, points: int, choice: int) -> None:
        """One of the tasks goes on."""
        waiting = [number for number, task in enumerate(self._tasks) if not task.ended]
        if waiting:
            number = waiting[choice % len(waiting)]
            self._tasks[number].go(points)
            self._after(number)

    def kill(self, choice: int, *, in_transaction: bool) -> None:
        """One of the tasks dies; Airflow tries it again."""
        waiting = [number for number, task in enumerate(self._tasks) if not task.ended]
        if waiting:
            number = waiting[choice % len(waiting)]
            self._tasks[number].kill(in_transaction=in_transaction)
            self._again(number)

    def end(self) -> None:
        """All of its tasks die."""
        for task in self._tasks:
            task.kill()
        self.ended = True

    def _after(self, number: int) -> None:
        task = self._tasks[number]
        if not task.ended:
            return
        if isinstance(task.error, TemporaryError):
            self._again(number)
        elif task.error is not None:
            self.end()
        elif self._stage == 0:
            self._load = [task.result]
        if not self.ended and all(each.ended and each.error is None for each in self._tasks):
            self._next_stage()

    def _again(self, number: int) -> None:
        self._tries[number] = self._tries.get(number, 0) + 1
        if self._tries[number] > self.TRIES:
            self.end()
        else:
            self._tasks[number] = self._task(number)
            self._after(number)

    def _next_stage(self) -> None:
        self._stage += 1
        self._tries = {}
        if self._stage == len(self.STAGES):
            self.ended = True
            return
        in_parts = self.STAGES[self._stage][1]
        self._tasks = [self._task(number) for number in range(PARTS if in_parts else 1)]
        stage = self._stage
        for number in range(len(self._tasks)):
            if not self.ended and self._stage == stage:
                self._after(number)

    def _task(self, number: int) -> Actor:
        work, in_parts = self.STAGES[self._stage]
        return Actor(self._place, work, *self._load, *([number] if in_parts else []))
