"""Dead letters in the worst order: retried while superseded, dropped, held over partitions, by two members, with a handler of moods."""

import json
import random
import threading
from contextlib import suppress

import pytest
from journals import ADA, BOB, Journal, catch_up, change, places, send, states
from services_cases import event_of, record_id
from sqlalchemy import text

from mainstem.consumer import LetterReason, LetterState, Only, PoisonError
from mainstem.consumer import letterbox as letters_table
from mainstem.consumer.letterbox import Letterbox
from mainstem.kafka import topics
from schemas.outcomes import Observation


def ask(engine, state: LetterState, *, of: str = "waiting") -> int:
    return Letterbox(engine, "test").ask(places(engine, state=of), state)


def clear(db) -> None:
    db.execute(text("delete from line"))


def test_retry_lets_in_nobody_who_is_no_member(stream, sqlite_engine):
    """A letter of a foreign site comes as if it came now: still foreign; when its site has joined, it is handled."""
    journal = Journal(sqlite_engine)
    send(stream, change("a", 1, 1))
    catch_up(stream, sqlite_engine, journal, members={"west"})
    ask(sqlite_engine, LetterState.RETRY)
    assert catch_up(stream, sqlite_engine, journal, members={"west"}) == 0
    assert (journal.lines("a"), states(sqlite_engine)) == ([], ["waiting"])

    ask(sqlite_engine, LetterState.RETRY)
    assert catch_up(stream, sqlite_engine, journal, members={"west", "north"}) == 1
    assert journal.lines("a") == [1]


def test_held_change_to_an_unwanted_code_is_a_withdrawal_when_it_is_released(stream, sqlite_engine):
    """What the consumer does not want does not come by way of a letter either."""
    journal, only = Journal(sqlite_engine, 2.0), Only(codes=["59576-9"])
    other = {"id": record_id("a"), "subject": ADA, "site": "north", "code": "8302-2", "value": 3.0}
    send(stream, change("a", 1, 1), change("a", 2, 2), event_of(Observation.model_validate(other), sequence=3))
    catch_up(stream, sqlite_engine, journal, after_letter="hold", only=only)
    assert (journal.lines("a"), states(sqlite_engine)) == ([1], ["waiting", "held"])

    journal.refused.clear()
    ask(sqlite_engine, LetterState.RETRY)
    catch_up(stream, sqlite_engine, journal, after_letter="hold", only=only)

    assert journal.lines("a") == [1, 2, None]


@pytest.mark.parametrize(("after_letter", "lines"), [("hold", [[], [1, 2]]), ("supersede", [[2], [2]])])
def test_of_two_letters_refused_at_once_the_later_waits_where_changes_are_held(
    stream, sqlite_engine, after_letter, lines
):
    """Both are asked for, and the first cannot be used yet."""
    journal, found = Journal(sqlite_engine, 1.0, 2.0), []
    send(stream, change("a", 1, 1), change("a", 2, 2))
    catch_up(stream, sqlite_engine, journal, after_letter=after_letter)
    for usable in (2.0, 1.0):
        journal.refused.discard(usable)
        ask(sqlite_engine, LetterState.RETRY)
        catch_up(stream, sqlite_engine, journal, after_letter=after_letter)
        found.append(journal.lines("a"))
    assert found == lines


def test_letter_that_the_consumer_wants_no_more_is_dropped_by_a_retry(stream, sqlite_engine):
    journal = Journal(sqlite_engine, 1.0)
    send(stream, change("a", 1, 1))
    catch_up(stream, sqlite_engine, journal)
    journal.refused.clear()
    ask(sqlite_engine, LetterState.RETRY)
    catch_up(stream, sqlite_engine, journal, only=Only(sites=["west"]))
    assert (journal.lines("a"), states(sqlite_engine)) == ([], ["dropped"])


def test_letter_holds_back_its_record_under_another_subject(stream, engine):
    """Merged patients: the record goes on in another partition, whose offsets say nothing of the first."""
    journal = Journal(engine, 1.0)
    for number, subject in enumerate((ADA, BOB, ADA, BOB), 1):
        send(stream, change("a", number, number, subject))
        catch_up(stream, engine, journal, after_letter="hold")
    assert (journal.lines("a"), sorted(states(engine))) == ([], ["held", "held", "held", "waiting"])

    journal.refused.clear()
    ask(engine, LetterState.RETRY)
    assert catch_up(stream, engine, journal, after_letter="hold") == 4
    assert journal.lines("a") == [1, 2, 3, 4]


