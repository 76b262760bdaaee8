"""Fault 23 in any order: consent withdrawn, given and withdrawn again, patients merged and parted, states and consumers from backups,
replays beside it. Afterwards nobody who is to be forgotten is anywhere, and of everybody else nothing is missing."""

import random
import shutil
from collections.abc import Callable
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from pathlib import Path
from sqlite3 import connect
from typing import Any

import pytest
from kafka import KafkaProducer
from sqlalchemy import create_engine, text
from states import save
from streams import Stream

from mainstem.config.settings import Settings
from mainstem.mending.reconcile import reconcile
from mainstem.mending.replay import replay
from mainstem.publisher.marking import mark_in_topic
from mainstem.refresh.restored import take_over_subjects
from mainstem.state import Decision, State
from schemas.errors import OperatorError
from transforms.mapped import Mapped

CHILDREN, RECORDS, ACTS = 5, 3, 40
ERASED = "erase"


class Kit:
    """A consumer on the kit: whose record it is, and which value, in a file that can be put back."""

    def __init__(self, stream: Stream, path: Path, group: str) -> None:
        self._stream, self.path, self._group = stream, path, group
        with create_engine(self._url).begin() as db:
            db.execute(text("create table mine (record text primary key, subject text, value real)"))

    @property
    def _url(self) -> str:
        return f"sqlite:///{self.path}"

    def run(self, *, rebuild: bool = False, polled: int = 5000) -> None:
        engine = create_engine(self._url)
        options: dict[str, Any] = {"group": self._group, "erase": _erase, "clear": _clear, "poll_records": polled}
        with self._stream.consumer(engine, _keep, **options) as consumer:
            if rebuild:
                consumer.rebuild()
            consumer.run_until_caught_up(timeout=60)
        engine.dispose()

    def has(self) -> dict[str, tuple[str, float]]:
        with closing(connect(self.path)) as db:
            return {record: (subject, value) for record, subject, value in db.execute("select * from mine")}


def _keep(db: Any, events: Any) -> None:
    for event in events:
        db.execute(text("delete from mine where record = :record"), {"record": event.record_id})
        if event.outcome is not None:
            row = {"record": event.record_id, "subject": event.subject, "value": float(event.outcome.record.value)}
            db.execute(text("insert into mine values (:record, :subject, :value)"), row)


def _erase(db: Any, subjects: Any) -> int:
    gone = [db.execute(text("delete from mine where subject = :who"), {"who": who}) for who in subjects]
    return sum(each.rowcount for each in gone)


def _clear(db: Any) -> None:
    db.execute(text("delete from mine"))


