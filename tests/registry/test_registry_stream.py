"""The registry on a real broker and PostgreSQL: the stream's state, once, whatever comes twice or late."""

import threading

import pytest
from kafka import KafkaProducer
from services_cases import event_of, load_record, record_id, subject_id
from services_story import load_events
from sqlalchemy import Engine, select
from waiting import wait_until

from mainstem.consumer import Received
from mainstem.kafka import topics
from mainstem.kafka.settings import KafkaSettings, as_settings
from schemas.events import outcome_topic
from schemas.loads import LoadEvent
from schemas.outcomes import Observation
from services.registry.completeness import completeness
from services.registry.database import connect, open_registry
from services.registry.handler import apply, apply_loads, clear
from services.registry.running import catch_up, run
from services.registry.tables import RECORD_TABLES, history


def bmi(name: str, value: float) -> Observation:
    """A BMI percentile."""
    content = {"id": record_id(name), "subject": subject_id("ada"), "site": "north", "code": "59576-9", "value": value}
    return Observation.model_validate(content)


def send(broker: str, network: str, events: list[Received], loads: list[LoadEvent]) -> None:
    """Puts events on the network's topics, as they are."""
    producer = KafkaProducer(bootstrap_servers=broker, acks="all")
    sent = [producer.send(outcome_topic(network), key=e.key, value=e.value, headers=e.source.headers) for e in events]
    told = [load_record(load, network) for load in loads]
    sent += [producer.send(each.topic, each.value, each.key, each.headers) for each in told]
    for future in sent:
        future.get(timeout=20)
    producer.close()


def state(engine: Engine) -> dict[str, tuple[float, int]]:
    """Value and sequence of every current observation."""
    table = RECORD_TABLES["observation"]
    with engine.connect() as connection:
        rows = connection.execute(select(table.c.id, table.c.value, table.c.sequence))
        return {row.id: (float(row.value), row.sequence) for row in rows}


@pytest.mark.timeout(120)
def test_stream_with_duplicates_and_late_events_gives_the_right_registry(
    broker: str, network: str, postgres_url: str
) -> None:
    """Recorded, amended, withdrawn; then the same again and older ones late: the same registry."""
    topics.create(broker, network, groups=["registry"], partitions=2, replication=1, min_in_sync=1)
    first, second = event_of(bmi("a", 40)), event_of(bmi("a", 60), sequence=2)
    kept, gone = event_of(bmi("b", 50)), event_of(bmi("b", 50), sequence=2, withdrawn=True)
    send(broker, network, [first, kept, second, gone], load_events())
    settings = as_settings(broker)
    catch_up(settings, network, postgres_url)
    engine = connect(postgres_url)
    expected = {record_id("a"): (60.0, 2)}
    assert state(engine) == expected
    send(broker, network, [first, kept, second], [])
    catch_up(settings, network, postgres_url)
    assert state(engine) == expected
    with engine.connect() as connection:
        assert len(connection.execute(select(history)).all()) == 4
        assert [site.site for site in completeness(connection)] == ["lake-county", "lakeside", "northside", "west"]
    engine.dispose()


def test_running_registry_tells_the_operator_what_it_cannot_read(stream, outbox, observe, tmp_path):
    """Events of a type that this version does not know: kept, and told in the line on the terminal."""
    observe(outbox, 1)
    stream.publish(outbox)
    said: list[str] = []
    stop = threading.Event()
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    running = threading.Thread(
        target=run, args=(KafkaSettings(stream.bootstrap), stream.network, url, stop), kwargs={"say": said.append}
    )
    running.start()
    try:
        wait_until(lambda: any("caught up" in line for line in said))
        assert "kept unread" not in said[-1]
        (event,) = stream.records()
        headers = [(name, text.replace(b"observation", b"genome")) for name, text in event.headers]
        stream.send(event.value.replace(b'"observation"', b'"genome"'), key=event.key, headers=headers)
        wait_until(lambda: "kept unread" in said[-1])
    finally:
        stop.set()
        running.join(30)
    assert "1 event since the start; kept unread, of types this version does not know: genome 1 (a newer" in said[-2]
    assert said[-1].startswith("Registry: stopped: 1 event handled; kept unread")


def test_rebuilt_registry_is_the_one_that_was(stream, outbox, observe, tmp_path):
    """Emptied of what does not belong there, and filled again from the stream; what happened stays in its history."""
    url = f"sqlite:///{tmp_path / 'registry.db'}"
    for number in range(3):
        observe(outbox, number)
    stream.publish(outbox)
    engine = open_registry(url)
    with stream.consumer(engine, apply, load_handler=apply_loads, clear=clear) as consumer:
        consumer.run_until_caught_up(timeout=40)
        before = state(engine)
        with engine.begin() as db:
            db.execute(RECORD_TABLES["observation"].update().values(value=99))
        consumer.rebuild()
        assert state(engine) == {}
        assert consumer.run_until_caught_up(timeout=40) == 3
    assert state(engine) == before
    with engine.connect() as db:
        assert len(db.execute(select(history)).all()) == 3
    engine.dispose()
