"""What a handler cannot use is put aside by itself; all else is handled as if it had come alone, in order, once."""

import itertools
import random
import time
from collections import Counter

import pytest
from kafka import TopicPartition
from services_cases import event_of, record_id, subject_id
from sqlalchemy import text

from mainstem.consumer import LetterReason, PoisonError
from mainstem.consumer.dead_letters import Letter
from mainstem.consumer.handling import Found, Handling
from mainstem.consumer.ledger import Ledger
from mainstem.database import connect
from schemas.errors import OperatorError
from schemas.outcomes import Observation

PARTITION = TopicPartition("lhn.outcome.v1", 0)


class Letters:
    """Keeps the letters, a list a send."""

    def __init__(self) -> None:
        self.sent: list[list] = []

    def send(self, letters) -> None:
        if letters:
            self.sent.append([letter.record for letter in letters])


class Handler:
    """Writes each event's id into a table; some events it cannot use, and it says so in one of three ways."""

    def __init__(self, engine, poison, way: str) -> None:
        self.engine, self.poison, self.way, self.calls = engine, poison, way, Counter()
        number = "serial" if engine.dialect.name == "postgresql" else "integer"
        with engine.begin() as db:
            db.execute(text(f"create table if not exists effect (number {number} primary key, event varchar(40))"))

    def __call__(self, db, events) -> None:
        self.calls.update(event.event_id for event in events)
        bad = [event for event in events if event.event_id in self.poison]
        if bad and self.way == "all at once":
            raise PoisonError.of([(event, LetterReason.INVALID_RECORD) for event in bad])
        for event in reversed(events) if self.way == "the last first" else events:
            if event.event_id in self.poison:
                raise PoisonError(event, LetterReason.INVALID_RECORD)
        db.execute(text("insert into effect (event) values (:event)"), [{"event": event.event_id} for event in events])

    def effects(self) -> list[str]:
        with self.engine.connect() as db:
            return list(db.execute(text("select event from effect order by number")).scalars())


def events_of(records: int, versions: int = 1) -> list:
    """Events of some records, version after version."""
    content = {"subject": subject_id("ada"), "site": "north", "code": "59576-9", "value": 50}
    return [
        event_of(Observation.model_validate(content | {"id": record_id(str(record))}), sequence=version)
        for version, record in itertools.product(range(1, versions + 1), range(records))
    ]


def handled(engine, events, handler, letters=None) -> tuple[int, Letters]:
    """What a poll of these events did."""
    ledger, letters = Ledger(engine, "test"), letters or Letters()
    ledger.create_tables()
    place = ledger.offsets({PARTITION: 0})[PARTITION]
    found = Found(events, [], [])
    count = Handling(ledger, handler, None, letters).handle({PARTITION: (place, place + len(events))}, found)
    return count, letters


@pytest.mark.parametrize("way", ["the first met", "all at once", "the last first"])
@pytest.mark.parametrize("seed", range(8))
def test_events_around_poison_have_their_effect_once_and_in_order(sqlite_engine, way, seed):
    """Wherever poison lies, among several versions of each record and copies of events: the effects are those of one event at a time."""
    chance = random.Random(seed)
    events = events_of(20, versions=5)
    events += chance.choices(events, k=20)
    poison = {event.event_id for event in chance.sample(events, k=chance.randrange(1, 60))}
    expected, newest = [], {}
    for event in events:
        if event.event_id not in poison and event.sequence > newest.get(event.record_id, 0):
            newest[event.record_id] = event.sequence
            expected.append(event.event_id)
    handler = Handler(sqlite_engine, poison, way)

    count, letters = handled(sqlite_engine, events, handler)

    assert handler.effects() == expected
    assert count == len(expected)
    assert len(letters.sent) == 1
    assert {event.event_id for event in events if event.source in letters.sent[0]} <= poison


def test_poison_is_met_again_when_it_comes_again(sqlite_engine):
    """A poisoned change is not remembered as handled: sent again, mended or not, it reaches the handler."""
    events = events_of(1, versions=2)
    handled(sqlite_engine, events, Handler(sqlite_engine, {events[1].event_id}, "the first met"))
    mended = Handler(sqlite_engine, set(), "the first met")

    assert handled(sqlite_engine, events, mended)[0] == 1
    assert mended.effects() == [event.event_id for event in events]


