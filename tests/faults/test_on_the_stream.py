"""Faults between a state and its consumers, each by seeds: what is lost on the way, poison, a full disk, who comes and goes, withdrawals."""

import json
import random
import threading
import time
from binascii import hexlify
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from kafka.errors import KafkaTimeoutError
from sqlalchemy import event, text
from sqlalchemy.exc import OperationalError

from mainstem.consumer.dead_letters import DeadLetters
from mainstem.consumer.received import LetterReason, Received, read_event
from mainstem.consumer.testing import Message, message
from mainstem.mending.replay import replay
from mainstem.publisher.patience import Patience
from mainstem.state import Decision
from mainstem.state.outbox import StoredOutbox
from schemas.errors import OperatorError, TemporaryError
from schemas.outcomes import RECORD_TYPES

pytestmark = pytest.mark.timeout(600)


def die_at(monkeypatch, killed, owner, name, nth, *, after):
    """The nth call of a method, before or after what it does, is the last thing that its process does."""
    real, calls = getattr(owner, name), []

    def dying(self, *args, **kwargs):
        calls.append(name)
        if len(calls) == nth and not after:
            raise killed
        done = real(self, *args, **kwargs)
        if len(calls) == nth:
            raise killed
        return done

    monkeypatch.setattr(owner, name, dying)


def at_once(seconds: float) -> None:
    """A pause that nobody waits for."""


@pytest.mark.slow
def test_row_2_acknowledgements_that_are_lost_bring_no_second_event(world_of, seed, monkeypatch):
    """The broker has what the publisher takes for lost, and is sent it again: under the same id."""
    world, real, left = world_of(seed), Patience.wait_for, [0, 0]

    def losing(self, sent):
        real(self, sent)
        left[0] -= 1
        if left[0] == 0:
            left[:] = world.chance.randrange(1, 4), left[1] + 1
            if left[1] < 4:
                raise KafkaTimeoutError("no acknowledgement came")

    monkeypatch.setattr(Patience, "wait_for", losing)
    for _ in range(4):
        left[:] = world.chance.randrange(1, 4), 0
        world.night()
        world.publish(sleep=at_once)
        assert left[1]
    world.consume()
    assert world.wrong() == []


@pytest.mark.slow
def test_row_3_what_waits_for_a_broker_that_is_away_goes_out_in_order(world_of, seed):
    """Nights go on, one after the other; each says that nobody answers; afterwards it is as if it had been there."""
    world = world_of(seed)
    world.publish()
    for _ in range(world.chance.randrange(1, 6)):
        world.night()
    away = world.stream.publisher(world.state.outbox, reach="127.0.0.1:1", sleep=at_once)
    with away, pytest.raises(TemporaryError, match=r"127\.0\.0\.1:1"):
        away.publish()
    world.night()
    world.publish()
    world.consume()
    assert world.wrong() == []


@pytest.mark.slow
def test_row_7_members_that_come_and_go_leave_no_gap(world_of, seed):
    """One stays, another comes for a while, and again; nights go on meanwhile."""
    world, stop = world_of(seed), threading.Event()
    options = {"share": True, "max_poll_interval_ms": 20_000}

    def stay():
        with world.stream.consumer(world.engine, world.latest, **options) as staying:
            staying.run(stop, idle=0.05)

    staying = threading.Thread(target=stay)
    staying.start()
    try:
        for _ in range(2):
            world.night()
            world.publish()
            with world.stream.consumer(world.engine, world.latest, poll_records=5, **options) as passing:
                for _ in range(world.chance.randrange(2, 12)):
                    passing._step(0.3)
        world.night()
        world.publish()
        world.consume(**options)
    finally:
        stop.set()
        staying.join(60)
    assert not staying.is_alive()
    assert world.wrong() == []


WHOSE = tuple(
    tuple(path.split("."))
    for path in ["record.id", "record.subject", "record.type", "change.op", "change.sequence", "provenance.site"]
)