def test_letters_beyond_those_tried_at_once_are_all_tried(stream, sqlite_engine, monkeypatch):
    monkeypatch.setattr(letters_table, "AT_ONCE", 2)
    journal = Journal(sqlite_engine, *map(float, range(7)))
    send(stream, *(change(f"n{number}", number, 1) for number in range(7)))
    catch_up(stream, sqlite_engine, journal)
    journal.refused.clear()
    assert ask(sqlite_engine, LetterState.RETRY) == 7
    assert catch_up(stream, sqlite_engine, journal) == 7


@pytest.mark.parametrize("after_letter", ["hold", "supersede"])
def test_retry_asked_for_before_a_rebuild_waits_for_its_turn(stream, engine, after_letter):
    """All is read again, so the letter's event comes in its order and once, and its letter is done with."""
    journal = Journal(engine, 2.0)
    send(stream, *(change("a", number, number) for number in (1, 2)), change("b", 1, 1, BOB))
    catch_up(stream, engine, journal, after_letter=after_letter, clear=clear)
    send(stream, change("c", 9, 1, BOB))
    journal.refused.clear()
    ask(engine, LetterState.RETRY)
    with stream.consumer(engine, journal, after_letter=after_letter, clear=clear, poll_records=1) as consumer:
        consumer.rebuild()
        consumer.run_until_caught_up(timeout=60)
        consumer.run_until_caught_up(timeout=60)

    assert (journal.lines("a"), journal.lines("b"), journal.lines("c")) == ([1, 2], [1], [9])
    assert set(states(engine)) == {"handled"}


def test_dropped_letter_stays_dropped_whatever_is_asked_afterwards(stream, sqlite_engine):
    """Also through a rebuild; what comes later of its record is handled."""
    journal = Journal(sqlite_engine, 1.0)
    send(stream, change("a", 1, 1), change("a", 2, 2))
    catch_up(stream, sqlite_engine, journal, after_letter="hold", clear=clear)
    assert ask(sqlite_engine, LetterState.DROPPED) == 1
    assert Letterbox(sqlite_engine, "test").ask(places(sqlite_engine, state="dropped"), LetterState.RETRY) == 0
    catch_up(stream, sqlite_engine, journal, after_letter="hold", clear=clear)
    assert journal.lines("a") == [2]
    with stream.consumer(sqlite_engine, journal, after_letter="hold", clear=clear) as consumer:
        consumer.rebuild()
        consumer.run_until_caught_up()
        consumer.run_until_caught_up()
    assert journal.lines("a") == [2]
    assert sorted(states(sqlite_engine)) == ["dropped", "handled"]


def test_two_members_try_the_same_letters_at_once(stream, engine):
    """Each event has its effect once, in its order, whoever was faster."""
    journal = Journal(engine, 1.0)
    send(stream, *(change(name, number, number) for name in "abc" for number in (1, 2, 3)))
    catch_up(stream, engine, journal, after_letter="hold")
    journal.refused.clear()
    assert ask(engine, LetterState.RETRY) == 3
    both = [
        threading.Thread(target=catch_up, args=(stream, engine, journal), kwargs={"after_letter": "hold"}) for _ in "12"
    ]
    for each in both:
        each.start()
    for each in both:
        each.join(120)
    catch_up(stream, engine, journal, after_letter="hold")
    assert [journal.lines(name) for name in "abc"] == [[1, 2, 3]] * 3
    assert set(states(engine)) == {"handled"}


class Moody(Journal):
    """Cannot use some values at every other try, and fails altogether at some."""

    def __init__(self, engine, chance: random.Random) -> None:
        super().__init__(engine)
        self.chance, self.moody, self.failing = chance, set[float](), 0.0

    def __call__(self, db, events) -> None:
        if self.chance.random() < self.failing:
            raise RuntimeError("not now")
        for event in events:
            if event.outcome.record.value in self.moody and self.chance.random() < 0.5:
                raise PoisonError(event, LetterReason.INVALID_RECORD)
        super().__call__(db, events)


