"""What a consumer chooses: what it wants, from where it reads, what may happen again; and what it does after a long absence."""

import threading
import time
from datetime import UTC, datetime, timedelta

import pytest
from services_cases import event_of, record_id, subject_id
from sqlalchemy import text
from waiting import wait_until

from mainstem.consumer import Only, StateOf
from mainstem.consumer.progress import standing
from schemas.errors import OperatorError, TemporaryError
from schemas.outcomes import Observation


def change(name: str, *, code: str = "4548-4", site: str = "north", sequence: int = 1):
    content = {"id": record_id(name), "subject": subject_id(name), "site": site, "code": code, "value": sequence}
    return event_of(Observation.model_validate(content), sequence=sequence)


def send(stream, *events, **headers: bytes) -> None:
    more = list(headers.items())
    stream.send_all([(event.key, event.value, [*event.source.headers, *more]) for event in events])


def catch_up(stream, engine, handler, **options) -> int:
    with stream.consumer(engine, handler, **options) as consumer:
        return consumer.run_until_caught_up()


def test_what_is_not_wanted_is_passed_over_unread(stream, sqlite_engine, latest_of):
    """By site and type from the headers, whatever the value holds; by code from the value."""
    latest = latest_of(sqlite_engine)
    wanted, west, other = change("a"), change("b", site="west"), change("c", code="8302-2")
    broken = [(west.key, b"\xff\xff", west.source.headers)]
    send(stream, wanted, west, other)
    stream.send_all(broken)

    with stream.consumer(sqlite_engine, latest, only=Only(sites=["north"], codes=["4548-4"])) as consumer:
        assert consumer.run_until_caught_up() == 1
        assert consumer.unwanted == 3

    assert latest.state() == {record_id("a"): "1"}
    assert catch_up(stream, sqlite_engine, latest, only=Only(types=["person"])) == 0


def test_record_that_changes_to_an_unwanted_code_is_withdrawn_there(stream, engine, latest_of):
    """What the consumer holds under a code must not stay when the record says another; it comes back when that does."""
    latest, only = latest_of(engine), Only(codes=["4548-4"])
    send(stream, change("a"), change("a", code="8302-2", sequence=2), change("b", code="8302-2"))
    assert catch_up(stream, engine, latest, only=only) == 2
    assert latest.state() == {}
    send(stream, change("a", sequence=3))
    catch_up(stream, engine, latest, only=only)
    assert latest.state() == {record_id("a"): "3"}


def test_replayed_events_fill_tables_again_and_cause_no_effect_a_second_time(stream, sqlite_engine, latest_of):
    """`rebuild` takes the same change once more where it says that it is a replay; `once` does not; neither turns back."""
    latest = latest_of(sqlite_engine)
    send(stream, change("a"), change("b"), change("b", sequence=2))
    catch_up(stream, sqlite_engine, latest)
    with sqlite_engine.begin() as db:
        db.execute(text("delete from latest"))
    send(stream, change("a"), change("b"), replay=b"1")

    assert catch_up(stream, sqlite_engine, latest, effects="once") == 0
    send(stream, change("a"), change("b"), replay=b"1")
    assert catch_up(stream, sqlite_engine, latest) == 1
    assert latest.state() == {record_id("a"): "1"}


def test_group_starts_from_a_time(stream, sqlite_engine, latest_of):
    """What was written before is history to it."""
    send(stream, change("a"))
    time.sleep(1.1)
    moment = datetime.now(UTC)
    send(stream, change("b"))

    assert catch_up(stream, sqlite_engine, latest_of(sqlite_engine), start=moment) == 1
    assert catch_up(stream, sqlite_engine, latest_of(sqlite_engine), start=moment) == 0


def test_group_starts_where_another_stands(stream, engine, latest_of):
    """With what that has handled of each record, not its places alone."""
    send(stream, change("a"), change("b", sequence=2))
    assert catch_up(stream, engine, latest_of(engine)) == 2
    send(stream, change("b"), change("c"))

    assert catch_up(stream, engine, latest_of(engine), group="second", start=StateOf("test")) == 1


class Clock:
    def __init__(self) -> None:
        self.now = time.time()

    def __call__(self) -> float:
        return self.now


