"""What becomes of a dead letter: superseded or holding back, retried, dropped, never twice, and never out of order."""

import json

import pytest
from journals import BOB, Journal, catch_up, change, places, send, states
from sqlalchemy import select, text
from sqlalchemy.event import listen

from mainstem.consumer import LetterState
from mainstem.consumer.dead_letters import DeadLetters, Place
from mainstem.consumer.ledger import metadata
from mainstem.consumer.letterbox import Letterbox, consumer_letter
from mainstem.kafka.settings import as_settings


@pytest.fixture
def journal_of():
    return Journal


@pytest.mark.slow
def test_later_event_of_the_record_supersedes_its_letter(stream, engine, journal_of):
    """The default: each event carries the whole record, so nothing is lost by going on; the letter is done with."""
    journal = journal_of(engine, 2.0)
    send(stream, change("a", 1, 1), change("a", 2, 2), change("b", 2, 1, BOB))
    catch_up(stream, engine, journal)
    assert sorted(states(engine)) == ["waiting", "waiting"]

    send(stream, change("a", 3, 3))
    catch_up(stream, engine, journal)

    assert journal.lines("a") == [1, 3]
    assert sorted(states(engine)) == ["superseded", "waiting"]


def test_letter_holds_back_the_later_events_of_its_record_alone_until_it_is_retried(stream, engine, journal_of):
    """By the handler's choice: in the same poll and in later ones, through restarts; then all come, in their order, once."""
    journal = journal_of(engine, 2.0)
    send(stream, change("a", 1, 1), change("a", 2, 2), change("a", 3, 3), change("b", 1, 1, BOB), change("c", 7, 1))
    catch_up(stream, engine, journal, after_letter="hold")
    send(stream, change("a", 4, 4), change("c", 8, 2))
    catch_up(stream, engine, journal, after_letter="hold")
    assert (journal.lines("a"), journal.lines("b"), journal.lines("c")) == ([1], [1], [7, 8])
    assert states(engine) == ["waiting", "held", "held"]
    assert [letter_reason(letter) for letter in stream.records("dlq.test")] == ["invalid-record", "held", "held"]

    journal.refused.clear()
    Letterbox(engine, "test").ask(places(engine), LetterState.RETRY)
    assert catch_up(stream, engine, journal, after_letter="hold") == 3

    assert journal.lines("a") == [1, 2, 3, 4]
    assert states(engine) == ["handled", "handled", "handled"]
    send(stream, change("a", 5, 5))
    assert catch_up(stream, engine, journal, after_letter="hold") == 1


def test_dropped_letter_lets_the_later_events_go(stream, engine, journal_of):
    """Nobody needs it any more; what it held comes."""
    journal = journal_of(engine, 2.0)
    send(stream, change("a", 2, 1), change("a", 3, 2), change("a", 4, 3))
    catch_up(stream, engine, journal, after_letter="hold")
    Letterbox(engine, "test").ask(places(engine), LetterState.DROPPED)

    catch_up(stream, engine, journal, after_letter="hold")

    assert journal.lines("a") == [3, 4]


def test_retry_of_what_still_cannot_be_used_holds_on(stream, engine, journal_of):
    """It waits again, and what it holds does."""
    journal = journal_of(engine, 2.0)
    send(stream, change("a", 2, 1), change("a", 3, 2))
    catch_up(stream, engine, journal, after_letter="hold")
    Letterbox(engine, "test").ask(places(engine), LetterState.RETRY)

    assert catch_up(stream, engine, journal, after_letter="hold") == 0

    assert journal.lines("a") == []
    assert states(engine) == ["waiting", "held"]


@pytest.mark.slow
def test_retry_of_what_was_overtaken_does_not_turn_the_record_back(stream, engine, journal_of):
    """A letter retried after a newer change was handled elsewhere has no effect."""
    journal = journal_of(engine, 2.0)
    send(stream, change("a", 2, 1))
    catch_up(stream, engine, journal)
    journal.refused.clear()
    send(stream, change("a", 3, 2))
    Letterbox(engine, "test").ask(places(engine), LetterState.RETRY)
    catch_up(stream, engine, journal)
    catch_up(stream, engine, journal)

    assert journal.lines("a") in ([3], [2, 3])
    assert journal.lines("a")[-1] == 3


def test_bytes_under_a_records_key_hold_it_back_and_what_speaks_of_another_does_not(stream, engine, journal_of):
    """Nothing that a message only names is touched by it."""
    journal = journal_of(engine)
    good, other = change("a", 1, 1), change("b", 1, 1, BOB)
    liar = change("c", 5, 1)
    stream.send_all(
        [
            (good.key, b"\xff\x00", good.source.headers),
            (other.key, liar.value, liar.source.headers),
        ]
    )
    send(stream, change("a", 2, 2), change("b", 2, 2, BOB))

    catch_up(stream, engine, journal, after_letter="hold")

    assert (journal.lines("a"), journal.lines("b")) == ([], [2])


