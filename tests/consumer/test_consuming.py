"""The consumer kit: each event's effect once, stale consumers refused, poison put aside; on SQLite and PostgreSQL."""

import textwrap
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, text

import mainstem.consumer as kit
from mainstem.consumer import Consumer
from schemas.errors import OperatorError, TemporaryError
from schemas.loads import LoadEvent, LoadEventType


def catch_up(stream, engine, handler, **options):
    with stream.consumer(engine, handler, **options) as consumer:
        return consumer.run_until_caught_up()


def test_consumer_holds_the_state_the_publisher_sent(stream, outbox, observe, latest_of, engine):
    """Recorded, amended and withdrawn records leave exactly the outbox's live values."""
    latest = latest_of(engine)
    for number in range(30):
        observe(outbox, number, "7.1", subject=number % 5)
    stream.publish(outbox)
    observe(outbox, 1, "9.9", subject=1)
    observe(outbox, 2, None, subject=2)
    stream.publish(outbox)

    handled = catch_up(stream, engine, latest)

    expected = {f"r-{row.id.hex()}": "7.1" for row in outbox.rows.values() if row.content}
    expected[f"r-{observe(outbox, 1, '9.9', subject=1).hex()}"] = "9.9"
    assert handled == 32
    assert latest.state() == expected


def test_consumer_started_again_goes_on_where_its_database_is(stream, outbox, observe, latest_of, sqlite_engine):
    """A new process reads from the offsets in the database, whatever Kafka thinks."""
    latest = latest_of(sqlite_engine)
    observe(outbox, 1)
    stream.publish(outbox)
    assert catch_up(stream, sqlite_engine, latest) == 1
    observe(outbox, 2)
    stream.publish(outbox)

    assert catch_up(stream, sqlite_engine, latest) == 1
    assert catch_up(stream, sqlite_engine, latest) == 0
    assert len(latest.given) == 2


def test_same_event_twice_has_one_effect(stream, outbox, fill, latest_of, engine):
    """A publisher that lost the acknowledgement sends again; the second copies reach no handler."""
    latest = latest_of(engine)
    fill(outbox, 40)
    stream.publish(outbox)
    outbox.published.clear()
    stream.publish(outbox)

    catch_up(stream, engine, latest)

    assert len(stream.records()) == 80
    assert len(latest.given) == len(set(latest.given)) == 40
    assert sorted(latest.effects()) == sorted(latest.given)


@pytest.mark.slow
def test_value_that_goes_back_to_an_earlier_one_is_a_change(stream, outbox, observe, latest_of, sqlite_engine):
    """A → B → A are three events; the state is A, not B."""
    latest = latest_of(sqlite_engine)
    for value in ("7.1", "8.2", "7.1"):
        record = observe(outbox, 1, value)
        stream.publish(outbox)

    assert catch_up(stream, sqlite_engine, latest) == 3
    assert latest.state() == {f"r-{record.hex()}": "7.1"}


def test_older_change_after_a_newer_one_is_dropped(stream, outbox, observe, latest_of, engine):
    """A zombie's late copy of an earlier change does not turn the record back."""
    latest = latest_of(engine)
    record = observe(outbox, 1, "7.1")
    old = outbox.rows[record]
    stream.publish(outbox)
    observe(outbox, 1, "8.2")
    stream.publish(outbox)
    newer = outbox.rows[record]
    outbox.rows[record], outbox.published[record] = old, (0, False)
    stream.publish(outbox)
    outbox.rows[record] = newer

    assert catch_up(stream, engine, latest) == 2
    assert latest.state() == {f"r-{record.hex()}": "8.2"}


def test_lower_sequence_of_a_higher_epoch_is_accepted(stream, outbox, observe, latest_of, sqlite_engine):
    """After a publisher's database came back from a backup its epoch is higher, and its sequences count again."""
    latest = latest_of(sqlite_engine)
    for value in ("1.0", "2.0", "3.0"):
        record = observe(outbox, 1, value)
        stream.publish(outbox)
    catch_up(stream, sqlite_engine, latest)
    outbox.rows.clear()
    outbox.published.clear()
    outbox.epoch = 2
    observe(outbox, 1, "4.5")
    stream.publish(outbox)

    assert catch_up(stream, sqlite_engine, latest) == 1
    assert latest.state() == {f"r-{record.hex()}": "4.5"}


def test_stale_consumer_is_refused(stream, outbox, observe, latest_of, engine):
    """A consumer that slept while another took over writes nothing; then it goes on from the other's place."""
    latest = latest_of(engine)
    observe(outbox, 1)
    stream.publish(outbox)
    sleeper = stream.consumer(engine, latest)
    try:
        sleeper.run_until_caught_up()
        observe(outbox, 2)
        stream.publish(outbox)
        assert catch_up(stream, engine, latest) == 1
        observe(outbox, 3)
        stream.publish(outbox)

        assert sleeper.run_until_caught_up() == 1
    finally:
        sleeper.close()
    assert len(latest.given) == len(set(latest.effects())) == 3
    assert len(latest.effects()) == 3


@pytest.mark.slow
def test_handler_that_fails_moves_nothing(stream, outbox, fill, latest_of, engine):
    """An error in the handler takes its writes and the offset back; the next run has the effect once."""
    latest = latest_of(engine)
    fill(outbox, 10)
    stream.publish(outbox)

    def failing(db, events):
        latest(db, events)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        catch_up(stream, engine, failing)
    assert latest.effects() == []

    catch_up(stream, engine, latest)
    assert len(latest.effects()) == 10