@pytest.mark.parametrize("way", ["the first met", "all at once", "the last first"])
def test_work_grows_with_the_events_not_with_their_square(sqlite_engine, way):
    """1,600 poisoned of 5,000: no event is handed over more often than halving asks for."""
    events = events_of(5000)
    poison = {event.event_id for event in random.Random(1).sample(events, k=1600)}
    handler = Handler(sqlite_engine, poison, way)

    assert handled(sqlite_engine, events, handler)[0] == 3400
    assert max(handler.calls.values()) <= 14


@pytest.mark.parametrize("way", ["the first met", "all at once"])
def test_sixteen_hundred_unusable_events_are_put_aside_at_once(engine, way):
    """They took 19 seconds, each repeating the transaction. The bound is loose, for a busy machine."""
    events = events_of(1600)
    handler = Handler(engine, {event.event_id for event in events}, way)

    began = time.process_time()
    count, letters = handled(engine, events, handler)

    assert time.process_time() - began < 3
    assert (count, len(letters.sent), len(letters.sent[0])) == (0, 1, 1600)


def test_handler_that_refuses_what_it_was_not_given_is_told_so(sqlite_engine):
    """Else it would be asked again for ever."""
    events = events_of(2)

    def confused(db, given):
        raise PoisonError(events_of(1)[0], LetterReason.INVALID_RECORD)

    with pytest.raises(OperatorError, match="not given"):
        handled(sqlite_engine, events, confused)


@pytest.mark.parametrize("unusable", ["before the handler", "by the handler"])
def test_slow_broker_holds_no_lock_of_the_database(engine, unusable):
    """While letters are on their way another may write; and the offset has not moved before they are acknowledged."""
    events = events_of(10)
    poison = {events[3].event_id} if unusable == "by the handler" else set()
    aside = [] if poison else [Letter(events[3].source, LetterReason.INVALID_RECORD)]
    usable = events if poison else events[:3] + events[4:]
    handler, ledger = Handler(engine, poison, "the first met"), Ledger(engine, "test")
    ledger.create_tables()
    ledger.offsets({PARTITION: 0})

    class Slow(Letters):
        def send(self, letters):
            super().send(letters)
            with connect(engine.url, wait_seconds=1).begin() as other:
                other.execute(text("update consumer_offset set next_offset = next_offset"))
            assert ledger.stored() == {PARTITION: 0}
            assert handler.effects() == []

    letters = Slow()
    assert Handling(ledger, handler, None, letters).handle({PARTITION: (0, 10)}, Found(usable, [], aside)) == 9
    assert letters.sent == [[events[3].source]]
    assert ledger.stored() == {PARTITION: 10}
    assert handler.effects() == [event.event_id for event in events if event is not events[3]]


def test_crash_between_letter_and_transaction_sends_the_letter_again(engine):
    """Twice, never lost: the offset is where it was."""
    events = events_of(10)
    handler = Handler(engine, {events[3].event_id}, "the first met")

    class Killed(BaseException):
        pass

    class Dies(Letters):
        def send(self, letters):
            super().send(letters)
            raise Killed

    first = Dies()
    with pytest.raises(Killed):
        handled(engine, events, handler, first)
    count, second = handled(engine, events, handler)
    assert first.sent == second.sent == [[events[3].source]]
    assert count == 9


def test_event_refused_only_the_second_time_is_put_aside_too(engine):
    """A handler that changes its mind between the two attempts ends all the same, and nothing is lost."""
    events = events_of(4)
    handler = Handler(engine, {events[0].event_id}, "the first met")

    class Moody(Letters):
        def send(self, letters):
            super().send(letters)
            handler.poison = {events[2].event_id}

    count, letters = handled(engine, events, handler, Moody())
    assert letters.sent == [[events[0].source], [events[2].source]]
    assert (count, handler.effects()) == (2, [events[1].event_id, events[3].event_id])


def test_nothing_is_kept_when_the_letters_cannot_be_sent(engine):
    """Effects, guards and place go back together."""
    events = events_of(10)
    handler = Handler(engine, {events[3].event_id}, "the first met")

    class Away(Letters):
        def send(self, letters):
            raise OperatorError("no topic for letters")

    with pytest.raises(OperatorError):
        handled(engine, events, handler, Away())
    assert handler.effects() == []
    assert Ledger(engine, "test").stored() == {PARTITION: 0}
    assert handled(engine, events, handler)[0] == 9