def test_letter_gives_back_every_byte(stream, sqlite_engine, journal_of):
    """Headers and value as they came, text or not; in the letter's headers are reason and place alone."""
    garbage = [("ce_id", b"\xff\x00"), ("x", b""), ("name", "Zoë".encode())]
    stream.send_all([(b"MRN 12", b"\x00\xff Jane", garbage), (b"k", None, []), (b"k", b'{"a": "\\u0000"}', [])])
    catch_up(stream, sqlite_engine, journal_of(sqlite_engine))

    box = Letterbox(sqlite_engine, "test")
    noted = box.noted()
    letters = DeadLetters(as_settings(stream.bootstrap), stream.network, "test", box)
    found = letters.read({each.place: each.letter_offset for each in noted})

    assert sorted((each.value or b"", each.headers) for each in found.values()) == sorted(
        [(b"\x00\xff Jane", garbage), (b"", []), (b'{"a": "\\u0000"}', [])]
    )
    headers = json.dumps([str(letter.headers) for letter in stream.records("dlq.test")])
    assert not any(word in headers for word in ("MRN", "Jane", "Zo", "ce_id"))


def test_letter_is_not_sent_again_after_a_crash_between_it_and_the_place(stream, outbox, observe, engine, latest_of):
    """kill -9 at the worst moment: the next process finds the letter in the topic and goes on."""
    stream.send_all([(b"x", b"%d" % number, []) for number in range(20)])
    observe(outbox, 1)
    stream.publish(outbox)

    class Killed(BaseException):
        pass

    for _ in range(3):
        consumer = stream.consumer(engine, latest_of(engine))
        send_letters = consumer._letters.send

        def die(letters, send_letters=send_letters):
            send_letters(letters)
            if letters:
                raise Killed

        consumer._letters.send = die
        with pytest.raises(Killed):
            consumer.run_until_caught_up()
        consumer.close()

    assert catch_up(stream, engine, latest_of(engine)) == 1
    found = stream.records("dlq.test")
    assert len({letter_place(letter) for letter in found}) == len(found) == 20
    assert len(places(engine)) == 20


def test_rebuild_sends_no_letter_again(stream, sqlite_engine, journal_of):
    """What is read again from the beginning meets the same poison; the table knows it."""
    journal = journal_of(sqlite_engine, 2.0)
    send(stream, change("a", 1, 1), change("b", 2, 1, BOB))

    def clear(db):
        db.execute(text("delete from line"))

    with stream.consumer(sqlite_engine, journal, clear=clear) as consumer:
        consumer.run_until_caught_up()
        consumer.rebuild()
        assert consumer.run_until_caught_up() == 1

    assert journal.lines("a") == [1]
    assert len(stream.records("dlq.test")) == 1


def test_event_of_a_site_that_is_none_of_the_networks_is_a_dead_letter(stream, sqlite_engine, journal_of):
    """Kafka lets any publisher write any site's name; the consumer knows the sites there are."""
    journal = journal_of(sqlite_engine)
    send(stream, change("a", 1, 1))
    catch_up(stream, sqlite_engine, journal, members={"west"})
    assert journal.lines("a") == []
    with sqlite_engine.connect() as db:
        row = db.execute(select(consumer_letter)).one()
    assert (row.reason, row.record) == ("foreign-site", None)


def test_group_of_before_gets_the_tables_of_now(stream, sqlite_engine, journal_of):
    """A database of an earlier version has two tables; it goes on where it was."""
    journal = journal_of(sqlite_engine)
    send(stream, change("a", 1, 1))
    catch_up(stream, sqlite_engine, journal)
    with sqlite_engine.begin() as db:
        for name in set(metadata.tables) - {"consumer_offset", "consumer_record"}:
            db.execute(text(f"drop table {name}"))
    send(stream, change("a", 2, 2))

    assert catch_up(stream, sqlite_engine, journal) == 1
    assert journal.lines("a") == [1, 2]


def letter_reason(letter) -> str:
    return dict(letter.headers)["reason"].decode()


def letter_place(letter) -> tuple[bytes, ...]:
    facts = dict(letter.headers)
    return facts["topic"], facts["partition"], facts["offset"]


def test_letters_are_asked_for_all_at_once(sqlite_engine) -> None:
    """A poll of nothing but poison asks a question a partition, not one for each of its events."""
    metadata.create_all(sqlite_engine)
    box, asked = Letterbox(sqlite_engine, "asking"), []
    listen(sqlite_engine, "before_cursor_execute", lambda *told: asked.append(told[2]))
    assert box.known(Place("lhn.outcome.v1", number % 3, number) for number in range(1_600)) == {}
    assert len(asked) == 3