class Place:
    """A site, its consumers, and what was decided."""

    def __init__(self, seed: int, stream: Stream, folder: Path) -> None:
        self.chance = random.Random(seed)
        self.stream, self.folder = stream, folder
        self.database = folder / "north.db"
        self.settings = Settings(
            network=stream.network, kafka=stream.bootstrap, database_url=f"sqlite:///{self.database}", derive="none"
        )
        self.state = self._opened()
        self.kits = [Kit(stream, folder / f"{name}.db", name) for name in ("one", "two")]
        self.story: list[str] = []
        self.erased: set[bytes] = set()
        """To be forgotten by somebody's word, and not given again since."""
        self._turn, self._value = 0, 0

    def _opened(self) -> State:
        state = State.open(f"sqlite:///{self.database}")
        state.migrate()
        return state

    @staticmethod
    def child(number: int) -> bytes:
        return blake2b(b"child%d" % number, digest_size=16).digest()

    def at(self) -> datetime:
        self._turn += 1
        return datetime(2026, 3, 1, tzinfo=UTC) + timedelta(minutes=self._turn)

    def some(self) -> bytes:
        return self.child(self.chance.randrange(CHILDREN))

    def _record(self, child: int, number: int) -> Mapped:
        self._value += 1
        who, record = self.child(child), blake2b(b"%d/%d" % (child, number), digest_size=12).digest() + bytes(4)
        names = f'"id":"r-{record.hex()}","subject":"s-{who.hex()}","site":"north"'
        said = f'{{"type":"observation",{names},"code":"8302-2","status":"final","value":{self._value},"unit":"cm"}}'
        return Mapped(record, "observation", who, said.encode(), b'"source":[],"mapping":"observation@1"', None)

    # What may happen, each by its name.

    def night(self) -> None:
        every = [(child, number) for child in range(CHILDREN) for number in range(RECORDS)]
        save(self.state, "north", [self._record(*each) for each in self.chance.sample(every, 5)], [], self.at())

    def publish(self) -> None:
        self.stream.publish(self.state.outbox, page=self.chance.choice((2, 8000)))

    def erase(self) -> None:
        who, at = self.some(), self.at()
        self.state.consents.decide("north", [Decision(who, "qi", False, at, True)], at)
        self.erased.add(who)

    def stop(self) -> None:
        who, at = self.some(), self.at()
        scope = self.chance.choice(("qi", "research"))
        self.state.consents.decide("north", [Decision(who, scope, False, at)], at)  # type: ignore[arg-type]

    def give(self) -> None:
        at = self.at()
        who = self.chance.choice(sorted(self.erased)) if self.erased else self.some()
        self.state.consents.decide("north", [Decision(who, "qi", True, at)], at)
        self.erased.discard(who)

    def merge(self) -> None:
        with suppress(OperatorError):  # of itself, in a circle, or of two
            self.state.aliases.add("north", self.some(), self.some(), "merged", self.at())

    def part(self) -> None:
        if found := self.state.aliases.of("north"):
            self.state.aliases.end("north", self.chance.choice(found).old, self.at())

    def consume(self) -> None:
        self.chance.choice(self.kits).run(polled=self.chance.choice((1, 3, 5000)))

    def rebuild(self) -> None:
        self.chance.choice(self.kits).run(rebuild=True, polled=self.chance.choice((1, 3, 5000)))

    def back_up_consumer(self) -> None:
        kit = self.chance.choice(self.kits)
        shutil.copy(kit.path, kit.path.with_suffix(".backup"))

    def restore_consumer(self) -> None:
        kit = self.chance.choice(self.kits)
        if (kept := kit.path.with_suffix(".backup")).exists():
            shutil.copy(kept, kit.path)

    def back_up(self) -> None:
        self.publish()
        with closing(connect(self.database)) as live, closing(connect(self.folder / "backup.db")) as kept:
            live.backup(kept)

    def restore(self) -> None:
        """What was decided since the backup and told nobody is lost; what was told is not."""
        if not (backup := self.folder / "backup.db").exists():
            return
        self.publish()
        self.state.close()
        for each in self.folder.glob("north.db*"):
            each.unlink()
        shutil.copy(backup, self.database)
        self.state = self._opened()
        told = mark_in_topic(self.settings.kafka_settings(), self.stream.network, "north")
        if told > self.state.outbox.marked("north"):
            take_over_subjects(_Refresh(self))  # type: ignore[arg-type]
            self.state.outbox.raise_epoch(max(told.epoch, self.state.outbox.epoch) + 1)

    def replay(self) -> None:
        """Beside an erasure, now and then."""
        self.publish()
        calls: list[int] = []

        def between(events: int) -> None:
            calls.append(events)
            if len(calls) == 1 and self.chance.random() < 0.5:
                self.erase()

        replay(self.state, self.settings, "north", afresh=True, progress=between)

    def late(self) -> None:
        """Copies of what the topic held, as a mirror or a site's old process sends them."""
        records = self.stream.records()
        producer = KafkaProducer(bootstrap_servers=self.stream.bootstrap)
        for each in self.chance.sample(records, min(len(records), 10)):
            producer.send(each.topic, each.value, each.key, each.headers, partition=each.partition).get(timeout=20)
        producer.close()

    def act(self) -> None:
        weights = {
            self.night: 5, self.publish: 5, self.erase: 3, self.give: 3, self.stop: 1, self.merge: 2, self.part: 1,
            self.consume: 5, self.rebuild: 1, self.back_up_consumer: 1, self.restore_consumer: 1, self.back_up: 1,
            self.restore: 1, self.replay: 1, self.late: 2,
        }  # fmt: skip
        (chosen,) = self.chance.choices(list(weights), list(weights.values()))
        self.story.append(chosen.__name__)
        chosen()

    def settle(self) -> None:
        """A last full night, mended, and everybody reads to the end; one begins only now."""
        every = [self._record(child, number) for child in range(CHILDREN) for number in range(RECORDS)]
        save(self.state, "north", every, [], self.at())
        self.publish()
        reconcile(self.state, self.settings, ["north"], repair=True, withdraw_extra=True)
        self.kits.append(Kit(self.stream, self.folder / "new.db", "new"))
        for kit in self.kits:
            kit.run(polled=self.chance.choice((1, 5000)))


class _Refresh:
    """As much of a site as taking over needs."""

    def __init__(self, place: Place) -> None:
        self.settings, self.store, self.clock = place.settings, place.state, place.at
        self.site = type("Site", (), {"site": "north"})


@pytest.fixture
def place(stream: Stream, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Place]:
    monkeypatch.setattr("mainstem.refresh.restored.purge", lambda refresh: 0)
    return lambda seed: Place(seed, stream, tmp_path)


@pytest.mark.slow
def test_row_23_consent_and_merges_in_any_order(place: Callable[[int], Place], seed: int) -> None:
    """By the state what stands, by the words what must not: in every consumer, whatever happened to it."""
    it = place(seed)
    for _ in range(ACTS):
        it.act()
    it.settle()
    held = {
        f"r-{each.id.hex()}": f"s-{each.subject.hex()}"
        for each in it.state.mending.held(bytes(16), b"\xff" * 16)
        if not each.withdrawn
    }
    family = {each for who in it.erased for each in it.state.consents.family("north", who)}
    assert not {f"s-{each.hex()}" for each in family} & set(held.values()), it.story
    for kit in it.kits:
        assert {record: subject for record, (subject, _) in kit.has().items()} == held, (kit.path.stem, it.story)
    first, *others = (kit.has() for kit in it.kits)
    assert all(each == first for each in others), it.story
    open_ = {it.child(n) for n in range(CHILDREN)} - it.state.consents.stopped("north")
    records = {f"r-{each.id.hex()}" for child in range(CHILDREN) for number in range(RECORDS)
               for each in [it._record(child, number)] if not (
                   it.state.consents.family("north", it.child(child)) - open_)}  # fmt: skip
    assert records <= held.keys(), it.story
    it.state.close()