def test_consumer_that_is_run_again_after_its_handler_failed_misses_nothing(stream, outbox, fill, latest_of, engine):
    """Events that were read ahead of those in which the handler failed are neither skipped nor handled before them."""
    latest = latest_of(engine)
    fill(outbox, 40, subjects=4)
    stream.publish(outbox)
    calls = []

    def failing_once(db, events):
        latest(db, events)
        calls.append(len(events))
        if len(calls) == 2:
            raise ZeroDivisionError

    with stream.consumer(engine, failing_once, poll_records=5) as consumer:
        with pytest.raises(ZeroDivisionError):
            consumer.run_until_caught_up()
        assert len(latest.effects()) == calls[0]
        assert consumer.run_until_caught_up() == 40 - calls[0]
        assert {standing.lag for standing in consumer.standing()} == {0}

    assert len(latest.effects()) == len(set(latest.effects())) == 40


def test_database_error_tells_nothing_of_the_data(stream, outbox, observe, sqlite_engine):
    """SQLAlchemy quotes a failed statement's parameters; our error does not."""
    observe(outbox, 1)
    stream.publish(outbox)

    def failing(db, events):
        db.execute(text("insert into no_such_table values (:value)"), {"value": events[0].value.decode()})

    with pytest.raises(OperatorError) as caught:
        catch_up(stream, sqlite_engine, failing)
    assert "4548-4" not in str(caught.value)
    assert caught.value.__cause__ is None or "4548-4" not in str(caught.value.__cause__)


def test_offset_stays_while_a_dead_letter_cannot_be_written(
    stream, outbox, observe, latest_of, sqlite_engine, monkeypatch
):
    """Poison whose letter is not acknowledged is met again, so that it cannot vanish."""
    latest = latest_of(sqlite_engine)
    stream.send(b"nonsense")

    def no_connection(letters):
        raise TemporaryError("no broker for dead letters")

    with stream.consumer(sqlite_engine, latest, attempts=1) as consumer:
        monkeypatch.setattr(consumer._letters, "send", lambda letters: no_connection(letters) if letters else None)
        with pytest.raises(TemporaryError, match="dead letters"):
            consumer.run_until_caught_up()

    assert catch_up(stream, sqlite_engine, latest) == 0
    assert len(stream.records("dlq.test")) == 1


@pytest.mark.parametrize(("setting", "named"), [({}, "the consumer's engine"), ({"setting": "REGISTRY"}, "REGISTRY")])
def test_database_error_names_the_setting_that_was_used(stream, outbox, observe, tmp_path, setting, named):
    """A stranger's consumer has no MAINSTEM_DATABASE_URL to correct."""
    (tmp_path / "none.db").write_text("this is no database, whatever its name says")
    engine = create_engine(f"sqlite:///{tmp_path / 'none.db'}")
    observe(outbox, 1)
    stream.publish(outbox)
    with pytest.raises(OperatorError, match="is not an SQLite database") as caught:
        catch_up(stream, engine, lambda db, events: None, **setting)
    assert named in caught.value.fix
    assert "MAINSTEM_DATABASE_URL" not in caught.value.fix


def test_member_of_a_group_is_given_the_partitions(stream, outbox, fill, latest_of, sqlite_engine):
    """Group membership, the default: the broker assigns, the database says from where."""
    latest = latest_of(sqlite_engine)
    fill(outbox, 50)
    stream.publish(outbox)

    assert catch_up(stream, sqlite_engine, latest, share=True) == 50


def test_load_events_reach_their_handler(stream, outbox, latest_of, sqlite_engine):
    """With a load handler, the sites' loads come in the same transactions."""
    event = LoadEvent(
        load="north/2026-03-02T05:00Z",
        site="north",
        event=LoadEventType.STARTED,
        mode="full",
        started=datetime(2026, 3, 2, 5, tzinfo=UTC),
    )
    outbox.tell(event)
    stream.publish(outbox)
    loads = []

    catch_up(stream, sqlite_engine, latest_of(sqlite_engine), load_handler=lambda db, events: loads.extend(events))

    assert loads == [event]


@pytest.mark.slow
def test_dead_broker_is_named(sqlite_engine, latest_of):
    """A consumer of a broker that is not there says so instead of waiting for ever."""
    with (
        Consumer(
            "127.0.0.1:1", network="lhn", group="g", engine=sqlite_engine, handler=latest_of(sqlite_engine)
        ) as gone,
        pytest.raises(TemporaryError, match=r"127\.0\.0\.1:1 is not reachable"),
    ):
        gone.run_until_caught_up()


@pytest.mark.slow
def test_example_in_the_documentation_works(stream, outbox, observe, tmp_path, monkeypatch):
    """The consumer that the module's text shows, word for word but for the address and the network."""
    observe(outbox, 1, "7.1")
    observe(outbox, 2, "7.2")
    stream.publish(outbox)
    observe(outbox, 2, None)
    stream.publish(outbox)
    monkeypatch.chdir(tmp_path)
    lines = kit.__doc__.splitlines()
    example = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ") or not line))
    example = example.replace("127.0.0.1:9092", stream.bootstrap).replace('"lhn"', f'"{stream.network}"')

    exec(compile(example, "example", "exec"), {})

    with create_engine("sqlite:///latest.db").connect() as db:
        ((record, kind),) = db.execute(text("select record, type from latest"))
    assert kind == "observation"
    assert record.startswith("r-")