class Sequence:
    """What somebody hostile does to a group, by chance; and what must have come of it."""

    def __init__(self, stream, engine, after_letter: str, seed: int) -> None:
        self.stream, self.engine, self.chance = stream, engine, random.Random(f"{after_letter} {seed}")
        self.journal = Moody(engine, self.chance)
        self.sent: dict[str, list[float]] = {name: [] for name in "abcd"}
        self.subjects = dict.fromkeys("abcd", ADA)
        options = {"after_letter": after_letter, "sleep": lambda seconds: None}
        self.members = [stream.consumer(engine, self.journal, **options) for _ in "12"]

    def run(self, steps: int) -> None:
        ways = (self.tell, self.tell, self.step, self.step, self.retry, self.drop, self.move)
        self.step()
        for _ in range(steps):
            self.journal.failing = self.chance.choice((0.0, 0.0, 0.3))
            self.chance.choice(ways)()
        self.journal.failing = 0.0
        self.step()
        self.journal.moody.clear()
        self.journal.refused.clear()
        ask(self.engine, LetterState.RETRY)
        self.step()
        for member in self.members:
            member.close()

    def tell(self) -> None:
        some = []
        for _ in range(self.chance.randrange(1, 4)):
            name, value = self.chance.choice("abcd"), float(sum(map(len, self.sent.values())) + 1)
            self.sent[name].append(value)
            some.append(change(name, value, len(self.sent[name]), self.subjects[name]))
            mood = self.chance.random()
            (self.journal.refused if mood < 0.2 else self.journal.moody if mood < 0.4 else set()).add(value)
        send(self.stream, *some)

    def step(self) -> None:
        with suppress(RuntimeError):
            self.chance.choice(self.members).run_until_caught_up(timeout=60)

    def retry(self) -> None:
        for value in list(self.journal.refused):
            if self.chance.random() < 0.3:
                self.journal.refused.discard(value)
        ask(self.engine, LetterState.RETRY)

    def drop(self) -> None:
        box, waiting = Letterbox(self.engine, "test"), places(self.engine)
        if waiting:
            box.ask([self.chance.choice(waiting)], LetterState.DROPPED)

    def move(self) -> None:
        """A record goes over to another subject; what was said of it before is read, since partitions have no order among them."""
        failing, self.journal.failing = self.journal.failing, 0.0
        for member in self.members:  # each reads all partitions, and either may be behind
            member.run_until_caught_up(timeout=60)
        self.journal.failing = failing
        name = self.chance.choice("abcd")
        self.subjects[name] = BOB if self.subjects[name] == ADA else ADA

    def dropped(self) -> set[float]:
        """The values whose letters somebody dropped."""
        places_of = {
            (noted.place.partition, noted.place.offset)
            for noted in Letterbox(self.engine, "test").noted(closed=True)
            if noted.state is LetterState.DROPPED
        }
        read = self.stream.records()
        return {
            json.loads(each.value)["record"]["value"] for each in read if (each.partition, each.offset) in places_of
        }


@pytest.fixture(
    params=["stream", pytest.param("kafka_stream", marks=[pytest.mark.kafka, pytest.mark.slow])],
    ids=["tansu", "apache"],
)
def any_stream(request):
    return request.getfixturevalue(request.param)


@pytest.mark.timeout(600)
@pytest.mark.parametrize("after_letter", ["hold", "supersede"])
def test_hostile_sequences_lose_nothing_and_turn_nothing_back(any_stream, sqlite_engine, after_letter, seed):
    """Two members, a handler of moods, retries and drops at any moment. Held: all comes, in its order, once, but for what was dropped.
    Superseded: in its order, once, and the last of each record."""
    sequence = Sequence(any_stream, sqlite_engine, after_letter, seed)
    sequence.run(40)
    dropped = sequence.dropped()
    assert not Letterbox(sqlite_engine, "test").noted()
    for name, sent in sequence.sent.items():
        lines, wanted = sequence.journal.lines(name), [value for value in sent if value not in dropped]
        assert lines == sorted(set(lines)), name
        assert lines == wanted if after_letter == "hold" else lines[-1:] == wanted[-1:], name


@pytest.mark.kafka
@pytest.mark.slow
def test_topic_made_anew_and_filled_beyond_the_place_is_read_from_its_start(kafka_stream, sqlite_engine):
    """Brokers were wiped while the consumer was away, and all was told again: its place lies in the middle of that. Letters of the topic
    before are no letters of this one's, though they lie at the same places."""
    journal, told = Journal(sqlite_engine), []
    key = change("b", 1, 1, BOB).key
    old, new = [("x", b"old")], [("x", b"new")]
    kafka_stream.send_all([(key, b"\xff", old)])
    send(kafka_stream, *(change("a", number, number) for number in range(1, 6)))
    catch_up(kafka_stream, sqlite_engine, journal)
    with topics.administration(kafka_stream.bootstrap) as admin:
        admin.delete_topics([f"{kafka_stream.network}.outcome.v1"])
    for _ in range(100):
        if topics.create(kafka_stream.bootstrap, kafka_stream.network, replication=1):
            break
        threading.Event().wait(0.2)
    kafka_stream.send_all([(key, b"\xff", new)])
    send(kafka_stream, *(change("a", number, number) for number in (6, 7, 8, 1, 2, 3, 4, 5)))

    for _ in range(2):
        catch_up(kafka_stream, sqlite_engine, journal, notice=told.append)

    assert journal.lines("a") == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [sentence for sentence in told if "made anew" in sentence] == told[:1]
    assert states(sqlite_engine) == ["waiting"]
    found = kafka_stream.records("dlq.test")
    assert [("old" in str(each.value), "new" in str(each.value)) for each in found] == [(True, False), (False, True)]