class Poisoner:
    """Breaks sound events, in one place each, by chance."""

    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def some(self, count: int) -> list[Message]:
        """So many records that are no event, of records that are nobody's."""
        found: list[Message] = []
        while len(found) < count:
            bad = self._one(f"poison{self._chance.random()}")
            if isinstance(read_event(bad), LetterReason):
                found.append(bad)
        return found

    def _one(self, name: str) -> Message:
        sound, chance = message(name, chance_of(self._chance)), self._chance
        place = chance.randrange(len(sound.headers))
        header, value = sound.headers[place]
        changed = list(sound.headers)
        way = chance.randrange(7)
        if way == 0:
            del changed[place]
        elif way == 1:
            changed[place] = (header, self._spoilt(value))
        elif way == 2:
            changed.insert(chance.randrange(len(changed)), (header, value))
        elif way == 3:
            return sound._replace(key=self._spoilt(sound.key or b""))
        elif way == 4:
            return sound._replace(value=self._spoilt(sound.value or b""))
        elif way == 5:
            return sound._replace(value=self._other_type(sound.value or b"{}"))
        else:
            return sound._replace(value=chance.choice((None, b"", b"null", b"[" * 5000, b"\xff\xfe", b"{}" * 3)))
        return sound._replace(headers=changed)

    def _spoilt(self, value: bytes) -> bytes:
        chance, at = self._chance, self._chance.randrange(len(value) + 1)
        return chance.choice(
            (value[:at], value[:at] + chance.randbytes(3) + value[at:], value[::-1], value * 2, b"", value.upper())
        )

    def _other_type(self, value: bytes) -> bytes:
        """One of the fields that say whose it is has a value of another type, or of somebody else."""
        said, chance = json.loads(value), self._chance
        part, field = chance.choice(WHOSE)
        said[part][field] = chance.choice(([], {}, 1.5, -1, 2**70, True, "", "another", "\x00", ["north"]))
        return json.dumps(said).encode()


def chance_of(chance: random.Random) -> int:
    """A sequence."""
    return chance.choice((1, 2, 7, 2**40))


@pytest.mark.slow
def test_row_8_poison_among_events_stops_nobody_and_touches_nothing(world_of, seed):
    """Each is one dead letter with a reason; the events around it have their effects."""
    world = world_of(seed)
    bad = Poisoner(world.chance).some(40)
    for night in range(4):
        world.night()
        world.publish()
        some = bad[night::4]
        world.stream.send_all([(each.key, each.value, [h for h in each.headers if h[1] is not None]) for each in some])
        world.consume()
    letters = world.stream.records("dlq.test")
    assert len(letters) == len(bad)
    assert len({(dict(each.headers)["partition"], dict(each.headers)["offset"]) for each in letters}) == len(bad)
    assert world.wrong(only=lambda each: isinstance(read_event(each), Received)) == []


@pytest.mark.slow
def test_row_9_the_place_stays_while_letters_cannot_be_sent(world_of, seed, monkeypatch):
    """For as long as that is; then each letter is sent, and each event had its effect once."""
    world, real, refused = world_of(seed), DeadLetters.send, []
    world.night()
    world.publish()
    bad = Poisoner(world.chance).some(5)
    world.stream.send_all([(each.key, each.value, each.headers) for each in bad])
    times = world.chance.randrange(1, 5)

    def refusing(self, letters):
        if letters and len(refused) < times:
            refused.append(len(letters))
            raise TemporaryError("the topic of letters takes none", "Wait.")
        real(self, letters)

    monkeypatch.setattr(DeadLetters, "send", refusing)
    with pytest.raises(TemporaryError, match="takes none"):
        world.consume(attempts=1)
    world.night()
    world.publish()
    world.consume(sleep=at_once)
    assert len(refused) == times
    assert len(world.stream.records("dlq.test")) == len(bad)
    assert world.wrong(only=lambda each: isinstance(read_event(each), Received)) == []