def test_consumer_that_was_away_too_long_refuses_and_rebuilds_where_it_can(stream, outbox, observe, engine, latest_of):
    """A withdrawal may be gone from the topic: what is here and not there must not stay."""
    latest, clock, said = latest_of(engine), Clock(), []
    for number in (1, 2):
        observe(outbox, number)
    stream.publish(outbox)
    catch_up(stream, engine, latest, clock=clock)
    with engine.begin() as db:
        db.execute(text("insert into latest values ('r-gone', '1')"))  # its tombstone came and went while we were away
    observe(outbox, 1, "8")
    stream.publish(outbox)

    clock.now += timedelta(days=31).total_seconds()
    with pytest.raises(OperatorError, match="withdrawals are kept for 30 days") as refused:
        catch_up(stream, engine, latest, clock=clock)
    assert "clear" in refused.value.fix
    with pytest.raises(OperatorError):
        catch_up(stream, engine, latest, clock=clock, clear=lambda db: None, effects="once")

    def clear(db):
        db.execute(text("delete from latest"))

    assert catch_up(stream, engine, latest, clock=clock, clear=clear, notice=said.append) == 3
    assert sorted(latest.state().values()) == ["7.1", "8"]
    assert "made anew" in said[0]


@pytest.mark.parametrize("days", [29, 400])
def test_absence_in_which_nothing_can_be_missed_is_none(stream, outbox, observe, sqlite_engine, latest_of, days):
    """Shorter than tombstones are kept; or nothing was written meanwhile."""
    clock = Clock()
    observe(outbox, 1)
    stream.publish(outbox)
    catch_up(stream, sqlite_engine, latest_of(sqlite_engine), clock=clock)
    if days == 29:
        observe(outbox, 1, "8")
        stream.publish(outbox)
    clock.now += timedelta(days=days).total_seconds()

    assert catch_up(stream, sqlite_engine, latest_of(sqlite_engine), clock=clock) == (days == 29)


def test_consumer_says_how_far_it_is(stream, outbox, fill, engine, latest_of):
    """In a table of the handler's database: lag, freshness, the last event."""
    fill(outbox, 10)
    stream.publish(outbox)
    catch_up(stream, engine, latest_of(engine))

    (found,) = [each for each in standing(engine) if "outcome" in each.topic]
    assert (found.group, found.lag, found.letters) == ("test", 0, 0)
    assert found.freshness(datetime.now(UTC)) == timedelta()
    assert found.last_applied is not None
    assert found.freshness(datetime.now(UTC) + timedelta(hours=2)) > timedelta(hours=1)


def test_handler_that_asks_for_patience_is_called_again_after_growing_pauses(
    stream, outbox, observe, sqlite_engine, latest_of
):
    """`TemporaryError`: nothing is lost, nothing comes twice, and what keeps it waiting is said."""
    latest, pauses, said = latest_of(sqlite_engine), [], []
    observe(outbox, 1)
    stream.publish(outbox)
    down = iter([True, True, True])

    def handler(db, events):
        latest(db, events)
        if next(down, False):
            raise TemporaryError("the pharmacy's server is down")

    handled = catch_up(stream, sqlite_engine, handler, sleep=pauses.append, notice=said.append)
    assert handled == 1
    assert len(latest.effects()) == 1
    assert pauses == sorted(pauses)
    assert len(pauses) == 3
    assert "pharmacy" in said[0]


@pytest.mark.kafka
@pytest.mark.slow
def test_slow_handler_keeps_its_partitions(kafka_stream, outbox, observe, postgres_engine, latest_of):
    """Three times Kafka's patience in one transaction: no other member gets the work, and the effect comes once."""
    latest, said = latest_of(postgres_engine), []
    observe(outbox, 1)
    kafka_stream.publish(outbox)
    options = {"share": True, "max_poll_interval_ms": 7_000, "session_timeout": 6.0}
    rebuilt = []

    def slow(db, events):
        latest(db, events)
        time.sleep(21)

    with kafka_stream.consumer(postgres_engine, slow, notice=said.append, **options) as consumer:
        consumer.run_until_caught_up(timeout=60)
        rebuilt.append(consumer._client.assignment())
        observe(outbox, 2)
        kafka_stream.publish(outbox)
        assert consumer.run_until_caught_up(timeout=60) == 1
    assert len(latest.given) == len(latest.effects()) == 2
    assert "paused" in said[0]


@pytest.mark.kafka
@pytest.mark.slow
def test_successor_of_a_killed_member_says_what_it_waits_for(kafka_stream, outbox, observe, sqlite_engine, latest_of):
    """The group gives it nothing until the session of the killed one is over: a line, not silence."""
    observe(outbox, 1)
    kafka_stream.publish(outbox)
    options = {"share": True, "session_timeout": 12.0}
    killed = kafka_stream.consumer(sqlite_engine, latest_of(sqlite_engine), **options)
    killed.run_until_caught_up(timeout=60)
    said, stop = [], threading.Event()
    successor = kafka_stream.consumer(sqlite_engine, latest_of(sqlite_engine), notice=said.append, **options)
    running = threading.Thread(target=lambda: successor.run(stop))
    running.start()
    try:
        wait_until(lambda: said)
        assert "killed" in said[0]
        assert "12 s" in said[0]
    finally:
        stop.set()
        running.join(60)
        successor.close()
        killed.close()