@pytest.mark.slow
def test_row_10_records_about_the_limit_go_out_or_are_named(world_of, seed):
    """Of any size about a megabyte; one that is refused stops no other, and goes out when it is smaller."""
    world = world_of(seed)
    sizes = [world.chance.randrange(900_000, 1_100_000) for _ in range(3)] + [world.chance.randrange(100, 5000)]
    world.night()
    world.put(dict(enumerate(sizes, 1000)))
    done = world.publish()
    assert sum(size > 1_000_000 for size in sizes) <= done.refused <= sum(size > 990_000 for size in sizes)
    world.put(dict.fromkeys(range(1000, 1004), 10))
    world.publish()
    world.consume()
    assert world.wrong() == []
    assert len(world.latest.state()) >= 4


@pytest.mark.slow
def test_row_11_changes_stored_while_others_are_published_are_never_skipped(world_of, seed):
    """Two who store, at their own pace, and one who publishes all the time: in any order of their commits."""
    world, over = world_of(seed), threading.Event()
    world.night()

    def store(pace):
        for _ in range(4):
            world.night(pace)
            time.sleep(pace.random() * 0.2)

    with (
        ThreadPoolExecutor(3) as threads,
        world.stream.publisher(world.state.outbox, page=3, sleep=at_once) as publisher,
    ):
        publishing = threads.submit(publisher.follow, over, idle=0.01)
        storing = [threads.submit(store, random.Random(seed * 10 + number)) for number in range(2)]
        try:
            for each in storing:
                each.result(60)
        finally:
            over.set()
        publishing.result(60)
    world.consume()
    assert world.wrong() == []


@pytest.mark.slow
def test_row_13_a_disk_that_is_full_keeps_nothing_by_halves(world_of, seed):
    """At any statement of storing or publishing: the step fails with what to do, and done again it gives what it would have."""
    world = world_of(seed)
    engine, left = world.state.database.engine, [0]

    def full(connection, cursor, statement, parameters, context, many):
        left[0] -= 1
        if left[0] == 0:
            raise OperationalError(statement, None, Exception("database or disk is full"))

    event.listen(engine, "before_cursor_execute", full)
    try:
        for _ in range(4):
            left[0] = world.chance.randrange(1, 25)
            with suppress(OperatorError, TemporaryError):  # an error of ours, with what to do: no other
                world.night()
                world.publish(sleep=at_once)
            left[0] = 0
            world.night()
            world.publish()
    finally:
        event.remove(engine, "before_cursor_execute", full)
    world.consume()
    assert world.wrong() == []


@pytest.mark.slow
def test_row_23_nobody_who_is_to_be_forgotten_comes_back(world_of, seed):
    """Whatever comes of them afterwards, is told again, or is read from the start; one whose consent is given again does."""
    world, gone = world_of(seed), set()

    def erase(connection, subjects):
        for subject in subjects:
            connection.execute(
                text("delete from latest where record in (select record from whose where subject = :of)"),
                {"of": subject},
            )
        return len(subjects)

    def keep(connection, events):
        world.latest(connection, events)
        for each in events:
            row = {"record": each.record_id, "subject": each.subject}
            connection.execute(text("delete from whose where record = :record"), row)
            connection.execute(text("insert into whose values (:record, :subject)"), row)

    def clear(connection):
        for table in ("latest", "whose", "effect"):
            connection.execute(text(f"delete from {table}"))

    with world.engine.begin() as connection:
        connection.execute(text("create table whose (record varchar(40), subject varchar(40))"))
    for _ in range(4):
        world.night()
        world.publish()
        if world.chance.random() < 0.5:
            world.consume(handler=keep, erase=erase, clear=clear)
        who = world.subject(world.chance.randrange(9))
        permit = who in gone and world.chance.random() < 0.5
        world.state.consents.decide("north", [Decision(who, "qi", permit, world.at(), not permit)], world.at())
        (gone.discard if permit else gone.add)(who)
        if world.chance.random() < 0.5:
            world.night()
        world.publish()
        if world.chance.random() < 0.4:
            replay(world.state, world.settings, "north")
    world.night()
    world.publish()
    world.consume(handler=keep, erase=erase, clear=clear, rebuild=world.chance.random() < 0.5)

    assert world.wrong(effects=False) == []
    with world.engine.connect() as connection:
        held = text("select distinct subject from whose where record in (select record from latest)")
        left = set(connection.scalars(held))
    assert not left & {f"s-{hexlify(each).decode()}" for each in gone}


def test_row_26_what_another_version_adds_is_passed_over(seed):
    """Fields anywhere, headers, flags, record types, whole: the event is read as it was; what may be absent may be."""
    chance = random.Random(seed)
    for number in range(60):
        sound = message(f"old{number}", chance_of(chance))
        said = json.loads(sound.value or b"{}")
        for part in chance.sample((said, said["record"], said["change"], said["provenance"]), 2):
            part[f"later_{chance.randrange(9)}"] = chance.choice((None, 1, "x", [1, {"a": []}], {"deep": {"er": 1}}))
        said["provenance"]["flags"] = ["of-a-later-version"]
        headers = [*sound.headers, (f"ce_later{number}", chance.randbytes(5)), ("traceparent", b"00-1-2-01")]
        chance.shuffle(headers)
        without = {"ce_specversion", "content-type"} if chance.random() < 0.5 else set()
        there = [each for each in headers if each[0] not in without]
        found = read_event(sound._replace(value=json.dumps(said).encode(), headers=there))
        plain = read_event(sound)
        assert isinstance(found, Received)
        assert isinstance(plain, Received)
        assert (found.event_id, found.outcome and found.outcome.record) == (
            plain.event_id,
            plain.outcome and plain.outcome.record,
        )
        other = message(f"new{number}", 1, record_type="genome", content={"sequence": "ACGT"})
        assert isinstance(read_event(other), Received)
    assert "genome" not in RECORD_TYPES


@pytest.mark.slow
def test_row_21_who_is_merged_is_told_first_then_withdrawn_then_recorded_once_and_back(
    world_of, seed, killed, monkeypatch
):
    """By any publishing that is killed in between; a consumer has each record once, under who it is now."""
    world = world_of(seed)
    world.night()
    world.publish()
    ann, bob = (world.subject(number) for number in world.chance.sample(range(9), 2))
    aliases = world.state.aliases
    for merging in (True, False):
        known = {(each.partition, each.offset) for each in world.stream.records()}
        moved = (
            aliases.add("north", ann, bob, "merged", world.at()) if merging else aliases.end("north", ann, world.at())
        )
        with monkeypatch.context() as patched, suppress(killed):
            die_at(patched, killed, StoredOutbox, "mark_published", world.chance.randrange(1, 3), after=bool(seed % 2))
            world.publish()
        world.publish()
        assert world.publish().events == 0

        *_, said = world.stream.records("subject.v1")
        word = json.loads(said.value)
        assert (word["event"], word["subject"]) == ("superseded" if merging else "separated", f"s-{ann.hex()}")
        assert word.get("superseded_by") == (f"s-{bob.hex()}" if merging else None)
        new = [each for each in world.stream.records() if (each.partition, each.offset) not in known]
        gone = {dict(each.headers)["ce_id"]: each for each in new if each.value is None}
        came = {dict(each.headers)["ce_id"]: each for each in new if each.value is not None}
        assert (len(gone), len(came)) == (moved, moved)
        left = {record_of(each): each for each in gone.values()}
        for each in came.values():
            assert said.timestamp <= left[record_of(each)].timestamp <= each.timestamp
            assert left[record_of(each)].key != each.key
        world.consume()
        assert world.wrong(effects=False) == []


def record_of(record):
    """The record that a key names."""
    return record.key.partition(b"/")[2]
